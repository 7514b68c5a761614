/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Products and rows of the types that are packed as numbers of values:
 * engine/codebook.h says which, pack.c how. Also NVFP4, with its scales per 16.
 */
#ifndef LX_FP_CODES_H
#define LX_FP_CODES_H

#include "codebook.h"
#include "unpack.h"

/* 2^-shift */
static inline float code_factor(u32 type)
{
	return f32_of((127 - lx_code_shift(type)) << 23);
}

INL struct blk code_values(const u8 *p, u32 h, u32 bits, const u8 *table)
{
	struct blk b = bits == 2 ? unpack2(p, h) : bits == 3 ? unpack3(p, h) :
				   unpack4(p, h);

	UNROLL
	for (u32 i = 0; i < 8; i++)
		b.q[i] = vb_lut(table, b.q[i]);
	return b;
}

/* Signed 8-bit scales per 16 under one f16 per 256 */
INL void mm_codebook(const struct mm *m, u32 t, u32 bits, u32 type)
{
	const u8 *table = lx_code_table(type);
	const vf f = vf_set1(code_factor(type));
	struct act_group x = act_group(m->q, m->kp, t);

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		const u8 *p = m->strip;
		vf acc[LX_MAX_GROUP];

		mm_zero(acc, t);
		for (u32 k = 0; k < m->kp / 32; k += 8) {
			vf d = vf_mul(vf_load_f16((const u16 *)p + h), f);
			const s8 *sc = (const s8 *)p + 64 + h;

			p += 320;
			for (u32 b = 0; b < 8; b++, p += 64 * bits, sc += 32) {
				struct blk w = code_values(p, h, bits, table);

				mm_block16(&w, d, vi_load_s8(sc),
					   vi_load_s8(sc + 16), x, k + b, t,
					   6, acc);	/* LX_CODE_ZERO */
			}
		}
		mm_out(m, acc, t, h);
	}
}

/* A block with an f16 scale for each half: a fused step each, in order */
INL void mm_halves(const struct blk *b, vf d0, vf d1, struct act_group x, u32 k,
		   u32 t, int z, vf *acc)
{
	const s8 *xq = x.q + (size_t)k * 32 * t;
	vi sum[LX_MAX_GROUP], half[LX_MAX_GROUP];

	UNROLL
	for (u32 i = 0; i < t; i++) {
		sum[i] = vi_sll(vi_set1(x.n16[2 * k * t + i]), z);
		half[i] = vi_sll(vi_set1(x.n16[(2 * k + 1) * t + i]), z);
	}
	mm_dots(b->q, xq, 0, 4, t, false, sum);
	mm_dots(b->q, xq, 4, 8, t, false, half);
	UNROLL
	for (u32 i = 0; i < t; i++) {
		vf dx = vf_set1(x.d[k * t + i]);

		acc[i] = vf_fma(vf_from_vi(sum[i]), vf_mul(d0, dx), acc[i]);
		acc[i] = vf_fma(vf_from_vi(half[i]), vf_mul(d1, dx), acc[i]);
	}
}

INL void mm_nvfp4(const struct mm *m, u32 t)
{
	struct act_group x = act_group(m->q, m->kp, t);

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		const u8 *p = m->strip;
		vf acc[LX_MAX_GROUP];

		mm_zero(acc, t);
		for (u32 k = 0; k < m->kp / 32; k += 2, p += 128 + 2 * 256)
			for (u32 b = 0; b < 2; b++) {
				const u16 *s = (const u16 *)p + 32 * b + h;
				struct blk w = unpack4_lut(p + 128 + 256 * b, h,
							   table_fp4);

				mm_halves(&w, vf_load_f16(s),
					  vf_load_f16(s + 16), x, k + b, t, 4,
					  acc);
			}
		mm_out(m, acc, t, h);
	}
}

#endif
