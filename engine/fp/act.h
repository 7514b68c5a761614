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

/*
 * 32 floats to s8, q = round(x * top / max|x|), with the one of a few scales
 * whose rounding errors happen to be the least: some 15 % less noise for the
 * price of four roundings. The scale is then the least-squares one.
 */
static inline float quantize_block(const float *x, s8 *q)
{
	float lanes[VL], amax, best = 0.0f, top = act_tops[0];
	vf v[ACT_VECS], m = vf_zero();

	UNROLL
	for (u32 i = 0; i < ACT_VECS; i++) {
		v[i] = vf_load(x + VL * i);
		m = vf_max(m, vf_abs(v[i]));
	}
	vf_store(lanes, m);
	amax = max_lanes(lanes, VL);
	if (!(amax > 0x1p-120f)) {
		for (u32 i = 0; i < ACT_VECS; i++)
			vi_store_s8(q + VL * i, vi_zero());
		return 0.0f;
	}
	UNROLL
	for (u32 c = 0; c < LX_ARRAY_SIZE(act_tops); c++) {
		float t = act_tops[c], e;

		e = act_error(v, vf_set1(t / amax)) / (t * t);
		if (!c || e < best) {
			best = e;
			top = t;
		}
	}
	return round_block(v, amax, top, q);
}

/* One row of @cols floats (readable and zero to a multiple of 16). */
static inline void quantize_row(const float *x, u32 cols, u32 kp,
				struct act_place p)
{
	u32 nb = kp / 32, t = p.t;
	u32 *q = (u32 *)p.base + p.i;
	float *d = (float *)(p.base + (size_t)kp * t) + p.i;
	float *sx = d + nb * t;
	s32 *n32 = (s32 *)(sx + nb * t);
	s32 *n16 = n32 + nb * t;

	for (u32 b = 0; b < nb; b++) {
		union { s8 s[32]; u32 w[8]; } v;
		s32 s0 = 0, s1 = 0;
		float scale = 0.0f;

		if ((b + 1) * 32 <= cols)
			scale = quantize_block(x + b * 32, v.s);
		else
			lx_memset(&v, 0, sizeof(v));
		for (u32 i = 0; i < 16; i++) {
			s0 += v.s[i];
			s1 += v.s[i + 16];
		}
		for (u32 i = 0; i < 8; i++)
			q[(b * 8 + i) * t] = v.w[i];
		d[b * t] = scale;
		sx[b * t] = scale * (float)(s0 + s1);
		n32[b * t] = -(s0 + s1);
		n16[2 * b * t] = -s0;
		n16[(2 * b + 1) * t] = -s1;
	}
}

#endif
