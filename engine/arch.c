// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The architectures this engine computes: one row each, no code. */
#include "model.h"

#define F32_50 0x42480000u
#define F32_30 0x41f00000u
#define F32_10000 0x461c4000u

static const struct lx_arch archs[] = {
	{ .name = "llama", .pairs = true, .experts = LX_EXPERTS_MAY,
	  .windows = true, .longrope = true },
	{ .name = "qwen2", .qkv_bias = true },
	{ .name = "qwen3", .qk_norm = true },
	{ .name = "qwen3moe", .qk_norm = true, .experts = LX_EXPERTS_MUST },
	{ .name = "phi3", .longrope = true, .windows = true },
	{ .name = "gemma", .scale_embd = true, .gate = LX_MM_GEGLU },
	{ .name = "gemma2", .scale_embd = true, .gate = LX_MM_GEGLU,
	  .post_norms = true, .windows = true, .pattern = 2, .window = 4096,
	  .caps = true, .cap = F32_50, .final_cap = F32_30,
	  .wide_layers = 46 },
	{ .name = "gemma3", .scale_embd = true, .gate = LX_MM_GEGLU,
	  .post_norms = true, .qk_norm = true, .windows = true, .pattern = 6,
	  .caps = true, .local_base = F32_10000, .wide_layers = 62 },
	{ .name = "gpt-oss", .experts = LX_EXPERTS_MUST, .qkv_bias = true,
	  .all_bias = true, .sinks = true, .windows = true, .pattern = 2,
	  .gate = LX_MM_SWIGLU_OAI, .ffn_norm = "post_attention_norm.weight" },
};

const struct lx_arch *lx_arch_find(struct lx_str name)
{
	for (u32 i = 0; i < LX_ARRAY_SIZE(archs); i++)
		if (lx_str_eq(name, archs[i].name))
			return &archs[i];
	return NULL;
}
