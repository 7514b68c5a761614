/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Vector primitives for AVX2 with FMA and F16C: 8 lanes. See
 * arch/generic/vec.h, which says what each must compute to the bit. Where the
 * file that includes this is compiled for VNNI, dots are one instruction.
 */
#ifndef LX_VEC_AVX2_H
#define LX_VEC_AVX2_H

#include <immintrin.h>
#include "lx/deps.h"

#define VL 8
#ifdef __AVX512VL__	/* 32 registers */
#define MM_T 8
#define MM_FEW 8	/* so many are bound by memory */
#else
#define MM_T 4
#define MM_FEW 4
#endif
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#define MM_IN_ORDER 2	/* and so few by nothing else */
#else
#define MM_IN_ORDER 0
#endif
#define INL static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")
#define FIXED_T 1	/* a kernel for every group size */

typedef __m256 vf;
typedef __m256i vi;
typedef __m256i vb;

INL vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
INL void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
INL vf vf_set1(float a) { return _mm256_set1_ps(a); }
INL vf vf_zero(void) { return _mm256_setzero_ps(); }
INL vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
INL vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
INL vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
INL vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
INL vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
INL vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
INL vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INL vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }

INL vf vf_pick(vf a, vf b, vf x, vf y)
{
	return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

INL vf vf_abs(vf a)
{
	return _mm256_and_ps(a, _mm256_castsi256_ps(
					_mm256_set1_epi32(0x7fffffff)));
}

INL vf vf_load_f16(const u16 *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i_u *)p));
}

INL vf vf_load_bf16(const u16 *p)
{
	__m128i h = _mm_loadu_si128((const __m128i_u *)p);

	return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h),
						     16));
}

INL void vf_store_f16(u16 *p, vf a)
{
	_mm_storeu_si128((__m128i_u *)p,
			 _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

INL vi vi_load_u8(const u8 *p)
{
	return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i_u *)p));
}

INL vi vi_load_s8(const s8 *p)
{
	return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i_u *)p));
}

INL vf vf_from_vi(vi a) { return _mm256_cvtepi32_ps(a); }
INL vi vi_round(vf a) { return _mm256_cvtps_epi32(a); }
INL vi vi_set1(s32 a) { return _mm256_set1_epi32(a); }
INL vi vi_zero(void) { return _mm256_setzero_si256(); }
INL vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
INL vi vi_mul(vi a, vi b) { return _mm256_mullo_epi32(a, b); }
INL vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
#define vi_sll(a, n) _mm256_slli_epi32(a, n)
#define vi_srl(a, n) _mm256_srli_epi32(a, n)
INL vf vf_from_bits(vi a) { return _mm256_castsi256_ps(a); }

INL float vf_sum16(const vf *v)
{
	__m256 a = _mm256_add_ps(v[0], v[1]);
	__m128 b = _mm_add_ps(_mm256_castps256_ps128(a),
			      _mm256_extractf128_ps(a, 1));

	b = _mm_add_ps(b, _mm_movehl_ps(b, b));
	return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

INL float vf_max_lanes(vf v)
{
	__m128 b = _mm_max_ps(_mm256_castps256_ps128(v),
			      _mm256_extractf128_ps(v, 1));

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
	__m128i w = _mm_packs_epi32(_mm256_castsi256_si128(a),
				    _mm256_extracti128_si256(a, 1));

	_mm_storel_epi64((__m128i_u *)p, _mm_packs_epi16(w, w));
}

INL vb vb_load(const u8 *p) { return _mm256_loadu_si256((const __m256i_u *)p); }
INL vb vb_set1(u8 a) { return _mm256_set1_epi8((char)a); }
INL vb vb_and(vb a, vb b) { return _mm256_and_si256(a, b); }
INL vb vb_or(vb a, vb b) { return _mm256_or_si256(a, b); }
INL vb vb_xor(vb a, vb b) { return _mm256_xor_si256(a, b); }
INL void vb_store(u8 *p, vb a) { _mm256_storeu_si256((__m256i_u *)p, a); }
/* Shifts move bits across bytes: mask afterwards. */
#define vb_srl(a, n) _mm256_srli_epi16(a, n)
#define vb_sll(a, n) _mm256_slli_epi16(a, n)

INL vb vb_lut(const u8 *table, vb idx)
{
	__m256i t = _mm256_broadcastsi128_si256(
			_mm_loadu_si128((const __m128i_u *)table));

	return _mm256_shuffle_epi8(t, idx);
}

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
INL vi vi_dot(vi acc, vb w, const s8 *x)
{
	vi b = _mm256_set1_epi32(*(const s32 *)x);

#ifdef __AVX512VNNI__
	return _mm256_dpbusd_epi32(acc, w, b);
#else
	return _mm256_dpbusd_avx_epi32(acc, w, b);
#endif
}

#define vi_dot_wide vi_dot
#else
/* Weights up to 7 bits: pairs of products fit 16 bits. */
INL vi vi_dot(vi acc, vb w, const s8 *x)
{
	__m256i p = _mm256_maddubs_epi16(w, _mm256_set1_epi32(*(const s32 *)x));

	return _mm256_add_epi32(acc, _mm256_madd_epi16(p,
						_mm256_set1_epi16(1)));
}

/*
 * Full 8-bit weights, stored as w + 128: pairs of u8 * s8 would saturate.
 * Even and odd bytes are widened and multiplied as 16-bit numbers instead.
 */
INL vi vi_dot_wide(vi acc, vb w, const s8 *x)
{
	__m256i xv = _mm256_set1_epi32(*(const s32 *)x);
	__m256i we = _mm256_and_si256(w, _mm256_set1_epi16(0xff));
	__m256i wo = _mm256_srli_epi16(w, 8);
	__m256i xe = _mm256_srai_epi16(_mm256_slli_epi16(xv, 8), 8);
	__m256i xo = _mm256_srai_epi16(xv, 8);

	acc = _mm256_add_epi32(acc, _mm256_madd_epi16(we, xe));
	return _mm256_add_epi32(acc, _mm256_madd_epi16(wo, xo));
}
#endif

/* ---- packing: what arch/pack.h needs ---- */

INL vb vb_srlv(vb a, u32 n)
{
	return _mm256_srl_epi16(a, _mm_cvtsi32_si128((int)n));
}

/* Lane i of out[k]: the k-th four of the 16 bytes at row[i] + off. */
INL void vb_rows(vb out[4], const u8 *const *row, u64 off)
{
	vb z[4], t[4];

	UNROLL
	for (u32 k = 0; k < 4; k++)
		z[k] = _mm256_inserti128_si256(_mm256_castsi128_si256(
			_mm_loadu_si128((const __m128i_u *)(row[k] + off))),
			_mm_loadu_si128((const __m128i_u *)(row[4 + k] + off)),
			1);
	t[0] = _mm256_unpacklo_epi32(z[0], z[1]);
	t[1] = _mm256_unpackhi_epi32(z[0], z[1]);
	t[2] = _mm256_unpacklo_epi32(z[2], z[3]);
	t[3] = _mm256_unpackhi_epi32(z[2], z[3]);
	out[0] = _mm256_unpacklo_epi64(t[0], t[2]);
	out[1] = _mm256_unpackhi_epi64(t[0], t[2]);
	out[2] = _mm256_unpacklo_epi64(t[1], t[3]);
	out[3] = _mm256_unpackhi_epi64(t[1], t[3]);
}

/* dst[16 * k + i]: byte k of lane i. */
INL void vb_store_bytes(u8 *dst, vb a)
{
	const __m256i within = _mm256_set_epi8(
		15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0,
		15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
	const __m256i across = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
	__m256i v = _mm256_permutevar8x32_epi32(
		_mm256_shuffle_epi8(a, within), across);
	__m128i lo = _mm256_castsi256_si128(v);
	__m128i hi = _mm256_extracti128_si256(v, 1);

	_mm_storel_epi64((__m128i_u *)dst, lo);
	_mm_storel_epi64((__m128i_u *)(dst + 16), _mm_unpackhi_epi64(lo, lo));
	_mm_storel_epi64((__m128i_u *)(dst + 32), hi);
	_mm_storel_epi64((__m128i_u *)(dst + 48), _mm_unpackhi_epi64(hi, hi));
}

/* The low 16 bits of every lane */
INL void vb_store_low(u8 *dst, vb a)
{
	__m256i v = _mm256_and_si256(a, _mm256_set1_epi32(0xffff));

	v = _mm256_permute4x64_epi64(_mm256_packus_epi32(v, v), 0x08);
	_mm_storeu_si128((__m128i_u *)dst, _mm256_castsi256_si128(v));
}

INL vb vb_high(vb a) { return _mm256_srli_epi32(a, 16); }

#endif
