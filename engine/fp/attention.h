/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Attention over a paged KV cache, cut at fixed absolute multiples of
 * LX_CHUNK positions. K is stored lane = position, V lane = channel, so both
 * passes run without horizontal sums. A tile loads each K and V block of one
 * chunk once for all query heads of its group; within the chunk the softmax
 * has two passes; chunks are merged in ascending order as (m, l, o)
 * (Milakov and Gimelshein, 2018). Layout of the cache: kv.h. A partial result
 * is hdv floats of o, then m and l, padded to 16.
 */
#ifndef LX_FP_ATTENTION_H
#define LX_FP_ATTENTION_H

#define ATTN_ROWS 8	/* query rows computed together */

/*
 * K and V of a head are short pieces far apart, which the hardware does not
 * see coming. With the load of @bytes number @i, ask for as much of the next
 * piece: one line at a time, since many at once hold up the loads.
 */
INL void attn_ahead(const u8 *next, u32 i, u32 bytes)
{
	if (i * bytes % LX_CACHELINE < bytes)
		__builtin_prefetch(next + i * bytes);
}

/*
 * Scores of @n rows with 16 positions: out[r * LX_CHUNK + lane]. @next is what
 * will be read then.
 */
INL void attn_scores(const float *const *q, u32 n, const u8 *k, u32 hd,
		     float scale, float *out, u32 kv, const u8 *next)
{
	const u32 step = kv_quantized(kv) ? KV_BLOCK : hd;

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		vf acc[ATTN_ROWS], d = vf_zero();
		const u8 *p = k;

		UNROLL
		for (u32 r = 0; r < n; r++)
			acc[r] = vf_zero();
		for (u32 b = 0; b < hd; b += step, p += k_block_bytes(kv)) {
			u32 end = lx_min(step, hd - b);

			if (kv_quantized(kv))
				d = vf_load_f16((const u16 *)p + h);
			for (u32 c = 0; c < end; c++) {
				vf x = k_load(p, c, h, d, kv);

				if (!h)
					attn_ahead(next, b + c, LX_STRIP *
						   kv_bits(kv) / 8);
				UNROLL
				for (u32 r = 0; r < n; r++)
					acc[r] = vf_fma(vf_set1(q[r][b + c]),
							x, acc[r]);
			}
		}
		UNROLL
		for (u32 r = 0; r < n; r++)
			vf_store(out + r * LX_CHUNK + h,
				 vf_mul(acc[r], vf_set1(scale)));
	}
}

/* o[r] += sum over positions of p[r][pos] * V[pos], one page */
INL void attn_values(const float *p, u32 n, const u8 *v, u32 hdv, u32 n_pos,
		     float *const *o, u32 kv, const u8 *next)
{
	float d[LX_PAGE];

	for (u32 c = 0; c < hdv; c += VL) {
		vf acc[ATTN_ROWS];

		if (kv_quantized(kv) && c % KV_BLOCK == 0)
			v_scales(v, c / KV_BLOCK, hdv, d, kv);
		UNROLL
		for (u32 r = 0; r < n; r++)
			acc[r] = vf_load(o[r] + c);
		for (u32 i = 0; i < n_pos; i++) {
			vf x = v_load(v, i, c, hdv, d, kv);

			attn_ahead(next, c / VL * n_pos + i,
				   VL * kv_bits(kv) / 8);
			UNROLL
			for (u32 r = 0; r < n; r++)
				acc[r] = vf_fma(vf_set1(p[r * LX_CHUNK + i]),
						x, acc[r]);
		}
		UNROLL
		for (u32 r = 0; r < n; r++)
			vf_store(o[r] + c, acc[r]);
	}
}

/*
 * Softmax weights of positions lo..hi-1 of a row of scores (others become 0);
 * gives their maximum and sum. Sums run over 16 lanes and the fixed tree.
 */
static void attn_softmax(float *s, u32 lo, u32 hi, float *m_out, float *l_out)
{
	float m = s[lo], lanes[LX_STRIP];
	u32 end = lx_align_up(hi, LX_STRIP), i = lo;
	vf best = vf_set1(m);

	for (; i < hi && i % VL; i++)
		m = s[i] > m ? s[i] : m;
	for (; i + VL <= hi; i += VL)
		best = vf_max(vf_load(s + i), best);
	for (; i < hi; i++)
		m = s[i] > m ? s[i] : m;
	m = vf_max_lanes(vf_max(best, vf_set1(m)));
	for (i = 0; i < lo; i++)
		s[i] = m;
	for (i = hi; i < end; i++)
		s[i] = m;
	for (i = 0; i < end; i += VL)
		vf_store(s + i, v_exp(vf_sub(vf_load(s + i), vf_set1(m))));
	for (i = 0; i < lo; i++)
		s[i] = 0.0f;
	for (i = hi; i < end; i++)
		s[i] = 0.0f;
	for (u32 h = 0; h < LX_STRIP; h += VL) {
		vf acc = vf_zero();

		for (i = h; i < end; i += LX_STRIP)
			acc = vf_add(acc, vf_load(s + i));
		vf_store(lanes + h, acc);
	}
	*m_out = m;
	*l_out = sum_lanes(lanes);
}

struct attn_rows {
	const float *q[ATTN_ROWS];
	float *o[ATTN_ROWS];
	u32 lo[ATTN_ROWS], hi[ATTN_ROWS];	/* within the chunk; lo < hi */
	u32 n, max;
};

/* The rows of one chunk that have something to see there. */
INL void attn_chunk(const struct lx_attn_shape *s, void *const *pages,
		    u32 head, u32 pos0, struct attn_rows *a, u32 n,
		    float *score, u32 kv)
{
	float scale = f32_of(s->scale_bits);
	u32 size = kv == LX_KV_F32 ? 4 : 2;
	u32 bytes = kv_quantized(kv) ?
		    lx_div_up(s->hd, KV_BLOCK) * k_block_bytes(kv) :
		    s->hd * LX_STRIP * size;

	for (u32 i = 0; i < a->max; i += LX_STRIP) {
		const u8 *k = kv_head(s, pages, pos0 + i, head) +
			      i % LX_PAGE / LX_STRIP * bytes;
		const u8 *next = k + bytes;

		if (i + LX_STRIP >= a->max)
			next = kv_head(s, pages, pos0, head) +
			       s->v_offset;
		else if ((i + LX_STRIP) % LX_PAGE == 0)
			next = kv_head(s, pages, pos0 + i + LX_STRIP, head);
		attn_scores(a->q, n, k, s->hd, scale, score + i, kv, next);
	}
	for (u32 r = 0; r < n; r++) {
		float m, l;

		if (s->cap_bits)
			soft_cap(score + r * LX_CHUNK,
				 lx_align_up(a->max, LX_STRIP), s->cap_bits);
		attn_softmax(score + r * LX_CHUNK, a->lo[r], a->hi[r], &m, &l);
		for (u32 i = lx_align_up(a->hi[r], LX_STRIP); i < a->max; i++)
			score[r * LX_CHUNK + i] = 0.0f;
		lx_memset(a->o[r], 0, s->hdv * sizeof(float));
		a->o[r][s->hdv] = m;
		a->o[r][s->hdv + 1] = l;
	}
	for (u32 i = 0; i < a->max; i += LX_PAGE) {
		const u8 *v = kv_head(s, pages, pos0 + i, head) +
			      s->v_offset, *next = v;

		if (i + LX_PAGE < a->max)
			next = kv_head(s, pages, pos0 + i + LX_PAGE, head) +
			       s->v_offset;
		attn_values(score + i, n, v, s->hdv,
			    lx_min(a->max - i, (u32)LX_PAGE), a->o, kv, next);
	}
}

INL void attn_by_rows(const struct lx_attn_shape *s, void *const *pages,
		      u32 head, u32 pos0, struct attn_rows *a, float *score,
		      u32 kv)
{
	switch (a->n) {
	case 1:
		attn_chunk(s, pages, head, pos0, a, 1, score, kv);
		break;
	case 4:
		attn_chunk(s, pages, head, pos0, a, 4, score, kv);
		break;
	case 8:
		attn_chunk(s, pages, head, pos0, a, 8, score, kv);
		break;
	}
}

static void attn_by_type(const struct lx_attn_shape *s, void *const *pages,
			 u32 head, u32 pos0, struct attn_rows *a, float *score)
{
	switch (s->kv_type) {
	case LX_KV_F16:
		attn_by_rows(s, pages, head, pos0, a, score, LX_KV_F16);
		break;
	case LX_KV_F32:
		attn_by_rows(s, pages, head, pos0, a, score, LX_KV_F32);
		break;
	case LX_KV_Q8_0:
		attn_by_rows(s, pages, head, pos0, a, score, LX_KV_Q8_0);
		break;
	case LX_KV_Q4_0:
		attn_by_rows(s, pages, head, pos0, a, score, LX_KV_Q4_0);
		break;
	}
}

static void attn_flush(const struct lx_op *op, const struct lx_attn_item *it,
		       u32 head, u32 pos0, struct attn_rows *a, float *score)
{
	const struct lx_attn_shape *s = op->attn.shape;
	u32 n = a->n;

	if (!n)
		return;
	/* Fill up to a size that is compiled: repeated rows do no harm. */
	a->n = n == 1 ? 1 : n <= 4 ? 4 : 8;
	for (u32 r = n; r < a->n; r++) {
		a->q[r] = a->q[0];
		a->o[r] = a->o[0];
		a->lo[r] = a->lo[0];
		a->hi[r] = a->hi[0];
	}
	attn_by_type(s, it->pages, head, pos0, a, score);
	a->n = 0;
	a->max = 0;
}

static float *attn_part(const struct lx_attn_shape *s, const void *part,
			u32 slot, u32 head, u32 chunk)
{
	size_t row = ((size_t)slot * s->n_head + head) * s->n_slots + chunk;

	return (float *)part + row * (s->hdv + LX_STRIP);
}

/* Tile: an item (tokens of one sequence) x a kv head x a chunk. */
static void tile_attn(const struct lx_op *op, u32 tile, void *scratch)
{
	const struct lx_attn_shape *s = op->attn.shape;
	u32 chunk = tile % op->attn.n_chunks, rest = tile / op->attn.n_chunks;
	u32 head = rest % s->n_head_kv;
	const struct lx_attn_item *it = op->attn.items + rest / s->n_head_kv;
	u32 pos0 = (op->attn.chunk0 + chunk) * LX_CHUNK;
	u32 window = op->attn.window;
	struct attn_rows a;

	a.n = 0;
	a.max = 0;
	for (u32 t = 0; t < it->n; t++) {
		u32 pos = it->pos0 + t, lo, hi;
		u32 first = window && pos >= window ? pos - window + 1 : 0;

		hi = pos + 1 > pos0 ? lx_min(pos + 1 - pos0, (u32)LX_CHUNK) : 0;
		lo = first > pos0 ? first - pos0 : 0;
		for (u32 g = 0; g < s->group; g++) {
			u32 h = head * s->group + g, slot = it->slot0 + t;
			float *o = attn_part(s, op->attn.part, slot, h, chunk);

			o[s->hdv + 1] = 0.0f;	/* l: nothing here */
			if (lo >= hi)
				continue;
			a.q[a.n] = (const float *)op->attn.q +
				   (size_t)slot * op->attn.ld_q + h * s->hd;
			a.o[a.n] = o;
			a.lo[a.n] = lo;
			a.hi[a.n] = hi;
			a.max = lx_max(a.max, hi);
			if (++a.n == ATTN_ROWS)
				attn_flush(op, it, head, pos0, &a, scratch);
		}
	}
	attn_flush(op, it, head, pos0, &a, scratch);
}

/* Fold one chunk into the running (m, l, o) of a head. */
static void attn_fold(float *st, const float *p, u32 hdv)
{
	float m, a, b;

	if (!(p[hdv + 1] > 0.0f))
		return;
	if (!(st[hdv + 1] > 0.0f)) {
		lx_memcpy(st, p, (hdv + 2) * sizeof(*p));
		return;
	}
	m = st[hdv] > p[hdv] ? st[hdv] : p[hdv];
	a = s_exp(st[hdv] - m);
	b = s_exp(p[hdv] - m);
	st[hdv] = m;
	st[hdv + 1] = st[hdv + 1] * a + p[hdv + 1] * b;
	for (u32 i = 0; i < hdv; i += VL)
		vf_store(st + i, vf_fma(vf_load(st + i), vf_set1(a),
					vf_mul(vf_load(p + i), vf_set1(b))));
}

/*
 * A sink takes part in the softmax of its head like a position whose value is
 * zero (Xiao et al., 2024; gpt-oss learns its score).
 */
static void attn_sink(float *st, float sink, u32 hdv)
{
	float m = st[hdv] > sink ? st[hdv] : sink, a = s_exp(st[hdv] - m);

	st[hdv + 1] = st[hdv + 1] * a + s_exp(sink - m);
	for (u32 i = 0; i < hdv; i += VL)
		vf_store(st + i, vf_mul(vf_load(st + i), vf_set1(a)));
}

/* Tile: slot. Folds the chunks of a round; at the end, o / l, quantized. */
static void tile_merge(const struct lx_op *op, u32 slot, void *scratch)
{
	const struct lx_attn_shape *s = op->merge.shape;
	const struct lx_act *a = &op->merge.act;
	float *state = (float *)op->merge.state +
		       (size_t)slot * s->n_head * (s->hdv + LX_STRIP);
	float *y = (float *)a->f + (size_t)slot * a->ld;

	for (u32 h = 0; h < s->n_head; h++, state += s->hdv + LX_STRIP) {
		float inv;

		if (op->merge.first)
			state[s->hdv + 1] = 0.0f;
		for (u32 c = 0; c < op->merge.n_chunks; c++)
			attn_fold(state, attn_part(s, op->merge.part, slot, h,
						   c), s->hdv);
		if (!op->merge.last)
			continue;
		if (op->merge.sinks)
			attn_sink(state, ((const float *)op->merge.sinks)[h],
				  s->hdv);
		inv = 1.0f / state[s->hdv + 1];
		for (u32 i = 0; i < s->hdv_real; i++)
			y[h * s->hdv_real + i] = state[i] * inv;
	}
	if (!op->merge.last)
		return;
	for (u32 i = a->cols; i < a->ld; i++)
		y[i] = 0.0f;
	if (a->q)
		quantize_row(y, a->cols, a->kp,
			     act_place(a, &op->merge.run, op->merge.t_max,
				       slot));
	(void)scratch;
}

#endif
