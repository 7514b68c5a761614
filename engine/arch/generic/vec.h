/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Vector primitives in plain C: the specification of every other vec_*.h.
 * A vector is VL lanes; a strip of weights has 16 rows, so VL divides 16.
 *
 *	vf	VL floats	vi	VL s32		vb	4 * VL bytes
 *
 * Results are those of IEEE 754 in round-to-nearest-even, to the bit. Fused
 * multiply-add is one rounding. Lane i of vi_dot() adds the four products
 * of bytes 4i..4i+3 of @w (unsigned; below 128 for vi_dot, full for
 * vi_dot_wide) with x[0..3] (signed), exactly.
 */
#ifndef LX_VEC_GENERIC_H
#define LX_VEC_GENERIC_H

#include "lx/deps.h"

#define VL 16
#define MM_T 4
#define MM_FEW 0	/* so many are bound by memory */
#define MM_IN_ORDER 0	/* and so few by nothing else */
#define INL static inline
#define UNROLL
#define FOR_LANES(i) for (int i = 0; i < VL; i++)

typedef struct { float v[VL]; } vf;
typedef struct { s32 v[VL]; } vi;
typedef struct { u8 v[4 * VL]; } vb;

union lx_bits32 { float f; u32 u; };
union lx_bits64 { double f; u64 u; };

/*
 * Fused multiply-add where the CPU has none: the product of two floats is
 * exact in double; the sum is rounded to odd, then to float (Boldo and
 * Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).
 */
static __attribute__((__noinline__)) float scalar_fma(float a, float b, float c)
{
#if defined(__FMA__) || defined(__aarch64__) || \
	(defined(__riscv) && defined(__riscv_flen))
	return __builtin_fmaf(a, b, c);
#else
	double p = (double)a * (double)b, t = (double)c;
	union lx_bits64 s;
	double bb, err;

	s.f = p + t;
	bb = s.f - p;
	err = (p - (s.f - bb)) + (t - bb);
	if (err != 0.0 && !(s.u & 1))
		s.u += (err > 0.0) == (s.f > 0.0) ? 1 : (u64)-1;
	return (float)s.f;
#endif
}

static inline float scalar_f16(u16 h)
{
	u32 sign = (u32)(h & 0x8000) << 16, e = (h >> 10) & 31, m = h & 0x3ff;
	union lx_bits32 r;

	if (e == 0) {	/* zero and subnormal: m * 2^-24 is exact */
		r.f = (float)m * 0x1p-24f;
		r.u |= sign;
	} else {
		r.u = sign | (e == 31 ? 0x7f800000u : (e + 112) << 23) | m << 13;
	}
	return r.f;
}

static inline u16 scalar_to_f16(float f)
{
	union lx_bits32 b = { .f = f };
	u32 sign = (b.u >> 16) & 0x8000, a = b.u & 0x7fffffff, m, shift;

	if (a > 0x7f800000)
		return (u16)(sign | 0x7e00 | ((a >> 13) & 0x3ff));
	if (a >= 0x477ff000)		/* rounds to infinity */
		return (u16)(sign | 0x7c00);
	if (a < 0x33000001)		/* rounds to zero */
		return (u16)sign;
	if (a >= 0x38800000) {		/* normal */
		a += 0xfff + ((a >> 13) & 1);
		return (u16)(sign | ((a - 0x38000000) >> 13));
	}
	m = (a & 0x7fffff) | 0x800000;
	shift = 126 - (a >> 23);	/* 14 .. 24 */
	a = m >> shift;
	m &= (1u << shift) - 1;
	if (m > 1u << (shift - 1) || (m == 1u << (shift - 1) && (a & 1)))
		a++;
	return (u16)(sign | a);
}

INL vf vf_load(const float *p) { vf r; FOR_LANES(i) r.v[i] = p[i]; return r; }
INL void vf_store(float *p, vf a) { FOR_LANES(i) p[i] = a.v[i]; }
INL vf vf_set1(float a) { vf r; FOR_LANES(i) r.v[i] = a; return r; }
INL vf vf_zero(void) { return vf_set1(0.0f); }
INL vf vf_add(vf a, vf b) { FOR_LANES(i) a.v[i] += b.v[i]; return a; }
INL vf vf_sub(vf a, vf b) { FOR_LANES(i) a.v[i] -= b.v[i]; return a; }
INL vf vf_mul(vf a, vf b) { FOR_LANES(i) a.v[i] *= b.v[i]; return a; }
INL vf vf_div(vf a, vf b) { FOR_LANES(i) a.v[i] /= b.v[i]; return a; }

/* As x86 has it: the second operand where they do not compare. */
INL vf vf_max(vf a, vf b)
{
	FOR_LANES(i)
		a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
	return a;
}

INL vf vf_min(vf a, vf b)
{
	FOR_LANES(i)
		a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
	return a;
}

/* a < b ? x : y in each lane */
INL vf vf_pick(vf a, vf b, vf x, vf y)
{
	FOR_LANES(i)
		x.v[i] = a.v[i] < b.v[i] ? x.v[i] : y.v[i];
	return x;
}

/* a * b + c, rounded once */
INL vf vf_fma(vf a, vf b, vf c)
{
	FOR_LANES(i)
		a.v[i] = scalar_fma(a.v[i], b.v[i], c.v[i]);
	return a;
}

/* c - a * b, rounded once */
INL vf vf_fnma(vf a, vf b, vf c)
{
	FOR_LANES(i)
		a.v[i] = scalar_fma(-a.v[i], b.v[i], c.v[i]);
	return a;
}

INL vf vf_abs(vf a)
{
	FOR_LANES(i) {
		union lx_bits32 b = { .f = a.v[i] };

		b.u &= 0x7fffffff;
		a.v[i] = b.f;
	}
	return a;
}

INL vf vf_load_f16(const u16 *p)
{
	vf r;

	FOR_LANES(i)
		r.v[i] = scalar_f16(p[i]);
	return r;
}

INL vf vf_load_bf16(const u16 *p)
{
	vf r;

	FOR_LANES(i) {
		union lx_bits32 b = { .u = (u32)p[i] << 16 };

		r.v[i] = b.f;
	}
	return r;
}

INL void vf_store_f16(u16 *p, vf a)
{
	FOR_LANES(i)
		p[i] = scalar_to_f16(a.v[i]);
}

INL vi vi_load_u8(const u8 *p) { vi r; FOR_LANES(i) r.v[i] = p[i]; return r; }
INL vi vi_load_s8(const s8 *p) { vi r; FOR_LANES(i) r.v[i] = p[i]; return r; }
INL vf vf_from_vi(vi a)
{
	vf r;

	FOR_LANES(i)
		r.v[i] = (float)a.v[i];
	return r;
}

/* Nearest, ties to even; |a| < 2^22. */
INL vi vi_round(vf a)
{
	vi r;

	FOR_LANES(i) {
		volatile float t = a.v[i] + 0x1.8p23f;

		r.v[i] = (s32)(t - 0x1.8p23f);
	}
	return r;
}

INL vi vi_set1(s32 a) { vi r; FOR_LANES(i) r.v[i] = a; return r; }
INL vi vi_zero(void) { return vi_set1(0); }
INL vi vi_add(vi a, vi b) { FOR_LANES(i) a.v[i] += b.v[i]; return a; }
INL vi vi_mul(vi a, vi b) { FOR_LANES(i) a.v[i] *= b.v[i]; return a; }
INL vi vi_and(vi a, vi b) { FOR_LANES(i) a.v[i] &= b.v[i]; return a; }

INL vi vi_sll(vi a, int n)
{
	FOR_LANES(i)
		a.v[i] = (s32)((u32)a.v[i] << n);
	return a;
}

INL vi vi_srl(vi a, int n)
{
	FOR_LANES(i)
		a.v[i] = (s32)((u32)a.v[i] >> n);
	return a;
}

INL vf vf_from_bits(vi a)
{
	vf r;

	FOR_LANES(i) {
		union lx_bits32 b = { .u = (u32)a.v[i] };

		r.v[i] = b.f;
	}
	return r;
}

/* Sum of 16 lanes (16 / VL vectors) by the fixed tree. */
INL float vf_sum16(const vf *v)
{
	float a[8], b[4];

	for (int i = 0; i < 8; i++)
		a[i] = v->v[i] + v->v[i + 8];
	for (int i = 0; i < 4; i++)
		b[i] = a[i] + a[i + 4];
	return (b[0] + b[2]) + (b[1] + b[3]);
}

/* The largest lane; none is NaN. */
INL float vf_max_lanes(vf a)
{
	float m = a.v[0];

	for (int i = 1; i < VL; i++)
		m = a.v[i] > m ? a.v[i] : m;
	return m;
}

/* Sum of 16 bytes */
INL s32 s8_sum16(const s8 *p)
{
	s32 n = 0;

	for (int i = 0; i < 16; i++)
		n += p[i];
	return n;
}

INL void vi_store_s8(s8 *p, vi a) { FOR_LANES(i) p[i] = (s8)a.v[i]; }

#define FOR_BYTES(i) for (int i = 0; i < 4 * VL; i++)

INL vb vb_load(const u8 *p) { vb r; FOR_BYTES(i) r.v[i] = p[i]; return r; }
INL vb vb_set1(u8 a) { vb r; FOR_BYTES(i) r.v[i] = a; return r; }
INL vb vb_and(vb a, vb b) { FOR_BYTES(i) a.v[i] &= b.v[i]; return a; }
INL vb vb_or(vb a, vb b) { FOR_BYTES(i) a.v[i] |= b.v[i]; return a; }
/* Other implementations move bits across bytes: mask afterwards. */
INL vb vb_srl(vb a, int n) { FOR_BYTES(i) a.v[i] >>= n; return a; }
INL vb vb_sll(vb a, int n)
{
	FOR_BYTES(i)
		a.v[i] = (u8)(a.v[i] << n);
	return a;
}

INL vb vb_lut(const u8 *table, vb idx)
{
	FOR_BYTES(i)
		idx.v[i] = table[idx.v[i] & 15];
	return idx;
}

INL vi vi_dot(vi acc, vb w, const s8 *x)
{
	FOR_LANES(i)
		acc.v[i] += w.v[4 * i] * x[0] + w.v[4 * i + 1] * x[1] +
			    w.v[4 * i + 2] * x[2] + w.v[4 * i + 3] * x[3];
	return acc;
}

#define vi_dot_wide vi_dot
#endif
