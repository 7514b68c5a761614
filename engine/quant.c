// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The tensor types of GGUF files. A row of ne[0] elements is ne[0] / block
 * blocks of so many bytes. d, m: f16 scale and minimum; q: packed quants.
 *
 *	Q4_0	 32	d, 16 B of 4-bit q			x = d (q - 8)
 *	Q4_1	 32	d, m, 16 B				x = d q + m
 *	Q5_0	 32	d, 4 B of fifth bits, 16 B		x = d (q - 16)
 *	Q5_1	 32	d, m, 4 B, 16 B				x = d q + m
 *	Q8_0	 32	d, 32 B					x = d q
 *	Q8_1	 32	d, d * sum(q), 32 B
 *	Q2_K	256	16 B of 4-bit scale | min << 4, 64 B, d, m
 *	Q3_K	256	32 B high bits, 64 B, 12 B of 6-bit scales, d
 *	Q4_K	256	d, m, 12 B of 6-bit scales and mins, 128 B
 *	Q5_K	256	d, m, 12 B, 32 B high bits, 128 B
 *	Q6_K	256	128 B low, 64 B high bits, 16 s8 scales, d
 *	Q8_K	256	f32 d, 256 B, 16 s16 sums
 *	IQ*	256	codebook indices, signs and scales: codebook.c
 *	IQ4_NL	 32	d, 16 B of indices into 16 values
 *	TQ1_0	256	48 B of five base-3 digits, 4 B of four, d
 *	TQ2_0	256	64 B of 2-bit digits, d			x = d (q - 1)
 *	MXFP4	 32	E8M0 scale byte, 16 B of E2M1
 *	NVFP4	 64	4 UE4M3 scales, of 16 each, 4 x 8 B of E2M1
 *	Q1_0	128	d, a bit each				x = d (2 q - 1)
 *	Q2_0	 64	d, 16 B of 2-bit q			x = d (q - 1)
 */
#include "lx/quant.h"

/* Gaps are numbers that ggml retired (Q4_2, Q4_3, the _4_4 repackings). */
static const struct lx_type_info types[LX_TYPE_COUNT] = {
	[LX_TYPE_F32] = { "F32", 1, 4 },
	[LX_TYPE_F16] = { "F16", 1, 2 },
	[LX_TYPE_Q4_0] = { "Q4_0", 32, 18 },
	[LX_TYPE_Q4_1] = { "Q4_1", 32, 20 },
	[LX_TYPE_Q5_0] = { "Q5_0", 32, 22 },
	[LX_TYPE_Q5_1] = { "Q5_1", 32, 24 },
	[LX_TYPE_Q8_0] = { "Q8_0", 32, 34 },
	[LX_TYPE_Q8_1] = { "Q8_1", 32, 36 },
	[LX_TYPE_Q2_K] = { "Q2_K", 256, 84 },
	[LX_TYPE_Q3_K] = { "Q3_K", 256, 110 },
	[LX_TYPE_Q4_K] = { "Q4_K", 256, 144 },
	[LX_TYPE_Q5_K] = { "Q5_K", 256, 176 },
	[LX_TYPE_Q6_K] = { "Q6_K", 256, 210 },
	[LX_TYPE_Q8_K] = { "Q8_K", 256, 292 },
	[LX_TYPE_IQ2_XXS] = { "IQ2_XXS", 256, 66 },
	[LX_TYPE_IQ2_XS] = { "IQ2_XS", 256, 74 },
	[LX_TYPE_IQ3_XXS] = { "IQ3_XXS", 256, 98 },
	[LX_TYPE_IQ1_S] = { "IQ1_S", 256, 50 },
	[LX_TYPE_IQ4_NL] = { "IQ4_NL", 32, 18 },
	[LX_TYPE_IQ3_S] = { "IQ3_S", 256, 110 },
	[LX_TYPE_IQ2_S] = { "IQ2_S", 256, 82 },
	[LX_TYPE_IQ4_XS] = { "IQ4_XS", 256, 136 },
	[LX_TYPE_I8] = { "I8", 1, 1 },
	[LX_TYPE_I16] = { "I16", 1, 2 },
	[LX_TYPE_I32] = { "I32", 1, 4 },
	[LX_TYPE_I64] = { "I64", 1, 8 },
	[LX_TYPE_F64] = { "F64", 1, 8 },
	[LX_TYPE_IQ1_M] = { "IQ1_M", 256, 56 },
	[LX_TYPE_BF16] = { "BF16", 1, 2 },
	[LX_TYPE_TQ1_0] = { "TQ1_0", 256, 54 },
	[LX_TYPE_TQ2_0] = { "TQ2_0", 256, 66 },
	[LX_TYPE_MXFP4] = { "MXFP4", 32, 17 },
	[LX_TYPE_NVFP4] = { "NVFP4", 64, 36 },
	[LX_TYPE_Q1_0] = { "Q1_0", 128, 18 },
	[LX_TYPE_Q2_0] = { "Q2_0", 64, 18 },
};

const struct lx_type_info *lx_type_info(u32 type)
{
	if (type >= LX_TYPE_COUNT || !types[type].name)
		return NULL;
	return &types[type];
}

const char *lx_type_name(u32 type)
{
	const struct lx_type_info *t = lx_type_info(type);

	return t ? t->name : "?";
}

const char *lx_type_retired(u32 type)
{
	switch (type) {
	case 4:
		return "Q4_2";
	case 5:
		return "Q4_3";
	case 31:
		return "Q4_0_4_4";
	case 32:
		return "Q4_0_4_8";
	case 33:
		return "Q4_0_8_8";
	case 36:
		return "IQ4_NL_4_4";
	case 37:
		return "IQ4_NL_4_8";
	case 38:
		return "IQ4_NL_8_8";
	}
	return NULL;
}
