// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Text to tokens: special tokens are cut out first, what lies between them
 * goes to the SentencePiece or BPE tokenizer.
 */
#include "scratch.h"
#include "tokenizer.h"

#define TEXT_MAX (1u << 30)
#define TICK_BYTES 65536
#define WORDS_MAX 8192
#define SYMS_MIN 128
#define BUF_MIN 512

static void *get(struct lx_tok *t, size_t size)
{
	void *p = lx_scratch_get(t->host, size);

	if (!p)
		t->err = -LX_ENOMEM;
	return p;
}

static void put(struct lx_tok *t, void *p, size_t size)
{
	lx_scratch_put(t->host, p, size);
}

static void free_syms(struct lx_tok *t)
{
	put(t, t->sym, (size_t)t->n_sym * sizeof(*t->sym));
	put(t, t->tree, (size_t)t->n_sym * sizeof(*t->tree));
	t->sym = NULL;
	t->tree = NULL;
}

bool lx_tok_syms(struct lx_tok *t, size_t n)
{
	if (n <= t->n_sym)
		return true;
	free_syms(t);
	t->n_sym = (u32)lx_max(n + n / 2, (size_t)SYMS_MIN);
	t->sym = get(t, (size_t)t->n_sym * sizeof(*t->sym));
	t->tree = get(t, (size_t)t->n_sym * sizeof(*t->tree));
	if (t->sym && t->tree)
		return true;
	free_syms(t);
	t->n_sym = 0;
	return false;
}

bool lx_tok_buf(struct lx_tok *t, size_t n)
{
	if (n <= t->n_buf)
		return true;
	put(t, t->buf, t->n_buf);
	t->n_buf = lx_max(n + n / 2, (size_t)BUF_MIN);
	t->buf = get(t, t->n_buf);
	if (!t->buf)
		t->n_buf = 0;
	return t->buf != NULL;
}

bool lx_tok_poll(struct lx_tok *t)
{
	int ret = 0;

	t->next_tick = t->done + TICK_BYTES;
	if (t->host->ops->progress)
		ret = t->host->ops->progress(t->host, t->done, t->total);
	if (ret)
		t->err = ret;
	return !ret;
}

bool lx_word_find(struct lx_tok *t, const u8 *p, size_t n,
		  struct lx_word **slot)
{
	struct lx_word *w;

	if (!t->n_word || n > 64)
		return false;
	w = &t->word[lx_hash_bytes(p, n) & (t->n_word - 1)];
	*slot = w;
	if (w->n != n || lx_memcmp(w->p, p, n))
		return false;
	for (u32 i = 0; i < w->n_ids; i++)
		lx_tok_put(t, (u32)w->id[i]);
	return true;
}

void lx_word_store(struct lx_tok *t, struct lx_word *slot, const u8 *p,
		   size_t n, size_t from)
{
	size_t ids = t->n - from;

	if (!slot || t->err || ids > LX_WORD_IDS)
		return;
	slot->p = p;
	slot->n = (u32)n;
	slot->n_ids = (u32)ids;
	for (size_t i = 0; i < ids; i++)
		slot->id[i] = t->recent[(from + i) % 8];
}

/* A cache pays for itself once the text has some hundred words. */
static void make_cache(struct lx_tok *t, size_t n)
{
	u32 words = 256;

	if (n < 2048)
		return;
	while (words < WORDS_MAX && words < n / 16)
		words *= 2;
	t->word = lx_scratch_get(t->host, words * sizeof(*t->word));
	t->n_word = t->word ? words : 0;	/* works without, too */
}

static void release(struct lx_tok *t)
{
	free_syms(t);
	put(t, t->buf, t->n_buf);
	put(t, t->word, t->n_word * sizeof(*t->word));
}

/* The state that runs along the fragments. */
struct fragments {
	struct lx_tok *t;
	const u8 *p;
	bool space;	/* SPM: the next text gets the space prefix */
};

static void put_text(struct fragments *f, size_t from, size_t to)
{
	struct lx_tok *t = f->t;

	if (from >= to || t->err)
		return;
	t->done = from;
	if (t->v->model == LX_VOCAB_SPM)
		lx_tok_spm(t, f->p + from, to - from,
			   f->space && t->v->add_space);
	else
		lx_tok_bpe(t, f->p + from, to - from);
	f->space = false;
}

/* Text and special tokens in turn. */
static void put_fragments(struct fragments *f, const struct lx_cuts *cuts,
			  size_t n)
{
	const struct lx_vocab *v = f->t->v;
	size_t at = 0;

	for (size_t i = 0; i < cuts->n; i++) {
		u32 pos = (u32)(cuts->at[i] >> 32);
		u32 id = (u32)cuts->at[i];

		put_text(f, at, pos);
		lx_tok_put(f->t, id);
		f->space = true;
		at = pos + v->tok[id].len;
		if (v->tok[id].attr & LX_ATTR_RSTRIP)
			while (at < n && lx_is_space(f->p[at]) &&
			       (i + 1 == cuts->n || at < cuts->at[i + 1] >> 32))
				at++;
	}
	put_text(f, at, n);
}

static bool starts_with_bos(const struct lx_vocab *v,
			    const struct lx_cuts *cuts)
{
	return cuts->n && cuts->at[0] >> 32 == 0 &&
	       (s32)(u32)cuts->at[0] == v->bos;
}

s64 lx_tokenize_spans(const struct lx_vocab *v, const char *text, size_t n,
		      const struct lx_span *span, u32 n_spans, u32 flags,
		      s32 *out, size_t max)
{
	struct lx_tok t = { .v = v, .host = v->host, .out = out, .max = max,
			    .total = n };
	struct fragments f = { &t, (const u8 *)text,
			       !(flags & LX_TOK_CONTINUE) };
	struct lx_cuts cuts = { 0 };

	if (n > TEXT_MAX)
		return -LX_EMSGSIZE;
	t.err = lx_cuts_find(&cuts, v, f.p, n, span, n_spans);
	if (t.err)
		goto out;	/* there may be cuts that are not known */
	make_cache(&t, n);
	if ((flags & LX_TOK_BOS) && v->add_bos &&
	    !((flags & LX_TOK_ONE_BOS) && starts_with_bos(v, &cuts))) {
		lx_tok_put(&t, (u32)v->bos);
		f.space = true;
	}
	put_fragments(&f, &cuts, n);
	if ((flags & LX_TOK_EOS) && v->add_eos)
		lx_tok_put(&t, (u32)v->eos);
	release(&t);
out:
	lx_cuts_free(&cuts, v);
	return t.err ? t.err : (s64)t.n;
}

s64 lx_tokenize(const struct lx_vocab *v, const char *text, size_t n,
		u32 flags, s32 *out, size_t max)
{
	struct lx_span all = { n, (flags & LX_TOK_SPECIAL) != 0 };

	return lx_tokenize_spans(v, text, n, &all, 1, flags, out, max);
}
