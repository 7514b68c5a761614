// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Vocabularies: reading tokenizer.ggml.* and answering questions about
 * tokens. Texts stay in the GGUF header.
 */
#include "vocab_priv.h"
#include "unicode.h"

#define TOKENS_MAX (1u << 24)
#define TOKEN_TEXT_MAX 65535

/* The types of tokenizer.ggml.token_type. */
static const u16 type_attr[] = {
	[0] = 0,			/* undefined */
	[1] = LX_ATTR_NORMAL,
	[2] = LX_ATTR_UNKNOWN,
	[3] = LX_ATTR_CONTROL,
	[4] = LX_ATTR_USER,
	[5] = LX_ATTR_UNUSED,
	[6] = LX_ATTR_BYTE,
};

void *lx_vocab_alloc(struct lx_vocab *v, u64 size, struct lx_error *err)
{
	void *p = size == (size_t)size ?
		v->host->ops->alloc(v->host, (size_t)size, LX_MEM_CONTROL) :
		NULL;

	if (p)
		v->memory += size;
	else
		lx_fail(err, -LX_ENOMEM,
			"no memory for the vocabulary (%llu bytes)", size);
	return p;
}

static u64 load64(const u8 *p)
{
	u64 x;

	__builtin_memcpy(&x, p, 8);
	return x;
}

static u32 load32(const u8 *p)
{
	u32 x;

	__builtin_memcpy(&x, p, 4);
	return x;
}

static u64 mix(u64 h, u64 x)
{
	h = (h ^ x) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

/* Low bits of a product know nothing of the last bytes; the high ones do. */
static u32 last_mix(u64 h)
{
	return (u32)(h * 0x9e3779b97f4a7c15ull >> 32);
}

/* The last 8 bytes overlap what went before when @n is no multiple of 8. */
u32 lx_hash_bytes(const u8 *p, size_t n)
{
	u64 h = mix(0x243f6a8885a308d3ull, n);

	if (n >= 8) {
		for (size_t i = 0; i + 8 < n; i += 8)
			h = mix(h, load64(p + i));
		h = mix(h, load64(p + n - 8));
	} else if (n >= 4) {
		h = mix(h, load32(p) | (u64)load32(p + n - 4) << 32);
	} else if (n) {
		h = mix(h, p[0] | (u32)p[n / 2] << 8 | (u32)p[n - 1] << 16);
	}
	return last_mix(h);
}

u32 lx_vocab_lookup(const struct lx_vocab *v, const u8 *p, size_t n)
{
	u32 i = lx_hash_bytes(p, n) & v->hash_mask;
	u32 id;

	for (; (id = v->hash[i]) != LX_NO_TOKEN; i = (i + 1) & v->hash_mask)
		if (v->tok[id].len == n && !lx_memcmp(lx_token_text(v, id), p, n))
			return id;
	return LX_NO_TOKEN;
}

/* The last of several tokens with one text is found, as in the reference. */
static void hash_insert(struct lx_vocab *v, u32 id)
{
	const u8 *p = lx_token_text(v, id);
	size_t n = v->tok[id].len;
	u32 i = lx_hash_bytes(p, n) & v->hash_mask;
	u32 old;

	for (; (old = v->hash[i]) != LX_NO_TOKEN; i = (i + 1) & v->hash_mask)
		if (v->tok[old].len == n &&
		    !lx_memcmp(lx_token_text(v, old), p, n))
			break;
	v->hash[i] = id;
}

static int build_hash(struct lx_vocab *v, struct lx_error *err)
{
	u32 size = 16;

	while (size < v->n_tok + v->n_tok / 2)
		size *= 2;
	v->hash = lx_vocab_alloc(v, (u64)size * sizeof(u32), err);
	if (!v->hash)
		return -LX_ENOMEM;
	v->hash_mask = size - 1;
	for (u32 i = 0; i < size; i++)
		v->hash[i] = LX_NO_TOKEN;
	for (u32 id = 0; id < v->n_tok; id++)
		if (v->tok[id].len)
			hash_insert(v, id);
	return 0;
}

/* An array of @elem type with one element per token; NULL and 0 when absent. */
static int find_array(const struct lx_vocab *v, const struct lx_gguf *g,
		      const char *key, u32 elem, const struct lx_gguf_kv **out,
		      struct lx_error *err)
{
	const struct lx_gguf_kv *kv = lx_gguf_find(g, key);

	*out = kv;
	if (!kv)
		return 0;
	if (kv->type != LX_GGUF_ARRAY || kv->elem_type != elem)
		return lx_fail(err, -LX_EBADMSG,
			       "key '%s' is an array of the wrong type", key);
	if (v->n_tok && kv->count != v->n_tok)
		return lx_fail(err, -LX_EBADMSG,
			       "key '%s' has %llu elements for %u tokens", key,
			       kv->count, v->n_tok);
	return 0;
}

static int load_texts(struct lx_vocab *v, const struct lx_gguf *g,
		      struct lx_error *err)
{
	static const char key[] = "tokenizer.ggml.tokens";
	const struct lx_gguf_kv *kv;
	u64 pos = 0;
	int ret = find_array(v, g, key, LX_GGUF_STRING, &kv, err);

	if (ret)
		return ret;
	if (!kv || !kv->count || kv->count > TOKENS_MAX)
		return lx_fail(err, -LX_EBADMSG, "key '%s' has %llu tokens",
			       key, kv ? kv->count : 0);
	v->tok = lx_vocab_alloc(v, kv->count * sizeof(*v->tok), err);
	if (!v->tok)
		return -LX_ENOMEM;
	v->n_tok = (u32)kv->count;
	v->text = kv->data;
	for (u32 id = 0; id < v->n_tok; id++) {
		struct lx_str s = lx_gguf_next_str(kv, &pos);

		if (s.n > TOKEN_TEXT_MAX)
			return lx_fail(err, -LX_EBADMSG,
				       "key '%s': token %u has %u bytes", key,
				       id, s.n);
		v->tok[id].off = (u32)((const u8 *)s.p - v->text);
		v->tok[id].len = (u16)s.n;
		v->max_piece = lx_max(v->max_piece, s.n);
	}
	return 0;
}

static int hex_digit(u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of a text like "<0x0A>", or -1. */
static int byte_of(const u8 *p, u32 n)
{
	if (n != 6 || lx_memcmp(p, "<0x", 3) || p[5] != '>' ||
	    hex_digit(p[3]) < 0 || hex_digit(p[4]) < 0)
		return -1;
	return hex_digit(p[3]) << 4 | hex_digit(p[4]);
}

static int load_types(struct lx_vocab *v, const struct lx_gguf *g,
		      struct lx_error *err)
{
	static const char key[] = "tokenizer.ggml.token_type";
	const struct lx_gguf_kv *kv;
	int ret = find_array(v, g, key, LX_GGUF_I32, &kv, err);

	if (ret)
		return ret;
	for (u32 id = 0; id < v->n_tok; id++) {
		struct lx_token *t = &v->tok[id];
		u64 type = kv ? lx_gguf_elem(kv, id) : 1;

		if (type >= LX_ARRAY_SIZE(type_attr))
			return lx_fail(err, -LX_EBADMSG,
				       "key '%s': token %u has type %lld", key,
				       id, (s64)type);
		t->attr = type_attr[type];
		if (t->attr == LX_ATTR_BYTE &&
		    byte_of(lx_token_text(v, id), t->len) < 0)
			return lx_fail(err, -LX_EBADMSG,
				       "byte token %u ('%.*s') names no byte",
				       id, (int)lx_min(t->len, 32), lx_token_text(v, id));
	}
	return 0;
}

/* f32 bits, higher is better, to a key of which lower is better. */
static u32 score_key(u32 bits)
{
	if (bits == 0x80000000)	/* -0 is 0 */
		bits = 0;
	return bits >> 31 ? bits : ~(bits | 0x80000000);
}

/* SentencePiece needs them; BPE files may carry them unused. */
static int load_scores(struct lx_vocab *v, const struct lx_gguf *g,
		       struct lx_error *err)
{
	static const char key[] = "tokenizer.ggml.scores";
	const struct lx_gguf_kv *kv;
	int ret = find_array(v, g, key, LX_GGUF_F32, &kv, err);

	if (ret || v->model != LX_VOCAB_SPM)
		return ret;
	if (!kv)
		return lx_fail(err, -LX_EBADMSG, "key '%s' is missing", key);
	v->score = lx_vocab_alloc(v, (u64)v->n_tok * sizeof(u32), err);
	if (!v->score)
		return -LX_ENOMEM;
	for (u32 id = 0; id < v->n_tok; id++) {
		u32 bits = (u32)lx_gguf_elem(kv, id);

		if ((bits & 0x7fffffff) > 0x7f800000)
			return lx_fail(err, -LX_EBADMSG,
				       "key '%s': the score of token %u is not a number",
				       key, id);
		v->score[id] = score_key(bits);
	}
	return 0;
}

/* What a byte becomes when nothing longer fits. */
static void load_bytes(struct lx_vocab *v)
{
	static const char hex[] = "0123456789ABCDEF";
	u8 text[6] = { '<', '0', 'x', 0, 0, '>' };

	for (u32 b = 0; b < 256; b++) {
		u8 raw[4] = { (u8)b };

		if (v->model == LX_VOCAB_BPE) {
			v->byte_id[b] = lx_vocab_lookup(v, raw,
				lx_utf8_encode(lx_byte_to_char((u8)b), raw));
			continue;
		}
		text[3] = (u8)hex[b >> 4];
		text[4] = (u8)hex[b & 15];
		v->byte_id[b] = lx_vocab_lookup(v, text, 6);
		if (v->byte_id[b] == LX_NO_TOKEN)
			v->byte_id[b] = lx_vocab_lookup(v, raw, 1);
	}
}

/*
 * True when no token has a word begin (U+2581) after anything else: then no
 * merge crosses from a word into the next and text can be cut there.
 */
static bool words_are_apart(const struct lx_vocab *v)
{
	for (u32 id = 0; id < v->n_tok; id++) {
		const u8 *p = lx_token_text(v, id);
		bool inside = false;

		for (u32 i = 0; i < v->tok[id].len; i++) {
			bool space = i + 3 <= v->tok[id].len &&
				     !lx_memcmp(p + i, "\xe2\x96\x81", 3);

			if (space && inside)
				return false;
			inside = !space;
			i += space ? 2 : 0;
		}
	}
	return true;
}

static int load_model(struct lx_vocab *v, const struct lx_gguf *g,
		      struct lx_error *err)
{
	struct lx_str model, pre = { "default", 7 };
	int ret = lx_gguf_get_str(g, "tokenizer.ggml.model", &model, err);

	if (!ret)
		return lx_fail(err, -LX_EBADMSG,
			       "key 'tokenizer.ggml.model' is missing");
	if (ret > 0)
		ret = lx_gguf_get_str(g, "tokenizer.ggml.pre", &pre, err);
	if (ret < 0)
		return ret;
	if (lx_str_eq(model, "llama")) {
		v->model = LX_VOCAB_SPM;
		v->add_space = true;
		v->add_bos = true;
		lx_format(v->kind, sizeof(v->kind), "spm");
		return 0;
	}
	if (!lx_str_eq(model, "gpt2"))
		return lx_fail(err, -LX_ENOPKG,
			       "tokenizer.ggml.model '%.*s' is not supported",
			       (int)lx_min(model.n, 32u), model.p);
	v->model = LX_VOCAB_BPE;
	v->pre = lx_pre_find(pre.n ? pre : (struct lx_str){ "default", 7 });
	if (!v->pre)
		return lx_fail(err, -LX_ENOPKG,
			       "tokenizer.ggml.pre '%.*s' is not supported",
			       (int)lx_min(pre.n, 64u), pre.p);
	v->add_bos = v->pre->add_bos;
	lx_format(v->kind, sizeof(v->kind), "bpe %s", v->pre->name);
	return 0;
}

static int load_all(struct lx_vocab *v, const struct lx_gguf *g,
		    struct lx_error *err)
{
	int ret = load_model(v, g, err);

	if (!ret)
		ret = load_texts(v, g, err);
	if (!ret)
		ret = load_types(v, g, err);
	if (!ret)
		ret = load_scores(v, g, err);
	if (!ret)
		ret = build_hash(v, err);
	if (ret)
		return ret;
	load_bytes(v);
	if (v->model == LX_VOCAB_BPE)
		ret = lx_vocab_load_merges(v, g, err);
	else
		v->cut_words = words_are_apart(v);
	if (!ret)
		ret = lx_vocab_load_special(v, g, err);
	return ret;
}

int lx_vocab_load(struct lx_host *host, const struct lx_gguf *g,
		  struct lx_vocab **out, struct lx_error *err)
{
	struct lx_vocab *v;
	int ret;

	*out = NULL;
	v = host->ops->alloc(host, sizeof(*v), LX_MEM_CONTROL);
	if (!v)
		return lx_fail(err, -LX_ENOMEM, "no memory for a vocabulary");
	v->host = host;
	v->memory = sizeof(*v);
	v->bos = v->eos = v->eot = v->eom = v->unk = -1;
	ret = load_all(v, g, err);
	if (ret) {
		lx_vocab_free(v);
		return ret;
	}
	*out = v;
	return 0;
}

static void free_array(struct lx_vocab *v, void *p, u64 n, size_t size)
{
	if (p)
		v->host->ops->free(v->host, p, (size_t)n * size,
				   LX_MEM_CONTROL);
}

void lx_vocab_free(struct lx_vocab *v)
{
	if (!v)
		return;
	free_array(v, v->tok, v->n_tok, sizeof(*v->tok));
	free_array(v, v->score, v->n_tok, sizeof(u32));
	free_array(v, v->hash, (u64)v->hash_mask + 1, sizeof(u32));
	free_array(v, v->rule, (u64)v->rule_mask + 1, sizeof(*v->rule));
	free_array(v, v->special, v->n_special, sizeof(u32));
	free_array(v, v->special_rank, v->n_special, sizeof(u32));
	v->host->ops->free(v->host, v, sizeof(*v), LX_MEM_CONTROL);
}

u32 lx_vocab_n_tokens(const struct lx_vocab *v)
{
	return v->n_tok;
}

u64 lx_vocab_memory(const struct lx_vocab *v)
{
	return v->memory;
}

const char *lx_vocab_kind(const struct lx_vocab *v)
{
	return v->kind;
}

u32 lx_vocab_max_piece(const struct lx_vocab *v)
{
	return v->max_piece;
}

static bool has_attr(const struct lx_vocab *v, s32 id, u32 attr)
{
	return id >= 0 && (u32)id < v->n_tok && (v->tok[id].attr & attr);
}

bool lx_token_is_control(const struct lx_vocab *v, s32 id)
{
	return has_attr(v, id, LX_ATTR_CONTROL);
}

bool lx_token_is_eog(const struct lx_vocab *v, s32 id)
{
	return has_attr(v, id, LX_ATTR_EOG);
}

s32 lx_token_bos(const struct lx_vocab *v)
{
	return v->bos;
}

s32 lx_token_eos(const struct lx_vocab *v)
{
	return v->eos;
}

bool lx_vocab_adds_bos(const struct lx_vocab *v)
{
	return v->add_bos;
}

bool lx_vocab_adds_eos(const struct lx_vocab *v)
{
	return v->add_eos;
}

bool lx_vocab_adds_space(const struct lx_vocab *v)
{
	return v->add_space;
}

s32 lx_token_find(const struct lx_vocab *v, const char *text, size_t n)
{
	return (s32)lx_vocab_lookup(v, (const u8 *)text, n);
}
