// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A fault behind four comparisons, one after the other: who follows coverage
 * finds it in seconds, who guesses bytes would need 2^32 runs.
 */
#include <stddef.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static volatile int depth;

	depth = 0;
	if (size > 3 && data[0] == 'L') {
		depth = 1;
		if (data[1] == 'l') {
			depth = 2;
			if (data[2] == 'x') {
				depth = 3;
				if (data[3] == '!')
					abort();
			}
		}
	}
	return 0;
}
