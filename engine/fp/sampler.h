/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * From logits to a token: penalties, then top-k, top-p (Holtzman et al.,
 * 2020), min-p, then temperature, the common order. Selection works on
 * order-preserving integer keys; exponentials are taken of survivors only, of
 * which there are at most LX_SAMPLE_CAND (the most probable ones). The
 * random number is a function of seed and position alone (splitmix64).
 */
#ifndef LX_FP_SAMPLER_H
#define LX_FP_SAMPLER_H

/* Floats ordered as unsigned integers; NaN counts as the least. */
static inline u32 key_of(float f)
{
	u32 b = bits_of(f);

	if ((b & 0x7fffffff) > 0x7f800000)
		return 0;
	return b & 0x80000000 ? ~b : b | 0x80000000;
}

static inline float of_key(u32 k)
{
	return f32_of(k & 0x80000000 ? k & 0x7fffffff : ~k);
}

/* Higher logit first, then the lower id. */
static inline u64 cand_of(u32 key, u32 id)
{
	return (u64)key << 32 | (u32)~id;
}

static float *sample_row(const struct lx_op *op, u32 slot)
{
	return (float *)op->sample.logits +
	       (size_t)op->sample.slots[slot].row * op->sample.ld;
}

/* Tile: slot. Keskar et al., 2019 for the repetition penalty. */
static void tile_penalties(const struct lx_op *op, u32 slot, void *scratch)
{
	const struct lx_sample_slot *s = op->sample.slots + slot;
	float *logit = sample_row(op, slot);
	float rep = f32_of_u(s->repeat_penalty_u);
	float pres = (float)s->presence_u / 1e6f;
	float freq = (float)s->frequency_u / 1e6f;

	for (u32 i = 0; i < s->n_pen; i++) {
		float *l = logit + s->pen[i].id;

		*l = *l > 0.0f ? *l / rep : *l * rep;
		*l = *l - (float)s->pen[i].count * freq - pres;
	}
	(void)scratch;
}

/* Tile: slot x chunk of the vocabulary. The best of the chunk. */
static void tile_best(const struct lx_op *op, u32 tile, void *scratch)
{
	u32 slot = tile / op->sample.n_chunks, c = tile % op->sample.n_chunks;
	u32 i = c * LX_SAMPLE_CHUNK, n = op->sample.n_vocab;
	u32 end = lx_min(i + LX_SAMPLE_CHUNK, n);
	const float *logit = sample_row(op, slot);
	u64 best = 0;

	for (; i < end; i++) {
		u64 v = cand_of(key_of(logit[i]), i);

		best = v > best ? v : best;
	}
	op->sample.best[tile] = best;
	(void)scratch;
}

static u64 best_of_all(const struct lx_op *op, u32 slot)
{
	const u64 *b = op->sample.best + (size_t)slot * op->sample.n_chunks;
	u64 best = 0;

	for (u32 c = 0; c < op->sample.n_chunks; c++)
		best = b[c] > best ? b[c] : best;
	return best;
}

/*
 * Put the @k largest of v[n] first (in any order): Hoare's quickselect. The
 * pivot is never the last element, so both parts shrink.
 */
static void select_top(u64 *v, u32 n, u32 k)
{
	u32 lo = 0, hi = n;

	while (hi - lo > 1 && k > lo && k < hi) {
		u64 pivot = v[lo + (hi - 1 - lo) / 2];
		u32 i = lo, j = hi - 1;

		for (;;) {
			while (v[i] > pivot)
				i++;
			while (v[j] < pivot)
				j--;
			if (i >= j)
				break;
			u64 t = v[i];

			v[i++] = v[j];
			v[j--] = t;
		}
		if (k <= j + 1)
			hi = j + 1;
		else
			lo = j + 1;
	}
}

static void sift_down(u64 *v, u32 i, u32 n)
{
	for (;;) {
		u32 c = 2 * i + 1;

		if (c >= n)
			return;
		if (c + 1 < n && v[c + 1] < v[c])
			c++;
		if (v[i] <= v[c])
			return;
		u64 t = v[i];

		v[i] = v[c];
		v[c] = t;
		i = c;
	}
}

/* Descending heap sort. */
static void sort_desc(u64 *v, u32 n)
{
	for (u32 i = n / 2; i-- > 0;)
		sift_down(v, i, n);
	for (u32 i = n; i-- > 1;) {
		u64 t = v[0];

		v[0] = v[i];
		v[i] = t;
		sift_down(v, 0, i);
	}
}

/* Logits below this cannot be chosen (or with a probability under 1e-9). */
static float sample_floor(const struct lx_sample_slot *s, float max)
{
	float t = f32_of_u(s->temperature_u), cut;

	if (s->min_p_u)
		return max + (float)d_log((double)f32_of_u(s->min_p_u));
	cut = 20.7f * (t > 1.0f ? t : 1.0f);
	return max - cut;
}

/* Tile: slot x chunk. Candidates above the floor: count, then values. */
static void tile_candidates(const struct lx_op *op, u32 tile, void *scratch)
{
	u32 slot = tile / op->sample.n_chunks, c = tile % op->sample.n_chunks;
	const struct lx_sample_slot *s = op->sample.slots + slot;
	u32 i = c * LX_SAMPLE_CHUNK, n = 0;
	u32 end = lx_min(i + LX_SAMPLE_CHUNK, op->sample.n_vocab);
	u64 *out = op->sample.cand + (size_t)tile * (LX_SAMPLE_CAND + 1);
	const float *logit = sample_row(op, slot);
	u64 *tmp = scratch;
	u32 floor;

	out[0] = 0;
	if (!s->temperature_u)
		return;
	floor = key_of(sample_floor(s, of_key((u32)(best_of_all(op, slot) >>
						    32))));
	for (; i < end; i++) {
		u32 key = key_of(logit[i]);

		if (key >= floor)
			tmp[n++] = cand_of(key, i);
	}
	if (n > LX_SAMPLE_CAND) {
		select_top(tmp, n, LX_SAMPLE_CAND);
		n = LX_SAMPLE_CAND;
	}
	out[0] = n;
	lx_memcpy(out + 1, tmp, n * sizeof(*tmp));
}

static inline u64 splitmix64(u64 x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* How many of the sorted candidates top-p leaves (at temperature 1). */
static u32 cut_top_p(const struct lx_sample_slot *s, const u64 *v, u32 n,
		     float *p)
{
	float max = of_key((u32)(v[0] >> 32)), sum = 0.0f, want, acc = 0.0f;

	if (s->top_p_u >= 1000000)
		return n;
	for (u32 i = 0; i < n; i++) {
		p[i] = s_exp(of_key((u32)(v[i] >> 32)) - max);
		sum += p[i];
	}
	want = f32_of_u(s->top_p_u) * sum;
	for (u32 i = 0; i < n; i++) {
		acc += p[i];
		if (acc >= want)
			return i + 1;
	}
	return n;
}

static u32 draw_from(const struct lx_sample_slot *s, const u64 *v, u32 n,
		     float *p)
{
	float t = f32_of_u(s->temperature_u);
	float max = of_key((u32)(v[0] >> 32)), sum = 0.0f, r;

	for (u32 i = 0; i < n; i++) {
		p[i] = s_exp((of_key((u32)(v[i] >> 32)) - max) / t);
		sum += p[i];
	}
	r = (float)(splitmix64(splitmix64(s->seed) ^ s->counter) >> 40) *
	    0x1p-24f * sum;
	for (u32 i = 0; i + 1 < n; i++) {
		if (r < p[i])
			return ~(u32)v[i];
		r -= p[i];
	}
	return ~(u32)v[n - 1];
}

/* Tile: slot. */
static void tile_draw(const struct lx_op *op, u32 slot, void *scratch)
{
	struct lx_sample_slot *s = op->sample.slots + slot;
	u64 *v = scratch;
	float *p;
	u32 n = 0, k;

	if (!s->temperature_u) {
		s->token = (s32)~(u32)best_of_all(op, slot);
		return;
	}
	for (u32 c = 0; c < op->sample.n_chunks; c++) {
		const u64 *in = op->sample.cand + (LX_SAMPLE_CAND + 1) *
				((size_t)slot * op->sample.n_chunks + c);

		if (n + in[0] > 8 * LX_SAMPLE_CAND) {
			select_top(v, n, LX_SAMPLE_CAND);
			n = lx_min(n, (u32)LX_SAMPLE_CAND);
		}
		lx_memcpy(v + n, in + 1, in[0] * sizeof(*v));
		n += (u32)in[0];
	}
	k = s->top_k && s->top_k < LX_SAMPLE_CAND ? s->top_k : LX_SAMPLE_CAND;
	if (n > k) {
		select_top(v, n, k);
		n = k;
	}
	if (!n) {	/* all logits are NaN */
		s->token = 0;
		return;
	}
	sort_desc(v, n);
	p = (float *)(v + n);
	n = cut_top_p(s, v, n, p);
	s->token = (s32)draw_from(s, v, n, p);
}

#endif
