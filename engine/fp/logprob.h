/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Log-probabilities: log-softmax of the logits as the model gives them, over
 * the whole vocabulary, before bias, penalties, masks and temperature.
 */
#ifndef LX_FP_LOGPROB_H
#define LX_FP_LOGPROB_H

static bool wants_lse(const struct lx_sample_slot *s)
{
	return s->n_top || s->n_targets;
}

/* Tile: slot x chunk; before the logits are changed. */
static void tile_lse(const struct lx_op *op, u32 tile, void *scratch)
{
	const struct lx_sample_slot *s = op->sample.slots +
					 tile / op->sample.n_chunks;
	struct lx_lse_part *p = op->sample.lse + tile;
	u32 i, end, key = 0;
	const float *logit = sample_chunk(op, tile, &i, &end);
	u64 *tmp = scratch;
	float *w = scratch, max;
	double sum = 0.0;

	if (!wants_lse(s))
		return;
	p->n = s->n_top ? top_of_chunk(logit, i, end, s->n_top, tmp, p->top) :
			  0;
	for (u32 j = i; j < end; j++)
		key = lx_max(key_of(logit[j]), key);
	max = of_key(lx_max(key, KEY_NINF + 1));
	weights(logit, i, end, max, 1.0f, w);
	for (u32 j = i; j < end; j++)
		if (key_of(logit[j]) > KEY_NINF)
			sum += (double)w[j - i];
	p->max_bits = bits_of(max);
	p->sum_bits = bits_of_f64(sum);
}

/* log of the sum of e^logit, chunks in ascending order */
static double log_sum(const struct lx_op *op, u32 slot)
{
	const struct lx_lse_part *p = op->sample.lse +
				      (size_t)slot * op->sample.n_chunks;
	double max = (double)f32_of(p[0].max_bits), sum = 0.0;

	for (u32 c = 1; c < op->sample.n_chunks; c++)
		max = lx_max(max, (double)f32_of(p[c].max_bits));
	for (u32 c = 0; c < op->sample.n_chunks; c++)
		sum += f64_of(p[c].sum_bits) *
		       d_exp((double)f32_of(p[c].max_bits) - max);
	return max + (sum > 0.0 ? d_log(sum) : 0.0);
}

/* In millionths; what is below -2147 or no number is the least there is. */
static s32 millionths(double x)
{
	x *= 1e6;
	if (!(x > -2147483647.0))
		return LX_LOGPROB_LEAST;
	return x < 0.0 ? (s32)(x - 0.5) : 0;
}

/* A logit as the model gave it. */
static double raw_logit(const struct lx_op *op, u32 slot, s32 id)
{
	const struct lx_sample_slot *s = op->sample.slots + slot;

	for (u32 i = 0; i < s->n_adj; i++)
		if (s->adj[i].id == id)
			return (double)f32_of(s->adj[i].raw_bits);
	return (double)sample_row(op, slot)[id];
}

static void merge_top(const struct lx_op *op, u32 slot, double lse, u64 *v)
{
	struct lx_sample_slot *s = op->sample.slots + slot;
	const struct lx_lse_part *p = op->sample.lse +
				      (size_t)slot * op->sample.n_chunks;
	u32 n = 0;

	for (u32 c = 0; c < op->sample.n_chunks; c++) {
		if (n + p[c].n > LX_SAMPLE_CAND) {
			select_top(v, n, s->n_top);
			n = lx_min(n, s->n_top);
		}
		lx_memcpy(v + n, p[c].top, p[c].n * sizeof(*v));
		n += p[c].n;
	}
	sort_desc(v, n);
	for (u32 i = 0; i < s->n_top; i++) {
		s->top[i].id = i < n ? id_of(v[i]) : -1;
		s->top[i].lp_u = i < n ?
			millionths((double)of_key((u32)(v[i] >> 32)) - lse) :
			LX_LOGPROB_LEAST;
	}
}

/* Tile: slot; after the draw. */
static void tile_logprobs(const struct lx_op *op, u32 slot, void *scratch)
{
	struct lx_sample_slot *s = op->sample.slots + slot;
	double lse;

	if (!wants_lse(s))
		return;
	lse = log_sum(op, slot);
	if (s->n_top)
		merge_top(op, slot, lse, scratch);
	if (s->draw)
		s->token_lp_u = s->token < 0 ? LX_LOGPROB_LEAST :
			millionths(raw_logit(op, slot, s->token) - lse);
	for (u32 i = 0; i < s->n_targets; i++)
		s->target_lp_u[i] = millionths(
			raw_logit(op, slot, s->targets[i]) - lse);
}

#endif
