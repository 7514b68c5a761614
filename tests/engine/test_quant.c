// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Quantizing: the round-trip error of every type beside the reference's on the
 * same numbers, the same bytes from every implementation, and odd values.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lx/lx.h"
#include "op.h"
#include "quant_data.h"
#include "test.h"

/* RMSE of llama.cpp 0.7.0 (ggml_quantize_chunk, no importance matrix). */
static const struct reference {
	u32 type;
	double rmse[QUANT_SHAPES];
} reference[] = {
	{ LX_TYPE_F16, { 4.094477e-06, 7.445233e-06, 8.456624e-06,
			 5.116012e-06, 7.294661e-06 } },
	{ LX_TYPE_BF16, { 3.254536e-05, 5.853714e-05, 6.328896e-05,
			  4.139119e-05, 5.921112e-05 } },
	{ LX_TYPE_Q4_0, { 1.658112e-03, 4.299493e-03, 5.901605e-03,
			  2.036652e-03, 3.350488e-03 } },
	{ LX_TYPE_Q4_1, { 1.523180e-03, 3.536521e-03, 4.116234e-03,
			  1.548972e-03, 3.081205e-03 } },
	{ LX_TYPE_Q5_0, { 8.290998e-04, 2.161160e-03, 3.375045e-03,
			  1.018241e-03, 1.691472e-03 } },
	{ LX_TYPE_Q5_1, { 7.414464e-04, 1.711606e-03, 2.014275e-03,
			  7.429457e-04, 1.487460e-03 } },
	{ LX_TYPE_Q8_0, { 1.035847e-04, 2.727213e-04, 4.211961e-04,
			  1.274341e-04, 2.148878e-04 } },
	{ LX_TYPE_Q2_K, { 5.818026e-03, 1.297113e-02, 1.094346e-02,
			  5.711313e-03, 1.079281e-02 } },
	{ LX_TYPE_Q3_K, { 2.914596e-03, 6.885479e-03, 6.364708e-03,
			  3.513062e-03, 5.341682e-03 } },
	{ LX_TYPE_Q4_K, { 1.392193e-03, 3.277243e-03, 3.802285e-03,
			  1.395936e-03, 2.815865e-03 } },
	{ LX_TYPE_Q5_K, { 7.034380e-04, 1.662606e-03, 1.948883e-03,
			  7.043145e-04, 1.429339e-03 } },
	{ LX_TYPE_Q6_K, { 3.448829e-04, 8.589441e-04, 1.210617e-03,
			  4.245577e-04, 6.328704e-04 } },
	{ LX_TYPE_IQ4_NL, { 1.475116e-03, 3.448728e-03, 4.763763e-03,
			    1.821668e-03, 2.872751e-03 } },
	{ LX_TYPE_IQ4_XS, { 1.486283e-03, 3.479943e-03, 4.831654e-03,
			    1.836815e-03, 2.897235e-03 } },
	{ LX_TYPE_MXFP4, { 2.210357e-03, 4.824199e-03, 6.946900e-03,
			   2.935787e-03, 4.339353e-03 } },
};

static u64 row_bytes(u32 type, u32 cols)
{
	const struct lx_type_info *ti = lx_type_info(type);

	return (u64)cols / ti->block * ti->bytes;
}

/* All tiles of a conversion, in one thread; bad[2] as the tiles set it. */
static void convert(const struct lx_ops *ops, u32 from, u32 to, const void *src,
		    void *dst, u32 rows, u32 cols, u32 *bad)
{
	struct lx_op op = { .tile = ops->convert };
	void *scratch = malloc(LX_QUANT_SCRATCH);

	bad[0] = bad[1] = 0;
	op.convert.src = src;
	op.convert.dst = dst;
	op.convert.src_bytes = row_bytes(from, cols);
	op.convert.dst_bytes = row_bytes(to, cols);
	op.convert.from = from;
	op.convert.to = to;
	op.convert.cols = cols;
	op.convert.cols_group = lx_convert_cols(to);
	op.convert.groups = lx_div_up(cols, op.convert.cols_group);
	op.convert.bad = bad;
	for (u32 i = 0; i < rows * op.convert.groups; i++)
		op.tile(&op, i, scratch);
	free(scratch);
}

static double rmse(const float *x, const float *y, size_t n)
{
	double sum = 0.0;

	for (size_t i = 0; i < n; i++)
		sum += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
	return sqrt(sum / (double)n);
}

/* The bytes of @type from all implementations; the RMSE of reading them. */
static double round_trip(u32 type, const float *x, u32 rows, u32 cols)
{
	size_t n = row_bytes(type, cols) * rows;
	float *y = malloc((size_t)rows * cols * sizeof(*y));
	u8 *want = malloc(n), *got = malloc(n);
	u32 bad[2];
	bool usable;
	const char *name;
	double e;

	convert(lx_ops_find("generic"), LX_TYPE_F32, type, x, want, rows, cols,
		bad);
	CHECK(!bad[0] && !bad[1]);
	for (u32 i = 1; (name = lx_simd_name(i, &usable)); i++) {
		if (!usable)
			continue;
		memset(got, 0xee, n);
		convert(lx_ops_find(name), LX_TYPE_F32, type, x, got, rows,
			cols, bad);
		if (!CHECK(!memcmp(got, want, n)))
			printf("%s, %s\n", lx_type_name(type), name);
	}
	convert(lx_ops_find(NULL), type, LX_TYPE_F32, want, y, rows, cols, bad);
	CHECK(!bad[0]);
	e = rmse(x, y, (size_t)rows * cols);
	free(want);
	free(got);
	free(y);
	return e;
}

static void test_errors(void)
{
	static float x[QUANT_ROWS * QUANT_COLS];

	printf("RMSE, and as parts of the reference's\n%-8s", "");
	for (u32 s = 0; s < QUANT_SHAPES; s++)
		printf(" %16s", quant_shape_names[s]);
	putchar('\n');
	for (u32 i = 0; i < LX_ARRAY_SIZE(reference); i++) {
		const struct reference *r = &reference[i];

		printf("%-8s", lx_type_name(r->type));
		for (u32 s = 0; s < QUANT_SHAPES; s++) {
			double e;

			quant_data((enum quant_shape)s, x);
			e = round_trip(r->type, x, QUANT_ROWS, QUANT_COLS);
			printf(" %.3e %.4f", e, e / r->rmse[s]);
			CHECK(e <= r->rmse[s] * (1.0 + 1e-6));
		}
		putchar('\n');
	}
}

/* Rows that do not fill the lanes, zeros, constants, and what is too small. */
static void test_odd_rows(void)
{
	static const u32 widths[] = { 256, 512, 768, 1280 };
	float x[1280];

	for (u32 i = 0; i < LX_ARRAY_SIZE(reference); i++) {
		u32 type = reference[i].type;

		for (u32 c = 0; c < LX_ARRAY_SIZE(widths); c++) {
			u32 n = lx_type_info(type)->block == 256 ? widths[c] :
				widths[c] / 8;
			uint64_t s = 7 + n;

			for (u32 k = 0; k < n; k++)
				x[k] = quant_gauss(&s);
			CHECK(round_trip(type, x, 1, n) < 0.35);
			for (u32 k = 0; k < n; k++)
				x[k] = 0.0f;
			CHECK(round_trip(type, x, 1, n) == 0.0);
			for (u32 k = 0; k < n; k++)
				x[k] = 0.125f;
			CHECK(round_trip(type, x, 1, n) <= 0.02);
			for (u32 k = 0; k < n; k++)
				x[k] = k % 3 ? 1e-42f : -1e-38f;
			CHECK(round_trip(type, x, 1, n) <= 1e-38);
			for (u32 k = 0; k < n; k++)
				x[k] = k % 3 ? -65000.0f : 5000.0f;
			CHECK(round_trip(type, x, 1, n) < 7000.0);
		}
	}
}

/* Values up to the largest f16, where a fit would step beyond it. */
static void test_largest(void)
{
	float x[256];

	for (u32 i = 0; i < LX_ARRAY_SIZE(reference); i++)
		for (uint64_t seed = 1; seed <= 300; seed++) {
			uint64_t s = seed;

			for (u32 k = 0; k < 256; k++) {
				double v = -quant_gauss(&s) * 9e4;

				v = v > 65504.0 ? 65504.0 : v;
				x[k] = (float)(v < -65504.0 ? -65504.0 : v);
			}
			round_trip(reference[i].type, x, 1, 256);
		}
}

/* A block does not depend on what stands beside it. */
static void test_neighbours(void)
{
	static float x[QUANT_ROWS * QUANT_COLS];
	const struct lx_ops *ops = lx_ops_find(NULL);

	quant_data(QUANT_HEAVY, x);
	for (u32 i = 0; i < LX_ARRAY_SIZE(reference); i++) {
		u32 type = reference[i].type, bad[2];
		u32 n = lx_type_info(type)->block == 256 ? 256 : 32;
		u8 all[QUANT_COLS * 4], one[256 * 4];
		u64 bytes = row_bytes(type, n);

		convert(ops, LX_TYPE_F32, type, x, all, 1, QUANT_COLS, bad);
		for (u32 k = 0; k < QUANT_COLS / n; k += 3) {
			convert(ops, LX_TYPE_F32, type, x + k * n, one, 1, n,
				bad);
			CHECK(!memcmp(one, all + k * bytes, bytes));
		}
	}
}

static void test_bad_values(void)
{
	float x[256] = { 1.0f };
	u8 out[256 * 4];
	u32 bad[2];

	for (u32 i = 0; i < LX_ARRAY_SIZE(reference); i++) {
		u32 type = reference[i].type;
		bool wide = type == LX_TYPE_BF16 || type == LX_TYPE_MXFP4;

		x[200] = (float)NAN;
		convert(lx_ops_find(NULL), LX_TYPE_F32, type, x, out, 1, 256, bad);
		CHECK(bad[0] && !bad[1]);
		x[200] = -(float)INFINITY;
		convert(lx_ops_find(NULL), LX_TYPE_F32, type, x, out, 1, 256, bad);
		CHECK(bad[0] && !bad[1]);
		x[200] = 1e5f;
		convert(lx_ops_find(NULL), LX_TYPE_F32, type, x, out, 1, 256, bad);
		CHECK(!bad[0] && bad[1] == !wide);
	}
}

/*
 * FNV-1a of the values of random blocks as llama.cpp 0.7.0 reads them (its
 * types' to_float), -0 as 0, and how many blocks of 4096 have values that are
 * not finite and are left out.
 */
static const struct {
	u32 type;
	u64 hash;
	u32 skipped;
} values[] = {
	{ LX_TYPE_F32, 0xb43cd69d9c05afe7ull, 21 },
	{ LX_TYPE_F16, 0x8a62f2d82b47a2efull, 144 },
	{ LX_TYPE_BF16, 0x26e4fa807cad3368ull, 14 },
	{ LX_TYPE_Q4_0, 0xc564805b3ae11ee1ull, 119 },
	{ LX_TYPE_Q4_1, 0x63dbbb34a29affb4ull, 236 },
	{ LX_TYPE_Q5_0, 0xb70bb73f436ca9f2ull, 126 },
	{ LX_TYPE_Q5_1, 0x56ae7b9163601b6dull, 259 },
	{ LX_TYPE_Q8_0, 0x019bf260aab2ecbfull, 119 },
	{ LX_TYPE_Q2_K, 0xb540468be55284bfull, 239 },
	{ LX_TYPE_Q3_K, 0x40eeac9d8d8b9cfbull, 138 },
	{ LX_TYPE_Q4_K, 0xbc7834ccd43c3785ull, 248 },
	{ LX_TYPE_Q5_K, 0x777c0f9280d389f6ull, 250 },
	{ LX_TYPE_Q6_K, 0x36fef24e9efce3c2ull, 120 },
	{ LX_TYPE_IQ4_NL, 0x14938ac97d0deaa0ull, 131 },
	{ LX_TYPE_IQ4_XS, 0x853f48e7a1c4a76bull, 145 },
	{ LX_TYPE_MXFP4, 0x96b5a7d0c3060c32ull, 35 },
	{ LX_TYPE_IQ2_XXS, 0x1c2b777d1eea27e0ull, 125 },
	{ LX_TYPE_IQ2_XS, 0xb6c3e28ae99e754eull, 130 },
	{ LX_TYPE_IQ2_S, 0xecd2f818280dec22ull, 130 },
	{ LX_TYPE_IQ3_XXS, 0xb435ba053175ca04ull, 122 },
	{ LX_TYPE_IQ3_S, 0x7c57991f36291cfdull, 116 },
	{ LX_TYPE_IQ1_S, 0xc8074ce9fa78f766ull, 136 },
	{ LX_TYPE_IQ1_M, 0xe4e637bcefc74d84ull, 128 },
	{ LX_TYPE_TQ1_0, 0x63ab0da4aa180c73ull, 105 },
	{ LX_TYPE_TQ2_0, 0x74884caca1ea098full, 120 },
	{ LX_TYPE_NVFP4, 0x721eecbbd3ec15f5ull, 0 },
	{ LX_TYPE_Q1_0, 0x8a7c3fb33b741da5ull, 125 },
	{ LX_TYPE_Q2_0, 0x5a0a10b5b82791a5ull, 119 },
};

#define BLOCKS 4096

static u64 hash_floats(u64 h, const float *x, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		u32 u;

		memcpy(&u, x + i, 4);
		if (u == 0x80000000)
			u = 0;
		for (u32 k = 0; k < 4; k++)
			h = (h ^ (u >> 8 * k & 255)) * 0x100000001b3ull;
	}
	return h;
}

static void test_values(void)
{
	for (u32 i = 0; i < LX_ARRAY_SIZE(values); i++) {
		const struct lx_type_info *ti = lx_type_info(values[i].type);
		uint64_t s = 0x2545f4914f6cdd1dull + values[i].type;
		u64 h = 0xcbf29ce484222325ull;
		u32 skipped = 0;
		u8 block[512];
		float y[256];

		for (u32 b = 0; b < BLOCKS; b++) {
			u32 bad[2];

			for (u32 k = 0; k < ti->bytes; k++)
				block[k] = (u8)quant_random(&s);
			convert(lx_ops_find(NULL), values[i].type, LX_TYPE_F32,
				block, y, 1, ti->block, bad);
			skipped += bad[0];
			if (!bad[0])
				h = hash_floats(h, y, ti->block);
		}
		if (!CHECK(h == values[i].hash && skipped == values[i].skipped))
			printf("%s: %016llx, %u skipped\n", ti->name, h,
			       skipped);
	}
}

int main(void)
{
	test_values();
	test_errors();
	test_odd_rows();
	test_largest();
	test_neighbours();
	test_bad_values();
	return test_end();
}
