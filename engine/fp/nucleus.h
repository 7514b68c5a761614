/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Sampling where the choice is not limited to a few tokens: exact over the
 * whole vocabulary. The least key that top-k (a count) or top-p (a mass)
 * leaves is found by its four bytes, highest first: histograms of chunks,
 * then one pick a byte. Then the weights of what is left are summed, by
 * pieces of LX_SAMPLE_SUB, and one is drawn from these sums.
 */
#ifndef LX_FP_NUCLEUS_H
#define LX_FP_NUCLEUS_H

static u32 best_key(const struct lx_op *op, u32 slot);

/* e^((logit - max) / t) of ids [i, end) to w[], at most LX_SAMPLE_CHUNK. */
static void weights(const float *logit, u32 i, u32 end, float max, float t,
		    float *w)
{
	vf m = vf_set1(max), d = vf_set1(t);

	/* Rows are padded to 16, chunks begin at multiples of it. */
	for (u32 j = i; j < end; j += VL)
		vf_store(w + (j - i), v_exp(vf_div(vf_sub(vf_load(logit + j), m),
						   d)));
}

static bool selects(const struct lx_op *op, const struct lx_sample_slot *s)
{
	if (!s->wide || !s->draw || !s->temperature_u)
		return false;
	return op->sample.by_mass ? s->top_p_u < 1000000 : s->top_k != 0;
}

/* Tile: slot x chunk. Of the keys that begin as the one looked for does. */
static void tile_hist(const struct lx_op *op, u32 tile, void *scratch)
{
	u32 slot = tile / op->sample.n_chunks, i, end;
	const struct lx_sample_slot *s = op->sample.slots + slot;
	struct lx_sample_part *p = op->sample.part + tile;
	const float *logit = sample_chunk(op, tile, &i, &end);
	u32 shift = 24 - 8 * op->sample.level, first = i;
	u32 least = op->sample.by_mass && s->top_k ?
		    s->cut_key : KEY_NINF + 1;
	double *mass = scratch;
	float *w = (float *)(mass + LX_SAMPLE_BINS);

	if (!selects(op, s))
		return;
	for (u32 b = 0; b < LX_SAMPLE_BINS; b++) {
		p->count[b] = 0;
		mass[b] = 0.0;
	}
	if (op->sample.by_mass)
		weights(logit, i, end, of_key(best_key(op, slot)), 1.0f, w);
	for (; i < end; i++) {
		u32 key = key_of(logit[i]);

		if (key < least || (u64)key >> shift >> 8 != s->prefix)
			continue;
		key = key >> shift & 255;
		p->count[key]++;
		if (op->sample.by_mass)
			mass[key] += (double)w[i - first];
	}
	for (u32 b = 0; b < LX_SAMPLE_BINS; b++)
		p->mass_bits[b] = bits_of_f64(mass[b]);
}

/* Add up what the chunks found; bin 255 is the likeliest. */
static void add_bins(const struct lx_op *op, u32 slot, double *mass,
		     u32 *count)
{
	const struct lx_sample_part *p = op->sample.part +
					 (size_t)slot * op->sample.n_chunks;

	for (u32 b = 0; b < LX_SAMPLE_BINS; b++) {
		mass[b] = 0.0;
		count[b] = 0;
		for (u32 c = 0; c < op->sample.n_chunks; c++) {
			mass[b] += f64_of(p[c].mass_bits[b]);
			count[b] += p[c].count[b];
		}
		if (!op->sample.by_mass)
			mass[b] = (double)count[b];
	}
}

/* What is looked for: a number of tokens, or a part of their mass. */
static double first_need(const struct lx_op *op, struct lx_sample_slot *s,
			 const double *mass, u32 slot)
{
	double sum = 0.0, w;

	if (!op->sample.by_mass)
		return (double)s->top_k;
	for (u32 b = LX_SAMPLE_BINS; b-- > 0;)
		sum += mass[b];
	/* Of the least key that top-k left, only some tokens are in. */
	if (s->top_k) {
		w = (double)s_exp(of_key(s->cut_key) -
				  of_key(best_key(op, slot)));
		sum -= w * (double)s->cut_out;
	}
	return (double)s->top_p_u / 1e6 * sum;
}

/* Tile: slot. The next byte of the key; at the last, the cut. */
static void tile_pick(const struct lx_op *op, u32 slot, void *scratch)
{
	struct lx_sample_slot *s = op->sample.slots + slot;
	double *mass = scratch, need;
	u32 *count = (u32 *)(mass + LX_SAMPLE_BINS), b = LX_SAMPLE_BINS - 1;
	u32 last = 0, key;

	if (!selects(op, s))
		return;
	add_bins(op, slot, mass, count);
	need = op->sample.level ? f64_of(s->need_bits) :
				  first_need(op, s, mass, slot);
	/* The last bin that is not empty has the rest, whatever the rounding. */
	while (last < LX_SAMPLE_BINS - 1 && !count[last])
		last++;
	for (; b > last && (!count[b] || mass[b] < need); b--)
		need -= mass[b];
	key = s->prefix << 8 | b;
	s->need_bits = bits_of_f64(need);
	s->prefix = key;
	if (op->sample.level < 3)
		return;
	/* All of count[b] have the same logit: the first ones are taken. */
	if (op->sample.by_mass)
		need = need / (mass[b] / (double)count[b]);
	last = s->top_k && op->sample.by_mass && key == s->cut_key ?
	       s->cut_ties : count[b];
	s->cut_ties = need >= (double)last ? last : (u32)need;
	if (!s->cut_ties || ((double)s->cut_ties < need && s->cut_ties < last))
		s->cut_ties++;
	s->cut_key = key;
	s->cut_out = count[b] - s->cut_ties;
	s->prefix = 0;
}

/* Min-p comes after top-p: it can only move the cut up. */
static u32 final_cut(const struct lx_op *op, u32 slot, u32 *ties)
{
	const struct lx_sample_slot *s = op->sample.slots + slot;
	bool cut = s->top_k || s->top_p_u < 1000000;
	u32 key = cut ? s->cut_key : KEY_NINF, floor;

	*ties = cut ? s->cut_ties : 0;
	if (s->min_p_u) {
		floor = key_of(of_key(best_key(op, slot)) +
			       (float)d_log((double)f32_of_u(s->min_p_u)));
		if (floor > key) {
			*ties = 0;
			key = floor - 1;
		}
	}
	return key;
}

/* Tile: slot x chunk. */
static void tile_sums(const struct lx_op *op, u32 tile, void *scratch)
{
	u32 slot = tile / op->sample.n_chunks, i, end, first, cut, ties;
	const struct lx_sample_slot *s = op->sample.slots + slot;
	struct lx_sample_part *p = op->sample.part + tile;
	const float *logit = sample_chunk(op, tile, &i, &end);
	float *w = scratch;

	if (!s->wide || !s->draw || !s->temperature_u)
		return;
	cut = final_cut(op, slot, &ties);
	weights(logit, i, end, of_key(best_key(op, slot)),
		f32_of_u(s->temperature_u), w);
	p->ties = 0;
	for (first = i; i < end; i += LX_SAMPLE_SUB) {
		u32 stop = lx_min(i + LX_SAMPLE_SUB, end);
		double sum = 0.0;

		for (u32 j = i; j < stop; j++) {
			u32 key = key_of(logit[j]);

			if (key > cut)
				sum += (double)w[j - first];
			p->ties += key == cut;
		}
		p->sum_bits[(i - first) / LX_SAMPLE_SUB] = bits_of_f64(sum);
	}
}

/* The @n-th token whose key is that of the cut. */
static s32 find_tie(const struct lx_op *op, u32 slot, u32 cut, u32 n)
{
	const struct lx_sample_part *p = op->sample.part +
					 (size_t)slot * op->sample.n_chunks;
	const float *logit = sample_row(op, slot);
	u32 c = 0, i;

	while (c + 1 < op->sample.n_chunks && n >= p[c].ties)
		n -= p[c++].ties;
	for (i = c * LX_SAMPLE_CHUNK; i + 1 < op->sample.n_vocab; i++)
		if (key_of(logit[i]) == cut && !n--)
			break;
	return (s32)i;
}

/* Walk one sum of weights: the token where @r is used up. */
static s32 find_in_sub(const struct lx_op *op, u32 slot, u32 i, u32 cut,
		       double r, float *w)
{
	const struct lx_sample_slot *s = op->sample.slots + slot;
	u32 end = lx_min(i + LX_SAMPLE_SUB, op->sample.n_vocab), first = i;
	const float *logit = sample_row(op, slot);
	u32 last = i;

	weights(logit, i, end, of_key(best_key(op, slot)),
		f32_of_u(s->temperature_u), w);
	for (; i < end; i++) {
		if (key_of(logit[i]) <= cut)
			continue;
		last = i;
		if (r < (double)w[i - first])
			break;
		r -= (double)w[i - first];
	}
	return (s32)last;
}

/* @u in [0, 1): the token there in the sums of all chunks. */
static s32 draw_wide(const struct lx_op *op, u32 slot, double u, void *scratch)
{
	const struct lx_sample_slot *s = op->sample.slots + slot;
	const struct lx_sample_part *p = op->sample.part +
					 (size_t)slot * op->sample.n_chunks;
	u32 n = lx_div_up(op->sample.n_vocab, LX_SAMPLE_SUB), ties, last = 0;
	u32 per = LX_SAMPLE_CHUNK / LX_SAMPLE_SUB, i;
	u32 cut = final_cut(op, slot, &ties);
	double tie = 0.0, sum, r;

	if (ties)
		tie = (double)s_exp((of_key(cut) - of_key(best_key(op, slot))) /
				    f32_of_u(s->temperature_u));
	sum = tie * (double)ties;
	for (i = 0; i < n; i++)
		sum += f64_of(p[i / per].sum_bits[i % per]);
	r = u * sum;
	if (r < tie * (double)ties)
		return find_tie(op, slot, cut,
				lx_min((u32)(r / tie), ties - 1));
	r -= tie * (double)ties;
	for (i = 0; i < n; i++) {
		sum = f64_of(p[i / per].sum_bits[i % per]);
		if (!(sum > 0.0))
			continue;
		last = i;
		if (r < sum)
			break;
		r -= sum;
	}
	return find_in_sub(op, slot, last * LX_SAMPLE_SUB, cut, r, scratch);
}

#endif
