/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Products of packed strips with activations. Lane = output row. For every
 * block of 32 columns, in ascending order:
 *
 *	acc = fma(float(exact integer dot), dw * dx, acc)
 *	acc = fma(-mw, dx * sum(x), acc)		where the type has a minimum
 *
 * K is never split, so the bits do not depend on tiles, groups or the
 * instruction set. Types with scales per 16 fold them into the integer dot.
 * A strip is one ascending stream of bytes, and so is a worker's lane of them.
 *
 * Few tokens are bound by memory. The fewest wait for nothing else, and the
 * hardware's prefetcher keeps up with them as long as lines are asked for in
 * order: so the lines of a header, which are used again and again along its
 * blocks, are touched first, one after the other; and activations, which a long
 * strip drives out of the first cache, are asked for before their turn, so that
 * no other miss comes between. More tokens are late with their demand: they
 * prefetch MM_AHEAD bytes further on, across the ends of pages (where the
 * hardware stops) and of strips.
 */
#ifndef LX_FP_MATMUL_H
#define LX_FP_MATMUL_H

#include "act.h"
#include "unpack.h"

struct mm {
	const u8 *strip;
	const u8 *q;		/* quantized group */
	const float *f;		/* f32 rows of the group */
	u32 ld;			/* of f */
	u32 cols, kp;
	float *out;		/* [T][16] */
};

INL void mm_zero(vf *acc, u32 t)
{
	UNROLL
	for (u32 i = 0; i < t; i++)
		acc[i] = vf_zero();
}

INL void mm_out(const struct mm *m, const vf *acc, u32 t, u32 h)
{
	UNROLL
	for (u32 i = 0; i < t; i++)
		vf_store(m->out + 16 * i + h, acc[i]);
}

#define MM_AHEAD 5120

INL void mm_touch(const void *p, u32 bytes)
{
	UNROLL
	for (u32 i = 0; i < bytes; i += LX_CACHELINE)
		__builtin_prefetch((const u8 *)p + i);
}

/* Ask for what @bytes from @p will be followed by. May be past the weights. */
INL void mm_ahead(const u8 *p, u32 bytes, u32 t)
{
	if (t > MM_IN_ORDER && t <= MM_FEW)
		mm_touch(p + MM_AHEAD, bytes);
}

/* The same; @plane: of high bits, at the end of these and used first. */
INL void mm_body(const u8 *p, u32 bytes, bool plane, u32 t)
{
	if (plane && t <= MM_IN_ORDER)
		mm_touch(p + LX_CACHELINE, bytes);
	else
		mm_ahead(p, bytes, t);
}

/*
 * Ask for activations of @blocks blocks, 8 after block @k; @sums, of @n numbers a
 * block, is what is needed of them beside q and d. May be past them.
 */
INL void mm_inputs(struct act_group x, const void *sums, u32 n, u32 k,
		   u32 blocks, u32 t)
{
	if (t > MM_IN_ORDER)
		return;
	mm_touch(x.q + (size_t)(k + 8) * 32 * t, blocks * 32 * t);
	mm_touch(x.d + (k + 16) * t, 1);
	mm_touch((const s32 *)sums + (k + 16) * n * t, 1);
}

/* Before the header of 8 blocks, @bytes at @p: its lines in their order. */
INL void mm_header(const u8 *p, u32 bytes, u32 t)
{
	if (t <= MM_IN_ORDER)
		mm_touch(p, bytes);
	else
		mm_ahead(p, bytes, t);
}

/* sum[i] += dots of columns 4 * j0 .. 4 * j1 - 1 of a block with token i */
INL void mm_dots(const vb *q, const s8 *x, u32 j0, u32 j1, u32 t, bool wide,
		 vi *sum)
{
	UNROLL
	for (u32 j = j0; j < j1; j++)
		UNROLL
		for (u32 i = 0; i < t; i++) {
			const s8 *xi = x + 4 * (j * t + i);

			sum[i] = wide ? vi_dot_wide(sum[i], q[j], xi) :
					vi_dot(sum[i], q[j], xi);
		}
}

/* A block whose scale is one number a row: columns weigh dw * (q - 2^z) */
INL void mm_block32(const struct blk *b, vf dw, struct act_group x, u32 k,
		    u32 t, int z, bool wide, vf *acc)
{
	vi sum[LX_MAX_GROUP];

	UNROLL
	for (u32 i = 0; i < t; i++)
		sum[i] = z < 0 ? vi_zero() :
				 vi_sll(vi_set1(x.n32[k * t + i]), z < 0 ? 0 : z);
	if (t <= MM_IN_ORDER) {
		/* Two chains: one would be all that the processor can see. */
		vi more[LX_MAX_GROUP];

		UNROLL
		for (u32 i = 0; i < t; i++)
			more[i] = vi_zero();
		UNROLL
		for (u32 j = 0; j < 8; j++)
			mm_dots(b->q, x.q + (size_t)k * 32 * t, j, j + 1, t,
				wide, j & 1 ? more : sum);
		UNROLL
		for (u32 i = 0; i < t; i++)
			sum[i] = vi_add(sum[i], more[i]);
	} else {
		mm_dots(b->q, x.q + (size_t)k * 32 * t, 0, 8, t, wide, sum);
	}
	UNROLL
	for (u32 i = 0; i < t; i++)
		acc[i] = vf_fma(vf_from_vi(sum[i]),
				vf_mul(dw, vf_set1(x.d[k * t + i])), acc[i]);
}

INL void mm_min32(vf mw, struct act_group x, u32 k, u32 t, vf *acc)
{
	UNROLL
	for (u32 i = 0; i < t; i++)
		acc[i] = vf_fnma(mw, vf_set1(x.sx[k * t + i]), acc[i]);
}

/*
 * A block with an integer scale for each half: columns weigh
 * d * sc * (q - 2^z). @s0, @s1 are the scales of the halves.
 */
INL void mm_block16(const struct blk *b, vf d, vi s0, vi s1,
		    struct act_group x, u32 k, u32 t, int z, vf *acc)
{
	const s8 *xq = x.q + (size_t)k * 32 * t;
	vi sum[LX_MAX_GROUP], half[LX_MAX_GROUP];

	UNROLL
	for (u32 i = 0; i < t; i++)
		sum[i] = z < 0 ? vi_zero() :
			 vi_sll(vi_set1(x.n16[2 * k * t + i]), z < 0 ? 0 : z);
	mm_dots(b->q, xq, 0, 4, t, false, sum);
	UNROLL
	for (u32 i = 0; i < t; i++) {
		sum[i] = vi_mul(sum[i], s0);
		half[i] = z < 0 ? vi_zero() :
			  vi_sll(vi_set1(x.n16[(2 * k + 1) * t + i]),
				 z < 0 ? 0 : z);
	}
	mm_dots(b->q, xq, 4, 8, t, false, half);
	UNROLL
	for (u32 i = 0; i < t; i++) {
		sum[i] = vi_add(sum[i], vi_mul(half[i], s1));
		acc[i] = vf_fma(vf_from_vi(sum[i]),
				vf_mul(d, vf_set1(x.d[k * t + i])), acc[i]);
	}
}

/*
 * Types whose blocks of 32 carry an f16 (or bf16) scale: two blocks a unit,
 * scales first.
 */
enum { W_Q4_0, W_Q5_0, W_Q8_0, W_IQ4_NL, W_MXFP4 };

INL void mm_simple(const struct mm *m, u32 t, u32 what)
{
	const u32 bytes = what == W_Q8_0 ? 512 : what == W_Q5_0 ? 320 : 256;
	const int z = what == W_Q4_0 ? 3 :
		      what == W_Q5_0 || what == W_MXFP4 ? 4 : 7;
	const bool wide = what == W_Q8_0 || what == W_IQ4_NL;
	struct act_group x = act_group(m->q, m->kp, t);

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		const u8 *p = m->strip;
		vf acc[LX_MAX_GROUP];

		mm_zero(acc, t);
		for (u32 k = 0; k < m->kp / 32; k += 2) {
			mm_ahead(p, 64, t);
			mm_inputs(x, x.n32, 1, k, 2, t);
			for (u32 b = 0; b < 2; b++) {
				const u16 *s = (const u16 *)p + 16 * b + h;
				const u8 *q = p + 64 + b * bytes;

				mm_body(q, bytes, what == W_Q5_0, t);
				struct blk w =
					what == W_Q8_0 ? unpack8(q, h) :
					what == W_Q5_0 ? unpack5(q, h) :
					what == W_Q4_0 ? unpack4(q, h) :
					unpack4_lut(q, h, what == W_MXFP4 ?
						    table_fp4 : table_iq4);

				mm_block32(&w, what == W_MXFP4 ?
					   vf_load_bf16(s) : vf_load_f16(s),
					   x, k + b, t, z, wide, acc);
			}
			p += 64 + 2 * bytes;
		}
		mm_out(m, acc, t, h);
	}
}

/* Q4_1, Q5_1: scale and minimum (added) per 32 */
INL void mm_affine(const struct mm *m, u32 t, bool five)
{
	const u32 bytes = five ? 320 : 256;
	struct act_group x = act_group(m->q, m->kp, t);

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		const u8 *p = m->strip;
		vf acc[LX_MAX_GROUP];

		mm_zero(acc, t);
		for (u32 k = 0; k < m->kp / 32; k++) {
			const u16 *s = (const u16 *)p + h;
			struct blk w = five ? unpack5(p + 64, h) :
					      unpack4(p + 64, h);

			if (k % 2 == 0)
				mm_inputs(x, x.sx, 1, k, 2, t);
			mm_body(p, 64 + bytes, five, t);
			mm_block32(&w, vf_load_f16(s), x, k, t, -1, false, acc);
			mm_min32(vf_sub(vf_zero(), vf_load_f16(s + 16)), x, k,
				 t, acc);
			p += 64 + bytes;
		}
		mm_out(m, acc, t, h);
	}
}

/* Q4_K, Q5_K: 8-bit scales and minima per 32 under f16 ones per 256 */
INL void mm_k45(const struct mm *m, u32 t, bool five)
{
	const u32 bytes = five ? 320 : 256;
	struct act_group x = act_group(m->q, m->kp, t);

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		const u8 *p = m->strip;
		vf acc[LX_MAX_GROUP];

		mm_zero(acc, t);
		for (u32 k = 0; k < m->kp / 32; k += 8) {
			vf d = vf_load_f16((const u16 *)p + h);
			vf dm = vf_load_f16((const u16 *)p + 16 + h);
			const u8 *sc = p + 64 + h;

			mm_header(p, 320, t);
			mm_inputs(x, x.sx, 1, k, 8, t);
			p += 320;
			for (u32 b = 0; b < 8; b++, p += bytes, sc += 16) {
				struct blk w = five ? unpack5(p, h) :
						      unpack4(p, h);
				vf dw = vf_mul(d, vf_from_vi(vi_load_u8(sc)));
				vf mw = vf_mul(dm, vf_from_vi(
						vi_load_u8(sc + 128)));

				mm_body(p, bytes, five, t);
				mm_block32(&w, dw, x, k + b, t, -1, false, acc);
				mm_min32(mw, x, k + b, t, acc);
			}
		}
		mm_out(m, acc, t, h);
	}
}

/* Q6_K, Q3_K: signed 8-bit scales per 16 under one f16 per 256 */
INL void mm_k36(const struct mm *m, u32 t, bool six)
{
	const u32 bytes = six ? 384 : 192;
	struct act_group x = act_group(m->q, m->kp, t);

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		const u8 *p = m->strip;
		vf acc[LX_MAX_GROUP];

		mm_zero(acc, t);
		for (u32 k = 0; k < m->kp / 32; k += 8) {
			vf d = vf_load_f16((const u16 *)p + h);
			const s8 *sc = (const s8 *)p + 64 + h;

			mm_header(p, 320, t);
			mm_inputs(x, x.n16, 2, k, 8, t);
			p += 320;
			for (u32 b = 0; b < 8; b++, p += bytes, sc += 32) {
				struct blk w = six ? unpack6(p, h) :
						     unpack3(p, h);

				mm_ahead(p, bytes, t);
				mm_block16(&w, d, vi_load_s8(sc),
					   vi_load_s8(sc + 16), x, k + b, t,
					   six ? 5 : 2, acc);
			}
		}
		mm_out(m, acc, t, h);
	}
}

/* Q2_K: 4-bit scales and minima per 16 */
INL void mm_q2_k(const struct mm *m, u32 t)
{
	const vi low = vi_set1(15);
	struct act_group x = act_group(m->q, m->kp, t);

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		const u8 *p = m->strip;
		vf acc[LX_MAX_GROUP];

		mm_zero(acc, t);
		for (u32 k = 0; k < m->kp / 32; k += 8) {
			vf d = vf_load_f16((const u16 *)p + h);
			vf dm = vf_load_f16((const u16 *)p + 16 + h);
			const u8 *sc = p + 64 + h;

			mm_header(p, 320, t);
			mm_inputs(x, x.n16, 2, k, 8, t);
			p += 320;
			for (u32 b = 0; b < 8; b++, p += 128, sc += 32) {
				struct blk w = unpack2(p, h);
				vi s0 = vi_load_u8(sc), s1 = vi_load_u8(sc + 16);

				mm_ahead(p, 128, t);
				mm_block16(&w, d, vi_and(s0, low),
					   vi_and(s1, low), x, k + b, t, -1,
					   acc);
				s0 = vi_srl(s0, 4);
				s1 = vi_srl(s1, 4);
				UNROLL
				for (u32 i = 0; i < t; i++) {
					u32 o = 2 * (k + b) * t + i;
					vi n = vi_add(
						vi_mul(s0, vi_set1(x.n16[o])),
						vi_mul(s1, vi_set1(
							x.n16[o + t])));

					acc[i] = vf_fma(vf_from_vi(n), vf_mul(dm,
						vf_set1(x.d[(k + b) * t + i])),
						acc[i]);
				}
			}
		}
		mm_out(m, acc, t, h);
	}
}

/* IQ4_XS: signed 8-bit scales per 32 under one f16 per 256 */
INL void mm_iq4_xs(const struct mm *m, u32 t)
{
	struct act_group x = act_group(m->q, m->kp, t);

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		const u8 *p = m->strip;
		vf acc[LX_MAX_GROUP];

		mm_zero(acc, t);
		for (u32 k = 0; k < m->kp / 32; k += 8) {
			vf d = vf_load_f16((const u16 *)p + h);
			const s8 *sc = (const s8 *)p + 64 + h;

			mm_header(p, 192, t);
			mm_inputs(x, x.n32, 1, k, 8, t);
			p += 192;
			for (u32 b = 0; b < 8; b++, p += 256, sc += 16) {
				struct blk w = unpack4_lut(p, h, table_iq4);

				mm_ahead(p, 256, t);
				mm_block32(&w, vf_mul(d, vf_from_vi(
						vi_load_s8(sc))),
					   x, k + b, t, 7, true, acc);
			}
		}
		mm_out(m, acc, t, h);
	}
}

/* Float weights: activations stay f32; ascending k, one fma each. */
enum { W_F32, W_F16, W_BF16 };

INL void mm_float(const struct mm *m, u32 t, u32 what)
{
	const u32 bytes = what == W_F32 ? 64 : 32;

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		const u8 *p = m->strip;
		vf acc[LX_MAX_GROUP];

		mm_zero(acc, t);
		for (u32 k = 0; k < m->cols; k++, p += bytes) {
			vf w = what == W_F32 ? vf_load((const float *)p + h) :
			       what == W_F16 ? vf_load_f16((const u16 *)p + h) :
					       vf_load_bf16((const u16 *)p + h);

			if (k * bytes % LX_CACHELINE == 0)
				mm_ahead(p, LX_CACHELINE, t);
			UNROLL
			for (u32 i = 0; i < t; i++)
				acc[i] = vf_fma(w, vf_set1(
						m->f[(size_t)i * m->ld + k]),
						acc[i]);
		}
		mm_out(m, acc, t, h);
	}
}

#include "codes.h"

/* The group sizes a kernel is compiled for */
#ifndef FIXED_T
#define BY_T(t, call) do { \
		u32 T = t; \
		call; \
	} while (0)
#elif MM_T == 8
#define BY_T(t, call) do { \
		switch (t) { \
		case 1: { enum { T = 1 }; call; break; } \
		case 2: { enum { T = 2 }; call; break; } \
		case 4: { enum { T = 4 }; call; break; } \
		default: { enum { T = 8 }; call; break; } \
		} \
	} while (0)
#else
#define BY_T(t, call) do { \
		switch (t) { \
		case 1: { enum { T = 1 }; call; break; } \
		case 2: { enum { T = 2 }; call; break; } \
		default: { enum { T = 4 }; call; break; } \
		} \
	} while (0)
#endif

/* Apart, so that no frame has the variables of all of them. */
#define APART static __attribute__((__noinline__))

APART void mm_strip_nvfp4(const struct mm *m, u32 t)
{
	BY_T(t, mm_nvfp4(m, T));
}

APART void mm_strip_codes2(u32 type, const struct mm *m, u32 t)
{
	BY_T(t, mm_codebook(m, T, 2, type));
}

APART void mm_strip_codes3(u32 type, const struct mm *m, u32 t)
{
	BY_T(t, mm_codebook(m, T, 3, type));
}

APART void mm_strip_codes4(u32 type, const struct mm *m, u32 t)
{
	BY_T(t, mm_codebook(m, T, 4, type));
}

APART void mm_strip_float(u32 type, const struct mm *m, u32 t)
{
	switch (type) {
	case LX_TYPE_F32: BY_T(t, mm_float(m, T, W_F32)); break;
	case LX_TYPE_F16: BY_T(t, mm_float(m, T, W_F16)); break;
	case LX_TYPE_BF16: BY_T(t, mm_float(m, T, W_BF16)); break;
	}
}

APART void mm_strip_affine(const struct mm *m, u32 t, bool five)
{
	if (five)
		BY_T(t, mm_affine(m, T, true));
	else
		BY_T(t, mm_affine(m, T, false));
}

/* Of scales per 16. */
APART void mm_strip_k236(u32 type, const struct mm *m, u32 t)
{
	switch (type) {
	case LX_TYPE_Q6_K: BY_T(t, mm_k36(m, T, true)); break;
	case LX_TYPE_Q3_K: BY_T(t, mm_k36(m, T, false)); break;
	case LX_TYPE_Q2_K: BY_T(t, mm_q2_k(m, T)); break;
	}
}

static void mm_strip(u32 type, const struct mm *m, u32 t)
{
	switch (type) {
	case LX_TYPE_F32: case LX_TYPE_F16: case LX_TYPE_BF16:
		mm_strip_float(type, m, t);
		break;
	case LX_TYPE_Q1_0: case LX_TYPE_Q2_0:
	case LX_TYPE_Q4_0: BY_T(t, mm_simple(m, T, W_Q4_0)); break;
	case LX_TYPE_Q5_0: BY_T(t, mm_simple(m, T, W_Q5_0)); break;
	case LX_TYPE_Q8_0: BY_T(t, mm_simple(m, T, W_Q8_0)); break;
	case LX_TYPE_IQ4_NL: BY_T(t, mm_simple(m, T, W_IQ4_NL)); break;
	case LX_TYPE_MXFP4: BY_T(t, mm_simple(m, T, W_MXFP4)); break;
	case LX_TYPE_Q4_1: mm_strip_affine(m, t, false); break;
	case LX_TYPE_Q5_1: mm_strip_affine(m, t, true); break;
	case LX_TYPE_Q4_K: BY_T(t, mm_k45(m, T, false)); break;
	case LX_TYPE_Q5_K: BY_T(t, mm_k45(m, T, true)); break;
	case LX_TYPE_Q6_K: case LX_TYPE_Q3_K: case LX_TYPE_Q2_K:
		mm_strip_k236(type, m, t);
		break;
	case LX_TYPE_IQ4_XS: BY_T(t, mm_iq4_xs(m, T)); break;
	case LX_TYPE_NVFP4: mm_strip_nvfp4(m, t); break;
	case LX_TYPE_TQ1_0: case LX_TYPE_TQ2_0:
		mm_strip_codes2(type, m, t);
		break;
	case LX_TYPE_IQ1_S: case LX_TYPE_IQ1_M: case LX_TYPE_IQ2_XXS:
	case LX_TYPE_IQ2_XS: case LX_TYPE_IQ2_S:
		mm_strip_codes3(type, m, t);
		break;
	case LX_TYPE_IQ3_XXS: case LX_TYPE_IQ3_S:
		mm_strip_codes4(type, m, t);
		break;
	}
}

/* @out += the strip's part of a bias, of each of @t tokens */
static void mm_bias(float *out, const struct lx_vec *bias, u32 expert,
		    u32 strip, u32 t)
{
	const float *b = bias->p;

	b += (size_t)expert * lx_align_up(bias->n, LX_STRIP) + LX_STRIP * strip;
	for (u32 i = 0; i < t * LX_STRIP; i += VL)
		vf_store(out + i, vf_add(vf_load(out + i),
					 vf_load(b + i % LX_STRIP)));
}

static void mm_add(float *dst, const float *a)
{
	for (u32 h = 0; h < LX_STRIP; h += VL)
		vf_store(dst + h, vf_add(vf_load(dst + h), vf_load(a + h)));
}

static void mm_gated(float *dst, const float *gate, const float *up, u32 mode)
{
	for (u32 h = 0; h < LX_STRIP; h += VL) {
		vf g = vf_load(gate + h), u = vf_load(up + h);

		if (mode == LX_MM_SWIGLU_OAI)
			g = v_swiglu_oai(g, u);
		else
			g = vf_mul(mode == LX_MM_SWIGLU ? v_silu(g) : v_gelu(g),
				   u);
		vf_store(dst + h, g);
	}
}

/* One strip (of one or two matrices) against one group of slots. */
static void mm_group(const struct lx_op *op, const struct lx_seg *seg,
		     const struct lx_run *run, u32 strip, u32 s, u32 t)
{
	float out[2][LX_MAX_GROUP][LX_STRIP];
	u32 slot = run->slot0 + s;
	const struct lx_act *a = &op->mm.act;
	u32 at = run->expert * seg->mat->n_strips + strip;
	struct mm m = {
		.strip = seg->mat->strips[at],
		.q = a->q ? a->q + slot * lx_act_bytes(a->kp) : NULL,
		.f = (const float *)a->f + (size_t)slot * a->ld,
		.ld = a->ld, .cols = a->cols, .kp = a->kp,
		.out = out[0][0],
	};

	mm_strip(seg->mat->type, &m, t);
	if (seg->bias)
		mm_bias(out[0][0], seg->bias, run->expert, strip, t);
	if (op->mm.mode >= LX_MM_SWIGLU) {
		m.strip = seg[1].mat->strips[at];
		m.out = out[1][0];
		mm_strip(seg[1].mat->type, &m, t);
		if (seg[1].bias)
			mm_bias(out[1][0], seg[1].bias, run->expert, strip, t);
	}
	for (u32 i = 0; i < t; i++) {
		float *dst = (float *)seg->out +
			     (size_t)(slot + i) * seg->ld + LX_STRIP * strip;

		if (op->mm.mode == LX_MM_ADD)
			mm_add(dst, out[0][i]);
		else if (op->mm.mode == LX_MM_STORE)
			lx_memcpy(dst, out[0][i], sizeof(out[0][i]));
		else
			mm_gated(dst, out[0][i], out[1][i], op->mm.mode);
	}
}

/*
 * The quantized form of what a tile has computed, strips @i .. @end - 1:
 * a block of 32 depends on nothing else. The last tile pads.
 */
static void mm_quantize(const struct lx_op *op, const struct lx_run *run,
			u32 i, u32 end, u32 s0, u32 s1)
{
	const struct lx_act *a = &op->mm.mid;
	u32 last = end == op->mm.seg->mat->n_strips ? a->kp / 32 : end / 2;

	for (u32 s = s0; s < s1; s++) {
		u32 slot = run->slot0 + s;

		quantize_part((const float *)a->f + (size_t)slot * a->ld,
			      a->cols, a->kp,
			      act_place(a, run, op->mm.t_max, slot), i / 2,
			      last);
	}
}

static void tile_matmul(const struct lx_op *op, u32 tile, void *scratch)
{
	u32 slot_tile = tile % op->mm.slot_tiles;
	u32 rest = tile / op->mm.slot_tiles;
	u32 strip_tile = rest % op->mm.strip_tiles;
	const struct lx_run *run = op->mm.runs + rest / op->mm.strip_tiles;
	const struct lx_seg *seg = op->mm.seg;
	u32 n, s0 = slot_tile * op->mm.slots, s1, t;

	if (rest / op->mm.strip_tiles >= *op->mm.n_runs || s0 >= run->n)
		return;
	while (strip_tile >= (n = lx_div_up(seg->mat->n_strips,
					    op->mm.strips))) {
		strip_tile -= n;
		seg++;
	}
	s1 = lx_min(s0 + op->mm.slots, run->n);
	n = lx_min((strip_tile + 1) * op->mm.strips, seg->mat->n_strips);
	for (u32 i = strip_tile * op->mm.strips; i < n; i++)
		for (u32 s = s0; s < s1; s += t) {
			lx_group_of(run->n, op->mm.t_max, s, &t);
			mm_group(op, seg, run, i, s, t);
		}
	if (op->mm.mid.q)
		mm_quantize(op, run, strip_tile * op->mm.strips, n, s0, s1);
	(void)scratch;
}

#endif
