/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Names of quantized models ("Q4_K_M"), and which type each tensor of one has:
 * as llama.cpp's llama-quantize decides it without an importance matrix.
 */
#ifndef LX_PRESET_H
#define LX_PRESET_H

#include "gguf.h"

struct lx_preset {
	const char *name;
	u32 type;		/* of most matrices */
	u32 file_type;		/* general.file_type */
};

/* The @n-th preset, NULL past the end. */
const struct lx_preset *lx_preset_at(u32 n);
/* By name, in any case; "Q3_K" to "Q5_K" mean their _M. NULL: none such. */
const struct lx_preset *lx_preset_find(const char *name);

/* What the choice depends on beside the tensor. */
struct lx_preset_model {
	u32 n_layer, n_expert;
	u32 gqa;		/* query heads a KV head */
	bool tied;		/* the embedding table is the output matrix too */
};

/* -LX_EBADMSG: a key is missing or wrong, with @err set. */
int lx_preset_model(struct lx_preset_model *m, const struct lx_gguf *g,
		    struct lx_error *err);

/*
 * The type tensor @t is to have: its own for what is not quantized (vectors,
 * norms, routers, integers). With @pure all matrices have the preset's type.
 * Rows that do not fit its blocks get another; *@wanted is the type before
 * that.
 */
u32 lx_preset_type(const struct lx_preset *p, const struct lx_preset_model *m,
		   const struct lx_gguf_tensor *t, bool pure, u32 *wanted);

#endif
