// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Greedy joining of neighbouring symbols, the heart of BPE and SentencePiece:
 * always the pair with the lowest key, the leftmost of equals. Short words
 * are scanned; long ones use a winner tree over the symbols, O(n log n) and
 * one entry per symbol whatever the text.
 */
#include "tokenizer.h"

#define SCAN_MAX 24		/* symbols up to which scanning is faster */
#define TICK_MERGES 8192

static void rekey_flat(struct lx_tok *t, u32 i, u32 n, lx_pair_fn pair)
{
	struct lx_sym *s = &t->sym[i];

	s->key = i + 1 < n ? pair(t, s, s + 1, &s->res) : LX_NO_KEY;
}

static u32 merge_flat(struct lx_tok *t, u32 n, lx_pair_fn pair)
{
	struct lx_sym *s = t->sym;

	for (u32 i = 0; i < n; i++)
		rekey_flat(t, i, n, pair);
	for (;;) {
		u32 best = 0;

		for (u32 i = 1; i < n; i++)
			if (s[i].key < s[best].key)
				best = i;
		if (s[best].key == LX_NO_KEY)
			return n;
		s[best].id = s[best].res;
		s[best].len += s[best + 1].len;
		n--;
		for (u32 i = best + 1; i < n; i++)
			s[i] = s[i + 1];
		rekey_flat(t, best, n, pair);
		if (best)
			rekey_flat(t, best - 1, n, pair);
	}
}

/*
 * Nodes 1 .. n-1 of the tree hold the index of the better symbol below them;
 * nodes n .. 2n-1 are the symbols themselves and are not stored.
 */
static u32 winner(const struct lx_tok *t, u32 n, u32 node)
{
	return node >= n ? node - n : t->tree[node];
}

static u32 better(const struct lx_tok *t, u32 a, u32 b)
{
	u32 ka = t->sym[a].key, kb = t->sym[b].key;

	if (ka != kb)
		return ka < kb ? a : b;
	return lx_min(a, b);
}

static void replay(struct lx_tok *t, u32 n, u32 i)
{
	for (u32 node = (i + n) / 2; node; node /= 2) {
		u32 w = better(t, winner(t, n, 2 * node),
			       winner(t, n, 2 * node + 1));

		if (t->tree[node] == w && w != i)
			return;	/* nothing above sees a difference */
		t->tree[node] = w;
	}
}

static void rekey(struct lx_tok *t, u32 n, u32 i, lx_pair_fn pair)
{
	struct lx_sym *s = &t->sym[i];

	s->key = s->next == LX_NO_KEY ? LX_NO_KEY :
		pair(t, s, &t->sym[s->next], &s->res);
	replay(t, n, i);
}

static void plant(struct lx_tok *t, u32 n, lx_pair_fn pair)
{
	struct lx_sym *s = t->sym;

	for (u32 i = 0; i < n; i++) {
		s[i].prev = i ? i - 1 : LX_NO_KEY;
		s[i].next = i + 1 < n ? i + 1 : LX_NO_KEY;
		s[i].key = i + 1 < n ? pair(t, &s[i], &s[i + 1], &s[i].res) :
				       LX_NO_KEY;
	}
	for (u32 node = n - 1; node; node--)
		t->tree[node] = better(t, winner(t, n, 2 * node),
				       winner(t, n, 2 * node + 1));
}

static void join(struct lx_tok *t, u32 n, u32 i, lx_pair_fn pair)
{
	struct lx_sym *s = &t->sym[i];
	struct lx_sym *gone = &t->sym[s->next];

	s->id = s->res;
	s->len += gone->len;
	gone->len = 0;
	gone->key = LX_NO_KEY;
	replay(t, n, s->next);
	s->next = gone->next;
	if (s->next != LX_NO_KEY)
		t->sym[s->next].prev = i;
	rekey(t, n, i, pair);
	if (s->prev != LX_NO_KEY)
		rekey(t, n, s->prev, pair);
}

static u32 merge_tree(struct lx_tok *t, u32 n, lx_pair_fn pair)
{
	u32 merges = 0, left = 0;

	plant(t, n, pair);
	for (;;) {
		u32 best = t->tree[1];

		if (t->sym[best].key == LX_NO_KEY)
			break;
		join(t, n, best, pair);
		if (++merges % TICK_MERGES == 0 && !lx_tok_poll(t))
			return 0;
	}
	for (u32 i = 0; i != LX_NO_KEY; i = t->sym[i].next)
		t->sym[left++] = t->sym[i];
	return left;
}

u32 lx_tok_merge(struct lx_tok *t, u32 n, lx_pair_fn pair)
{
	return n <= SCAN_MAX ? merge_flat(t, n, pair) : merge_tree(t, n, pair);
}
