/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* From normalised rows to one vector of length 1. */
#ifndef LX_FP_POOL_H
#define LX_FP_POOL_H

/* Tile: columns. Rows are added one by one, or the last one alone is kept. */
static void tile_pool(const struct lx_op *op, u32 tile, void *scratch)
{
	u32 c = tile * op->pool.cols, t = op->pool.last ? op->pool.n - 1 : 0;
	u32 end = lx_min(c + op->pool.cols, op->pool.ld);
	const double *before = op->pool.before;
	double *sum = op->pool.sum;

	for (u32 i = c; i < end; i++)
		sum[i] = op->pool.last ? 0.0 : before[i];
	for (; t < op->pool.n; t++) {
		const float *x = (const float *)op->pool.x +
				 (size_t)(op->pool.slot0 + t) * op->pool.ld;

		for (u32 i = c; i < end; i++)
			sum[i] += (double)x[i];
	}
	(void)scratch;
}

/* One tile. Dividing by the number of rows changes nothing. */
static void tile_unit(const struct lx_op *op, u32 tile, void *scratch)
{
	const double *sum = op->pool.sum;
	float *out = op->pool.out;
	double sq = 0.0;

	for (u32 i = 0; i < op->pool.cols; i++)
		sq += sum[i] * sum[i];
	sq = sq > 0.0 ? 1.0 / __builtin_sqrt(sq) : 0.0;
	for (u32 i = 0; i < op->pool.cols; i++)
		out[i] = (float)(sum[i] * sq);
	(void)tile;
	(void)scratch;
}

#endif
