/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LX_SESSION_H
#define LX_SESSION_H

#include "engine.h"

/* A message being written: text[off .. off + len). */
struct lx_message {
	u32 role, flags;
	size_t off, len;
};

/* What tokens were prepared for: of the prompt, or of a text by itself. */
enum lx_ready { LX_READY_ANSWER, LX_READY_PREFILL, LX_READY_EMBED };

#define LX_STOP_TOKENS 512	/* taken back at most */

struct lx_stops {
	char text[LX_MAX_STOPS * (LX_MAX_STOP_BYTES + 1)];
	u32 n;			/* bytes: strings with their NUL */
	/* Where the text of tokens[i] begins in the answer: [i % ...] */
	u64 begin[LX_STOP_TOKENS];
};

struct lx_session {
	struct lx_engine *e;
	struct lx_session *next, *prev;
	u64 number;		/* from 1 on, of no other */
	struct lx_session_params p;
	struct lx_bias *bias;	/* by id */
	u32 n_bias;
	struct lx_stops *stops;	/* NULL: none */
	struct lx_grammar *grammar;	/* NULL: none */
	int grammar_error;	/* of the present step */

	u32 state, finish;
	int error;
	bool in_batch, cancel;
	bool eval;		/* tokens in, logits out: nothing is sampled */
	void *eval_out;		/* f32 [n_vocab] or NULL */
	bool prefill;		/* no answer is opened */
	struct lx_score *score;	/* such a turn scores: score.c */
	u64 *pool_sum;		/* or embeds: f64 [2][ld_embd] */
	u32 pool_half;		/* the one that holds the tokens so far */
	void *pool_out;		/* f32 [n_embd] */
	u32 pooling;

	/* prompt being written */
	char *text;
	size_t text_len, text_cap;
	struct lx_message *msgs;
	u32 n_msgs, cap_msgs;
	s32 *ready;		/* [cap_ready] its tokens, where it was prepared */
	u32 cap_ready;
	int ready_error;	/* why there are none */
	s64 n_ready;		/* as many as it has, even if they are too many */
	enum lx_ready ready_for;
	u32 n_messages;		/* of the conversation so far */
	bool has_system;
	bool answered;		/* an answer is to be closed by the next prompt */

	/* the timeline */
	s32 *tokens;
	u32 n_tokens, cap_tokens;
	u32 n_past;		/* of these, in the KV cache */
	u32 turn_start;		/* first token of this turn's prompt */
	u32 gen_start;		/* first generated token of this turn */
	u32 n_prompt, n_gen;	/* tokens of this turn, shifted out or not */
	u64 n_shifted;		/* tokens dropped from the timeline */
	struct lx_kv_page **kv;
	void **pages;		/* their memory, for attention */
	u32 n_pages, cap_pages;
	u32 n_known;		/* pages that others may find */
	struct lx_realm realm;
	void *account;
	bool shares;

	struct lx_place place;	/* among others */
	struct lx_draft {
		u32 len;	/* guesses to make; 0: as at first */
		u32 pause;	/* tokens till the next one */
	} draft;

	/* answer not yet read */
	char *out;
	size_t out_head, out_len, out_cap;
	size_t held;		/* bytes behind out_len: maybe a stop string */
	u64 n_text;		/* bytes of this answer, held ones included */
	struct lx_detok detok;
	struct lx_block lp_block;
	struct lx_logprob *lp;	/* [cap_lp][lp_stride] in it, of the answer */
	u32 n_lp, cap_lp, lp_stride;

	u64 t_start, t_first, t_last;
	u32 n_cached;
	u64 total_prompt, total_gen;
};

/* Room for the text of one more token. */
bool lx_session_has_room(const struct lx_session *s);
u32 lx_session_room(const struct lx_session *s);	/* of how many */
/* What a step gave: the next token. Ends the turn where it must. */
void lx_session_push(struct lx_session *s, const struct lx_sample_slot *sl);
void lx_session_finish(struct lx_session *s, u32 finish, int error);
int lx_session_grow_tokens(struct lx_session *s, u32 n);

/* The last step of starting a turn, of any kind. */
void lx_session_begin(struct lx_session *s);
/*
 * Grow an array of @cap elements of @size bytes, of which @n are used, to @want
 * at least. NULL: no memory.
 */
void *lx_session_grow(struct lx_engine *e, void *old, u64 n, u64 cap, u64 want,
		      size_t size, u64 *new_cap);

/* prompt.c */

/* The pending prompt's tokens behind those that are there; it stays pending. */
int lx_prompt_append(struct lx_session *s, struct lx_error *err);
int lx_prompt_take(struct lx_session *s);	/* the same of what is ready */
void lx_prompt_unprepare(struct lx_session *s);
void lx_prompt_drop(struct lx_session *s);
/* The turn has started: messages are part of the conversation. */
void lx_prompt_done(struct lx_session *s);

/* score.c */

/* The prompt is behind it: every token's logits are wanted. */
bool lx_score_chooses(const struct lx_session *s);
/* How many of @n tokens may go into this step. */
u32 lx_score_tokens(const struct lx_session *s, u32 n);
void lx_score_want(struct lx_engine *e, const struct lx_entry *en);
/* All tokens there are were computed. */
void lx_score_next(struct lx_session *s);
void lx_score_drop(struct lx_session *s);

/* embed.c */

/* Operations for those of the step that embed. */
void lx_embed_add(struct lx_engine *e);
void lx_embed_drop(struct lx_session *s);

/* shift.c */

/* Keep the first @n tokens only; not while in a batch. */
void lx_session_rewind(struct lx_session *s, u32 n);
/*
 * Where the session wants it, drop tokens among the first @end so that @need
 * more fit. False when it does not, or when that cannot be.
 */
bool lx_session_shift(struct lx_session *s, u32 end, u32 need);

/* stop.c, of sessions that have stop strings */

/* The last token's text begins here. */
void lx_stop_note(struct lx_session *s);
/* @n more bytes behind the held ones. True: the answer ends before them. */
bool lx_stop_text(struct lx_session *s, size_t n);

/* constrain.c */

int lx_constrain_begin(struct lx_session *s);	/* of an answer */
/* Before the step is run: what each constrained slot may choose. */
void lx_constrain_masks(struct lx_engine *e);
int lx_constrain_push(struct lx_session *s, s32 token);
bool lx_constrain_done(const struct lx_session *s);
void lx_constrain_drop(struct lx_session *s);
/* @to, which has none, gets a copy of the grammar of @from. -LX_ENOMEM, -LX_EDQUOT. */
int lx_constrain_fork(struct lx_session *to, const struct lx_session *from);

/* logprobs.c */

void lx_logprobs_drop(struct lx_session *s);	/* a new turn, or the end */
/* -LX_ENOMEM, -LX_EDQUOT: they are charged to the session. */
int lx_logprobs_add(struct lx_session *s, const struct lx_sample_slot *sl);

/* draft.c */

#define LX_DRAFT_FIRST 3
#define LX_DRAFT_MAX 7

/* At most @max guesses into tokens[n_tokens ...]; returns how many. */
u32 lx_draft_make(struct lx_session *s, u32 max);
/* Of @made guesses so many were right. */
void lx_draft_judge(struct lx_session *s, u32 made, u32 right);

/* kv.c: room in the table for @n pages; page @i becomes @p. */
int lx_kv_room(struct lx_session *s, u32 n);
void lx_kv_set(struct lx_session *s, u32 i, struct lx_kv_page *p);
void lx_kv_clamp(struct lx_session *s);

#endif
