/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A model at work: buffers of one step, KV pages, sessions. engine.c opens
 * and closes, schedule.c chooses who is in a step, batch.c fills and commits it,
 * forward.c turns it into operations, session.c is what clients touch, kv.c
 * hands out pages, prefix.c finds those that are known.
 */
#ifndef LX_ENGINE_H
#define LX_ENGINE_H

#include "lx/lx.h"
#include "lx/job.h"
#include "kv.h"
#include "model.h"
#include "op.h"
#include "schedule.h"

#define LX_DEFAULT_CTX 16384	/* most and least, where nobody says */
#define LX_LEAST_CTX 512
#define LX_DEFAULT_BATCH 128
#define LX_MAX_BATCH 512
#define LX_MAX_ROWS 16		/* logits rows of one step */
#define LX_MAX_EMBED 16		/* embeddings that end in one step */
#define LX_NONE (~0u)
#define LX_RIDE 8		/* prompt tokens beside decoding sessions, about */

/* One session's part of a step. */
struct lx_entry {
	struct lx_session *s;
	u32 slot0, n;
	u32 row;		/* of the logits; ~0: none wanted */
	u32 sample;		/* index into sample[]; ~0: nothing is drawn */
	u32 n_draft;		/* of the n tokens, guesses; a draw for each */
};

struct lx_engine {
	struct lx_model *model;
	struct lx_host *host;
	u32 n_ctx, n_batch, n_planned, kv_type;
	struct lx_attn_shape *shapes;	/* [n_layer] */
	u32 item_tokens;	/* of an item of attention at most */

	/* KV pages */
	u64 page_bytes;
	struct lx_kv kv;

	/* step: control */
	struct lx_entry *entries;	/* [n_batch] */
	u32 n_entries, n_tokens, n_rows, n_embed;
	s32 *tokens;		/* [n_batch] */
	u32 *pos;
	struct lx_attn_item *items;
	const struct lx_attn_item **item_of;
	u32 n_items;
	u32 *row_slot;		/* [n_batch] slots whose logits are wanted */
	struct lx_run run;	/* all slots */
	struct lx_run row_runs[LX_MAX_BATCH / LX_MAX_ROWS];	/* logits */
	u32 one;		/* a count of one run, for operations */
	struct lx_sample_slot *sample;	/* [LX_MAX_ROWS] */
	struct lx_adjust *adj;	/* [LX_MAX_ROWS][LX_MAX_ADJUST] */
	u16 *adj_hash;		/* [LX_ADJUST_HASH] */
	u32 n_sample;
	struct lx_op *ops;
	u32 n_ops, max_ops;
	u32 *marks;		/* where streamed layers begin, or experts are known */
	int error;		/* of the step: streamed layers were not had */
	struct lx_job job;

	/* step: floats (one block) */
	struct lx_block scratch;
	u32 ld_embd, ld_qkv, k_off, v_off, ld_vocab, ld_expert;
	void *x, *qkv, *attn_part, *state, *out, *logits, *route_logits,
	     *route_weight;
	void *y;		/* of a layer, before its own norm, or NULL */
	void *sin_cos[LX_ROPE_LONG];	/* LOCAL: NULL when not needed */
	u32 main_rope;		/* LX_ROPE_MAIN or LX_ROPE_LONG */
	struct lx_act act_embd, act_attn, act_ff, act_row, act_expert;
	u32 *choice, *slot_of, *rows, *n_runs;
	struct lx_run *runs;
	struct lx_sample_part *part;	/* [LX_MAX_ROWS][chunks] */
	struct lx_lse_part *lse;	/* likewise */
	void **worker_scratch;
	u64 part_floats;

	/* sessions, a ring */
	struct lx_session *first;
	u32 n_sessions;
	u64 n_opened;		/* ever */
	struct lx_sched sched;
	u64 n_steps, n_prompt_tokens, n_gen_tokens;
	u64 n_drafted, n_drafts_right;
	u64 control_bytes;
	struct lx_lexicon *lexicon;	/* from the first grammar on */
};

#define LX_MAX_PENALTY 1024
#define LX_MAX_ADJUST (LX_MAX_PENALTY + LX_MAX_BIAS)
#define LX_ADJUST_HASH 4096	/* a power of two, above LX_MAX_ADJUST */
#define LX_SAMPLE_OPS 32	/* operations of sampling at most */

void *lx_engine_alloc(struct lx_engine *e, u64 n, size_t size);
void lx_engine_release(struct lx_engine *e, void *p, u64 n, size_t size);

/* forward.c: operations for the step described by tokens, pos, items. */
void lx_forward_layers(struct lx_engine *e);
/* Logits of rows row_slot[first .. first + n - 1] into e->logits. */
void lx_forward_logits(struct lx_engine *e, u32 first, u32 n);
/* Normalised outputs of all slots into act_embd.f. */
void lx_forward_norm(struct lx_engine *e);
struct lx_op *lx_forward_add(struct lx_engine *e, lx_tile_fn tile, u32 n_tiles);
/* Most operations a step can need. */
u32 lx_forward_max_ops(const struct lx_engine *e);

/* sampling.c */

/* A slot for the logits of @row, from the session's parameters. */
struct lx_sample_slot *lx_sampling_want(struct lx_engine *e,
					const struct lx_session *s, u32 row);
/* Have it draw a token. */
void lx_sampling_draw(struct lx_engine *e, const struct lx_session *s,
		      struct lx_sample_slot *sl);
/* Operations for all slots of the step. */
void lx_sampling_add(struct lx_engine *e);

/* batch.c */
void lx_batch_begin(struct lx_engine *e);
/* Append @n tokens of @s from its position n_past. Room was checked. */
struct lx_entry *lx_batch_add(struct lx_engine *e, struct lx_session *s, u32 n);
/*
 * The next @n tokens of @s, with pages for them, and what is to become of
 * them. 0, or why there are no pages: nothing was added.
 */
int lx_batch_take(struct lx_engine *e, struct lx_session *s, u32 n);
/* Run the job of the step up to operation @op. As lx_engine_run(). */
int lx_engine_run_to(struct lx_engine *e, u32 op);
/* The one token that is due, and at most @guess guesses behind it. */
int lx_batch_decode(struct lx_engine *e, struct lx_session *s, u32 guess);

#endif
