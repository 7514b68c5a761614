/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Fuzzers are libFuzzer targets (clang -fsanitize=fuzzer,address,undefined);
 * with gcc they are linked with standalone.c instead. They run on the tests'
 * host (tests/engine/testhost.c).
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* Abort with a message: what must hold does not. */
#define FUZZ_CHECK(cond)						\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "%s:%d: %s\n", __FILE__,	\
				__LINE__, #cond);			\
			abort();					\
		}							\
	} while (0)

#endif
