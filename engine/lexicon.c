// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The vocabulary in order of its bytes: what follows a common begin lies
 * together, so that a walk over all tokens takes each begin once.
 */
#include "lexicon.h"
#include "sort.h"

static u32 mask_words(const struct lx_lexicon *x)
{
	return lx_div_up(x->n_vocab, 32u);
}

static bool less(const void *ctx, u32 a, u32 b)
{
	const struct lx_lexicon *x = ctx;
	u32 na = lx_lexicon_len(x, a), nb = lx_lexicon_len(x, b);
	int r = lx_memcmp(x->bytes + x->off[a], x->bytes + x->off[b],
			  lx_min(na, nb));

	if (r)
		return r < 0;
	return na != nb ? na < nb : a < b;
}

/* Control tokens give no text, so they are in no sentence. */
static u64 fill(struct lx_lexicon *x)
{
	u64 at = 0;

	for (u32 id = 0; id < x->n_vocab; id++) {
		char *to = x->bytes ? (char *)x->bytes + at : NULL;
		int n = lx_token_piece(x->vocab, (s32)id, false, to,
				       x->bytes ? x->n_bytes - at : 0);

		if (lx_token_is_eog(x->vocab, (s32)id) || n < 0 || n > 0xffff)
			n = 0;
		if (x->off) {
			x->off[id] = (u32)at;
			x->off[id + 1] = (u32)at + (u32)n;
		}
		if (n && x->id)
			x->id[x->n++] = id;
		x->max_len = lx_max(x->max_len, (u32)n);
		at += (u32)n;
	}
	return at;
}

static void share(struct lx_lexicon *x)
{
	for (u32 i = 1; i < x->n; i++) {
		const u8 *a = x->bytes + x->off[x->id[i - 1]];
		const u8 *b = x->bytes + x->off[x->id[i]];
		u32 n = lx_min(lx_lexicon_len(x, x->id[i - 1]),
			       lx_lexicon_len(x, x->id[i]));
		u32 k = 0;

		while (k < n && a[k] == b[k])
			k++;
		x->lcp[i] = (u16)k;
	}
}

static void *get(struct lx_lexicon *x, u64 n, size_t size)
{
	return x->host->ops->alloc(x->host, lx_max(n, 1ull) * size,
				   LX_MEM_CONTROL);
}

static void put(struct lx_lexicon *x, void *p, u64 n, size_t size)
{
	if (p)
		x->host->ops->free(x->host, p, lx_max(n, 1ull) * size,
				   LX_MEM_CONTROL);
}

u64 lx_lexicon_memory(const struct lx_vocab *v, u32 *max_len)
{
	struct lx_lexicon x = { .vocab = v, .n_vocab = lx_vocab_n_tokens(v) };
	u64 n = x.n_vocab;

	x.n_bytes = fill(&x);
	*max_len = x.max_len;
	return sizeof(x) + n * (sizeof(*x.id) + sizeof(*x.lcp)) +
	       (n + 1) * sizeof(*x.off) + mask_words(&x) * sizeof(*x.eog) +
	       x.n_bytes;
}

struct lx_lexicon *lx_lexicon_new(struct lx_host *h, const struct lx_vocab *v)
{
	struct lx_lexicon *x = h->ops->alloc(h, sizeof(*x), LX_MEM_CONTROL);

	if (!x)
		return NULL;
	x->host = h;
	x->vocab = v;
	x->n_vocab = lx_vocab_n_tokens(v);
	x->n_bytes = fill(x);
	x->id = get(x, x->n_vocab, sizeof(*x->id));
	x->off = get(x, x->n_vocab + 1ull, sizeof(*x->off));
	x->lcp = get(x, x->n_vocab, sizeof(*x->lcp));
	x->eog = get(x, mask_words(x), sizeof(*x->eog));
	x->bytes = x->id && x->off && x->lcp && x->eog ?
		   get(x, x->n_bytes, 1) : NULL;
	if (!x->bytes) {
		lx_lexicon_free(x);
		return NULL;
	}
	fill(x);
	lx_sort_index(x->id, x->n, less, x);
	share(x);
	for (u32 id = 0; id < x->n_vocab; id++)
		if (lx_token_is_eog(v, (s32)id))
			x->eog[id / 32] |= 1u << id % 32;
	return x;
}

void lx_lexicon_free(struct lx_lexicon *x)
{
	if (!x)
		return;
	put(x, x->id, x->n_vocab, sizeof(*x->id));
	put(x, x->off, x->n_vocab + 1ull, sizeof(*x->off));
	put(x, x->lcp, x->n_vocab, sizeof(*x->lcp));
	put(x, x->eog, mask_words(x), sizeof(*x->eog));
	put(x, x->bytes, x->n_bytes, 1);
	x->host->ops->free(x->host, x, sizeof(*x), LX_MEM_CONTROL);
}
