/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef HELD_H
#define HELD_H

#include "local.h"

/* Bytes that a model and its engine hold, of all kinds. */
static inline u64 held(const struct local *l)
{
	u64 sum = 0;

	for (u32 i = 0; i < LX_MEM_KINDS; i++)
		sum += user_host_held(l->host, i);
	return sum;
}

#endif
