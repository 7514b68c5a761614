/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Sorting in place without recursion or memory: heap sort, O(n log n). */
#ifndef LX_SORT_H
#define LX_SORT_H

#include "lx/deps.h"

/* Order the indices in @idx so that @less(ctx, idx[i + 1], idx[i]) never holds. */
void lx_sort_index(u32 *idx, u32 n,
		   bool (*less)(const void *ctx, u32 a, u32 b),
		   const void *ctx);

#endif
