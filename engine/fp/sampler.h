/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * From logits to a token: bias, penalties, the mask of a grammar, then top-k,
 * top-p (Holtzman et al., 2020) of what top-k left, min-p, and temperature,
 * the common order. Nothing else limits the choice: up to LX_SAMPLE_CAND
 * candidates are sorted; a larger or no top-k is nucleus.h's. The random
 * number is a function of seed and position alone (splitmix64).
 */
#ifndef LX_FP_SAMPLER_H
#define LX_FP_SAMPLER_H

/* Tile: slot. Keskar et al., 2019 for the repetition penalty. */
static void tile_penalties(const struct lx_op *op, u32 slot, void *scratch)
{
	const struct lx_sample_slot *s = op->sample.slots + slot;
	float *logit = sample_row(op, slot);
	float rep = f32_of_u(s->repeat_penalty_u);
	float pres = (float)s->presence_u / 1e6f;
	float freq = (float)s->frequency_u / 1e6f;

	for (u32 i = 0; i < s->n_adj; i++) {
		struct lx_adjust *a = s->adj + i;
		float *l = logit + a->id;

		a->raw_bits = bits_of(*l);
		if (a->bias_u == LX_BIAS_NEVER) {
			*l = f32_of(0xff800000);
			continue;
		}
		*l += (float)a->bias_u / 1e6f;
		if (!a->count)
			continue;
		*l = *l > 0.0f ? *l / rep : *l * rep;
		*l = *l - (float)a->count * freq - pres;
	}
	(void)scratch;
}

/* Tile: slot x chunk. What the mask forbids cannot be chosen. */
static void tile_mask(const struct lx_op *op, u32 tile, void *scratch)
{
	u32 slot = tile / op->sample.n_chunks, i, end;
	const u32 *mask = op->sample.slots[slot].mask;
	float *logit = (float *)sample_chunk(op, tile, &i, &end);

	for (; mask && i < end; i += 32) {
		u32 m = ~mask[i / 32];

		for (u32 j = i; m && j < end; j++, m >>= 1)
			if (m & 1)
				logit[j] = f32_of(0xff800000);
	}
	(void)scratch;
}

/* Tile: slot x chunk of the vocabulary. The best of the chunk. */
static void tile_best(const struct lx_op *op, u32 tile, void *scratch)
{
	u32 i, end;
	const float *logit = sample_chunk(op, tile, &i, &end);
	u64 best = 0;

	for (; i < end; i++) {
		u64 v = cand_of(key_of(logit[i]), i);

		best = v > best ? v : best;
	}
	op->sample.part[tile].best = best;
	(void)scratch;
}

static u64 best_of_all(const struct lx_op *op, u32 slot)
{
	const struct lx_sample_part *p = op->sample.part +
					 (size_t)slot * op->sample.n_chunks;
	u64 best = 0;

	for (u32 c = 0; c < op->sample.n_chunks; c++)
		best = p[c].best > best ? p[c].best : best;
	return best;
}

static u32 best_key(const struct lx_op *op, u32 slot)
{
	return (u32)(best_of_all(op, slot) >> 32);
}

/* Tile: slot x chunk. The chunk's top-k, none of which is left out. */
static void tile_candidates(const struct lx_op *op, u32 tile, void *scratch)
{
	const struct lx_sample_slot *s = op->sample.slots +
					 tile / op->sample.n_chunks;
	struct lx_sample_part *p = op->sample.part + tile;
	u32 i, end;
	const float *logit = sample_chunk(op, tile, &i, &end);

	if (s->draw && !s->wide && s->temperature_u)
		p->n = top_of_chunk(logit, i, end, s->top_k, scratch, p->cand);
}

static inline u64 splitmix64(u64 x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* How many of the sorted candidates top-p and min-p leave (at temperature 1). */
static u32 cut_sorted(const struct lx_sample_slot *s, const u64 *v, u32 n,
		      double *p)
{
	float max = of_key((u32)(v[0] >> 32));
	double sum = 0.0, want, acc = 0.0;
	u32 key, i;

	for (i = 0; i < n; i++) {
		p[i] = (double)s_exp(of_key((u32)(v[i] >> 32)) - max);
		sum += p[i];
	}
	if (s->top_p_u < 1000000) {
		want = (double)s->top_p_u / 1e6 * sum;
		for (i = 0; i < n && acc < want; i++)
			acc += p[i];
		n = lx_max(i, 1u);
	}
	if (s->min_p_u) {
		key = key_of(max + (float)d_log((double)f32_of_u(s->min_p_u)));
		while (n > 1 && (u32)(v[n - 1] >> 32) < key)
			n--;
	}
	return n;
}

static s32 draw_sorted(const struct lx_sample_slot *s, const u64 *v, u32 n,
		       double u, double *p)
{
	float t = f32_of_u(s->temperature_u);
	float max = of_key((u32)(v[0] >> 32));
	double sum = 0.0, r;

	n = cut_sorted(s, v, n, p);
	for (u32 i = 0; i < n; i++) {
		p[i] = (double)s_exp((of_key((u32)(v[i] >> 32)) - max) / t);
		sum += p[i];
	}
	r = u * sum;
	for (u32 i = 0; i + 1 < n; i++) {
		if (r < p[i])
			return id_of(v[i]);
		r -= p[i];
	}
	return id_of(v[n - 1]);
}

/* The candidates of all chunks, at most the @k likeliest, to v[]. */
static u32 gather_candidates(const struct lx_op *op, u32 slot, u32 k, u64 *v)
{
	const struct lx_sample_part *p = op->sample.part +
					 (size_t)slot * op->sample.n_chunks;
	u32 n = 0;

	for (u32 c = 0; c < op->sample.n_chunks; c++) {
		if (n + p[c].n > 8 * LX_SAMPLE_CAND) {
			select_top(v, n, k);
			n = lx_min(n, k);
		}
		lx_memcpy(v + n, p[c].cand, p[c].n * sizeof(*v));
		n += (u32)p[c].n;
	}
	if (n > k) {
		select_top(v, n, k);
		n = k;
	}
	sort_desc(v, n);
	return n;
}

/* Tile: slot. */
static void tile_draw(const struct lx_op *op, u32 slot, void *scratch)
{
	struct lx_sample_slot *s = op->sample.slots + slot;
	u64 best = best_of_all(op, slot), *v = scratch;
	double u;
	u32 n;

	if (!s->draw)
		return;
	if (best >> 32 <= KEY_NINF) {	/* all forbidden, or all NaN */
		s->token = best >> 32 ? -1 : 0;
		return;
	}
	if (!s->temperature_u) {
		s->token = id_of(best);
		return;
	}
	u = (double)(splitmix64(splitmix64(s->seed) ^ s->counter) >> 11) *
	    0x1p-53;
	if (s->wide) {
		s->token = draw_wide(op, slot, u, scratch);
		return;
	}
	n = gather_candidates(op, slot, s->top_k, v);
	s->token = draw_sorted(s, v, n, u, (double *)(v + n));
}

#endif
