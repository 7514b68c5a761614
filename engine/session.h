/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LX_SESSION_H
#define LX_SESSION_H

#include "engine.h"

/* A message being written: text[off .. off + len). */
struct lx_message {
	u32 role, flags;
	size_t off, len;
};

struct lx_session {
	struct lx_engine *e;
	struct lx_session *next, *prev;
	struct lx_session_params p;
	struct lx_bias *bias;	/* by id */
	u32 n_bias;

	u32 state, finish;
	int error;
	bool in_batch, cancel;
	bool eval;		/* tokens in, logits out: nothing is sampled */
	void *eval_out;		/* f32 [n_vocab] or NULL */

	/* prompt being written */
	char *text;
	size_t text_len, text_cap;
	struct lx_message *msgs;
	u32 n_msgs, cap_msgs;
	u32 n_messages;		/* of the conversation so far */
	bool has_system;
	bool answered;		/* an answer is to be closed by the next prompt */

	/* the timeline */
	s32 *tokens;
	u32 n_tokens, cap_tokens;
	u32 n_past;		/* of these, in the KV cache */
	u32 turn_start;		/* first token of this turn's prompt */
	u32 gen_start;		/* first generated token of this turn */
	struct lx_block *page_blocks;
	void **pages;
	u32 n_pages, cap_pages;

	/* answer not yet read */
	char *out;
	size_t out_head, out_len, out_cap;
	struct lx_detok detok;

	u64 t_start, t_first, t_last;
	u32 n_cached;
	u64 total_prompt, total_gen;
};

/* Room for the text of one more token. */
bool lx_session_has_room(const struct lx_session *s);
/* What a step gave: the next token. Ends the turn where it must. */
void lx_session_push(struct lx_session *s, s32 token);
void lx_session_finish(struct lx_session *s, u32 finish, int error);
int lx_session_grow_tokens(struct lx_session *s, u32 n);

#endif
