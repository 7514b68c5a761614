/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Fits of quantized values, the searches of quantize.h. A lane is a block of
 * @n values: value i of lane l is x[16 * i + l]; functions take VL lanes at
 * once and nothing crosses lanes. No fused operation: the bits are the same,
 * and the speed bearable, where there is none.
 *
 * Measured is the plain squared error. The least-squares scale for given codes
 * q is sum(xq) / sum(qq); it lowers the error by sum(xq)^2 / sum(qq).
 */
#ifndef LX_FP_FIT_H
#define LX_FP_FIT_H

#include "unpack.h"

/* Codes: integers lo..hi, or the values of IQ4_NL */
struct fit_codes {
	float lo, hi;
	bool iq4;
};

/* What of the grid is tried: the extreme value falls on t0, t0 + step ... */
struct fit_grid {
	float t0, step;
	u32 n;
};

/* Nearest integer, ties to even; |y| < 2^22. */
INL vf fit_round(vf y)
{
	const vf magic = vf_set1(0x1.8p23f);

	return vf_sub(vf_add(y, magic), magic);
}

INL vf fit_snap(vf y, struct fit_codes c)
{
	vf v;

	if (!c.iq4)
		return fit_round(vf_min(vf_max(y, vf_set1(c.lo)),
					vf_set1(c.hi)));
	v = vf_set1((float)table_iq4[0] - 128.0f);
	UNROLL
	for (u32 k = 1; k < 16; k++) {
		float a = (float)table_iq4[k - 1], b = (float)table_iq4[k];

		v = vf_pick(vf_set1((a + b) * 0.5f - 128.0f), y,
			    vf_set1(b - 128.0f), v);
	}
	return v;
}

/* 1 / d, 0 for 0 */
INL vf fit_inverse(vf d)
{
	const vf tiny = vf_set1(1e-30f);

	return vf_pick(vf_abs(d), tiny, vf_zero(),
		       vf_div(vf_set1(1.0f), d));
}

INL void fit_range(const float *x, u32 n, vf *min, vf *max)
{
	*min = *max = vf_load(x);
	for (u32 i = 1; i < n; i++) {
		vf v = vf_load(x + 16 * i);

		*min = vf_min(*min, v);
		*max = vf_max(*max, v);
	}
}

/* Codes for the inverse scale @id: the best scale for them if it is better. */
INL void fit_try(const float *x, u32 n, vf id, struct fit_codes c, vf *d,
		 vf *gain)
{
	vf xq = vf_zero(), qq = vf_zero(), s, g, old = *gain;

	for (u32 i = 0; i < n; i++) {
		vf v = vf_load(x + 16 * i);
		vf q = fit_snap(vf_mul(v, id), c);

		xq = vf_add(xq, vf_mul(v, q));
		qq = vf_add(qq, vf_mul(q, q));
	}
	s = vf_div(xq, vf_max(qq, vf_set1(1.0f)));
	g = vf_mul(xq, s);
	*d = vf_pick(old, g, s, *d);
	*gain = vf_max(g, old);
}

/*
 * The scale d of x ~ d q: the value of the largest magnitude is put at minus
 * each point of @g and, if @both, at plus that (ranges are lopsided); the best
 * is then refined by turns, codes for the scale and scale for the codes.
 */
INL vf fit_scale(const float *x, u32 n, struct fit_codes c, struct fit_grid g,
		 bool both, u32 turns)
{
	vf min, max, inv, d = vf_zero(), gain = vf_zero();

	fit_range(x, n, &min, &max);
	max = vf_pick(max, vf_sub(vf_zero(), min), min, max);
	inv = fit_inverse(max);
	for (u32 k = 0; k < g.n; k++) {
		float t = g.t0 + g.step * (float)k;

		fit_try(x, n, vf_mul(inv, vf_set1(-t)), c, &d, &gain);
		if (both)
			fit_try(x, n, vf_mul(inv, vf_set1(t)), c, &d, &gain);
	}
	for (u32 k = 0; k < turns; k++)
		fit_try(x, n, fit_inverse(d), c, &d, &gain);
	return d;
}

/* Sum of squares of what codes of scale @d and offset @m leave of x. */
INL vf fit_error(const float *x, u32 n, vf d, vf m, struct fit_codes c)
{
	vf id = fit_inverse(d), e = vf_zero();

	for (u32 i = 0; i < n; i++) {
		vf v = vf_load(x + 16 * i);
		vf q = fit_snap(vf_mul(vf_sub(v, m), id), c);
		vf r = vf_sub(v, vf_add(vf_mul(d, q), m));

		e = vf_add(e, vf_mul(r, r));
	}
	return e;
}

/* An affine fit under way: y = x - base ~ d q + m, codes 0..top */
struct fit_line {
	vf base, limit;		/* m is at most limit */
	vf sy;			/* sum of y */
	vf d, m, gain;
};

/* Codes q = round(y * id - a): the best line for them if it is better. */
INL void fit_try_line(const float *x, u32 n, float top, vf id, vf a,
		      struct fit_line *f)
{
	const struct fit_codes c = { 0.0f, top, false };
	const vf two = vf_set1(2.0f), one = vf_set1(1.0f);
	const vf count = vf_set1((float)n);
	vf q1 = vf_zero(), q2 = vf_zero(), qy = vf_zero(), det, d, m, g, m1;

	for (u32 i = 0; i < n; i++) {
		vf y = vf_sub(vf_load(x + 16 * i), f->base);
		vf q = fit_snap(vf_sub(vf_mul(y, id), a), c);

		q1 = vf_add(q1, q);
		q2 = vf_add(q2, vf_mul(q, q));
		qy = vf_add(qy, vf_mul(q, y));
	}
	det = vf_sub(vf_mul(count, q2), vf_mul(q1, q1));
	m1 = vf_div(vf_sub(vf_mul(q2, f->sy), vf_mul(q1, qy)),
		    vf_max(det, one));
	m1 = vf_pick(det, vf_set1(0.5f), vf_zero(), m1);	/* codes all equal */
	m = vf_min(m1, f->limit);
	d = vf_div(vf_sub(qy, vf_mul(m, q1)), vf_max(q2, one));
	/* 2 d qy + 2 m y - d^2 qq - 2 d m q - n m^2, with care for order */
	g = vf_mul(d, vf_sub(vf_mul(two, vf_sub(qy, vf_mul(m, q1))),
			     vf_mul(d, q2)));
	g = vf_add(g, vf_mul(m, vf_sub(vf_mul(two, f->sy), vf_mul(count, m))));
	f->d = vf_pick(f->gain, g, d, f->d);
	f->m = vf_pick(f->gain, g, m, f->m);
	f->gain = vf_max(f->gain, g);
}

/*
 * Scale and offset of x ~ d q + m, q in 0..top: the range of x is cut at both
 * ends by several parts of a step, then refined by turns. With @below the
 * offset must not be above 0 (the minimum of K types).
 */
INL void fit_affine(const float *x, u32 n, float top, struct fit_grid g,
		    u32 turns, bool below, vf *d, vf *m)
{
	struct fit_line f;
	vf min, max, inv;

	fit_range(x, n, &min, &max);
	if (below)
		min = vf_min(min, vf_zero());
	f.base = min;
	f.limit = below ? vf_sub(vf_zero(), min) : vf_set1(0x1p126f);
	f.d = f.m = f.gain = f.sy = vf_zero();
	for (u32 i = 0; i < n; i++)
		f.sy = vf_add(f.sy, vf_sub(vf_load(x + 16 * i), min));
	inv = fit_inverse(vf_sub(max, min));
	for (u32 i = 0; i < g.n; i++)
		for (u32 j = 0; j < g.n; j++) {
			float a = g.t0 + g.step * (float)i;
			float b = g.t0 + g.step * (float)j;

			fit_try_line(x, n, top, vf_mul(inv,
					vf_set1(top + a + b)), vf_set1(a), &f);
		}
	for (u32 k = 0; k < turns; k++) {
		vf id = fit_inverse(f.d);

		fit_try_line(x, n, top, id, vf_mul(f.m, id), &f);
	}
	*d = f.d;
	*m = vf_add(f.base, f.m);
}

#endif
