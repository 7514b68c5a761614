/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Types whose superblocks of 256 are products of small integers: the IQ types
 * with codebooks (IQ1, IQ2, IQ3) and the ternary ones. Value i is
 *
 *	d * f * s[i / 16] * v[i]
 *
 * with the block's f16 d, a power of two f of the type, and v one of at most
 * 16 values of the type. All of these products are exact in f32.
 */
#ifndef LX_CODEBOOK_H
#define LX_CODEBOOK_H

#include "lx/quant.h"

#define LX_CODE_ZERO 64		/* what the tables below are above v */

struct lx_codes {
	u16 d;			/* f16 */
	s8 s[16];
	s8 v[256];
};

extern const u16 lx_points_iq2_xxs[256], lx_points_iq2_xs[512],
	lx_points_iq2_s[1024], lx_points_iq3_xxs[256], lx_points_iq3_s[512],
	lx_points_iq1[2048];

/* 2, 3 or 4 bits to number the values of a type; 0: it is none of these. */
static inline u32 lx_code_bits(u32 type)
{
	switch (type) {
	case LX_TYPE_TQ1_0: case LX_TYPE_TQ2_0:
		return 2;
	case LX_TYPE_IQ1_S: case LX_TYPE_IQ1_M: case LX_TYPE_IQ2_XXS:
	case LX_TYPE_IQ2_XS: case LX_TYPE_IQ2_S:
		return 3;
	case LX_TYPE_IQ3_XXS: case LX_TYPE_IQ3_S:
		return 4;
	}
	return 0;
}

/* The values by number, plus LX_CODE_ZERO. */
static inline const u8 *lx_code_table(u32 type)
{
	static const u8 ternary[16] = { 63, 64, 65, 66 };
	static const u8 iq1[16] = { 55, 57, 63, 65, 71, 73, 64, 64 };
	static const u8 iq2[16] = { 72, 56, 89, 39, 107, 21, 64, 64 };
	static const u8 iq3_xxs[16] = { 68, 60, 76, 52, 84, 44, 92, 36,
		100, 28, 108, 20, 116, 12, 126, 2 };
	static const u8 iq3_s[16] = { 65, 63, 67, 61, 69, 59, 71, 57,
		73, 55, 75, 53, 77, 51, 79, 49 };

	switch (type) {
	case LX_TYPE_TQ1_0: case LX_TYPE_TQ2_0: return ternary;
	case LX_TYPE_IQ1_S: case LX_TYPE_IQ1_M: return iq1;
	case LX_TYPE_IQ3_XXS: return iq3_xxs;
	case LX_TYPE_IQ3_S: return iq3_s;
	}
	return iq2;
}

/* f as an exponent: f = 2^-n */
static inline u32 lx_code_shift(u32 type)
{
	switch (type) {
	case LX_TYPE_TQ1_0: case LX_TYPE_TQ2_0: case LX_TYPE_IQ3_S: return 0;
	case LX_TYPE_IQ3_XXS: return 2;
	}
	return 3;
}

/* One superblock of the file. */
void lx_code_block(u32 type, const u8 *p, struct lx_codes *c);

#endif
