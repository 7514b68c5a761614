// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What is wanted of rows of logits: slots are filled in from the sessions'
 * parameters, and operations are added for what the slots ask for.
 */
#include "session.h"

/* ---- bias ---- */

static int find_bias(const struct lx_bias *bias, u32 n, s32 id)
{
	u32 lo = 0;

	while (lo < n) {
		u32 mid = lo + (n - lo) / 2;

		if (bias[mid].id < id)
			lo = mid + 1;
		else
			n = mid;
	}
	return (int)lo;
}

int lx_session_set_bias(struct lx_session *s, const struct lx_bias *bias,
			u32 n)
{
	struct lx_bias *b = NULL;

	if (s->in_batch || s->state == LX_SESSION_RUNNING)
		return -LX_EBUSY;
	if (n > LX_MAX_BIAS)
		return -LX_EINVAL;
	if (n)
		b = lx_engine_alloc(s->e, n, sizeof(*b));
	if (n && !b)
		return -LX_ENOMEM;
	/* Insertion keeps them sorted; there are few. */
	for (u32 i = 0; i < n; i++) {
		u32 at = (u32)find_bias(b, i, bias[i].id);

		if (bias[i].id < 0 ||
		    (u32)bias[i].id >= s->e->model->hp.n_vocab ||
		    (at < i && b[at].id == bias[i].id)) {
			lx_engine_release(s->e, b, n, sizeof(*b));
			return -LX_EINVAL;
		}
		lx_memmove(b + at + 1, b + at, (i - at) * sizeof(*b));
		b[at] = bias[i];
	}
	lx_engine_release(s->e, s->bias, s->n_bias, sizeof(*s->bias));
	s->bias = b;
	s->n_bias = n;
	return 0;
}

/* ---- slots ---- */

/* The place of @id among adj[]: an open table of their numbers plus one. */
static u32 find_adjust(struct lx_engine *e, struct lx_adjust *adj, u32 *n,
		       s32 id)
{
	u32 h = (u32)id * 0x9e3779b1u >> 20;

	while (e->adj_hash[h] && adj[e->adj_hash[h] - 1].id != id)
		h = (h + 1) % LX_ADJUST_HASH;
	if (!e->adj_hash[h]) {
		adj[*n] = (struct lx_adjust){ .id = id };
		e->adj_hash[h] = (u16)++*n;
	}
	return e->adj_hash[h] - 1u;
}

/* Tokens with a bias, and those seen of late with their counts, each once. */
static u32 fill_adjust(struct lx_engine *e, const struct lx_session *s,
		       struct lx_adjust *adj)
{
	const struct lx_session_params *p = &s->p;
	bool penalties = p->repeat_penalty_u != 1000000 ||
			 p->presence_penalty_u || p->frequency_penalty_u;
	u32 n = 0, last = penalties ? p->repeat_last_n : 0;

	last = lx_min(lx_min(last, (u32)LX_MAX_PENALTY), s->n_tokens);
	if (!last && !s->n_bias)
		return 0;
	lx_memset(e->adj_hash, 0, LX_ADJUST_HASH * sizeof(*e->adj_hash));
	for (u32 i = 0; i < s->n_bias; i++)
		adj[find_adjust(e, adj, &n, s->bias[i].id)].bias_u =
			s->bias[i].bias_u;
	for (u32 i = s->n_tokens - last; i < s->n_tokens; i++)
		adj[find_adjust(e, adj, &n, s->tokens[i])].count++;
	return n;
}

struct lx_sample_slot *lx_sampling_want(struct lx_engine *e,
					const struct lx_session *s, u32 row)
{
	struct lx_sample_slot *sl = &e->sample[e->n_sample];
	u32 n_vocab = e->model->hp.n_vocab;

	lx_memset(sl, 0, sizeof(*sl));
	sl->row = row;
	sl->temperature_u = s->p.temperature_u;
	sl->top_k = s->p.top_k < n_vocab ? s->p.top_k : 0;
	sl->wide = !sl->top_k || sl->top_k > LX_SAMPLE_CAND;
	sl->top_p_u = s->p.top_p_u;
	sl->min_p_u = s->p.min_p_u;
	sl->repeat_penalty_u = s->p.repeat_penalty_u;
	sl->presence_u = s->p.presence_penalty_u;
	sl->frequency_u = s->p.frequency_penalty_u;
	sl->seed = s->p.seed;
	sl->counter = s->n_tokens + s->n_shifted;
	sl->adj = e->adj + (u64)e->n_sample * LX_MAX_ADJUST;
	e->n_sample++;
	return sl;
}

void lx_sampling_draw(struct lx_engine *e, const struct lx_session *s,
		      struct lx_sample_slot *sl)
{
	sl->draw = true;
	sl->n_top = s->p.n_logprobs;
	sl->masked = s->grammar;
	sl->n_adj = fill_adjust(e, s, sl->adj);
}

/* ---- operations ---- */

static struct lx_op *add(struct lx_engine *e, lx_tile_fn tile, bool chunks)
{
	u32 n = lx_div_up(e->model->hp.n_vocab, LX_SAMPLE_CHUNK);
	struct lx_op *op = lx_forward_add(e, tile, chunks ? e->n_sample * n :
							    e->n_sample);

	op->sample.slots = e->sample;
	op->sample.n_slots = e->n_sample;
	op->sample.logits = e->logits;
	op->sample.ld = e->ld_vocab;
	op->sample.n_vocab = e->model->hp.n_vocab;
	op->sample.n_chunks = n;
	op->sample.part = e->part;
	op->sample.lse = e->lse;
	return op;
}

/* Top-k by counting, or top-p by adding up, over the whole vocabulary. */
static void add_cut(struct lx_engine *e, bool by_mass)
{
	const struct lx_ops *k = e->model->ops;

	for (u32 level = 0; level < 4; level++) {
		struct lx_op *op = add(e, k->hist, true);

		op->sample.level = level;
		op->sample.by_mass = by_mass;
		op = add(e, k->pick, false);
		op->sample.level = level;
		op->sample.by_mass = by_mass;
	}
}

void lx_sampling_add(struct lx_engine *e)
{
	const struct lx_ops *k = e->model->ops;
	bool draw = false, sorted = false, wide = false, count = false;
	bool mass = false, lse = false, adjust = false, mask = false;

	for (u32 i = 0; i < e->n_sample; i++) {
		const struct lx_sample_slot *sl = &e->sample[i];
		bool open = sl->draw && sl->temperature_u && sl->wide;

		draw |= sl->draw;
		sorted |= sl->draw && sl->temperature_u && !sl->wide;
		wide |= open;
		count |= open && sl->top_k;
		mass |= open && sl->top_p_u < 1000000;
		lse |= sl->n_top || sl->n_targets;
		adjust |= sl->n_adj != 0;
		mask |= sl->masked;
	}
	if (lse)
		add(e, k->lse, true);
	if (adjust)
		add(e, k->penalties, false);
	if (mask)
		add(e, k->mask, true);
	if (draw)
		add(e, k->best, true);
	if (sorted)
		add(e, k->candidates, true);
	if (count)
		add_cut(e, false);
	if (mass)
		add_cut(e, true);
	if (wide)
		add(e, k->sums, true);
	if (draw)
		add(e, k->draw, false);
	if (lse)
		add(e, k->logprobs, false);
}
