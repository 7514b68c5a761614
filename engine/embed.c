// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Embeddings: the normalised output of the last layer, of the last token or
 * the mean of all, scaled to length 1. A text is computed in a session that
 * holds nothing else; sums are kept between steps, token after token, so that
 * chunks make no difference. A step writes its sum beside the one before it,
 * since it may have to be computed again.
 */
#include "session.h"

#define POOL_COLS 256	/* of one tile */

static int check(struct lx_session *s, u32 pooling, struct lx_error *err)
{
	if (pooling > LX_POOL_LAST || !s->ready)
		return -LX_EINVAL;
	if (s->state == LX_SESSION_DONE && !s->out_len)
		lx_session_end_turn(s);
	if (s->state != LX_SESSION_IDLE || s->in_batch || s->n_tokens)
		return lx_fail(err, -LX_EBUSY, "there is a conversation");
	if (!s->n_ready)
		return lx_fail(err, -LX_EINVAL, "the text is empty");
	return 0;
}

int lx_session_embed(struct lx_session *s, u32 pooling, void *out,
		     struct lx_error *err)
{
	struct lx_engine *e = s->e;
	int r;

	if (s->ready_for != LX_READY_EMBED)
		return -LX_EINVAL;
	r = check(s, pooling, err);
	if (r) {
		lx_prompt_unprepare(s);
		return r;
	}
	s->pool_sum = lx_engine_alloc(e, 2 * (u64)e->ld_embd, 8);
	if (!s->pool_sum || lx_prompt_take(s)) {
		lx_embed_drop(s);
		lx_prompt_unprepare(s);
		return -LX_ENOMEM;
	}
	s->pool_half = 0;
	s->pooling = pooling;
	s->pool_out = out;
	s->turn_start = 0;
	s->gen_start = s->n_tokens;
	s->n_prompt = s->n_tokens;
	s->eval = true;
	s->eval_out = NULL;
	lx_session_begin(s);
	return 0;
}

void lx_embed_drop(struct lx_session *s)
{
	lx_engine_release(s->e, s->pool_sum, 2 * (u64)s->e->ld_embd, 8);
	s->pool_sum = NULL;
	s->pool_out = NULL;
}

int lx_session_embed_end(struct lx_session *s)
{
	int ret = s->finish == LX_FINISH_ERROR ? s->error :
		  s->finish == LX_FINISH_CANCELLED ? -LX_ECANCELED : 0;

	lx_session_end_turn(s);
	lx_session_reset(s);
	return ret;
}

static void add_pool(struct lx_engine *e, const struct lx_entry *en)
{
	const struct lx_session *s = en->s;
	u64 *sum = s->pool_sum + (s->pool_half ? 0 : e->ld_embd);
	u64 *before = s->pool_sum + (s->pool_half ? e->ld_embd : 0);
	struct lx_op *op = lx_forward_add(e, e->model->ops->pool,
					  lx_div_up(e->ld_embd, POOL_COLS));

	/* Its pages may have gone to others: then it begins anew. */
	if (!s->n_past)
		lx_memset(before, 0, (u64)e->ld_embd * sizeof(*before));
	op->pool.x = e->act_embd.f;
	op->pool.ld = e->act_embd.ld;
	op->pool.slot0 = en->slot0;
	op->pool.n = en->n;
	op->pool.cols = POOL_COLS;
	op->pool.before = before;
	op->pool.sum = sum;
	op->pool.last = s->pooling == LX_POOL_LAST;
	if (s->n_past + en->n < s->n_tokens)
		return;
	op = lx_forward_add(e, e->model->ops->unit, 1);
	op->pool.sum = sum;
	op->pool.cols = e->model->hp.n_embd;
	op->pool.out = s->pool_out;
}

void lx_embed_add(struct lx_engine *e)
{
	bool normed = false;

	for (u32 i = 0; i < e->n_entries; i++) {
		if (!e->entries[i].s->pool_sum)
			continue;
		if (!normed)
			lx_forward_norm(e);
		normed = true;
		add_pool(e, &e->entries[i]);
	}
}
