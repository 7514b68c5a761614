/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A model in memory: what model.c reads from the header, load.c fills and
 * forward.c walks.
 */
#ifndef LX_MODEL_H
#define LX_MODEL_H

#include "lx/lx.h"
#include "op.h"

struct lx_hparams {
	u32 n_layer, n_embd, n_head, n_head_kv, n_ff, n_vocab, n_ctx_train;
	u32 hd, hdv;		/* head sizes: q and k, v */
	u32 n_rot;
	u32 window;		/* sliding window, 0: none */
	u32 n_expert, n_expert_used;
	u32 eps_bits;
	u32 rope_base, rope_factor, rope_attn_factor;	/* f32 bits */
	u32 rope_ext, rope_beta_fast, rope_beta_slow;	/* f32 bits */
	u32 rope_orig_ctx;
	bool rope_yarn;
};

/* How one architecture differs from the others; arch.c has the table. */
struct lx_arch {
	const char *name;
	bool pairs;		/* rotary embedding rotates neighbours */
	bool qk_norm;		/* per-head norms are required */
	bool qkv_bias;		/* biases are required */
	bool moe;		/* experts are required */
	bool no_norm_topk;	/* expert weights are not renormalised */
};

const struct lx_arch *lx_arch_find(struct lx_str name);

struct lx_layer {
	struct lx_mat q, k, v, o;
	struct lx_mat gate, up, down;	/* n_expert of each with experts */
	struct lx_mat router;
	struct lx_vec attn_norm, ffn_norm;
	struct lx_vec bias_q, bias_k, bias_v;
	struct lx_vec norm_q, norm_k;
};

/* Rows of a tensor that become (part of) a matrix or a vector. */
struct lx_item {
	const struct lx_gguf_tensor *t;
	struct lx_mat *mat;
	struct lx_vec *vec;	/* if not mat */
	u64 offset;		/* of the first row, in its file */
	u32 expert, n_expert;	/* rows of n_expert matrices in a row */
	u32 head, rot;		/* rows are reordered: pack.c */
};

struct lx_model {
	struct lx_host *host;
	const struct lx_arch *arch;
	const struct lx_ops *ops;
	struct lx_gguf gguf;
	struct lx_vocab *vocab;
	struct lx_hparams hp;
	struct lx_model_info info;
	struct lx_str tmpl;

	struct lx_mat embd, output;	/* output.rows == 0: tied */
	struct lx_vec output_norm, rope_factors;
	struct lx_layer *layers;
	void *inv_freq;			/* f64 */
	u32 score_bits;

	struct lx_item *items;		/* while loading only */
	u32 n_items, max_items;

	struct lx_block *blocks;
	u32 n_blocks;
	u64 weight_bytes;		/* of all blocks */
	u64 control_bytes;		/* allocated through lx_model_alloc() */
};

/* Zeroed control memory, counted. */
void *lx_model_alloc(struct lx_model *m, u64 n, size_t size);
void lx_model_release(struct lx_model *m, void *p, u64 n, size_t size);

/*
 * Parse the header of @src, choose the implementation, read vocabulary and
 * hyper-parameters and find every tensor: all that needs no weights. On error
 * the model is to be freed by lx_model_free() all the same.
 */
int lx_model_describe(struct lx_model *m, const struct lx_source *src,
		      u32 n_src, const struct lx_model_params *p,
		      struct lx_error *err);
/* Lay out the strips: how many blocks of what size. Fills blocks[].size. */
int lx_model_layout(struct lx_model *m);
/* Bytes of the strip tables and vectors, which are allocated only to load. */
u64 lx_model_table_bytes(const struct lx_model *m);
/* Allocate, read and repack. */
int lx_model_fill(struct lx_model *m, const struct lx_source *src,
		  struct lx_error *err);

/* Run @ops once on the host's workers, outside any engine. */
int lx_run_ops(struct lx_host *host, struct lx_op *ops, u32 n_ops);

static inline const struct lx_mat *lx_model_output(const struct lx_model *m)
{
	return m->output.rows ? &m->output : &m->embd;
}

#endif
