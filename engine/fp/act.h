/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Quantized activations: s8 with an f32 scale and integer sums, one format
 * for all weight types. Tokens are interleaved in groups of T, so that a
 * kernel walks one pointer. A group's memory, nb = kp / 32:
 *
 *	s8  q[kp / 4][T][4]
 *	f32 d[nb][T]	scale of 32 values
 *	f32 sx[nb][T]	d * sum of the 32 values
 *	s32 n32[nb][T]	minus that sum
 *	s32 n16[2 * nb][T]	the same by halves
 */
#ifndef LX_FP_ACT_H
#define LX_FP_ACT_H

struct act_group {
	const s8 *q;
	const float *d, *sx;
	const s32 *n32, *n16;
};

INL struct act_group act_group(const u8 *base, u32 kp, u32 t)
{
	u32 nb = kp / 32;
	struct act_group g;

	g.q = (const s8 *)base;
	g.d = (const float *)(base + (size_t)kp * t);
	g.sx = g.d + nb * t;
	g.n32 = (const s32 *)(g.sx + nb * t);
	g.n16 = g.n32 + nb * t;
	return g;
}

/* Where a slot's row lies: the group's memory, its size and the place in it. */
struct act_place {
	u8 *base;
	u32 t, i;
};

static inline struct act_place act_place(const struct lx_act *a,
					 const struct lx_run *run, u32 t_max,
					 u32 slot)
{
	struct act_place p;
	u32 g = lx_group_of(run->n, t_max, slot - run->slot0, &p.t);

	p.i = slot - run->slot0 - g;
	p.base = a->q + (run->slot0 + g) * lx_act_bytes(a->kp);
	return p;
}

/* Scales tried for a block: max|x| falls on these. */
static const float act_tops[] = { 127.0f, 126.1f, 125.2f, 124.3f };

#define ACT_VECS (32 / VL)

/* Sum of squares of what rounding x * id leaves. */
INL float act_error(const vf *x, vf id)
{
	vf acc[16 / VL];

	UNROLL
	for (u32 i = 0; i < ACT_VECS; i++) {
		vf y = vf_mul(x[i], id);
		vf r = vf_sub(y, vf_from_vi(vi_round(y)));
		u32 h = i % (16 / VL);

		acc[h] = i < 16 / VL ? vf_mul(r, r) : vf_fma(r, r, acc[h]);
	}
	return vf_sum16(acc);
}

/* Round with that scale; give the one that fits the result best. */
INL float round_block(const vf *x, float amax, float top, s8 *q)
{
	vf id = vf_set1(top / amax), yq[16 / VL], qq[16 / VL];

	UNROLL
	for (u32 i = 0; i < ACT_VECS; i++) {
		vf y = vf_mul(x[i], id), r;
		vi n = vi_round(y);
		u32 h = i % (16 / VL);

		vi_store_s8(q + VL * i, n);
		r = vf_from_vi(n);
		yq[h] = i < 16 / VL ? vf_mul(y, r) : vf_fma(y, r, yq[h]);
		qq[h] = i < 16 / VL ? vf_mul(r, r) : vf_fma(r, r, qq[h]);
	}
	return amax / top * (vf_sum16(yq) / vf_sum16(qq));
}

/* max|x| of 32 floats */
INL float block_max(const float *x)
{
	vf m = vf_zero();

	UNROLL
	for (u32 i = 0; i < ACT_VECS; i++)
		m = vf_max(m, vf_abs(vf_load(x + VL * i)));
	return vf_max_lanes(m);
}

/* The first of the tops whose rounding errors are the least. */
INL float best_top(const float *x, float amax)
{
	float e[LX_ARRAY_SIZE(act_tops)], best, top = act_tops[0];
	vf v[ACT_VECS];

	UNROLL
	for (u32 i = 0; i < ACT_VECS; i++)
		v[i] = vf_load(x + VL * i);
	UNROLL
	for (u32 c = 0; c < LX_ARRAY_SIZE(act_tops); c++) {
		float t = act_tops[c];

		e[c] = act_error(v, vf_set1(t / amax)) / (t * t);
	}
	best = e[0];
	for (u32 c = 1; c < LX_ARRAY_SIZE(act_tops); c++) {
		top = e[c] < best ? act_tops[c] : top;
		best = e[c] < best ? e[c] : best;
	}
	return top;
}

#define ACT_BATCH 8	/* blocks */
#define ACT_TINY 0x1p-120f	/* a block below is zero */

/*
 * @n blocks of 32 floats to s8, q = round(x * top / max|x|), with the one of
 * a few scales whose rounding errors happen to be the least: some 15 % less
 * noise for the price of four roundings. The scale is then the least-squares
 * one. Each pass is a chain of latencies; over several blocks they overlap.
 */
static inline void quantize_blocks(const float *x, u32 n, s8 *q, float *scale)
{
	float amax[ACT_BATCH], top[ACT_BATCH];

	for (u32 b = 0; b < n; b++)
		amax[b] = block_max(x + 32 * b);
	for (u32 b = 0; b < n; b++)
		top[b] = amax[b] > ACT_TINY ? best_top(x + 32 * b, amax[b]) : 0;
	for (u32 b = 0; b < n; b++) {
		vf v[ACT_VECS];

		if (!(amax[b] > ACT_TINY)) {
			lx_memset(q + 32 * b, 0, 32);
			scale[b] = 0.0f;
			continue;
		}
		UNROLL
		for (u32 i = 0; i < ACT_VECS; i++)
			v[i] = vf_load(x + 32 * b + VL * i);
		scale[b] = round_block(v, amax[b], top[b], q + 32 * b);
	}
}

/* Blocks @first .. @last - 1 of a row of @cols floats. */
static inline void quantize_part(const float *x, u32 cols, u32 kp,
				 struct act_place p, u32 first, u32 last)
{
	u32 nb = kp / 32, t = p.t;
	u32 *q = (u32 *)p.base + p.i;
	float *d = (float *)(p.base + (size_t)kp * t) + p.i;
	float *sx = d + nb * t;
	s32 *n32 = (s32 *)(sx + nb * t);
	s32 *n16 = n32 + nb * t;

	for (u32 b0 = first; b0 < last; b0 += ACT_BATCH) {
		u32 n = lx_min(last - b0, (u32)ACT_BATCH), full = cols / 32;
		union { s8 s[32 * ACT_BATCH]; u32 w[8 * ACT_BATCH]; } v;
		float scale[ACT_BATCH];

		full = full > b0 ? lx_min(full - b0, n) : 0;
		quantize_blocks(x + b0 * 32, full, v.s, scale);
		if (full < n) {
			lx_memset(v.s + 32 * full, 0, 32 * (n - full));
			lx_memset(scale + full, 0, sizeof(*scale) * (n - full));
		}
		for (u32 i = 0; i < 8 * n; i++)
			q[(b0 * 8 + i) * t] = v.w[i];
		for (u32 i = 0; i < n; i++) {
			s32 s0 = s8_sum16(v.s + 32 * i);
			s32 s1 = s8_sum16(v.s + 32 * i + 16);
			u32 b = b0 + i;

			d[b * t] = scale[i];
			sx[b * t] = scale[i] * (float)(s0 + s1);
			n32[b * t] = -(s0 + s1);
			n16[2 * b * t] = -s0;
			n16[(2 * b + 1) * t] = -s1;
		}
	}
}

static inline void quantize_row(const float *x, u32 cols, u32 kp,
				struct act_place p)
{
	quantize_part(x, cols, kp, p, 0, kp / 32);
}

#endif
