// SPDX-License-Identifier: GPL-2.0-only
/*
 * Matrix kernels of every implementation and type: the same bits as the
 * generic one, and that one beside a plain double-precision product of the
 * dequantized blocks. Weights end at a guard page, so that reading past a
 * strip is a crash. Sizes are odd on purpose.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "op.h"
#include "lx/lx.h"
#include "test.h"

static const u32 types[] = {
	LX_TYPE_F32, LX_TYPE_F16, LX_TYPE_BF16, LX_TYPE_Q4_0, LX_TYPE_Q4_1,
	LX_TYPE_Q5_0, LX_TYPE_Q5_1, LX_TYPE_Q8_0, LX_TYPE_Q2_K, LX_TYPE_Q3_K,
	LX_TYPE_Q4_K, LX_TYPE_Q5_K, LX_TYPE_Q6_K, LX_TYPE_IQ4_NL,
	LX_TYPE_IQ4_XS, LX_TYPE_MXFP4, LX_TYPE_IQ1_S, LX_TYPE_IQ1_M,
	LX_TYPE_IQ2_XXS, LX_TYPE_IQ2_XS, LX_TYPE_IQ2_S, LX_TYPE_IQ3_XXS,
	LX_TYPE_IQ3_S, LX_TYPE_TQ1_0, LX_TYPE_TQ2_0, LX_TYPE_NVFP4,
	LX_TYPE_Q1_0, LX_TYPE_Q2_0,
};

static unsigned long long seed = 1;

static u32 rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(seed >> 33);
}

static float rnd_float(void)
{
	return (float)(rnd() % 20001) / 10000.0f - 1.0f;
}

/* ---- the file's formats, written down once more, the slow way ---- */

static float half(const u8 *p)
{
	u32 h = p[0] | (u32)p[1] << 8, e = h >> 10 & 31, m = h & 1023;
	float f = e ? ldexpf((float)(m + 1024), (int)e - 25) :
		      ldexpf((float)m, -24);

	return h & 0x8000 ? -f : f;
}

static void put_half(u8 *p, float scale)
{
	_Float16 h = (_Float16)(scale * rnd_float());

	memcpy(p, &h, 2);
}

static const int iq4[16] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13,
			     25, 38, 53, 69, 89, 113 };
static const float fp4[16] = { 0, .5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -.5f, -1,
			       -1.5f, -2, -3, -4, -6 };

static int nibble(const u8 *q, u32 i)
{
	return i < 16 ? q[i] & 15 : q[i - 16] >> 4;
}

static void k4(const u8 *s, u32 j, int *sc, int *m)
{
	*sc = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
	*m = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | (s[j] >> 6) << 4;
}

static int q3_scale(const u8 *s, u32 j)
{
	int lo = j < 8 ? s[j] & 15 : s[j - 8] >> 4;

	return (lo | (s[8 + j % 4] >> 2 * (j / 4) & 3) << 4) - 32;
}

/* By the engine's reading of blocks, which test_quant.c checks. */
static float value_read(u32 type, const u8 *b, u32 i)
{
	static u8 scratch[LX_QUANT_SCRATCH] __attribute__((aligned(64)));
	static const u8 *last;
	static float y[256];
	u32 bad[2] = { 0, 0 };

	if (b != last) {
		struct lx_op op = { .tile = lx_ops_generic.convert };

		op.convert.src = b;
		op.convert.dst = (u8 *)y;
		op.convert.from = type;
		op.convert.to = LX_TYPE_F32;
		op.convert.cols = lx_type_info(type)->block;
		op.convert.cols_group = LX_QUANT_COLS;
		op.convert.groups = 1;
		op.convert.bad = bad;
		op.tile(&op, 0, scratch);
		last = b;
	}
	return y[i];
}

/* Element @i of a block. */
static float value(u32 type, const u8 *b, u32 i)
{
	u32 j = i / 32, l = i % 32, bf;
	int sc, m, v;
	float f;

	switch (type) {
	case LX_TYPE_F32:
		memcpy(&f, b, 4);
		return f;
	case LX_TYPE_F16:
		return half(b);
	case LX_TYPE_BF16:
		bf = (u32)(b[0] | b[1] << 8) << 16;
		memcpy(&f, &bf, 4);
		return f;
	case LX_TYPE_Q4_0:
		return half(b) * (float)(nibble(b + 2, i) - 8);
	case LX_TYPE_Q4_1:
		return half(b) * (float)nibble(b + 4, i) + half(b + 2);
	case LX_TYPE_Q5_0:
		v = nibble(b + 6, i) | (b[2 + i / 8] >> i % 8 & 1) << 4;
		return half(b) * (float)(v - 16);
	case LX_TYPE_Q5_1:
		v = nibble(b + 8, i) | (b[4 + i / 8] >> i % 8 & 1) << 4;
		return half(b) * (float)v + half(b + 2);
	case LX_TYPE_Q8_0:
		return half(b) * (float)(s8)b[2 + i];
	case LX_TYPE_IQ4_NL:
		return half(b) * (float)iq4[nibble(b + 2, i)];
	case LX_TYPE_MXFP4:
		return ldexpf(fp4[nibble(b + 1, i)], b[0] - 127);
	case LX_TYPE_Q4_K:
	case LX_TYPE_Q5_K:
		k4(b + 4, j, &sc, &m);
		v = b[(type == LX_TYPE_Q5_K ? 48 : 16) + j / 2 * 32 + l] >>
		    4 * (j & 1) & 15;
		if (type == LX_TYPE_Q5_K)
			v |= (b[16 + l] >> j & 1) << 4;
		return half(b) * (float)sc * (float)v -
		       half(b + 2) * (float)m;
	case LX_TYPE_Q6_K:
		v = b[j / 4 * 64 + (j & 1) * 32 + l] >> (j & 2 ? 4 : 0) & 15;
		v |= (b[128 + j / 4 * 32 + l] >> 2 * (j & 3) & 3) << 4;
		return half(b + 208) * (float)(s8)b[192 + i / 16] *
		       (float)(v - 32);
	case LX_TYPE_Q3_K:
		v = b[32 + j / 4 * 32 + l] >> 2 * (j & 3) & 3;
		v |= (b[l] >> j & 1) << 2;
		return half(b + 108) * (float)q3_scale(b + 96, i / 16) *
		       (float)(v - 4);
	case LX_TYPE_Q2_K:
		v = b[16 + j / 4 * 32 + l] >> 2 * (j & 3) & 3;
		return half(b + 80) * (float)(b[i / 16] & 15) * (float)v -
		       half(b + 82) * (float)(b[i / 16] >> 4);
	case LX_TYPE_IQ4_XS:
		sc = (b[4 + j / 2] >> 4 * (j & 1) & 15) |
		     ((b[2] | b[3] << 8) >> 2 * j & 3) << 4;
		return half(b) * (float)(sc - 32) *
		       (float)iq4[nibble(b + 8 + 16 * j, l)];
	}
	return value_read(type, b, i);
}

/* A block of random contents with scales that keep numbers near one. */
static void random_block(u32 type, u8 *b, u32 bytes)
{
	float f = rnd_float();
	_Float16 h = (_Float16)f;

	for (u32 i = 0; i < bytes; i++)
		b[i] = (u8)rnd();
	switch (type) {
	case LX_TYPE_F32: memcpy(b, &f, 4); break;
	case LX_TYPE_F16: memcpy(b, &h, 2); break;
	case LX_TYPE_BF16: memcpy(b, (u8 *)&f + 2, 2); break;
	case LX_TYPE_MXFP4: b[0] = (u8)(122 + rnd() % 6); break;
	case LX_TYPE_NVFP4:
		for (u32 i = 0; i < 4; i++)
			b[i] = (u8)(rnd() % 60);
		break;
	case LX_TYPE_IQ1_M:	/* f16 from the upper nibbles of four u16 */
		b[55] = (u8)((b[55] & 15) | 0x20);
		break;
	case LX_TYPE_TQ1_0: put_half(b + 52, 0.01f); break;
	case LX_TYPE_TQ2_0: put_half(b + 64, 0.01f); break;
	case LX_TYPE_Q6_K: put_half(b + 208, 0.001f); break;
	case LX_TYPE_Q3_K: put_half(b + 108, 0.01f); break;
	case LX_TYPE_Q2_K:
		put_half(b + 80, 0.03f);
		put_half(b + 82, 0.03f);
		break;
	case LX_TYPE_Q4_1: case LX_TYPE_Q5_1: case LX_TYPE_Q4_K:
	case LX_TYPE_Q5_K:
		put_half(b + 2, 0.05f);
		/* fall through */
	default:
		put_half(b, 0.01f);
	}
}

/* ---- one matrix, one product ---- */

struct problem {
	u32 type, rows, cols, n;
	u8 *file;
	u64 row_bytes;
	struct lx_mat mat;
	float *x;	/* [n][ld] */
	u32 ld;
};

static void make(struct problem *p)
{
	const struct lx_type_info *ti = lx_type_info(p->type);
	struct lx_op op = { .tile = lx_tile_pack };
	u32 bad = 0;

	p->row_bytes = (u64)p->cols / ti->block * ti->bytes;
	p->file = guarded(p->row_bytes * p->rows);
	for (u64 i = 0; i < p->row_bytes * p->rows / ti->bytes; i++)
		random_block(p->type, p->file + i * ti->bytes, ti->bytes);
	p->mat = (struct lx_mat){ .type = p->type, .rows = p->rows,
		.cols = p->cols, .n_expert = 1 };
	p->mat.n_strips = lx_div_up(p->rows, LX_STRIP);
	p->mat.strip_bytes = (u32)lx_pack_bytes(p->type, p->cols);
	p->mat.strips = calloc(p->mat.n_strips, sizeof(u8 *));
	for (u32 i = 0; i < p->mat.n_strips; i++)
		p->mat.strips[i] = guarded(p->mat.strip_bytes);
	op.pack.src = p->file;
	op.pack.row_bytes = p->row_bytes;
	op.pack.n_rows = p->rows;
	op.pack.mat = &p->mat;
	op.pack.strips = p->mat.n_strips;
	op.pack.bad = &bad;
	op.tile(&op, 0, NULL);
	CHECK(!bad);
	p->ld = lx_align_up(p->cols, LX_STRIP);
	p->x = calloc((size_t)p->n * p->ld, sizeof(float));
	for (u32 t = 0; t < p->n; t++)
		for (u32 k = 0; k < p->cols; k++)
			p->x[t * p->ld + k] = rnd_float();
}

/* out[t][row] by one implementation, activations quantized by it as well. */
static float *product(const struct problem *p, const struct lx_ops *ops)
{
	struct lx_run run = { .n = p->n };
	struct lx_op norm = { .tile = ops->norm }, mm = { .tile = ops->matmul };
	u32 one = 1, ld = p->mat.n_strips * LX_STRIP;
	float *out = calloc((size_t)p->n * ld, sizeof(float));
	struct lx_act act = { .cols = p->cols, .ld = p->ld,
		.kp = lx_align_up(p->cols, 64u) };

	act.f = calloc((size_t)p->n * p->ld, sizeof(float));
	act.q = p->cols % 32 ? NULL : calloc(p->n, lx_act_bytes(act.kp));
	norm.norm.x = p->x;
	norm.norm.ld_x = p->ld;
	norm.norm.runs = &run;
	norm.norm.n_runs = 1;
	norm.norm.act = act;
	norm.norm.t_max = ops->t_max;
	for (u32 t = 0; t < p->n; t++)
		norm.tile(&norm, t, NULL);
	mm.mm.seg[0] = (struct lx_seg){ .mat = &p->mat, .out = out,
					  .ld = ld };
	mm.mm.n_seg = 1;
	mm.mm.runs = &run;
	mm.mm.n_runs = &one;
	mm.mm.act = act;
	mm.mm.t_max = ops->t_max;
	mm.mm.strips = 1;
	mm.mm.slots = lx_align_up(p->n, ops->t_max);
	mm.mm.slot_tiles = 1;
	mm.mm.strip_tiles = p->mat.n_strips;
	for (u32 i = 0; i < p->mat.n_strips; i++)
		mm.tile(&mm, i, NULL);
	free(act.f);
	free(act.q);
	return out;
}

/* Error of @out against double precision, relative to the norms. */
static double error_of(const struct problem *p, const float *out)
{
	const struct lx_type_info *ti = lx_type_info(p->type);
	u32 ld = p->mat.n_strips * LX_STRIP;
	double num = 0.0, den = 0.0;

	for (u32 t = 0; t < p->n; t++)
		for (u32 r = 0; r < p->rows; r++) {
			double y = 0.0;

			for (u32 k = 0; k < p->cols; k++)
				y += (double)value(p->type, p->file +
					r * p->row_bytes +
					(u64)k / ti->block * ti->bytes,
					k % ti->block) *
				     (double)p->x[t * p->ld + k];
			num += (out[t * ld + r] - y) * (out[t * ld + r] - y);
			den += y * y;
		}
	return num / den;
}

/* Rows out of the packed form are the file's values. */
static bool rows_agree(const struct problem *p, const struct lx_ops *ops)
{
	const struct lx_type_info *ti = lx_type_info(p->type);
	float *row = calloc(p->ld, sizeof(float));
	bool ok = true;

	for (u32 r = 0; r < p->rows; r++) {
		s32 token = (s32)r;
		struct lx_op op = { .tile = ops->embed };

		op.embed.mat = &p->mat;
		op.embed.tokens = &token;
		op.embed.x = row;
		op.embed.ld = p->ld;
		op.tile(&op, 0, NULL);
		for (u32 k = 0; k < p->cols; k++) {
			float want = value(p->type, p->file + r * p->row_bytes +
					   (u64)k / ti->block * ti->bytes,
					   k % ti->block);

			ok &= fabsf(row[k] - want) <= 1e-6f + 1e-5f * fabsf(want);
		}
	}
	free(row);
	return ok;
}

static void test_problem(u32 type, u32 rows, u32 cols, u32 n)
{
	struct problem p = { .type = type, .rows = rows, .cols = cols, .n = n };
	char what[128];
	float *want;
	double e;
	size_t bytes;

	make(&p);
	bytes = (size_t)n * p.mat.n_strips * LX_STRIP * sizeof(float);
	want = product(&p, lx_ops_find("generic"));
	e = error_of(&p, want);
	snprintf(what, sizeof(what), "%s %u x %u, %u tokens: nmse %.1e",
		 lx_type_name(type), rows, cols, n, e);
	test_check(e < (cols % 32 || type == LX_TYPE_F32 ||
			 type == LX_TYPE_F16 || type == LX_TYPE_BF16 ?
			 1e-11 : 1e-3), what, __FILE__, __LINE__);
	for (u32 i = 0;; i++) {
		bool usable;
		const char *name = lx_simd_name(i, &usable);
		float *got;

		if (!name)
			break;
		if (!usable)
			continue;
		snprintf(what, sizeof(what), "%s %u x %u, %u tokens: %s, same bits",
			 lx_type_name(type), rows, cols, n, name);
		got = product(&p, lx_ops_find(name));
		test_check(!memcmp(got, want, bytes), what, __FILE__, __LINE__);
		free(got);
		snprintf(what, sizeof(what), "%s: rows, %s", lx_type_name(type),
			 name);
		test_check(rows_agree(&p, lx_ops_find(name)), what, __FILE__,
			   __LINE__);
	}
	free(want);
	free(p.x);
	free(p.mat.strips);
}

int main(void)
{
	for (u32 i = 0; i < LX_ARRAY_SIZE(types); i++) {
		const struct lx_type_info *ti = lx_type_info(types[i]);
		u32 unit = ti->block == 1 ? 43 : ti->block;

		test_problem(types[i], 16, unit * 2, 1);
		test_problem(types[i], 35, unit * 3, 15);
		test_problem(types[i], 7, unit, 2);
	}
	return test_end();
}
