// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Tokens to text: the bytes of one token, and a stream of whole characters.
 */
#include "vocab_priv.h"
#include "unicode.h"

/* Bytes go to @buf while there is room; all are counted. */
struct bytes {
	char *buf;
	size_t max, n;
};

static void add(struct bytes *b, u8 c)
{
	if (b->n < b->max)
		b->buf[b->n] = (char)c;
	b->n++;
}

static void add_all(struct bytes *b, const u8 *p, u32 n)
{
	for (u32 i = 0; i < n; i++)
		add(b, p[i]);
}

static void add_spm(struct bytes *b, const u8 *p, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		if (n - i >= 3 && !lx_memcmp(p + i, "\xe2\x96\x81", 3)) {
			add(b, ' ');
			i += 2;
		} else {
			add(b, p[i]);
		}
	}
}

/* Characters that stand for no byte (not byte-level text) stay themselves. */
static void add_bpe(struct bytes *b, const u8 *p, u32 n)
{
	u32 len, cp;

	for (u32 i = 0; i < n; i += len) {
		int byte;

		len = lx_utf8_decode(p + i, n - i, &cp);
		byte = lx_char_to_byte(cp);
		if (byte < 0)
			add_all(b, p + i, len);
		else
			add(b, (u8)byte);
	}
}

static u8 hex_digit(u8 c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

int lx_token_piece(const struct lx_vocab *v, s32 id, bool special, char *buf,
		   size_t max)
{
	struct bytes b = { buf, max, 0 };
	const struct lx_token *t;
	const u8 *p;

	if (id < 0 || (u32)id >= v->n_tok)
		return -LX_EINVAL;
	t = &v->tok[id];
	p = lx_token_text(v, (u32)id);
	if (t->attr & LX_ATTR_SPECIAL) {
		if (special || (t->attr & LX_ATTR_SHOWN))
			add_all(&b, p, t->len);
	} else if (t->attr & LX_ATTR_USER) {
		add_all(&b, p, t->len);
	} else if (t->attr & LX_ATTR_BYTE) {
		/* vocab.c checked the form <0xHH> */
		add(&b, (u8)(hex_digit(p[3]) << 4 | hex_digit(p[4])));
	} else if (t->attr & LX_ATTR_NORMAL) {
		if (v->model == LX_VOCAB_SPM)
			add_spm(&b, p, t->len);
		else
			add_bpe(&b, p, t->len);
	}
	return (int)b.n;
}

static size_t put_replacement(char *out)
{
	lx_memcpy(out, "\xef\xbf\xbd", 3);
	return 3;
}

/* Move whole characters from @in to @out; what is not whole waits. */
static size_t put_chars(struct lx_detok *d, const u8 *in, size_t n, char *out)
{
	size_t o = 0, i = 0;

	while (i < n) {
		int len = lx_utf8_check(in + i, n - i);

		if (!len)
			break;
		if (len > 0) {
			lx_memcpy(out + o, in + i, (size_t)len);
			o += (size_t)len;
			i += (size_t)len;
		} else {
			o += put_replacement(out + o);
			i += (size_t)-len;
		}
	}
	d->n_pend = (u8)(n - i);
	lx_memcpy(d->pend, in + i, n - i);
	return o;
}

/* The end of @in joined to what waits, one byte at a time until it is whole. */
static size_t finish_pending(struct lx_detok *d, const u8 *in, size_t n,
			     size_t *used, char *out)
{
	u8 buf[8];
	size_t o = 0;

	*used = 0;
	while (d->n_pend && *used < n) {
		u32 k = d->n_pend;

		lx_memcpy(buf, d->pend, k);
		buf[k] = in[(*used)++];
		o += put_chars(d, buf, k + 1, out + o);
	}
	return o;
}

size_t lx_detok_push(struct lx_detok *d, const struct lx_vocab *v, s32 id,
		     bool special, char *out, size_t max)
{
	size_t need = v->max_piece, used, o;
	u8 *piece;
	int n;

	/* The piece waits at the end of @out, where writing never reaches it. */
	if (max < 3 * (need + 4))
		return 0;
	piece = (u8 *)out + max - need;
	n = lx_token_piece(v, id, special, (char *)piece, need);
	if (n <= 0)
		return 0;
	if (d->strip && !d->started && piece[0] == ' ') {
		piece++;
		n--;
	}
	d->started = true;
	o = finish_pending(d, piece, (size_t)n, &used, out);
	if (used < (size_t)n)
		o += put_chars(d, piece + used, (size_t)n - used, out + o);
	return o;
}

size_t lx_detok_flush(struct lx_detok *d, char *out, size_t max)
{
	if (!d->n_pend || max < 3)
		return 0;
	d->n_pend = 0;
	return put_replacement(out);
}
