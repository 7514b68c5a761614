// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Any bytes as a chat template. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lx/chat.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *copy = malloc(size + 1);	/* exact: over-reads show */
	struct lx_str s = { copy, (u32)size }, d;
	enum lx_chat_kind k;

	memcpy(copy, data, size);
	copy = realloc(copy, size ? size : 1);
	s.p = copy;
	k = lx_chat_recognise(s);
	FUZZ_CHECK((u32)k < LX_CHAT_KINDS);
	FUZZ_CHECK((k == LX_CHAT_NONE) == !size);
	for (u32 i = 0; i < 12; i++) {
		lx_chat_before(k, (enum lx_role)(i % 4), i / 4, i & 1);
		lx_chat_after(k, (enum lx_role)(i % 4), i / 4, i & 1);
	}
	lx_chat_open(k);
	lx_chat_think(k, s, true);
	lx_chat_think(k, s, false);
	d = lx_chat_default_system(k, s);
	FUZZ_CHECK(!d.n || (d.p >= s.p && d.p + d.n <= s.p + s.n));
	free(copy);
	return 0;
}
