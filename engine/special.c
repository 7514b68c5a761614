// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Cutting special and added tokens out of a text. The rule of the reference:
 * the longest token is looked for first in the whole text, then the next in
 * what is left, and so on. Here all candidates are found in one scan (texts
 * sorted, so each character narrows a range), ordered by that rank, and taken
 * when their place is still free.
 */
#include "special.h"
#include "sort.h"

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

static size_t scan_all(struct scan *s, const struct lx_span *span, u32 n_spans)
{
	const u32 *first = s->v->special_first;

	s->span = span;
	s->left = n_spans;
	s->found = 0;
	for (size_t pos = 0; pos < s->n; pos++) {
		while (s->left && pos >= s->span->end) {
			s->span++;
			s->left--;
		}
		if (first[s->p[pos]] != first[s->p[pos] + 1])
			candidates_at(s, pos);
	}
	return s->found;
}

/* Special tokens by rank: an array of ids, since ranks are 0 .. n-1. */
static int by_rank(const struct lx_vocab *v, u32 **out)
{
	u32 *id = v->host->ops->alloc(v->host, v->n_special * sizeof(u32),
				      LX_MEM_SCRATCH);

	*out = id;
	if (!id)
		return -LX_ENOMEM;
	for (u32 i = 0; i < v->n_special; i++)
		id[v->special_rank[i]] = v->special[i];
	return 0;
}

/*
 * Take the candidates in order of rank. What was taken is at least as long
 * as the candidate, so an overlap shows at one of its ends.
 */
static void take(struct lx_cuts *c, const struct lx_vocab *v, const u32 *ids,
		 const u8 *p, size_t n, u8 *map)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++) {
		u32 id = ids[c->at[i] >> 32];
		size_t pos = (u32)c->at[i], end = pos + v->tok[id].len;

		if (taken(map, pos) || taken(map, end - 1))
			continue;
		if (v->tok[id].attr & LX_ATTR_RSTRIP)
			while (end < n && lx_is_space(p[end]) && !taken(map, end))
				end++;
		for (size_t k = pos; k < end; k++)
			map[k / 8] |= (u8)(1u << k % 8);
		c->at[kept++] = (u64)pos << 32 | id;
	}
	c->n = kept;
}

static int choose(struct lx_cuts *c, const struct lx_vocab *v, const u8 *p,
		  size_t n)
{
	size_t map_size = n / 8 + 1;
	u8 *map = v->host->ops->alloc(v->host, map_size, LX_MEM_SCRATCH);
	u32 *ids = NULL;
	int ret = map ? by_rank(v, &ids) : -LX_ENOMEM;

	if (!ret) {
		lx_sort_u64(c->at, c->n);
		take(c, v, ids, p, n, map);
		lx_sort_u64(c->at, c->n);
		v->host->ops->free(v->host, ids, v->n_special * sizeof(u32),
				   LX_MEM_SCRATCH);
	}
	if (map)
		v->host->ops->free(v->host, map, map_size, LX_MEM_SCRATCH);
	return ret;
}

int lx_cuts_find(struct lx_cuts *c, const struct lx_vocab *v, const u8 *p,
		 size_t n, const struct lx_span *span, u32 n_spans)
{
	struct scan s = { .v = v, .p = p, .n = n };

	c->n = v->n_special ? scan_all(&s, span, n_spans) : 0;
	if (!c->n)
		return 0;
	c->size = c->n * sizeof(u64);
	c->at = v->host->ops->alloc(v->host, c->size, LX_MEM_SCRATCH);
	if (!c->at)
		return -LX_ENOMEM;
	s.out = c->at;
	scan_all(&s, span, n_spans);
	return choose(c, v, p, n);
}

void lx_cuts_free(struct lx_cuts *c, const struct lx_vocab *v)
{
	if (c->at)
		v->host->ops->free(v->host, c->at, c->size, LX_MEM_SCRATCH);
	c->at = NULL;
}
