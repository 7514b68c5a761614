/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Blocks as they stand in a GGUF file (quant.c) to floats: scalar, one order
 * of operations, that of the format's reference.
 */
#ifndef LX_FP_DEQUANT_H
#define LX_FP_DEQUANT_H

#include "codes.h"

static inline u16 dq_u16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}

static inline u32 dq_u32(const u8 *p)
{
	return dq_u16(p) | (u32)dq_u16(p + 2) << 16;
}

static inline float dq_f16(const u8 *p)
{
	u32 h = dq_u16(p), e = h >> 10 & 31, m = h & 0x3ff;
	u32 sign = (h & 0x8000) << 16;

	if (!e)
		return f32_of(bits_of((float)m * 0x1p-24f) | sign);
	return f32_of(sign | (e == 31 ? 255 : e + 112) << 23 | m << 13);
}

/* 2^(e - 128): the scale of MXFP4, whose values are kept doubled */
static inline float dq_e8m0(u8 e)
{
	return f32_of(e < 2 ? 0x00200000u << e : (u32)(e - 1) << 23);
}

/* Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 IQ4_NL MXFP4: 32 values */
static void dq_simple(u32 type, const u8 *s, float *y)
{
	bool five = type == LX_TYPE_Q5_0 || type == LX_TYPE_Q5_1;
	bool affine = type == LX_TYPE_Q4_1 || type == LX_TYPE_Q5_1;
	float d, m = 0.0f;
	u32 high = 0;

	if (type == LX_TYPE_MXFP4) {
		d = dq_e8m0(*s++);
	} else {
		d = dq_f16(s);
		s += 2;
	}
	if (type == LX_TYPE_Q8_0) {
		for (u32 i = 0; i < 32; i++)
			y[i] = d * (float)(s8)s[i];
		return;
	}
	if (affine) {
		m = dq_f16(s);
		s += 2;
	}
	if (five) {
		high = dq_u32(s);
		s += 4;
	}
	for (u32 i = 0; i < 32; i++) {
		s32 q = s[i % 16] >> i / 16 * 4 & 15;

		q |= (s32)(high >> i & 1) << 4;
		if (type == LX_TYPE_IQ4_NL)
			q = table_iq4[q] - 128;
		else if (type == LX_TYPE_MXFP4)
			q = table_fp4[q] - 16;
		else if (!affine)
			q -= five ? 16 : 8;
		y[i] = affine ? d * (float)q + m : d * (float)q;
	}
}

/* The 6-bit scale and minimum of block @j of Q4_K and Q5_K */
static inline void dq_scale_k4(const u8 *p, u32 j, u32 *sc, u32 *m)
{
	if (j < 4) {
		*sc = p[j] & 63;
		*m = p[j + 4] & 63;
	} else {
		*sc = (p[j + 4] & 15u) | p[j - 4] >> 6 << 4;
		*m = (u32)p[j + 4] >> 4 | p[j] >> 6 << 4;
	}
}

static void dq_k45(bool five, const u8 *s, float *y)
{
	const u8 *q = s + (five ? 48 : 16);
	float d = dq_f16(s), dmin = dq_f16(s + 2);

	for (u32 j = 0; j < 8; j++) {
		u32 sc, m;
		float dl, ml;

		dq_scale_k4(s + 4, j, &sc, &m);
		dl = d * (float)sc;
		ml = dmin * (float)m;
		for (u32 i = 0; i < 32; i++) {
			u32 v = q[j / 2 * 32 + i] >> (j & 1) * 4 & 15;

			if (five)
				v |= (s[16 + i] >> j & 1u) << 4;
			y[32 * j + i] = dl * (float)v - ml;
		}
	}
}

static void dq_q6_k(const u8 *s, float *y)
{
	float d = dq_f16(s + 208);

	for (u32 i = 0; i < 256; i++) {
		u32 half = i / 128, f = i / 32 % 4, c = i % 32;
		s32 q = s[half * 64 + (f & 1) * 32 + c] >> f / 2 * 4 & 15;

		q |= (s[128 + half * 32 + c] >> 2 * f & 3) << 4;
		y[i] = d * (float)(s8)s[192 + i / 16] * (float)(q - 32);
	}
}

static inline s32 dq_scale_q3(const u8 *sc, u32 i)
{
	u32 lo = i < 8 ? sc[i] & 15 : sc[i - 8] >> 4;

	return (s32)(lo | (sc[8 + i % 4] >> 2 * (i / 4) & 3) << 4) - 32;
}

static void dq_q3_k(const u8 *s, float *y)
{
	float d = dq_f16(s + 108);

	for (u32 i = 0; i < 256; i++) {
		u32 c = i % 32;
		s32 q = s[32 + i / 128 * 32 + c] >> i / 32 % 4 * 2 & 3;

		q -= s[c] >> i / 32 & 1 ? 0 : 4;
		y[i] = d * (float)dq_scale_q3(s + 96, i / 16) * (float)q;
	}
}

static void dq_q2_k(const u8 *s, float *y)
{
	float d = dq_f16(s + 80), dmin = dq_f16(s + 82);

	for (u32 i = 0; i < 256; i++) {
		u32 q = s[16 + i / 128 * 32 + i % 32] >> i / 32 % 4 * 2 & 3;
		u32 sc = s[i / 16];

		y[i] = d * (float)(sc & 15) * (float)q - dmin * (float)(sc >> 4);
	}
}

static void dq_iq4_xs(const u8 *s, float *y)
{
	float d = dq_f16(s);
	u32 high = dq_u16(s + 2);

	for (u32 j = 0; j < 8; j++) {
		u32 sc = s[4 + j / 2] >> 4 * (j & 1) & 15;
		float dl = d * (float)((s32)(sc | (high >> 2 * j & 3) << 4) - 32);

		for (u32 i = 0; i < 32; i++)
			y[32 * j + i] = dl * (float)(table_iq4[
				s[8 + 16 * j + i % 16] >> i / 16 * 4 & 15] - 128);
	}
}

/* Types of codebook.h: all products are exact. */
static void dq_codebook(u32 type, const u8 *s, float *y)
{
	struct lx_codes c;
	float d;

	lx_code_block(type, s, &c);
	d = dq_f16((const u8 *)&c.d) * code_factor(type);
	for (u32 i = 0; i < 256; i++)
		y[i] = d * (float)(c.s[i / 16] * c.v[i]);
}

/* Q1_0, Q2_0: one scale for the block */
static void dq_bits(u32 type, const u8 *s, float *y)
{
	float d = dq_f16(s);

	if (type == LX_TYPE_Q1_0) {
		for (u32 i = 0; i < 128; i++)
			y[i] = s[2 + i / 8] >> i % 8 & 1 ? d : -d;
		return;
	}
	for (u32 i = 0; i < 64; i++)
		y[i] = d * (float)((s[2 + i / 4] >> 2 * (i % 4) & 3) - 1);
}

static void dq_nvfp4(const u8 *s, float *y)
{
	for (u32 i = 0; i < 64; i++) {
		u8 e = s[i / 16], q = s[4 + i / 16 * 8 + i % 8];
		u32 m = e & 7, x = e >> 3 & 15;
		float d = (float)(x ? 8 + m : m) *
			  f32_of((117 + (x ? x : 1)) << 23);

		if (e == 0x7f)	/* a NaN counts as 0 */
			d = 0.0f;
		y[i] = (float)(table_fp4[q >> (i & 8 ? 4 : 0) & 15] - 16) *
		       (d * 0.5f);
	}
}

/* @n values (a multiple of the type's block) that start at @s. */
static void dequantize(u32 type, const u8 *s, u32 n, float *y)
{
	const struct lx_type_info *ti = lx_type_info(type);

	for (u32 i = 0; i < n; i += ti->block, s += ti->bytes) {
		switch (type) {
		case LX_TYPE_F32: y[i] = f32_of(dq_u32(s)); break;
		case LX_TYPE_F16: y[i] = dq_f16(s); break;
		case LX_TYPE_BF16: y[i] = f32_of((u32)dq_u16(s) << 16); break;
		case LX_TYPE_Q4_K: dq_k45(false, s, y + i); break;
		case LX_TYPE_Q5_K: dq_k45(true, s, y + i); break;
		case LX_TYPE_Q6_K: dq_q6_k(s, y + i); break;
		case LX_TYPE_Q3_K: dq_q3_k(s, y + i); break;
		case LX_TYPE_Q2_K: dq_q2_k(s, y + i); break;
		case LX_TYPE_IQ4_XS: dq_iq4_xs(s, y + i); break;
		case LX_TYPE_Q1_0: case LX_TYPE_Q2_0:
			dq_bits(type, s, y + i);
			break;
		case LX_TYPE_NVFP4: dq_nvfp4(s, y + i); break;
		default:
			if (lx_code_bits(type))
				dq_codebook(type, s, y + i);
			else
				dq_simple(type, s, y + i);
		}
	}
}

#endif
