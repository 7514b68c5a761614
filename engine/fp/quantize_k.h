/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Superblocks of 256: Q2_K to Q6_K and IQ4_XS. First each part is fitted alone
 * (fit.h). Then the superblock: from a few scales over the parts' scales, each
 * part takes the integers near its own that leave the least error, the two
 * scales above are fitted to what was taken, and again.
 */
#ifndef LX_FP_QUANTIZE_K_H
#define LX_FP_QUANTIZE_K_H

#include "quantize.h"

struct qz_super {
	/* x = d s q - m t, without minima m = t = 0 */
	u32 parts, n;		/* of a superblock, values of a part */
	struct fit_codes c;
	float lo, hi;		/* integer scales s; minima t are 0..hi */
	int reach_s, reach_t;	/* neighbours tried */
	u32 rounds;		/* fits of d and m */
	u32 starts;
	float start[4];		/* where the largest scale is put at first */
};

/* One setting of all lanes' superblocks. */
struct qz_levels {
	float d[LX_STRIP], m[LX_STRIP];	/* the same in a superblock's lanes */
	float s[LX_STRIP], t[LX_STRIP], e[LX_STRIP];
};

/* Integers next to what v->s, v->t are: those of the least error. */
INL void qz_choose(const struct quant_work *w, struct qz_super k,
		   struct qz_levels *v)
{
	for (u32 h = 0; h < LX_STRIP; h += VL) {
		vf d = vf_load(v->d + h), m = vf_load(v->m + h);
		vf s0 = vf_load(v->s + h), t0 = vf_load(v->t + h);
		vf s1 = s0, t1 = t0, best = vf_set1(0x1p126f);

		for (int i = -k.reach_s; i <= k.reach_s; i++)
			for (int j = -k.reach_t; j <= k.reach_t; j++) {
				vf s = vf_add(s0, vf_set1((float)i));
				vf t = vf_add(t0, vf_set1((float)j)), e;

				s = vf_min(vf_max(s, vf_set1(k.lo)),
					   vf_set1(k.hi));
				t = vf_min(vf_max(t, vf_zero()),
					   vf_set1(k.hi));
				e = fit_error(&w->x[0][h], k.n, vf_mul(d, s),
					      vf_sub(vf_zero(), vf_mul(m, t)),
					      k.c);
				s1 = vf_pick(e, best, s, s1);
				t1 = vf_pick(e, best, t, t1);
				best = vf_min(best, e);
			}
		vf_store(v->s + h, s1);
		vf_store(v->t + h, t1);
		vf_store(v->e + h, best);
	}
}

/* Integers nearest to the parts' own scales under v->d, v->m. */
INL void qz_nearest(const struct quant_work *w, struct qz_super k,
		    struct qz_levels *v)
{
	for (u32 h = 0; h < LX_STRIP; h += VL) {
		vf s = vf_mul(vf_load(w->d + h), fit_inverse(vf_load(v->d + h)));
		vf t = vf_mul(vf_load(w->m + h), fit_inverse(vf_load(v->m + h)));

		s = vf_min(vf_max(s, vf_set1(k.lo)), vf_set1(k.hi));
		t = vf_min(vf_max(vf_sub(vf_zero(), t), vf_zero()),
			   vf_set1(k.hi));
		vf_store(v->s + h, fit_round(s));
		vf_store(v->t + h, fit_round(t));
	}
}

/* Sums over a part's codes, for the fit of the scales above. */
struct qz_sums {
	float xq[LX_STRIP], qq[LX_STRIP], q[LX_STRIP], x[LX_STRIP];
};

INL void qz_sum(const struct quant_work *w, struct qz_super k,
		const struct qz_levels *v, struct qz_sums *sum)
{
	for (u32 h = 0; h < LX_STRIP; h += VL) {
		vf d = vf_mul(vf_load(v->d + h), vf_load(v->s + h));
		vf m = vf_mul(vf_load(v->m + h), vf_load(v->t + h));
		vf id = fit_inverse(d), xq = vf_zero(), qq = xq, q1 = xq, sx = xq;

		for (u32 i = 0; i < k.n; i++) {
			vf x = vf_load(&w->x[i][h]);
			vf q = fit_snap(vf_mul(vf_add(x, m), id), k.c);

			xq = vf_add(xq, vf_mul(x, q));
			qq = vf_add(qq, vf_mul(q, q));
			q1 = vf_add(q1, q);
			sx = vf_add(sx, x);
		}
		vf_store(sum->xq + h, xq);
		vf_store(sum->qq + h, qq);
		vf_store(sum->q + h, q1);
		vf_store(sum->x + h, sx);
	}
}

/*
 * The least-squares d and m of the superblock at lane @l0 for its integers and
 * codes: normal equations of x ~ d (s q) - m t.
 */
static void qz_refit(const struct qz_sums *sum, u32 l0, u32 parts, u32 n,
		     struct qz_levels *v)
{
	double aa = 0.0, ab = 0.0, bb = 0.0, xa = 0.0, xb = 0.0, det;
	float d = v->d[l0], m = v->m[l0];

	for (u32 l = l0; l < l0 + parts; l++) {
		double s = (double)v->s[l], t = (double)v->t[l];

		aa += s * s * (double)sum->qq[l];
		ab += s * t * (double)sum->q[l];
		bb += t * t * (double)n;
		xa += s * (double)sum->xq[l];
		xb += t * (double)sum->x[l];
	}
	det = aa * bb - ab * ab;
	if (bb > 0.0 && det > 1e-9 * aa * bb) {
		d = (float)((xa * bb - ab * xb) / det);
		m = (float)((ab * xa - aa * xb) / det);
	} else if (aa > 0.0) {
		d = (float)(xa / aa);
	}
	d = qz_round_f16(d);
	m = qz_round_f16(m);
	for (u32 l = l0; l < l0 + parts; l++) {
		v->d[l] = d;
		v->m[l] = m;
	}
}

/* d and m of the superblock at @l0, with the extreme scale at @start. */
static void qz_start(const struct quant_work *w, u32 l0, u32 parts,
		     float start, float hi, struct qz_levels *v)
{
	float d = 0.0f, m = 0.0f;

	for (u32 l = l0; l < l0 + parts; l++) {
		if (w->d[l] * w->d[l] > d * d)
			d = w->d[l];
		m = lx_min(m, w->m[l]);
	}
	d = qz_round_f16(d / start);
	m = qz_round_f16(-m / lx_max(start, hi - 1.0f));
	for (u32 l = l0; l < l0 + parts; l++) {
		v->d[l] = d;
		v->m[l] = m;
	}
}

/* Where @v is better than @best, take it. */
static void qz_keep(const struct qz_levels *v, u32 parts, bool first,
		    struct qz_levels *best)
{
	for (u32 l0 = 0; l0 < LX_STRIP; l0 += parts) {
		float a = 0.0f, b = 0.0f;

		for (u32 l = l0; l < l0 + parts; l++) {
			a += v->e[l];
			b += best->e[l];
		}
		for (u32 l = l0; (first || a < b) && l < l0 + parts; l++) {
			best->d[l] = v->d[l];
			best->m[l] = v->m[l];
			best->s[l] = v->s[l];
			best->t[l] = v->t[l];
			best->e[l] = v->e[l];
		}
	}
}

/* From the parts' fits in w->d, w->m to integers, codes and scales above. */
INL void qz_super(struct quant_work *w, struct qz_super k,
		  struct qz_levels *best)
{
	struct qz_levels v;
	struct qz_sums sum;

	for (u32 i = 0; i < k.starts; i++) {
		for (u32 l0 = 0; l0 < LX_STRIP; l0 += k.parts)
			qz_start(w, l0, k.parts, k.start[i], k.hi, &v);
		qz_nearest(w, k, &v);
		qz_choose(w, k, &v);
		qz_keep(&v, k.parts, !i, best);
		for (u32 r = 0; r < k.rounds; r++) {
			qz_sum(w, k, &v, &sum);
			for (u32 l0 = 0; l0 < LX_STRIP; l0 += k.parts)
				qz_refit(&sum, l0, k.parts, k.n, &v);
			qz_choose(w, k, &v);
			qz_keep(&v, k.parts, false, best);
		}
	}
	for (u32 l = 0; l < LX_STRIP; l++) {
		w->d[l] = best->d[l] * best->s[l];
		w->m[l] = -(best->m[l] * best->t[l]);
	}
	qz_codes(w, k.n, k.c);
}

/* ---- the blocks ---- */

/* 6-bit scales and minima of Q4_K, Q5_K */
static void qz_put_scales_k4(u8 *p, const float *s, const float *t)
{
	for (u32 j = 0; j < 4; j++) {
		u32 a = (u32)s[j], b = (u32)t[j];
		u32 c = (u32)s[j + 4], d = (u32)t[j + 4];

		p[j] = (u8)(a | c >> 4 << 6);
		p[j + 4] = (u8)(b | d >> 4 << 6);
		p[j + 8] = (u8)((c & 15) | (d & 15) << 4);
	}
}

static void qz_k45(bool five, struct quant_work *w, u32 n, u8 *p)
{
	const struct qz_super k = {
		.parts = 8, .n = 32, .c = { 0.0f, five ? 31.0f : 15.0f, false },
		.hi = 63.0f, .reach_s = 1, .reach_t = 1,
		.rounds = 2, .starts = 1, .start = { 63.0f },
	};
	struct qz_levels v;

	qz_lanes(w, n, 32);
	for (u32 h = 0; h < LX_STRIP; h += VL) {
		vf d, m;

		fit_affine(&w->x[0][h], 32, k.c.hi, (struct fit_grid){
			   -0.3f, 0.4f, 4 }, 2, true, &d, &m);
		vf_store(w->d + h, d);
		vf_store(w->m + h, m);
	}
	qz_super(w, k, &v);
	for (u32 l0 = 0; l0 * 32 < n; l0 += 8, p += five ? 176 : 144) {
		u8 *q = p + (five ? 48 : 16);

		lx_memset(p, 0, five ? 176 : 144);
		qz_put_f16(p, v.d[l0]);
		qz_put_f16(p + 2, v.m[l0]);
		qz_put_scales_k4(p + 4, v.s + l0, v.t + l0);
		for (u32 j = 0; j < 8; j++)
			for (u32 i = 0; i < 32; i++) {
				u32 c = (u32)w->q[i][l0 + j];

				q[j / 2 * 32 + i] |= (u8)((c & 15) <<
							  4 * (j & 1));
				if (five)
					p[16 + i] |= (u8)(c >> 4 << j);
			}
	}
}

/* Parts with one scale: fits of each alone */
INL void qz_fit_parts(struct quant_work *w, u32 n, struct fit_codes c,
		      struct fit_grid g, bool both, u32 turns)
{
	for (u32 h = 0; h < LX_STRIP; h += VL)
		vf_store(w->d + h, fit_scale(&w->x[0][h], n, c, g, both,
					     turns));
	for (u32 l = 0; l < LX_STRIP; l++)
		w->m[l] = 0.0f;
}

static void qz_q6_k(struct quant_work *w, u8 *p)
{
	const struct qz_super k = {
		.parts = 16, .n = 16, .c = { -32.0f, 31.0f, false },
		.lo = -128.0f, .hi = 127.0f, .reach_s = 1,
		.rounds = 1, .starts = 1, .start = { -128.0f },
	};
	struct qz_levels v;

	qz_lanes(w, QZ_SUPER, 16);
	qz_fit_parts(w, 16, k.c, (struct fit_grid){ 27.5f, 0.5f, 12 }, true, 1);
	qz_super(w, k, &v);
	lx_memset(p, 0, 210);
	qz_put_f16(p + 208, v.d[0]);
	for (u32 l = 0; l < 16; l++)
		p[192 + l] = (u8)(s8)v.s[l];
	for (u32 i = 0; i < 256; i++) {
		u32 half = i / 128, f = i / 32 % 4, c = i % 32;
		u32 q = (u32)(w->q[i % 16][i / 16] + 32);

		p[half * 64 + (f & 1) * 32 + c] |= (u8)((q & 15) << f / 2 * 4);
		p[128 + half * 32 + c] |= (u8)(q >> 4 << 2 * f);
	}
}

static void qz_q3_k(struct quant_work *w, u8 *p)
{
	const struct qz_super k = {
		.parts = 16, .n = 16, .c = { -4.0f, 3.0f, false },
		.lo = -32.0f, .hi = 31.0f, .reach_s = 1,
		.rounds = 2, .starts = 2, .start = { -32.0f, 31.0f },
	};
	struct qz_levels v;

	qz_lanes(w, QZ_SUPER, 16);
	qz_fit_parts(w, 16, k.c, (struct fit_grid){ 2.25f, 0.25f, 11 }, true, 2);
	qz_super(w, k, &v);
	lx_memset(p, 0, 110);
	qz_put_f16(p + 108, v.d[0]);
	for (u32 l = 0; l < 16; l++) {
		u32 s = (u32)((s32)v.s[l] + 32);

		p[96 + l % 8] |= (u8)((s & 15) << l / 8 * 4);
		p[104 + l % 4] |= (u8)(s >> 4 << l / 4 * 2);
	}
	for (u32 i = 0; i < 256; i++) {
		u32 q = (u32)(w->q[i % 16][i / 16] + 4);

		p[32 + i / 128 * 32 + i % 32] |= (u8)((q & 3) << i / 32 % 4 * 2);
		p[i % 32] |= (u8)(q >> 2 << i / 32);
	}
}

static void qz_q2_k(struct quant_work *w, u8 *p)
{
	const struct qz_super k = {
		.parts = 16, .n = 16, .c = { 0.0f, 3.0f, false },
		.hi = 15.0f, .reach_s = 1, .reach_t = 1,
		.rounds = 2, .starts = 3, .start = { 15.0f, 13.5f, 12.0f },
	};
	struct qz_levels v;

	qz_lanes(w, QZ_SUPER, 16);
	for (u32 h = 0; h < LX_STRIP; h += VL) {
		vf d, m;

		fit_affine(&w->x[0][h], 16, 3.0f, (struct fit_grid){
			   -0.3f, 0.2f, 6 }, 2, true, &d, &m);
		vf_store(w->d + h, d);
		vf_store(w->m + h, m);
	}
	qz_super(w, k, &v);
	lx_memset(p, 0, 84);
	qz_put_f16(p + 80, v.d[0]);
	qz_put_f16(p + 82, v.m[0]);
	for (u32 l = 0; l < 16; l++)
		p[l] = (u8)((u32)v.s[l] | (u32)v.t[l] << 4);
	for (u32 i = 0; i < 256; i++)
		p[16 + i / 128 * 32 + i % 32] |=
			(u8)((u32)w->q[i % 16][i / 16] << i / 32 % 4 * 2);
}

static void qz_iq4_xs(struct quant_work *w, u32 n, u8 *p)
{
	const struct qz_super k = {
		.parts = 8, .n = 32, .c = { 0.0f, 0.0f, true },
		.lo = -32.0f, .hi = 31.0f, .reach_s = 1,
		.rounds = 1, .starts = 1, .start = { -32.0f },
	};
	struct qz_levels v;

	qz_lanes(w, n, 32);
	qz_fit_parts(w, 32, k.c, (struct fit_grid){ 86.0f, 7.0f, 8 }, true, 2);
	qz_super(w, k, &v);
	for (u32 l0 = 0; l0 * 32 < n; l0 += 8, p += 136) {
		u32 high = 0;

		lx_memset(p, 0, 8);
		qz_put_f16(p, v.d[l0]);
		for (u32 j = 0; j < 8; j++) {
			u32 s = (u32)((s32)v.s[l0 + j] + 32);

			p[4 + j / 2] |= (u8)((s & 15) << 4 * (j & 1));
			high |= s >> 4 << 2 * j;
			qz_put_indices(p + 8 + 16 * j, w, l0 + j, table_iq4,
				       128);
		}
		p[2] = (u8)high;
		p[3] = (u8)(high >> 8);
	}
}

/* ---- the tile ---- */

static void qz_floats(u32 type, const float *x, u32 n, u8 *p)
{
	for (u32 i = 0; i < n; i++) {
		u32 b = bits_of(x[i]);

		if (type == LX_TYPE_F32) {
			lx_memcpy(p + 4 * i, &b, 4);
		} else if (type == LX_TYPE_F16) {
			qz_put_f16(p + 2 * i, x[i]);
		} else {	/* nearest bfloat16, ties to even */
			b += 0x7fff + (b >> 16 & 1);
			p[2 * i] = (u8)(b >> 16);
			p[2 * i + 1] = (u8)(b >> 24);
		}
	}
}

static void quantize_group(u32 type, struct quant_work *w, u32 n, u8 *p)
{
	switch (type) {
	case LX_TYPE_F32: case LX_TYPE_F16: case LX_TYPE_BF16:
		qz_floats(type, w->row, n, p);
		break;
	case LX_TYPE_Q4_K: qz_k45(false, w, n, p); break;
	case LX_TYPE_Q5_K: qz_k45(true, w, n, p); break;
	case LX_TYPE_Q6_K: qz_q6_k(w, p); break;
	case LX_TYPE_Q3_K: qz_q3_k(w, p); break;
	case LX_TYPE_Q2_K: qz_q2_k(w, p); break;
	case LX_TYPE_IQ4_XS: qz_iq4_xs(w, n, p); break;
	default: qz_simple(type, w, n, p);
	}
}

/* What cannot be written in @type: 0, LX_QUANT_NAN or LX_QUANT_RANGE */
static u32 quantize_check(u32 type, const float *x, u32 n)
{
	/* the largest f16 that a rounded scale times any code stays below */
	u32 top = type == LX_TYPE_F32 ? 0x7f800000u :
		  type == LX_TYPE_BF16 ? 0x7f7f8000u :
		  type == LX_TYPE_MXFP4 ? bits_of(0x1p100f) : bits_of(65504.0f) + 1;
	u32 max = 0;

	for (u32 i = 0; i < n; i++)
		max = lx_max(max, bits_of(x[i]) & 0x7fffffff);
	if (max >= 0x7f800000u)
		return LX_QUANT_NAN;
	return max >= top ? LX_QUANT_RANGE : 0;
}

/* Tile: one group of columns of one row. */
static void tile_convert(const struct lx_op *op, u32 tile, void *scratch)
{
	u32 from = op->convert.from, to = op->convert.to;
	const struct lx_type_info *fi = lx_type_info(from);
	const struct lx_type_info *ti = lx_type_info(to);
	u32 c = tile % op->convert.groups * op->convert.cols_group;
	u32 n = lx_min(op->convert.cols_group, op->convert.cols - c);
	u64 row = tile / op->convert.groups;
	const u8 *s = op->convert.src + row * op->convert.src_bytes +
		      (u64)c / fi->block * fi->bytes;
	u8 *p = op->convert.dst + row * op->convert.dst_bytes +
		(u64)c / ti->block * ti->bytes;
	struct quant_work *w = scratch;
	u32 bad;

	dequantize(from, s, n, w->row);
	bad = quantize_check(to, w->row, n);
	if (bad)
		op->convert.bad[bad - 1] = 1;
	else if (from == to)
		lx_memcpy(p, s, n / fi->block * fi->bytes);
	else
		quantize_group(to, w, n, p);
}

#endif
