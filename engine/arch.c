// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The architectures this engine computes: one row each, no code. */
#include "model.h"

static const struct lx_arch archs[] = {
	{ .name = "llama", .pairs = true },
	{ .name = "qwen2", .qkv_bias = true },
	{ .name = "qwen3", .qk_norm = true },
	{ .name = "qwen3moe", .qk_norm = true, .moe = true },
};

const struct lx_arch *lx_arch_find(struct lx_str name)
{
	for (u32 i = 0; i < LX_ARRAY_SIZE(archs); i++)
		if (lx_str_eq(name, archs[i].name))
			return &archs[i];
	return NULL;
}
