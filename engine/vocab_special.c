// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Special tokens: ids the file names, and those recognised by their text, as
 * llama.cpp does, because most files do not name them. What is recognised
 * becomes a control token, so that untrusted text can never contain it.
 */
#include "vocab_priv.h"
#include "sort.h"

#define FULLWIDTH_BAR "\xef\xbd\x9c"
#define WORD "\xe2\x96\x81"
#define DEEPSEEK(s) "<" FULLWIDTH_BAR s FULLWIDTH_BAR ">"

/* Lists end with NULL; the first that exists is taken. */
static const char *const eot_texts[] = {
	"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>",
	"<|endoftext|>", "<|end_of_text|>", "<EOT>", "_<EOT>", "[EOT]",
	DEEPSEEK("end" WORD "of" WORD "sentence"), "<end_of_utterance>", NULL
};
static const char *const eom_texts[] = { "<|eom_id|>", NULL };
static const char *const fim_pre_texts[] = {
	"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>",
	DEEPSEEK("fim" WORD "begin"), "<PRE>", WORD "<PRE>",
	"<|code_prefix|>", "<|prefix|>", NULL
};
static const char *const fim_suf_texts[] = {
	"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>",
	DEEPSEEK("fim" WORD "hole"), "<SUF>", WORD "<SUF>",
	"<|code_suffix|>", "<|suffix|>", NULL
};
static const char *const fim_mid_texts[] = {
	"<|fim_middle|>", "<fim-middle>", "<fim_middle>",
	DEEPSEEK("fim" WORD "end"), "<MID>", WORD "<MID>",
	"<|code_middle|>", "<|middle|>", NULL
};
static const char *const fim_pad_texts[] = {
	"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]", NULL
};
static const char *const fim_rep_texts[] = {
	"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>",
	NULL
};
static const char *const fim_sep_texts[] = { "<|file_sep|>", NULL };

/* Every one of these ends a turn. */
static const char *const eog_texts[] = {
	"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>",
	"<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>", "</s>",
	"<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>",
	"<end_of_utterance>", DEEPSEEK("end" WORD "of" WORD "sentence"),
	"<eos>", "<turn|>", "<|tool_response>", "[e~[", "<|ifm|im_end|>", NULL
};

/* What parts an answer of gpt-oss: without these it could not be read. */
static const char *const shown_texts[] = {
	"<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", NULL
};

static s32 find_text(const struct lx_vocab *v, const char *text)
{
	return lx_token_find(v, text, lx_strlen(text));
}

/*
 * An id the file names: 1 found, 0 not there or "none" (all bits set),
 * -LX_EBADMSG out of range.
 */
static int read_id(const struct lx_vocab *v, const struct lx_gguf *g,
		   const char *key, s32 *id, struct lx_error *err)
{
	const struct lx_gguf_kv *kv = lx_gguf_find(g, key);
	u32 x;
	int ret;

	if (!kv)
		return 0;
	if (kv->type == LX_GGUF_I32 && (s32)lx_gguf_elem(kv, 0) == -1)
		return 0;
	ret = lx_gguf_get_u32(g, key, &x, err);
	if (ret < 0)
		return ret;
	if (x == 0xffffffff)
		return 0;
	if (x >= v->n_tok)
		return lx_fail(err, -LX_EBADMSG,
			       "key '%s' is %u, beyond %u tokens", key, x,
			       v->n_tok);
	*id = (s32)x;
	return 1;
}

/* The id by key or, failing that, by text; -1 when there is neither. */
static int named(struct lx_vocab *v, const struct lx_gguf *g, const char *key,
		 const char *const *texts, s32 *id, struct lx_error *err)
{
	int ret = read_id(v, g, key, id, err);

	if (ret)
		return ret < 0 ? ret : 0;
	for (; *texts; texts++) {
		s32 found = find_text(v, *texts);

		if (found < 0)
			continue;
		v->tok[found].attr |= LX_ATTR_CONTROL;
		*id = found;
		return 0;
	}
	return 0;
}

static s32 in_range(const struct lx_vocab *v, s32 id)
{
	return (u32)id < v->n_tok ? id : -1;
}

/* Defaults that old files rely on: those of the reference. */
static void default_ids(struct lx_vocab *v)
{
	if (v->model == LX_VOCAB_SPM) {
		v->unk = in_range(v, 0);
		v->bos = in_range(v, 1);
		v->eos = in_range(v, 2);
		return;
	}
	v->bos = v->pre->no_bos ? -1 : in_range(v, 11);
	v->eos = in_range(v, 11);
}

static int read_ids(struct lx_vocab *v, const struct lx_gguf *g,
		    struct lx_error *err)
{
	int ret = read_id(v, g, "tokenizer.ggml.bos_token_id", &v->bos, err);

	if (ret >= 0)
		ret = read_id(v, g, "tokenizer.ggml.eos_token_id", &v->eos,
			      err);
	if (ret >= 0)
		ret = read_id(v, g, "tokenizer.ggml.unknown_token_id", &v->unk,
			      err);
	if (ret >= 0)
		ret = named(v, g, "tokenizer.ggml.eot_token_id", eot_texts,
			    &v->eot, err);
	if (ret >= 0)
		ret = named(v, g, "tokenizer.ggml.eom_token_id", eom_texts,
			    &v->eom, err);
	return ret < 0 ? ret : 0;
}

static int read_flags(struct lx_vocab *v, const struct lx_gguf *g,
		      struct lx_error *err)
{
	int ret = lx_gguf_get_bool(g, "tokenizer.ggml.add_bos_token",
				   &v->add_bos, err);

	if (ret >= 0)
		ret = lx_gguf_get_bool(g, "tokenizer.ggml.add_eos_token",
				       &v->add_eos, err);
	if (ret >= 0)
		ret = lx_gguf_get_bool(g, "tokenizer.ggml.add_space_prefix",
				       &v->add_space, err);
	if (ret < 0)
		return ret;
	if (v->add_bos && v->bos < 0)
		return lx_fail(err, -LX_EBADMSG,
			       "key 'tokenizer.ggml.add_bos_token' is true, but there is no bos_token_id");
	if (v->add_eos && v->eos < 0)
		return lx_fail(err, -LX_EBADMSG,
			       "key 'tokenizer.ggml.add_eos_token' is true, but there is no eos_token_id");
	return 0;
}

static void mark_eog(struct lx_vocab *v, s32 id)
{
	if (id >= 0)
		v->tok[id].attr |= LX_ATTR_EOG;
}

/* Fill-in-the-middle: padding and file boundaries also end a turn. */
static int find_fim(struct lx_vocab *v, const struct lx_gguf *g,
		    struct lx_error *err)
{
	static const struct {
		const char *key;
		const char *const *texts;
		bool eog;
	} fim[] = {
		{ "tokenizer.ggml.fim_pre_token_id", fim_pre_texts, false },
		{ "tokenizer.ggml.fim_suf_token_id", fim_suf_texts, false },
		{ "tokenizer.ggml.fim_mid_token_id", fim_mid_texts, false },
		{ "tokenizer.ggml.fim_pad_token_id", fim_pad_texts, true },
		{ "tokenizer.ggml.fim_rep_token_id", fim_rep_texts, true },
		{ "tokenizer.ggml.fim_sep_token_id", fim_sep_texts, true },
	};

	for (u32 i = 0; i < LX_ARRAY_SIZE(fim); i++) {
		s32 id = -1;
		int ret = named(v, g, fim[i].key, fim[i].texts, &id, err);

		if (ret)
			return ret;
		if (fim[i].eog)
			mark_eog(v, id);
	}
	return 0;
}

static bool has_text(const struct lx_vocab *v, const char *text)
{
	return find_text(v, text) >= 0;
}

static void unmark(struct lx_vocab *v, const char *text)
{
	s32 id = find_text(v, text);

	if (id >= 0 && id != v->eos)
		v->tok[id].attr &= (u16)~LX_ATTR_EOG;
}

/*
 * In some formats <|end|> ends a message, and the turn goes on: it is part of
 * the answer. Where tools answer within a turn, </s> is a tag.
 */
static void unmark_ends(struct lx_vocab *v)
{
	bool ret = has_text(v, "<|return|>");
	bool call = has_text(v, "<|call|>") || has_text(v, "<|calls|>");

	if (call && (ret || has_text(v, "<|flush|>")) &&
	    has_text(v, "<|end|>")) {
		unmark(v, "<|end|>");
		v->tok[find_text(v, "<|end|>")].attr |= LX_ATTR_SHOWN;
	}
	if (has_text(v, "<|tool_response>"))
		unmark(v, "</s>");
}

static void mark_shown(struct lx_vocab *v)
{
	for (const char *const *t = shown_texts; *t; t++) {
		s32 id = find_text(v, *t);

		if (id >= 0)
			v->tok[id].attr |= LX_ATTR_SHOWN;
	}
}

static void find_eog(struct lx_vocab *v)
{
	for (const char *const *t = eog_texts; *t; t++) {
		s32 id = find_text(v, *t);

		if (id >= 0)
			v->tok[id].attr |= LX_ATTR_EOG | LX_ATTR_CONTROL;
	}
	mark_eog(v, v->eos);
	mark_eog(v, v->eot);
	mark_eog(v, v->eom);
	unmark_ends(v);
	mark_shown(v);
}

static bool contains_nocase(struct lx_str s, const char *lower)
{
	size_t n = lx_strlen(lower), k;

	for (size_t i = 0; i + n <= s.n; i++) {
		for (k = 0; k < n; k++) {
			u8 c = (u8)s.p[i + k];

			if (c >= 'A' && c <= 'Z')
				c += 'a' - 'A';
			if (c != (u8)lower[k])
				break;
		}
		if (k == n)
			return true;
	}
	return false;
}

/*
 * Phi-3's added tokens eat the white space behind them. GGUF has no key for
 * it; the reference goes by the model's name, and so must we.
 */
static void mark_rstrip(struct lx_vocab *v, const struct lx_gguf *g)
{
	static const char *const not[] = { "<unk>", "<s>", "<|endoftext|>" };
	struct lx_str name;
	s32 id;

	if (lx_gguf_get_str(g, "general.name", &name, NULL) != 1 ||
	    !(contains_nocase(name, "phi-3") || contains_nocase(name, "phi3")))
		return;
	for (u32 i = 0; i < v->n_special; i++)
		v->tok[v->special[i]].attr |= LX_ATTR_RSTRIP;
	id = find_text(v, "</s>");
	if (id >= 0)
		v->tok[id].attr |= LX_ATTR_RSTRIP;
	for (u32 i = 0; i < LX_ARRAY_SIZE(not); i++) {
		id = find_text(v, not[i]);
		if (id >= 0)
			v->tok[id].attr &= (u16)~LX_ATTR_RSTRIP;
	}
}

static bool is_cut(const struct lx_token *t)
{
	return t->len && (t->attr & (LX_ATTR_SPECIAL | LX_ATTR_USER));
}

static bool text_less(const void *ctx, u32 a, u32 b)
{
	const struct lx_vocab *v = ctx;
	u32 n = lx_min(v->tok[a].len, v->tok[b].len);
	int c = lx_memcmp(lx_token_text(v, a), lx_token_text(v, b), n);

	if (c)
		return c < 0;
	if (v->tok[a].len != v->tok[b].len)
		return v->tok[a].len < v->tok[b].len;
	return a < b;
}

/* Longest first; @a and @b index v->special. */
static bool rank_less(const void *ctx, u32 a, u32 b)
{
	const struct lx_vocab *v = ctx;
	u32 x = v->special[a], y = v->special[b];

	if (v->tok[x].len != v->tok[y].len)
		return v->tok[x].len > v->tok[y].len;
	return x < y;
}

static int rank_special(struct lx_vocab *v, struct lx_error *err)
{
	u32 n = v->n_special;
	u32 *order = v->host->ops->alloc(v->host, n * sizeof(u32),
					 LX_MEM_CONTROL);

	if (!order)
		return lx_fail(err, -LX_ENOMEM, "no memory for special tokens");
	for (u32 i = 0; i < n; i++)
		order[i] = i;
	lx_sort_index(order, n, rank_less, v);
	for (u32 i = 0; i < n; i++)
		v->special_rank[order[i]] = i;
	v->host->ops->free(v->host, order, n * sizeof(u32), LX_MEM_CONTROL);
	return 0;
}

static int list_special(struct lx_vocab *v, struct lx_error *err)
{
	u32 n = 0;

	for (u32 id = 0; id < v->n_tok; id++)
		v->n_special += is_cut(&v->tok[id]);
	if (!v->n_special)
		return 0;
	v->special = lx_vocab_alloc(v, (u64)v->n_special * sizeof(u32), err);
	v->special_rank = lx_vocab_alloc(v, (u64)v->n_special * sizeof(u32),
					 err);
	if (!v->special || !v->special_rank)
		return -LX_ENOMEM;
	for (u32 id = 0; id < v->n_tok; id++)
		if (is_cut(&v->tok[id]))
			v->special[n++] = id;
	lx_sort_index(v->special, n, text_less, v);
	n = 0;
	for (u32 b = 0; b <= 256; b++) {
		while (n < v->n_special &&
		       lx_token_text(v, v->special[n])[0] < b)
			n++;
		v->special_first[b] = n;
	}
	return rank_special(v, err);
}

int lx_vocab_load_special(struct lx_vocab *v, const struct lx_gguf *g,
			  struct lx_error *err)
{
	int ret;

	default_ids(v);
	ret = read_ids(v, g, err);
	if (!ret)
		ret = read_flags(v, g, err);
	if (!ret)
		ret = find_fim(v, g, err);
	if (ret)
		return ret;
	find_eog(v);
	ret = list_special(v, err);
	if (!ret)
		mark_rstrip(v, g);
	return ret;
}
