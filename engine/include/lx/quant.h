/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Tensor types of GGUF files: numbers, block sizes, names. The layouts are
 * those of ggml (ggml-common.h); quant.c documents each.
 */
#ifndef LX_QUANT_H
#define LX_QUANT_H

#include "deps.h"

enum lx_type {
	LX_TYPE_F32 = 0, LX_TYPE_F16 = 1, LX_TYPE_Q4_0 = 2, LX_TYPE_Q4_1 = 3,
	LX_TYPE_Q5_0 = 6, LX_TYPE_Q5_1 = 7, LX_TYPE_Q8_0 = 8, LX_TYPE_Q8_1 = 9,
	LX_TYPE_Q2_K = 10, LX_TYPE_Q3_K = 11, LX_TYPE_Q4_K = 12,
	LX_TYPE_Q5_K = 13, LX_TYPE_Q6_K = 14, LX_TYPE_Q8_K = 15,
	LX_TYPE_IQ2_XXS = 16, LX_TYPE_IQ2_XS = 17, LX_TYPE_IQ3_XXS = 18,
	LX_TYPE_IQ1_S = 19, LX_TYPE_IQ4_NL = 20, LX_TYPE_IQ3_S = 21,
	LX_TYPE_IQ2_S = 22, LX_TYPE_IQ4_XS = 23, LX_TYPE_I8 = 24,
	LX_TYPE_I16 = 25, LX_TYPE_I32 = 26, LX_TYPE_I64 = 27, LX_TYPE_F64 = 28,
	LX_TYPE_IQ1_M = 29, LX_TYPE_BF16 = 30, LX_TYPE_TQ1_0 = 34,
	LX_TYPE_TQ2_0 = 35, LX_TYPE_MXFP4 = 39, LX_TYPE_NVFP4 = 40,
	LX_TYPE_Q1_0 = 41, LX_TYPE_Q2_0 = 42,
	LX_TYPE_COUNT = 43
};

/* Of the KV cache; layouts: fp/kv.h */
enum lx_kv_type { LX_KV_F16, LX_KV_F32, LX_KV_Q8_0, LX_KV_Q4_0, LX_KV_TYPES };

struct lx_type_info {
	const char *name;	/* "Q4_K", NULL for numbers that were retired */
	u16 block;		/* elements of a block */
	u16 bytes;		/* bytes of a block */
};

/* NULL when @type is not a GGUF tensor type. */
const struct lx_type_info *lx_type_info(u32 type);
const char *lx_type_name(u32 type);	/* "?" when unknown */
/* The name a number had before ggml retired it, or NULL. */
const char *lx_type_retired(u32 type);

#endif
