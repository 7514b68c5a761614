/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Elementary functions and reductions with one fixed order of operations, so
 * that every instruction set gives the same bits. Included after a vec_*.h.
 */
#ifndef LX_FP_MATH_H
#define LX_FP_MATH_H

union lx_f32 { float f; u32 u; };
union lx_f64 { double f; u64 u; };

static inline float f32_of(u32 bits)
{
	union lx_f32 r = { .u = bits };

	return r.f;
}

static inline u32 bits_of(float f)
{
	union lx_f32 r = { .f = f };

	return r.u;
}

/* Millionths to a float: one rounding each. */
static inline float f32_of_u(u32 u) { return (float)u / 1e6f; }

/*
 * e^x for x in [-87, 88] (clamped), error about 1 ulp: Cody and Waite's
 * reduction by ln 2, then the polynomial of Cephes' expf (S. Moshier). Given
 * as (1 + y) * 2^n: returns y, *@scale is 2^n.
 */
INL vf v_exp_parts(vf x, vf *scale)
{
	vi n;
	vf r, y, nf;

	x = vf_min(vf_max(x, vf_set1(-87.0f)), vf_set1(88.0f));
	n = vi_round(vf_mul(x, vf_set1(1.44269504088896341f)));
	nf = vf_from_vi(n);
	r = vf_fnma(nf, vf_set1(0.693359375f), x);
	r = vf_fnma(nf, vf_set1(-2.12194440e-4f), r);
	y = vf_set1(1.9875691500e-4f);
	y = vf_fma(y, r, vf_set1(1.3981999507e-3f));
	y = vf_fma(y, r, vf_set1(8.3334519073e-3f));
	y = vf_fma(y, r, vf_set1(4.1665795894e-2f));
	y = vf_fma(y, r, vf_set1(1.6666665459e-1f));
	y = vf_fma(y, r, vf_set1(5.0000001201e-1f));
	*scale = vf_from_bits(vi_sll(vi_add(n, vi_set1(127)), 23));
	return vf_fma(y, vf_mul(r, r), r);
}

INL vf v_exp(vf x)
{
	vf s, y = v_exp_parts(x, &s);

	return vf_mul(vf_add(y, vf_set1(1.0f)), s);
}

/* As t / (t + 2), t = e^2x - 1, which loses nothing near 0. */
INL vf v_tanh(vf x)
{
	vf s, y, t;

	x = vf_min(vf_max(x, vf_set1(-20.0f)), vf_set1(20.0f));
	y = v_exp_parts(vf_add(x, x), &s);
	t = vf_fma(y, s, vf_sub(s, vf_set1(1.0f)));
	return vf_div(t, vf_add(t, vf_set1(2.0f)));
}

static inline float s_exp(float x)
{
	float t[VL];

	vf_store(t, v_exp(vf_set1(x)));
	return t[0];
}

/* x / (1 + e^-x) */
INL vf v_silu(vf x)
{
	vf e = v_exp(vf_sub(vf_zero(), x));

	return vf_div(x, vf_add(vf_set1(1.0f), e));
}

/*
 * GELU, tanh form (Hendrycks and Gimpel, 2016), as x * sigmoid(2 z),
 * z = sqrt(2/pi) * (x + 0.044715 x^3).
 */
INL vf v_gelu(vf x)
{
	vf z = vf_mul(vf_mul(x, x), x);
	vf e;

	z = vf_fma(z, vf_set1(0.044715f), x);
	e = v_exp(vf_mul(z, vf_set1(-1.5957691216057308f)));
	return vf_div(x, vf_add(vf_set1(1.0f), e));
}

/*
 * The gated unit of gpt-oss: g * sigmoid(1.702 g) * (u + 1), g at most 7, u
 * within +-7.
 */
INL vf v_swiglu_oai(vf g, vf u)
{
	const vf limit = vf_set1(7.0f), one = vf_set1(1.0f);
	vf e;

	g = vf_min(g, limit);
	u = vf_min(vf_max(u, vf_set1(-7.0f)), limit);
	e = v_exp(vf_mul(g, vf_set1(-1.702f)));
	return vf_mul(vf_div(g, vf_add(one, e)), vf_add(u, one));
}

/* The fixed tree over 16 lanes in memory. */
static inline float sum_lanes(const float *p)
{
	vf v[LX_STRIP / VL];

	for (u32 i = 0; i < LX_STRIP / VL; i++)
		v[i] = vf_load(p + VL * i);
	return vf_sum16(v);
}

/* Sum of squares of @n floats (padded with zeros to 16), over 16 lanes. */
static inline float sum_squares(const float *x, u32 n)
{
	float lanes[LX_STRIP];

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		vf acc = vf_zero();

		for (u32 i = h; i < n; i += LX_STRIP) {
			vf v = vf_load(x + i);

			acc = vf_fma(v, v, acc);
		}
		vf_store(lanes + h, acc);
	}
	return sum_lanes(lanes);
}

/* 1 / sqrt(mean of squares + eps) */
static inline float rms_scale(const float *x, u32 n, u32 padded, float eps)
{
	float mean = sum_squares(x, padded) / (float)n;

	return 1.0f / __builtin_sqrtf(mean + eps);
}

/* ---- double precision, scalar: tables and angles ---- */

/* sin and cos of a finite |a| < 2^30: pi/2 in three parts, Taylor series. */
static inline void d_sincos(double a, double *s, double *c)
{
	const double magic = 6755399441055744.0;	/* 1.5 * 2^52 */
	volatile double t = a * 0.63661977236758134308 + magic;
	double n = t - magic, r, z, ss, cc;
	int q = (int)(s64)n & 3;

	r = a - n * 1.57079632673412561417e+00;
	r = r - n * 6.07710050630396597660e-11;
	r = r - n * 2.02226624879595063154e-21;
	z = r * r;
	ss = -1.0 / 1307674368000.0;
	ss = ss * z + 1.0 / 6227020800.0;
	ss = ss * z - 1.0 / 39916800.0;
	ss = ss * z + 1.0 / 362880.0;
	ss = ss * z - 1.0 / 5040.0;
	ss = ss * z + 1.0 / 120.0;
	ss = ss * z - 1.0 / 6.0;
	ss = ss * z * r + r;
	cc = 1.0 / 20922789888000.0;
	cc = cc * z - 1.0 / 87178291200.0;
	cc = cc * z + 1.0 / 479001600.0;
	cc = cc * z - 1.0 / 3628800.0;
	cc = cc * z + 1.0 / 40320.0;
	cc = cc * z - 1.0 / 720.0;
	cc = cc * z + 1.0 / 24.0;
	cc = cc * z - 0.5;
	cc = cc * z + 1.0;
	*s = q & 1 ? cc : ss;
	*c = q & 1 ? ss : cc;
	if (q & 2)
		*s = -*s;
	if (q == 1 || q == 2)
		*c = -*c;
}

/* Natural logarithm of a positive normal number, by atanh's series. */
static inline double d_log(double x)
{
	union lx_f64 b = { .f = x };
	int e = (int)(b.u >> 52) - 1023;
	double m, t, t2, s = 0.0;

	b.u = (b.u & 0xfffffffffffffull) | 0x3ff0000000000000ull;
	m = b.f;
	if (m > 1.41421356237309504880) {
		m = m * 0.5;
		e++;
	}
	t = (m - 1.0) / (m + 1.0);
	t2 = t * t;
	for (int i = 25; i >= 1; i -= 2)
		s = s * t2 + 1.0 / (double)i;
	return (double)e * 0.69314718055994530942 + 2.0 * t * s;
}

static inline double d_exp(double x)
{
	const double magic = 6755399441055744.0;
	volatile double k = x * 1.44269504088896340736 + magic;
	double n = k - magic, r, s = 1.0;
	union lx_f64 b;

	if (x < -700.0)
		return 0.0;
	if (x > 700.0)
		x = 700.0;
	r = x - n * 6.93147180369123816490e-01;
	r = r - n * 1.90821492927058770002e-10;
	for (int i = 16; i >= 1; i--)
		s = s * r / (double)i + 1.0;
	b.u = (u64)((s64)n + 1023) << 52;
	return s * b.f;
}

static inline double d_pow(double base, double e)
{
	return d_exp(d_log(base) * e);
}

#endif
