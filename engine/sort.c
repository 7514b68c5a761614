// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "sort.h"

static void sift_index(u32 *h, u32 i, u32 n,
		       bool (*less)(const void *, u32, u32), const void *ctx)
{
	u32 x = h[i];
	u32 child;

	for (; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && less(ctx, h[child], h[child + 1]))
			child++;
		if (!less(ctx, x, h[child]))
			break;
		h[i] = h[child];
	}
	h[i] = x;
}

void lx_sort_index(u32 *idx, u32 n,
		   bool (*less)(const void *ctx, u32 a, u32 b),
		   const void *ctx)
{
	for (u32 i = n / 2; i-- > 0;)
		sift_index(idx, i, n, less, ctx);
	while (n > 1) {
		u32 top = idx[0];

		idx[0] = idx[--n];
		idx[n] = top;
		sift_index(idx, 0, n, less, ctx);
	}
}
