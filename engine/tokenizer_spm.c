// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * SentencePiece (BPE with scores): spaces become U+2581, characters are
 * joined by the best score of the result, what is no token becomes bytes.
 */
#include "tokenizer.h"
#include "unicode.h"

#define SPACE "\xe2\x96\x81"	/* U+2581 */

static u32 pair_key(const struct lx_tok *t, const struct lx_sym *a,
		    const struct lx_sym *b, u32 *res)
{
	size_t n = (size_t)a->len + b->len;

	if (n > t->v->max_piece)
		return LX_NO_KEY;
	*res = lx_vocab_lookup(t->v, t->buf + a->off, n);
	return *res == LX_NO_TOKEN ? LX_NO_KEY : t->v->score[*res];
}

static void put_bytes(struct lx_tok *t, const u8 *p, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		u32 id = t->v->byte_id[p[i]];

		if (id == LX_NO_TOKEN && t->v->unk >= 0)
			id = (u32)t->v->unk;
		if (id != LX_NO_TOKEN)
			lx_tok_put(t, id);
	}
}

/* A word into t->buf with its spaces escaped; returns the length. */
static size_t escape(struct lx_tok *t, const u8 *p, size_t n, bool space)
{
	u8 *d;

	if (!lx_tok_buf(t, 3 * (n + space)))
		return 0;
	d = t->buf;
	if (space) {
		lx_memcpy(d, SPACE, 3);
		d += 3;
	}
	for (size_t i = 0; i < n; i++) {
		if (p[i] == ' ') {
			lx_memcpy(d, SPACE, 3);
			d += 3;
		} else {
			*d++ = p[i];
		}
	}
	return (size_t)(d - t->buf);
}

static u32 split_chars(struct lx_tok *t, size_t n)
{
	u32 k = 0, cp;

	if (!lx_tok_syms(t, n))
		return 0;
	for (size_t i = 0; i < n; k++) {
		struct lx_sym *s = &t->sym[k];

		s->off = (u32)i;
		s->len = lx_utf8_decode(t->buf + i, n - i, &cp);
		s->id = LX_NO_TOKEN;
		i += s->len;
	}
	return k;
}

static void put_word(struct lx_tok *t, const u8 *p, size_t n, bool space)
{
	size_t len = escape(t, p, n, space);
	u32 k = len ? split_chars(t, len) : 0;

	if (!k)
		return;
	k = lx_tok_merge(t, k, pair_key);
	for (u32 i = 0; i < k; i++) {
		const struct lx_sym *s = &t->sym[i];
		u32 id = s->id;

		if (id == LX_NO_TOKEN)	/* a single character */
			id = lx_vocab_lookup(t->v, t->buf + s->off, s->len);
		if (id == LX_NO_TOKEN)
			put_bytes(t, t->buf + s->off, s->len);
		else
			lx_tok_put(t, id);
	}
}

/*
 * The end of the word that begins at @i: before the next space that follows
 * something else, U+2581 in the text counting as a space too.
 */
static size_t word_end(const u8 *p, size_t i, size_t n)
{
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n; i++)
		if (p[i] == ' ' && p[i - 1] != ' ' &&
		    !(i >= 3 && !lx_memcmp(p + i - 3, SPACE, 3)))
			return i;
	return n;
}

void lx_tok_spm(struct lx_tok *t, const u8 *p, size_t n, bool space)
{
	u64 base = t->done;
	size_t end;

	for (size_t i = 0; i < n && !t->err; i = end, space = false) {
		struct lx_word *slot = NULL;
		size_t from = t->n;

		end = t->v->cut_words ? word_end(p, i, n) : n;
		if (!lx_tok_tick(t, base + i))
			return;
		if (!space && lx_word_find(t, p + i, end - i, &slot))
			continue;
		put_word(t, p + i, end - i, space);
		lx_word_store(t, slot, p + i, end - i, from);
	}
}
