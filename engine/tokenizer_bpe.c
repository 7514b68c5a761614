// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Byte-level BPE (GPT-2 and kin): text is cut into words, the bytes of a word
 * are joined by rank. Every byte is one symbol, so ids suffice and the
 * byte-to-character map is needed only at load.
 */
#include "tokenizer.h"
#include "unicode.h"

static u32 pair_key(const struct lx_tok *t, const struct lx_sym *a,
		    const struct lx_sym *b, u32 *res)
{
	const struct lx_merge_rule *r = lx_vocab_rule(t->v, a->id, b->id);

	if (!r)
		return LX_NO_KEY;
	*res = r->result;
	return r->rank;
}

/* The id of the whole word, written as the vocabulary writes it. */
static u32 whole_word(struct lx_tok *t, const u8 *p, size_t n)
{
	size_t len = 0;

	/* A character of the map has at most 2 bytes, a token 65535. */
	if (n > 65535 || !lx_tok_buf(t, 2 * n))
		return LX_NO_TOKEN;
	for (size_t i = 0; i < n; i++)
		len += lx_utf8_encode(lx_byte_to_char(p[i]), t->buf + len);
	return lx_vocab_lookup(t->v, t->buf, len);
}

static void put_word(struct lx_tok *t, const u8 *p, size_t n)
{
	u32 k;

	if (t->v->pre->ignore_merges) {
		u32 id = whole_word(t, p, n);

		if (id != LX_NO_TOKEN) {
			lx_tok_put(t, id);
			return;
		}
	}
	if (!lx_tok_syms(t, n))
		return;
	for (size_t i = 0; i < n; i++) {
		t->sym[i].id = t->v->byte_id[p[i]];
		t->sym[i].off = (u32)i;
		t->sym[i].len = 1;
	}
	k = lx_tok_merge(t, (u32)n, pair_key);
	/* A byte the vocabulary lacks is dropped, as in the reference. */
	for (u32 i = 0; i < k; i++)
		if (t->sym[i].id != LX_NO_TOKEN)
			lx_tok_put(t, t->sym[i].id);
}

void lx_tok_bpe(struct lx_tok *t, const u8 *p, size_t n)
{
	u64 base = t->done;
	struct lx_pre_walk w;
	size_t i = 0, end;

	lx_pre_start(&w, t->v->pre, p, 0, n);
	for (; !t->err && (end = lx_pre_next(&w)); i = end) {
		struct lx_word *slot = NULL;
		size_t from = t->n;

		if (!lx_tok_tick(t, base + i))
			return;
		if (lx_word_find(t, p + i, end - i, &slot))
			continue;
		put_word(t, p + i, end - i);
		lx_word_store(t, slot, p + i, end - i, from);
	}
}
