/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Vector primitives for AVX-512 (F, BW, VL, DQ, VNNI): 16 lanes. See
 * arch/generic/vec.h, which says what each must compute to the bit.
 */
#ifndef LX_VEC_AVX512_H
#define LX_VEC_AVX512_H

#include <immintrin.h>
#include "lx/deps.h"

#define VL 16		/* lanes of a vector */
#define MM_T 8		/* tokens of one group */
#define MM_FEW 8	/* so many are bound by memory */
#define MM_IN_ORDER 2	/* and so few by nothing else */
#define INL static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")
#define FIXED_T 1	/* a kernel for every group size */

typedef __m512 vf;
typedef __m512i vi;
typedef __m512i vb;

INL vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
INL void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
INL vf vf_set1(float a) { return _mm512_set1_ps(a); }
INL vf vf_zero(void) { return _mm512_setzero_ps(); }
INL vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INL vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INL vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INL vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INL vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INL vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
INL vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INL vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }

INL vf vf_pick(vf a, vf b, vf x, vf y)
{
	return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}

INL vf vf_abs(vf a)
{
	return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a),
					_mm512_set1_epi32(0x7fffffff)));
}

INL vf vf_load_f16(const u16 *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i_u *)p));
}

INL vf vf_load_bf16(const u16 *p)
{
	__m256i h = _mm256_loadu_si256((const __m256i_u *)p);

	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h),
						     16));
}

INL void vf_store_f16(u16 *p, vf a)
{
	_mm256_storeu_si256((__m256i_u *)p,
			    _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT |
					       _MM_FROUND_NO_EXC));
}

INL vi vi_load_u8(const u8 *p)
{
	return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i_u *)p));
}

INL vi vi_load_s8(const s8 *p)
{
	return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i_u *)p));
}

INL vf vf_from_vi(vi a) { return _mm512_cvtepi32_ps(a); }
INL vi vi_round(vf a) { return _mm512_cvtps_epi32(a); }
INL vi vi_set1(s32 a) { return _mm512_set1_epi32(a); }
INL vi vi_zero(void) { return _mm512_setzero_si512(); }
INL vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
INL vi vi_mul(vi a, vi b) { return _mm512_mullo_epi32(a, b); }
INL vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
#define vi_sll(a, n) _mm512_slli_epi32(a, n)
#define vi_srl(a, n) _mm512_srli_epi32(a, n)
INL vf vf_from_bits(vi a) { return _mm512_castsi512_ps(a); }

INL float vf_sum16(const vf *v)
{
	__m256 a = _mm256_add_ps(_mm512_castps512_ps256(v[0]),
				 _mm512_extractf32x8_ps(v[0], 1));
	__m128 b = _mm_add_ps(_mm256_castps256_ps128(a),
			      _mm256_extractf128_ps(a, 1));

	b = _mm_add_ps(b, _mm_movehl_ps(b, b));
	return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

INL float vf_max_lanes(vf v)
{
	__m256 a = _mm256_max_ps(_mm512_castps512_ps256(v),
				 _mm512_extractf32x8_ps(v, 1));
	__m128 b = _mm_max_ps(_mm256_castps256_ps128(a),
			      _mm256_extractf128_ps(a, 1));

	b = _mm_max_ps(b, _mm_movehl_ps(b, b));
	return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
}

/* Biased to unsigned bytes, whose distance from zero is summed. */
INL s32 s8_sum16(const s8 *p)
{
	__m128i v = _mm_loadu_si128((const __m128i_u *)p);

	v = _mm_sad_epu8(_mm_xor_si128(v, _mm_set1_epi8(-128)),
			 _mm_setzero_si128());
	v = _mm_add_epi32(v, _mm_unpackhi_epi64(v, v));
	return _mm_cvtsi128_si32(v) - 16 * 128;
}

INL void vi_store_s8(s8 *p, vi a)
{
	_mm_storeu_si128((__m128i_u *)p, _mm512_cvtepi32_epi8(a));
}

INL vb vb_load(const u8 *p) { return _mm512_loadu_si512(p); }
INL vb vb_set1(u8 a) { return _mm512_set1_epi8((char)a); }
INL vb vb_and(vb a, vb b) { return _mm512_and_si512(a, b); }
INL vb vb_or(vb a, vb b) { return _mm512_or_si512(a, b); }
INL vb vb_xor(vb a, vb b) { return _mm512_xor_si512(a, b); }
INL void vb_store(u8 *p, vb a) { _mm512_storeu_si512(p, a); }
/* Shifts move bits across bytes: mask afterwards. */
#define vb_srl(a, n) _mm512_srli_epi16(a, n)
#define vb_sll(a, n) _mm512_slli_epi16(a, n)

INL vb vb_lut(const u8 *table, vb idx)
{
	__m512i t = _mm512_broadcast_i32x4(
			_mm_loadu_si128((const __m128i_u *)table));

	return _mm512_shuffle_epi8(t, idx);
}

INL vi vi_dot(vi acc, vb w, const s8 *x)
{
	return _mm512_dpbusd_epi32(acc, w,
				   _mm512_set1_epi32(*(const s32 *)x));
}

#define vi_dot_wide vi_dot

/* ---- packing: what arch/pack.h needs ---- */

INL vb vb_srlv(vb a, u32 n)
{
	return _mm512_srl_epi16(a, _mm_cvtsi32_si128((int)n));
}

/* Lane i of out[k]: the k-th four of the 16 bytes at row[i] + off. */
INL void vb_rows(vb out[4], const u8 *const *row, u64 off)
{
	vb z[4], t[4];

	UNROLL
	for (u32 k = 0; k < 4; k++) {
#define ROW(i) _mm_loadu_si128((const __m128i_u *)(row[4 * (i) + k] + off))
		z[k] = _mm512_castsi128_si512(ROW(0));
		z[k] = _mm512_inserti32x4(z[k], ROW(1), 1);
		z[k] = _mm512_inserti32x4(z[k], ROW(2), 2);
		z[k] = _mm512_inserti32x4(z[k], ROW(3), 3);
#undef ROW
	}
	t[0] = _mm512_unpacklo_epi32(z[0], z[1]);
	t[1] = _mm512_unpackhi_epi32(z[0], z[1]);
	t[2] = _mm512_unpacklo_epi32(z[2], z[3]);
	t[3] = _mm512_unpackhi_epi32(z[2], z[3]);
	out[0] = _mm512_unpacklo_epi64(t[0], t[2]);
	out[1] = _mm512_unpackhi_epi64(t[0], t[2]);
	out[2] = _mm512_unpacklo_epi64(t[1], t[3]);
	out[3] = _mm512_unpackhi_epi64(t[1], t[3]);
}

/* dst[16 * k + i]: byte k of lane i. */
INL void vb_store_bytes(u8 *dst, vb a)
{
	const __m512i within = _mm512_set4_epi32(0x0f0b0703, 0x0e0a0602,
						 0x0d090501, 0x0c080400);
	const __m512i across = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2,
						13, 9, 5, 1, 12, 8, 4, 0);

	_mm512_storeu_si512(dst, _mm512_permutexvar_epi32(across,
				_mm512_shuffle_epi8(a, within)));
}

/* The low 16 bits of every lane */
INL void vb_store_low(u8 *dst, vb a)
{
	_mm256_storeu_si256((__m256i_u *)dst, _mm512_cvtepi32_epi16(a));
}

INL vb vb_high(vb a) { return _mm512_srli_epi32(a, 16); }

#endif
