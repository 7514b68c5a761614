/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A model in memory: what model.c reads from the header, load.c and fill.c fill and
 * forward.c walks.
 */
#ifndef LX_MODEL_H
#define LX_MODEL_H

#include "lx/lx.h"
#include "lx/preset.h"
#include "op.h"

struct lx_hparams {
	u32 n_layer, n_embd, n_vocab, n_ctx_train;
	u32 n_head, n_head_kv, n_ff;	/* the most of any layer */
	u32 hd, hdv;		/* head sizes: q and k, v */
	u32 n_rot;
	u32 window;		/* sliding window, 0: none */
	u32 score_dim;		/* scores are divided by its square root */
	u32 n_expert, n_expert_used;
	u32 eps_bits;
	u32 cap, final_cap;	/* f32 bits; 0: none */
	u32 rope_base, rope_factor, rope_attn_factor;	/* f32 bits */
	u32 local_base, local_factor;	/* of layers with a window */
	u32 rope_ext, rope_beta_fast, rope_beta_slow;	/* f32 bits */
	u32 rope_orig_ctx;
	bool rope_yarn;
};

enum { LX_EXPERTS_NONE, LX_EXPERTS_MAY, LX_EXPERTS_MUST };

/* How one architecture differs from the others; arch.c has the table. */
struct lx_arch {
	const char *name;
	bool pairs;		/* rotary embedding rotates neighbours */
	bool qk_norm;		/* per-head norms are required */
	bool qkv_bias;		/* their biases are required */
	bool all_bias;		/* all the other biases of a layer are, too */
	bool scale_embd;	/* embeddings are multiplied by sqrt(n_embd) */
	bool post_norms;	/* what a layer's halves add is normalised first */
	bool sinks;		/* a learned score per head joins each softmax */
	bool longrope;		/* frequency factors for short and long contexts */
	u32 experts;		/* LX_EXPERTS_* */
	u32 gate;		/* LX_MM_*GLU; 0: SwiGLU */
	const char *ffn_norm;	/* NULL: ffn_norm.weight */
	/* The window of the file counts (Qwen's files name one that is off).
	 * Each @pattern-th layer sees everything, the others a window; 0: all
	 * have it.
	 */
	bool windows;
	u32 pattern;
	u32 window;		/* where the file does not say; 0: none */
	/* Logits are capped; scores are where there is a default. */
	bool caps;
	u32 cap, final_cap;	/* f32 bits, where the file does not say */
	/* Layers with a window rotate by this base, unscaled; 0: as others. */
	u32 local_base;
	/* The size of so many layers has scores by n_embd / n_head. */
	u32 wide_layers;
};

const struct lx_arch *lx_arch_find(struct lx_str name);

struct lx_layer {
	struct lx_mat q, k, v, o;
	struct lx_mat gate, up, down;	/* n_expert of each with experts */
	struct lx_mat router;
	struct lx_vec attn_norm, ffn_norm;
	struct lx_vec attn_post_norm, ffn_post_norm;
	struct lx_vec bias_q, bias_k, bias_v, bias_o;
	struct lx_vec bias_gate, bias_up, bias_down, bias_router;
	struct lx_vec norm_q, norm_k;
	struct lx_vec sinks;
	u32 n_head, n_head_kv, n_ff;
	u32 item0;		/* the first of its items */
	u32 window;		/* 0: all positions */
	u32 rope;		/* LX_ROPE_MAIN or LX_ROPE_LOCAL */
};

/* Tables of rotary frequencies; an engine uses MAIN or LONG, by context. */
enum { LX_ROPE_MAIN, LX_ROPE_LOCAL, LX_ROPE_LONG, LX_ROPE_TABLES };

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
	const struct lx_preset *as;	/* types to load as, NULL: the file's */
	struct lx_preset_model as_model;
	struct lx_vocab *vocab;
	struct lx_hparams hp;
	struct lx_model_info info;
	struct lx_str tmpl;

	struct lx_mat embd, output;	/* output.rows == 0: tied */
	struct lx_vec output_norm;
	struct lx_vec rope_factors[LX_ROPE_TABLES];
	struct lx_layer *layers;
	void *inv_freq[LX_ROPE_TABLES];	/* f64; NULL: not there */
	u32 score_bits, embd_bits;	/* f32 factors; embd 0: none */

	struct lx_item *items;		/* while loading, and to stream */
	u32 n_items, max_items;

	/* What stays, two buffers of streamed layers or slots, readers' memory. */
	struct lx_block *blocks;
	u32 n_blocks, n_kept_blocks, n_buffer_blocks;
	u32 n_kept;			/* layers that stay, the first ones */
	struct lx_stream *stream;	/* of the others; NULL: none */
	u32 n_slots;			/* for experts; 0: they stay, or go by layer */
	u32 n_slot_blocks, block_slots;	/* blocks of a slot, or slots of a block */
	u64 slot_bytes;			/* where slots share blocks */
	struct lx_experts *experts;	/* in the slots */
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
/* The type a tensor of the file has in memory. */
u32 lx_model_type(const struct lx_model *m, const struct lx_gguf_tensor *t);
/*
 * Lay out the strips with n_slots experts in memory, where that is not 0, or all
 * when there are as many; else with n_kept layers, or all of them when only one
 * would be streamed: how many blocks of what size. Fills blocks[].size.
 */
int lx_model_layout(struct lx_model *m);
/* Bytes of the strip tables and vectors, which are allocated only to load. */
u64 lx_model_table_bytes(const struct lx_model *m);
/* Allocate, read and repack. */
int lx_model_fill(struct lx_model *m, const struct lx_source *src,
		  struct lx_error *err);

/* Whether any engine may need that table of frequencies. */
bool lx_model_has_rope(const struct lx_model *m, u32 table);

/*
 * Run @ops once on the host's workers, outside any engine, each with @scratch
 * bytes (0: none) of its own.
 */
int lx_run_ops(struct lx_host *host, struct lx_op *ops, u32 n_ops,
	       size_t scratch);

/* Of the vector, padded; of a table of rotary frequencies. */
u64 lx_vec_bytes(const struct lx_vec *v);
u64 lx_freq_bytes(const struct lx_model *m);

/* The layer of an item; n_layer: none. Whether it is read when needed. */
u32 lx_item_layer(const struct lx_model *m, const struct lx_item *it);
bool lx_item_streamed(const struct lx_model *m, const struct lx_item *it);
/* Rows that must be read together: whole strips, whole heads. */
u32 lx_item_row_unit(const struct lx_item *it);
u64 lx_item_row_bytes(const struct lx_item *it);	/* in the file */
/*
 * An operation that packs rows of @expert, of @row_bytes each: all but src,
 * row0, n_rows, bad and n_tiles.
 */
void lx_item_pack(struct lx_op *op, const struct lx_ops *ops,
		  const struct lx_item *it, u32 expert, u64 row_bytes);

struct lx_rows;
/* The operation that converts @r; @bad[2] are its flags (op.h): convert.c */
void lx_convert_op(struct lx_op *op, const struct lx_ops *ops,
		   const struct lx_rows *r, u32 *bad);

/* Whether steps read weights. */
static inline bool lx_model_streamed(const struct lx_model *m)
{
	return m->stream || m->experts;
}

static inline const struct lx_mat *lx_model_output(const struct lx_model *m)
{
	return m->output.rows ? &m->output : &m->embd;
}

#endif
