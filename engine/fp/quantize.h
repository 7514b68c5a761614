/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Floats to the blocks of a GGUF file (quant.c). A group is what 16 lanes
 * hold: 16 blocks of 32 values (of a simple type, or of two superblocks), or
 * the 16 parts of one superblock. Everything depends on the group's values
 * only, so tiles and threads change nothing.
 *
 * The searches minimise the plain squared error; scales are judged as they
 * are stored, in f16 and in few bits.
 */
#ifndef LX_FP_QUANTIZE_H
#define LX_FP_QUANTIZE_H

#include "dequant.h"
#include "fit.h"

#define QZ_SUPER 256		/* columns of a superblock */

struct quant_work {
	float x[32][LX_STRIP];	/* value i of lane l */
	float row[LX_QUANT_COLS];
	float d[LX_STRIP], m[LX_STRIP], e[LX_STRIP];	/* of lanes */
	float s[LX_STRIP], t[LX_STRIP];	/* integer scales and minima */
	s8 q[32][LX_STRIP];
};

_Static_assert(sizeof(struct quant_work) <= LX_QUANT_SCRATCH, "scratch");

/* The nearest f16 that is finite: a fit may reach beyond the values. */
static inline u16 qz_f16(float f)
{
	float t[VL] = { f > 65504.0f ? 65504.0f : f < -65504.0f ? -65504.0f : f };
	u16 h[VL];

	vf_store_f16(h, vf_load(t));
	return h[0];
}

static inline float qz_round_f16(float f)
{
	u16 h = qz_f16(f);

	return dq_f16((const u8 *)&h);
}

static inline void qz_put_f16(u8 *p, float f)
{
	u16 h = qz_f16(f);

	lx_memcpy(p, &h, 2);
}

/* Rows of @n values to lanes; lanes beyond @cols are zero. */
static void qz_lanes(struct quant_work *w, u32 cols, u32 n)
{
	for (u32 l = 0; l < LX_STRIP; l++)
		for (u32 i = 0; i < n; i++)
			w->x[i][l] = l * n < cols ? w->row[l * n + i] : 0.0f;
}

/* ---- blocks with one scale: Q4_0 Q5_0 Q8_0 IQ4_NL ---- */

INL void qz_codes(struct quant_work *w, u32 n, struct fit_codes c)
{
	for (u32 h = 0; h < LX_STRIP; h += VL) {
		vf id = fit_inverse(vf_load(w->d + h)), m = vf_load(w->m + h);

		for (u32 i = 0; i < n; i++) {
			float t[VL];

			vf_store(t, fit_snap(vf_mul(vf_sub(vf_load(
					&w->x[i][h]), m), id), c));
			for (u32 l = 0; l < VL; l++)
				w->q[i][h + l] = (s8)t[l];
		}
	}
}

INL void qz_fit_simple(struct quant_work *w, struct fit_codes c,
		       struct fit_grid g, bool both, u32 turns)
{
	for (u32 h = 0; h < LX_STRIP; h += VL)
		vf_store(w->d + h, fit_scale(&w->x[0][h], 32, c, g, both,
					     turns));
	for (u32 l = 0; l < LX_STRIP; l++) {
		w->d[l] = qz_round_f16(w->d[l]);
		w->m[l] = 0.0f;
	}
	qz_codes(w, 32, c);
}

INL void qz_fit_affine(struct quant_work *w, float top, struct fit_grid g,
		       u32 turns)
{
	const struct fit_codes c = { 0.0f, top, false };

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		vf d, m;

		fit_affine(&w->x[0][h], 32, top, g, turns, false, &d, &m);
		vf_store(w->d + h, d);
		vf_store(w->m + h, m);
	}
	for (u32 l = 0; l < LX_STRIP; l++) {
		w->d[l] = qz_round_f16(w->d[l]);
		w->m[l] = qz_round_f16(w->m[l]);
	}
	qz_codes(w, 32, c);
}

/* 32 codes of lane @l plus @zero: low nibbles, then those of the upper half */
static void qz_put_nibbles(u8 *p, const struct quant_work *w, u32 l, int zero)
{
	for (u32 i = 0; i < 16; i++)
		p[i] = (u8)((((u32)(w->q[i][l] + zero)) & 15) |
			    (((u32)(w->q[i + 16][l] + zero)) & 15) << 4);
}

/* The fifth bits of the same */
static void qz_put_fifth(u8 *p, const struct quant_work *w, u32 l, int zero)
{
	u32 v = 0;

	for (u32 i = 0; i < 32; i++)
		v |= ((u32)(w->q[i][l] + zero) >> 4 & 1) << i;
	lx_memcpy(p, &v, 4);
}

/* The code whose value in @table, less @zero, is @v */
static u32 qz_index(const u8 *table, int zero, s8 v)
{
	u32 k = 0;

	while (k < 15 && table[k] != (u8)(v + zero))
		k++;
	return k;
}

static void qz_put_indices(u8 *p, const struct quant_work *w, u32 l,
			   const u8 *table, int zero)
{
	for (u32 i = 0; i < 16; i++)
		p[i] = (u8)(qz_index(table, zero, w->q[i][l]) |
			    qz_index(table, zero, w->q[i + 16][l]) << 4);
}

static void qz_put_simple(u32 type, const struct quant_work *w, u32 l, u8 *p)
{
	switch (type) {
	case LX_TYPE_Q8_0:
		for (u32 i = 0; i < 32; i++)
			p[2 + i] = (u8)w->q[i][l];
		break;
	case LX_TYPE_Q5_0:
		qz_put_fifth(p + 2, w, l, 16);
		qz_put_nibbles(p + 6, w, l, 16);
		break;
	case LX_TYPE_Q4_1:
		qz_put_f16(p + 2, w->m[l]);
		qz_put_nibbles(p + 4, w, l, 0);
		break;
	case LX_TYPE_Q5_1:
		qz_put_f16(p + 2, w->m[l]);
		qz_put_fifth(p + 4, w, l, 0);
		qz_put_nibbles(p + 8, w, l, 0);
		break;
	case LX_TYPE_IQ4_NL:
		qz_put_indices(p + 2, w, l, table_iq4, 128);
		break;
	default:
		qz_put_nibbles(p + 2, w, l, 8);
	}
	qz_put_f16(p, w->d[l]);
}

/* MXFP4: of the exponents next to that of the largest value the best. */
static void qz_mxfp4(struct quant_work *w)
{
	static const float step[] = { 0.5f, 1.5f, 2.5f, 3.5f, 5.0f, 7.0f, 10.0f };

	for (u32 l = 0; l < LX_STRIP; l++) {
		float max = 0.0f, least = 0.0f;
		u32 e0;

		for (u32 i = 0; i < 32; i++)
			max = lx_max(max, f32_of(bits_of(w->x[i][l]) & 0x7fffffff));
		/* 2^(e - 128) times 12 is the largest value */
		e0 = bits_of(max) >> 23;
		e0 = e0 > 3 ? e0 - 3 : 0;
		for (u32 e = e0; e < lx_min(e0 + 4, 255u); e++) {
			float d = dq_e8m0((u8)e), sum = 0.0f;
			float part = max > 0.0f ? d / max : 0.0f;
			s8 q[32];

			for (u32 i = 0; i < 32; i++) {
				float x = w->x[i][l], a, r;
				u32 k = 0;

				a = f32_of(bits_of(x) & 0x7fffffff);
				while (k < 7 && a > step[k] * d)
					k++;
				q[i] = (s8)(table_fp4[k] - 16);
				r = (a - d * (float)q[i]) / d;
				sum += r * r;
				if (x < 0.0f)
					q[i] = (s8)-q[i];
			}
			sum *= part * part;
			if (e > e0 && sum >= least)
				continue;
			least = sum;
			w->s[l] = (float)e;
			for (u32 i = 0; i < 32; i++)
				w->q[i][l] = q[i];
		}
	}
}

static void qz_simple(u32 type, struct quant_work *w, u32 n, u8 *p)
{
	u32 bytes = lx_type_info(type)->bytes;

	qz_lanes(w, n, 32);
	switch (type) {
	case LX_TYPE_Q4_0:
		qz_fit_simple(w, (struct fit_codes){ -8.0f, 7.0f, false },
			      (struct fit_grid){ 5.75f, 0.25f, 14 }, true, 2);
		break;
	case LX_TYPE_Q5_0:
		qz_fit_simple(w, (struct fit_codes){ -16.0f, 15.0f, false },
			      (struct fit_grid){ 12.5f, 0.25f, 17 }, true, 1);
		break;
	case LX_TYPE_Q8_0:
		qz_fit_simple(w, (struct fit_codes){ -127.0f, 127.0f, false },
			      (struct fit_grid){ 121.5f, 0.5f, 12 }, false, 0);
		break;
	case LX_TYPE_IQ4_NL:
		qz_fit_simple(w, (struct fit_codes){ 0.0f, 0.0f, true },
			      (struct fit_grid){ 86.0f, 7.0f, 8 }, true, 2);
		break;
	case LX_TYPE_Q4_1:
		qz_fit_affine(w, 15.0f, (struct fit_grid){ -0.3f, 0.4f, 4 }, 2);
		break;
	case LX_TYPE_Q5_1:
		qz_fit_affine(w, 31.0f, (struct fit_grid){ -0.3f, 0.3f, 4 }, 1);
		break;
	default:
		qz_mxfp4(w);
		for (u32 l = 0; l * 32 < n; l++, p += bytes) {
			p[0] = (u8)w->s[l];
			qz_put_indices(p + 1, w, l, table_fp4, 16);
		}
		return;
	}
	for (u32 l = 0; l * 32 < n; l++, p += bytes)
		qz_put_simple(type, w, l, p);
}

#endif
