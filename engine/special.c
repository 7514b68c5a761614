// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Cutting special and added tokens out of a text. The rule of the reference:
 * the longest token is looked for first in the whole text, then the next in
 * what is left, and so on. Here all candidates are found in one scan (texts
 * sorted, so each character narrows a range), counted into the order of that
 * rank, and taken when their place is still free. A text may be nothing but
 * candidates: every loop over it lets others run, and ends when it is to.
 */
#include "scratch.h"
#include "special.h"

#define TICK 65536		/* bytes or candidates between two looks around */
#define GONE (~0ull)

/* Now and then, as @i of something grows. Not 0: the host wants an end. */
static int look_around(const struct lx_vocab *v, size_t i, size_t n)
{
	if (i % TICK || !v->host->ops->progress)
		return 0;
	return v->host->ops->progress(v->host, i, n);
}

/* Bits for the bytes that belong to a token already. */
static bool taken(const u8 *map, size_t i)
{
	return map[i / 8] >> (i % 8) & 1;
}

struct scan {
	const struct lx_vocab *v;
	const u8 *p;
	size_t n;
	const struct lx_span *span;	/* the one that holds the position */
	u32 left;			/* spans from there on */
	u64 *out;			/* rank << 32 | position, or NULL */
	size_t found;
};

/*
 * Control tokens must lie in spans that allow them from the first byte to
 * the last.
 */
static bool allowed(const struct scan *s, size_t pos, u32 id)
{
	size_t end = pos + s->v->tok[id].len;

	if (!(s->v->tok[id].attr & LX_ATTR_SPECIAL))
		return true;
	for (u32 i = 0; i < s->left; i++) {
		if (!s->span[i].special)
			return false;
		if (end <= s->span[i].end)
			return true;
	}
	return false;
}

/* The first of special[lo..hi) whose byte at @depth is at least @c. */
static u32 bound(const struct lx_vocab *v, u32 lo, u32 hi, u32 depth, u32 c)
{
	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (lx_token_text(v, v->special[mid])[depth] < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The token special[@i] stands at @pos. */
static void candidate(struct scan *s, size_t pos, u32 i)
{
	if (!allowed(s, pos, s->v->special[i]))
		return;
	if (s->out)
		s->out[s->found] = (u64)s->v->special_rank[i] << 32 | pos;
	s->found++;
}

static void candidates_at(struct scan *s, size_t pos)
{
	const struct lx_vocab *v = s->v;
	u32 lo = v->special_first[s->p[pos]];
	u32 hi = v->special_first[s->p[pos] + 1];

	for (u32 depth = 1; lo < hi; depth++) {
		/* Those that end here are the first of the range. */
		while (lo < hi && v->tok[v->special[lo]].len == depth)
			candidate(s, pos, lo++);
		if (pos + depth >= s->n)
			return;
		hi = bound(v, lo, hi, depth, s->p[pos + depth] + 1u);
		lo = bound(v, lo, hi, depth, s->p[pos + depth]);
	}
}

static int scan_all(struct scan *s, const struct lx_span *span, u32 n_spans)
{
	const u32 *first = s->v->special_first;
	int r = 0;

	s->span = span;
	s->left = n_spans;
	s->found = 0;
	for (size_t pos = 0; pos < s->n && !r; pos++) {
		while (s->left && pos >= s->span->end) {
			s->span++;
			s->left--;
		}
		if (first[s->p[pos]] != first[s->p[pos] + 1])
			candidates_at(s, pos);
		r = look_around(s->v, pos, s->n);
	}
	return r;
}

/* What choosing takes, beside the candidates. */
struct choice {
	u32 *id;	/* [n_special] by rank, since ranks are 0 .. n - 1 */
	u32 *next;	/* [n_special] where the next one of a rank goes */
	u32 *order;	/* [n] candidates by rank, and by position in it */
	u8 *map;	/* a bit a byte of the text: it is taken */
	size_t n, map_size;
};

static bool get_choice(struct choice *ch, const struct lx_vocab *v, size_t n,
		       size_t text)
{
	ch->n = n;
	ch->map_size = text / 8 + 1;
	ch->id = lx_scratch_get(v->host, v->n_special * sizeof(*ch->id));
	ch->next = lx_scratch_get(v->host, v->n_special * sizeof(*ch->next));
	ch->order = lx_scratch_get(v->host, n * sizeof(*ch->order));
	ch->map = lx_scratch_get(v->host, ch->map_size);
	return ch->id && ch->next && ch->order && ch->map;
}

static void put_choice(struct choice *ch, const struct lx_vocab *v)
{
	lx_scratch_put(v->host, ch->id, v->n_special * sizeof(*ch->id));
	lx_scratch_put(v->host, ch->next, v->n_special * sizeof(*ch->next));
	lx_scratch_put(v->host, ch->order, ch->n * sizeof(*ch->order));
	lx_scratch_put(v->host, ch->map, ch->map_size);
}

/* Candidates are in the order of positions: counting keeps that in a rank. */
static int by_rank(struct choice *ch, const struct lx_vocab *v, const u64 *at)
{
	u32 sum = 0, n;
	int r = 0;

	for (u32 i = 0; i < v->n_special; i++) {
		ch->id[v->special_rank[i]] = v->special[i];
		ch->next[i] = 0;
	}
	for (size_t i = 0; i < ch->n && !r; i++) {
		ch->next[at[i] >> 32]++;
		r = look_around(v, i, ch->n);
	}
	for (u32 i = 0; i < v->n_special; i++) {
		n = ch->next[i];
		ch->next[i] = sum;
		sum += n;
	}
	for (size_t i = 0; i < ch->n && !r; i++) {
		ch->order[ch->next[at[i] >> 32]++] = (u32)i;
		r = look_around(v, i, ch->n);
	}
	return r;
}

/*
 * Take the candidate if it is free. What was taken is at least as long, so an
 * overlap shows at one of its ends.
 */
static u64 take(struct choice *ch, const struct lx_vocab *v, const u8 *p,
		size_t n, u64 at)
{
	u32 id = ch->id[at >> 32];
	size_t pos = (u32)at, end = pos + v->tok[id].len;

	if (taken(ch->map, pos) || taken(ch->map, end - 1))
		return GONE;
	if (v->tok[id].attr & LX_ATTR_RSTRIP)
		while (end < n && lx_is_space(p[end]) && !taken(ch->map, end))
			end++;
	for (size_t k = pos; k < end; k++)
		ch->map[k / 8] |= (u8)(1u << k % 8);
	return (u64)pos << 32 | id;
}

/* Those that are taken, in the order of positions. */
static int choose(struct lx_cuts *c, const struct lx_vocab *v, const u8 *p,
		  size_t n)
{
	struct choice ch = { 0 };
	size_t kept = 0;
	int r = -LX_ENOMEM;

	if (get_choice(&ch, v, c->n, n))
		r = by_rank(&ch, v, c->at);
	for (size_t i = 0; i < c->n && !r; i++) {
		u64 *at = &c->at[ch.order[i]];

		*at = take(&ch, v, p, n, *at);
		r = look_around(v, i, c->n);
	}
	for (size_t i = 0; i < c->n && !r; i++)
		if (c->at[i] != GONE)
			c->at[kept++] = c->at[i];
	c->n = kept;
	put_choice(&ch, v);
	return r;
}

int lx_cuts_find(struct lx_cuts *c, const struct lx_vocab *v, const u8 *p,
		 size_t n, const struct lx_span *span, u32 n_spans)
{
	struct scan s = { .v = v, .p = p, .n = n };
	int r = v->n_special ? scan_all(&s, span, n_spans) : 0;

	c->n = s.found;
	if (r || !c->n)
		return r;
	if (c->n > 0xffffffffu)
		return -LX_ENOMEM;
	c->size = c->n * sizeof(u64);
	c->at = lx_scratch_get(v->host, c->size);
	if (!c->at)
		return -LX_ENOMEM;
	s.out = c->at;
	r = scan_all(&s, span, n_spans);
	return r ? r : choose(c, v, p, n);
}

void lx_cuts_free(struct lx_cuts *c, const struct lx_vocab *v)
{
	lx_scratch_put(v->host, c->at, c->size);
	c->at = NULL;
}
