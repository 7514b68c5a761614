/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the tokenizers share: working memory of one call, output, merging. */
#ifndef LX_TOKENIZER_H
#define LX_TOKENIZER_H

#include "special.h"
#include "vocab_priv.h"

#define LX_NO_KEY 0xffffffffu
#define LX_WORD_IDS 6

/* A piece of a word that is being put together from characters. */
struct lx_sym {
	u32 id;		/* or LX_NO_TOKEN */
	u32 off, len;	/* SPM: its bytes in the word; BPE: byte value in off */
	u32 prev, next;	/* neighbours, LX_NO_KEY at the ends */
	u32 key;	/* of joining it with the next one, LX_NO_KEY when not */
	u32 res;	/* the id that this would give */
};

/* A word that was seen before in this call, and its ids. */
struct lx_word {
	const u8 *p;
	u32 n;
	u32 n_ids;
	s32 id[LX_WORD_IDS];
};

struct lx_tok {
	const struct lx_vocab *v;
	struct lx_host *host;
	int err;		/* the first error; work stops soon after */
	s32 *out;
	size_t max;
	size_t n;		/* ids so far, those beyond @max included */
	struct lx_sym *sym;	/* room for n_sym symbols ... */
	u32 *tree;		/* ... and the tree over them */
	u32 n_sym;
	u8 *buf;		/* scratch for one word's bytes */
	size_t n_buf;
	struct lx_word *word;	/* cache, a power of two or none */
	u32 n_word;
	u64 done, total;	/* bytes, for the host's progress call */
	u64 next_tick;
	s32 recent[8];		/* the last ids, by t->n % 8 */
};

/* Keys of joining @a with its right neighbour @b: lower first, then left. */
typedef u32 (*lx_pair_fn)(const struct lx_tok *t, const struct lx_sym *a,
			  const struct lx_sym *b, u32 *res);

/* Room for @n symbols in t->sym; false (and t->err) when there is none. */
bool lx_tok_syms(struct lx_tok *t, size_t n);
/* Room for @n bytes in t->buf. */
bool lx_tok_buf(struct lx_tok *t, size_t n);
/* Tell the host how far it is; false when it wants the work to end. */
bool lx_tok_poll(struct lx_tok *t);

/*
 * Join the @n symbols in t->sym (id, off, len are set) until no pair has a
 * key. Returns how many are left, at the front of t->sym in order.
 */
u32 lx_tok_merge(struct lx_tok *t, u32 n, lx_pair_fn pair);

static inline void lx_tok_put(struct lx_tok *t, u32 id)
{
	t->recent[t->n % 8] = (s32)id;
	if (t->n < t->max)
		t->out[t->n] = (s32)id;
	t->n++;
}

/* The same now and then: @done bytes of the text are behind. */
static inline bool lx_tok_tick(struct lx_tok *t, u64 done)
{
	t->done = done;
	return done < t->next_tick || lx_tok_poll(t);
}

/*
 * Write the ids of a word that is in the cache, or return false with *@slot
 * set to where lx_word_store() may keep them (NULL when there is no cache).
 */
bool lx_word_find(struct lx_tok *t, const u8 *p, size_t n,
		  struct lx_word **slot);
/* The ids since output position @from are those of the word. */
void lx_word_store(struct lx_tok *t, struct lx_word *slot, const u8 *p,
		   size_t n, size_t from);

/* One fragment of text without special tokens. */
void lx_tok_spm(struct lx_tok *t, const u8 *p, size_t n, bool space);
void lx_tok_bpe(struct lx_tok *t, const u8 *p, size_t n);

#endif
