/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Logits as order-preserving integer keys, and selection among them.
 */
#ifndef LX_FP_KEYS_H
#define LX_FP_KEYS_H

#define KEY_NINF 0x007fffffu	/* of -infinity: cannot be chosen */
#define BLOCK 64		/* logits whose maximum is looked at first */

static inline double f64_of(u64 bits)
{
	union lx_f64 r = { .u = bits };

	return r.f;
}

static inline u64 bits_of_f64(double f)
{
	union lx_f64 r = { .f = f };

	return r.u;
}

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

static inline s32 id_of(u64 cand)
{
	return (s32)~(u32)cand;
}

static float *sample_row(const struct lx_op *op, u32 slot)
{
	return (float *)op->sample.logits +
	       (size_t)op->sample.slots[slot].row * op->sample.ld;
}

/* The logits of a tile of slot x chunk: ids [first, end). */
static const float *sample_chunk(const struct lx_op *op, u32 tile, u32 *first,
				 u32 *end)
{
	u32 slot = tile / op->sample.n_chunks;

	*first = tile % op->sample.n_chunks * LX_SAMPLE_CHUNK;
	*end = lx_min(*first + LX_SAMPLE_CHUNK, op->sample.n_vocab);
	return sample_row(op, slot);
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

/*
 * The @k likeliest of the chunk [i, end), those that can be chosen, to @out
 * in any order; returns how many. The k-th largest of the blocks' maxima is
 * no larger than the k-th largest logit, so blocks below it need no second
 * look. @tmp: LX_SAMPLE_CHUNK.
 */
static u32 top_of_chunk(const float *logit, u32 i, u32 end, u32 k, u64 *tmp,
			u64 *out)
{
	u32 max[LX_SAMPLE_CHUNK / BLOCK], blocks = 0, floor = KEY_NINF + 1;
	u32 n = 0;

	for (u32 b = i; b < end; b += BLOCK) {
		u32 m = 0, stop = lx_min(b + BLOCK, end);

		for (u32 j = b; j < stop; j++)
			m = lx_max(key_of(logit[j]), m);
		tmp[blocks] = m;
		max[blocks++] = m;
	}
	if (blocks > k) {
		select_top(tmp, blocks, k);
		for (u32 j = 1; j < k; j++)
			tmp[0] = lx_min(tmp[j], tmp[0]);
		floor = lx_max((u32)tmp[0], floor);
	}
	for (u32 b = 0; b < blocks; b++) {
		u32 stop = lx_min(i + (b + 1) * BLOCK, end);

		for (u32 j = i + b * BLOCK; max[b] >= floor && j < stop; j++) {
			u32 key = key_of(logit[j]);

			if (key >= floor)
				tmp[n++] = cand_of(key, j);
		}
	}
	if (n > k) {
		select_top(tmp, n, k);
		n = k;
	}
	lx_memcpy(out, tmp, n * sizeof(*tmp));
	return n;
}

#endif
