// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Steps: the tokens that are computed together (schedule.c says whose), and what
 * becomes of them.
 */
#include "session.h"
#include "stream.h"

void lx_batch_begin(struct lx_engine *e)
{
	e->n_entries = 0;
	e->n_tokens = 0;
	e->n_rows = 0;
	e->n_items = 0;
	e->n_sample = 0;
	e->n_embed = 0;
	e->n_ops = 0;
}

/* Attention works on blocks of consecutive tokens of one sequence. */
static void add_items(struct lx_engine *e, struct lx_session *s, u32 slot0,
		      u32 n)
{
	for (u32 i = 0; i < n; i += e->item_tokens) {
		struct lx_attn_item *it = &e->items[e->n_items++];

		it->pages = s->pages;
		it->slot0 = slot0 + i;
		it->n = lx_min(e->item_tokens, n - i);
		it->pos0 = s->n_past + i;
		for (u32 j = 0; j < it->n; j++)
			e->item_of[slot0 + i + j] = it;
	}
}

struct lx_entry *lx_batch_add(struct lx_engine *e, struct lx_session *s, u32 n)
{
	struct lx_entry *en = &e->entries[e->n_entries++];

	en->s = s;
	en->slot0 = e->n_tokens;
	en->n = n;
	en->row = LX_NONE;
	en->sample = LX_NONE;
	en->n_draft = 0;
	for (u32 i = 0; i < n; i++) {
		e->tokens[e->n_tokens] = s->tokens[s->n_past + i];
		e->pos[e->n_tokens++] = s->n_past + i;
	}
	add_items(e, s, en->slot0, n);
	e->run.slot0 = 0;
	e->run.n = e->n_tokens;
	s->in_batch = true;
	return en;
}

/* Logits of the last token: to draw the next one, or for the client. */
static void want_row(struct lx_engine *e, struct lx_entry *en)
{
	en->row = e->n_rows;
	e->row_slot[e->n_rows++] = en->slot0 + en->n - 1;
	if (!en->s->eval) {
		en->sample = e->n_sample;
		lx_sampling_draw(e, en->s, lx_sampling_want(e, en->s, en->row));
	}
}

int lx_batch_take(struct lx_engine *e, struct lx_session *s, u32 n)
{
	int err = lx_kv_reserve(s, s->n_past + n);
	struct lx_entry *en;

	if (err)
		return err;
	en = lx_batch_add(e, s, n);
	if (s->score)
		lx_score_want(e, en);
	else if (s->pool_sum)
		e->n_embed++;
	else if (s->n_past + n == s->n_tokens && (!s->eval || s->eval_out))
		want_row(e, en);
	return 0;
}

/* A row and a draw for token @i of the entry, as if those before were true. */
static void want_draw(struct lx_engine *e, const struct lx_entry *en, u32 i)
{
	struct lx_session *s = en->s;
	u32 row = e->n_rows++;

	e->row_slot[row] = en->slot0 + i;
	s->n_tokens += i;
	lx_sampling_draw(e, s, lx_sampling_want(e, s, row));
	s->n_tokens -= i;
}

int lx_batch_decode(struct lx_engine *e, struct lx_session *s, u32 guess)
{
	struct lx_entry *en;
	u32 n;

	n = guess ? lx_draft_make(s, guess) : 0;
	/* Without memory there is no guess. */
	if (n && lx_kv_reserve(s, s->n_past + 1 + n))
		n = 0;
	if (!n)
		return lx_batch_take(e, s, 1);
	en = lx_batch_add(e, s, 1 + n);
	en->row = e->n_rows;
	en->sample = e->n_sample;
	en->n_draft = n;
	for (u32 i = 0; i <= n; i++)
		want_draw(e, en, i);
	return 0;
}

/* Rows of logits to whoever asked for them. */
static void add_copies(struct lx_engine *e)
{
	u64 row = (u64)e->ld_vocab * 4;

	for (u32 i = 0; i < e->n_entries; i++) {
		const struct lx_entry *en = &e->entries[i];
		struct lx_op *op;

		if (!en->s->eval || !en->s->eval_out || en->row == LX_NONE)
			continue;
		op = lx_forward_add(e, e->model->ops->copy, 1);
		op->copy.dst = en->s->eval_out;
		op->copy.src = (u8 *)e->logits + en->row * row;
		op->copy.row_bytes = (u64)e->model->hp.n_vocab * 4;
	}
}

int lx_engine_form(struct lx_engine *e)
{
	lx_batch_begin(e);
	if (!e->first)
		return 0;
	lx_sched_fill(e);
	if (!e->n_tokens)
		return 0;
	lx_forward_layers(e);
	lx_embed_add(e);
	if (e->n_rows) {
		lx_forward_logits(e, 0, e->n_rows);
		add_copies(e);
		lx_sampling_add(e);
	}
	lx_job_init(&e->job, e->ops, e->n_ops, e->worker_scratch,
		    e->host->n_workers);
	return (int)e->n_tokens;
}

int lx_engine_run(struct lx_engine *e)
{
	int r;

	lx_constrain_masks(e);
	if (!lx_model_streamed(e->model))
		return e->host->ops->run(e->host, &e->job);
	r = lx_stream_run(e);
	e->error = r == -LX_ECANCELED ? 0 : r;
	return r;
}

int lx_engine_run_to(struct lx_engine *e, u32 op)
{
	lx_job_part(&e->job, op);
	return e->host->ops->run(e->host, &e->job);
}

void lx_engine_interrupt(struct lx_engine *e)
{
	lx_job_cancel(&e->job);
}

u32 lx_session_step_tokens(const struct lx_session *s, u32 *of)
{
	const struct lx_engine *e = s->e;

	*of = e->n_tokens;
	for (u32 i = 0; s->in_batch && i < e->n_entries; i++)
		if (e->entries[i].s == s)
			return e->entries[i].n;
	return 0;
}

/* Draws count as long as the token before was guessed as it was drawn. */
static void commit_draft(struct lx_engine *e, const struct lx_entry *en)
{
	struct lx_session *s = en->s;
	u32 i = 0;
	s32 next;

	do {
		const struct lx_sample_slot *sl = &e->sample[en->sample + i];

		/* The guess, if there is one. */
		next = i < en->n_draft ? s->tokens[s->n_tokens] : -1;
		s->n_past++;
		e->n_gen_tokens++;
		lx_prefix_publish(s);
		lx_session_push(s, sl);
		if (sl->token != next || s->state != LX_SESSION_RUNNING ||
		    s->n_past + 1 != s->n_tokens)
			break;
	} while (++i <= en->n_draft);
	lx_draft_judge(s, en->n_draft, lx_min(i, en->n_draft));
}

static void commit_entry(struct lx_engine *e, const struct lx_entry *en)
{
	struct lx_session *s = en->s;

	s->in_batch = false;
	if (s->cancel) {
		/* A cancelled job may have skipped tiles: its KV is void. */
		lx_session_finish(s, LX_FINISH_CANCELLED, 0);
		return;
	}
	if (en->n_draft) {
		commit_draft(e, en);
		return;
	}
	s->n_past += en->n;
	lx_prefix_publish(s);
	s->pool_half ^= 1;
	if (s->n_past > s->gen_start)
		e->n_gen_tokens += en->n;
	else
		e->n_prompt_tokens += en->n;
	if (en->sample != LX_NONE)
		lx_session_push(s, &e->sample[en->sample]);
	else if (s->score && s->n_past == s->n_tokens)
		lx_score_next(s);
	else if (s->eval && s->n_past == s->n_tokens)
		lx_session_finish(s, LX_FINISH_LENGTH, 0);
}

/* What was computed before stays. */
static void fail_entry(struct lx_engine *e, const struct lx_entry *en)
{
	en->s->in_batch = false;
	lx_session_finish(en->s, LX_FINISH_ERROR, e->error);
}

void lx_engine_commit(struct lx_engine *e)
{
	bool cut = __atomic_load_n(&e->job.cancel, __ATOMIC_RELAXED);

	for (u32 i = 0; i < e->n_entries; i++) {
		struct lx_session *s = e->entries[i].s;

		if (cut && !s->cancel)
			s->in_batch = false;	/* computed again */
		else if (e->error && !s->cancel)
			fail_entry(e, &e->entries[i]);
		else
			commit_entry(e, &e->entries[i]);
	}
	e->error = 0;
	e->n_steps++;
	lx_batch_begin(e);
}

int lx_engine_logits(struct lx_engine *e, struct lx_session *s,
		     const s32 *tokens, u32 n, u32 n_batch, bool all,
		     void *out)
{
	u64 row = (u64)e->model->hp.n_vocab * 4;
	u8 *dst = out;
	int r;

	if (s->state != LX_SESSION_IDLE || s->n_past != s->n_tokens)
		return -LX_EBUSY;
	if (!n || n > e->n_ctx - s->n_past)
		return -LX_EMSGSIZE;
	for (u32 i = 0; i < n; i++)
		if (tokens[i] < 0 || (u32)tokens[i] >= e->model->hp.n_vocab)
			return -LX_EINVAL;
	if (lx_session_grow_tokens(s, s->n_tokens + n) ||
	    lx_kv_reserve(s, s->n_past + n))
		return -LX_ENOMEM;
	lx_memcpy(s->tokens + s->n_tokens, tokens, n * sizeof(*tokens));
	s->n_tokens += n;
	n_batch = n_batch ? lx_min(n_batch, e->n_batch) : e->n_batch;
	while (s->n_past < s->n_tokens) {
		u32 len = lx_min(n_batch, s->n_tokens - s->n_past);
		u32 first = all ? 0 : len - 1;

		lx_batch_begin(e);
		lx_batch_add(e, s, len);
		s->in_batch = false;
		lx_forward_layers(e);
		for (u32 i = 0; i < len; i++)
			e->row_slot[i] = i;
		if (!all && s->n_past + len < s->n_tokens)
			first = len;
		for (u32 i = first; i < len; i += LX_MAX_ROWS) {
			u32 rows = lx_min(len - i, (u32)LX_MAX_ROWS);
			struct lx_op *op;

			lx_forward_logits(e, i, rows);
			op = lx_forward_add(e, e->model->ops->copy, rows);
			op->copy.dst = dst;
			op->copy.src = e->logits;
			op->copy.row_bytes = row;
			op->copy.stride = (u64)e->ld_vocab * 4;
			dst += row * rows;
		}
		lx_job_init(&e->job, e->ops, e->n_ops, e->worker_scratch,
			    e->host->n_workers);
		r = lx_engine_run(e);
		lx_batch_begin(e);
		if (r)
			return r;
		s->n_past += len;
	}
	return 0;
}
