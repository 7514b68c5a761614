// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * SentencePiece against the reference (spm_ref.tsv), on a vocabulary made of a
 * few characters: space prefix, byte fallback, added tokens, scores that tie,
 * tokens that strip, what is put around a text; and which tokens end a turn.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggufw.h"
#include "lx/vocab.h"
#include "vectors.h"

static struct test_host host;

/* The rule of gen-tokenizer-ref.py. */
static const char *const chars[] = {
	"\xe2\x96\x81", "a", "b", "c", "e", "h", "l", "o", ".", "<",
	"\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x99\x82", "|",
};
#define N_CHARS LX_ARRAY_SIZE(chars)
#define N_PAIRS (N_CHARS * N_CHARS)
#define N_FOURS 60
#define N_WORDS (N_CHARS + N_PAIRS + N_FOURS)
#define FIRST_WORD 259

static const struct {
	const char *text;
	u32 type;
} added[] = {
	{ "<|user|>", 4 }, { "  ", 4 }, { "\n\n", 4 }, { "<|us", 4 },
	{ "b a", 4 }, { "<|end|>", 3 }, { "<|endoftext|>", 3 },
	{ "<|end|><|user|>", 3 }, { "<|sep|>", 4 },
};
#define N_TOKENS (FIRST_WORD + N_WORDS + LX_ARRAY_SIZE(added))

static void pair(char *out, u32 i)
{
	strcpy(out, chars[i / N_CHARS]);
	strcat(out, chars[i % N_CHARS]);
}

static void token_text(char *out, u32 id)
{
	static const char *const first[] = { "<unk>", "<s>", "</s>" };
	u32 i = id - FIRST_WORD;

	if (id < 3) {
		strcpy(out, first[id]);
	} else if (id < FIRST_WORD) {
		sprintf(out, "<0x%02X>", id - 3);
	} else if (i < N_CHARS) {
		strcpy(out, chars[i]);
	} else if (i < N_CHARS + N_PAIRS) {
		pair(out, i - N_CHARS);
	} else if (i < N_WORDS) {
		i -= N_CHARS + N_PAIRS;
		pair(out, i * 37 % N_PAIRS);
		pair(out + strlen(out), (i * 53 + 7) % N_PAIRS);
	} else {
		strcpy(out, added[i - N_WORDS].text);
	}
}

static u32 token_type(u32 id)
{
	if (id < 3)
		return id ? 3 : 2;
	if (id < FIRST_WORD)
		return 6;
	return id < FIRST_WORD + N_WORDS ? 1 :
		added[id - FIRST_WORD - N_WORDS].type;
}

static float token_score(u32 id, const char *variant)
{
	u32 i = id - FIRST_WORD;

	if (id < FIRST_WORD || i >= N_WORDS || !strcmp(variant, "equal"))
		return 0;
	return -(float)(i * 7919 % 1009);
}

static void build(struct ggufw *w, const char *variant)
{
	static const struct {
		const char *variant, *key;
		u8 value;
	} flag[] = {
		{ "nospace", "tokenizer.ggml.add_space_prefix", 0 },
		{ "eos", "tokenizer.ggml.add_eos_token", 1 },
		{ "nobos", "tokenizer.ggml.add_bos_token", 0 },
	};
	const char *name = strcmp(variant, "phi3") ? "spm" : "Phi-3 x";
	char text[64];
	u32 extra = 3;

	for (u32 i = 0; i < LX_ARRAY_SIZE(flag); i++)
		if (!strcmp(variant, flag[i].variant))
			extra = i;
	gw_head(w, 3, 0, 5 + (extra < 3));
	gw_kv_str(w, "general.name", name);
	gw_kv_str(w, "tokenizer.ggml.model", "llama");
	gw_kv_array(w, "tokenizer.ggml.tokens", LX_GGUF_STRING, N_TOKENS);
	for (u32 id = 0; id < N_TOKENS; id++) {
		token_text(text, id);
		gw_str(w, text);
	}
	gw_kv_array(w, "tokenizer.ggml.token_type", LX_GGUF_I32, N_TOKENS);
	for (u32 id = 0; id < N_TOKENS; id++)
		gw_u32(w, token_type(id));
	gw_kv_array(w, "tokenizer.ggml.scores", LX_GGUF_F32, N_TOKENS);
	for (u32 id = 0; id < N_TOKENS; id++) {
		float f = token_score(id, variant);

		gw_bytes(w, &f, 4);
	}
	if (extra < 3)
		gw_kv_bool(w, flag[extra].key, flag[extra].value);
}

struct loaded {
	struct ggufw w;
	struct lx_gguf g;
	struct lx_vocab *v;
};

static bool load(struct loaded *l)
{
	struct test_mem m = { l->w.p, l->w.n };
	struct lx_source src = test_source(&m);
	struct lx_error err = { 0 };

	if (!lx_gguf_open(&l->g, &host.host, &src, 1, &err))
		lx_vocab_load(&host.host, &l->g, &l->v, &err);
	check(l->v != NULL, "%s", err.msg);
	return l->v != NULL;
}

static void unload(struct loaded *l)
{
	lx_vocab_free(l->v);
	lx_gguf_close(&l->g);
	gw_free(&l->w);
	l->v = NULL;
}

static u32 parse_flags(const char *s)
{
	return (strstr(s, "bos") ? LX_TOK_BOS : 0) |
	       (strstr(s, "eos") ? LX_TOK_EOS : 0) |
	       (strstr(s, "special") ? LX_TOK_SPECIAL : 0);
}

/* One line behind its first field. */
static void test_line(const struct lx_vocab *v, const char *variant, u32 no,
		      char *line)
{
	u32 flags = parse_flags(test_field(&line));
	char *text = test_field(&line);
	s32 want[256], got[256];
	size_t n = test_unescape(text), n_want = test_ids(line, want, 256);
	s64 n_got = lx_tokenize(v, text, n, flags, got, 256);

	check(n_got == (s64)n_want && !memcmp(got, want, n_want * sizeof(*got)),
	      "spm_ref.tsv:%u: %s: '%.*s': %lld tokens, expected %zu", no,
	      variant, (int)n, text, n_got, n_want);
}

static void test_reference(void)
{
	static struct loaded l;
	size_t size;
	char *s = test_read_file("tests/engine/spm_ref.tsv", &size);
	const char *variant = "";
	u32 no = 0;

	check(s != NULL, "spm_ref.tsv");
	for (char *p = s, *end; p && *p; p = end) {
		char *name;

		end = strchr(p, '\n');
		if (end)
			*end++ = 0;
		name = test_field(&p);
		if (strcmp(name, variant)) {
			unload(&l);
			variant = name;
			build(&l.w, variant);
			if (!load(&l))
				break;
		}
		test_line(l.v, variant, ++no, p);
	}
	check(no > 500, "spm_ref.tsv: only %u lines", no);
	unload(&l);
	free(s);
}

/* The ids of tokens that end a turn, in a vocabulary of these texts. */
static void eog(const char *want, const char *const *texts)
{
	static struct loaded l;
	char got[256] = "";
	u32 n = 0;

	while (texts[n])
		n++;
	gw_head(&l.w, 3, 0, 6);
	gw_kv_str(&l.w, "tokenizer.ggml.model", "gpt2");
	gw_kv_array(&l.w, "tokenizer.ggml.tokens", LX_GGUF_STRING, n);
	for (u32 i = 0; i < n; i++)
		gw_str(&l.w, texts[i]);
	gw_kv_array(&l.w, "tokenizer.ggml.token_type", LX_GGUF_I32, n);
	for (u32 i = 0; i < n; i++)
		gw_u32(&l.w, 1);
	gw_kv_array(&l.w, "tokenizer.ggml.merges", LX_GGUF_STRING, 0);
	gw_kv_u32(&l.w, "tokenizer.ggml.bos_token_id", 0);
	gw_kv_u32(&l.w, "tokenizer.ggml.eos_token_id", 0);
	if (load(&l)) {
		for (u32 i = 0; i < n; i++)
			if (lx_token_is_eog(l.v, (s32)i)) {
				strcat(strcat(got, got[0] ? " " : ""), texts[i]);
				check(!i || lx_token_is_control(l.v, (s32)i),
				      "%s is not a control token", texts[i]);
			}
	}
	check(!strcmp(got, want), "ends of turns: %s\n   expected: %s", got,
	      want);
	unload(&l);
}

#define EOG(want, ...) eog(want, (const char *const[]){ __VA_ARGS__, NULL })

/* As in the reference; token 0 is the file's EOS. */
static void test_eog(void)
{
	EOG("E", "E", "x", "<|user|>", "<|im_start|>", "<s>");
	EOG("E <|im_end|> <|endoftext|>", "E", "<|im_end|>", "<|endoftext|>");
	EOG("E <|eot_id|> <|eom_id|> <|end_of_text|>", "E", "<|eot_id|>",
	    "<|eom_id|>", "<|end_of_text|>", "<|start_header_id|>");
	EOG("E <|end|> <|endoftext|>", "E", "<|end|>", "<|endoftext|>",
	    "<|assistant|>");
	EOG("E <|return|> <|call|>", "E", "<|return|>", "<|call|>", "<|end|>",
	    "<|start|>", "<|channel|>", "<|message|>");
	EOG("E <end_of_turn> <eos>", "E", "<end_of_turn>", "<eos>");
	EOG("E <|tool_response> <turn|>", "E", "<|tool_response>", "<turn|>",
	    "</s>");
	EOG("E </s>", "E", "</s>");
	EOG("E <|fim_pad|> <|repo_name|> <|file_sep|>", "E", "<|fim_prefix|>",
	    "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>");
	EOG("E <｜end▁of▁sentence｜>", "E", "<｜end▁of▁sentence｜>",
	    "<｜User｜>");
}

/* gpt-oss parts its answer by control tokens: they are seen, and never parsed
 * in text that is not trusted.
 */
static void test_shown(void)
{
	static const char *const texts[] = { "E", "<|return|>", "<|call|>",
					     "<|end|>", "<|channel|>", "<" };
	static struct loaded l;
	s32 ids[32];
	char piece[64];

	gw_head(&l.w, 3, 0, 5);
	gw_kv_str(&l.w, "tokenizer.ggml.model", "gpt2");
	gw_kv_array(&l.w, "tokenizer.ggml.tokens", LX_GGUF_STRING, 6);
	for (u32 i = 0; i < 6; i++)
		gw_str(&l.w, texts[i]);
	gw_kv_array(&l.w, "tokenizer.ggml.token_type", LX_GGUF_I32, 6);
	for (u32 i = 0; i < 6; i++)
		gw_u32(&l.w, i && i < 5 ? 3 : 1);
	gw_kv_array(&l.w, "tokenizer.ggml.merges", LX_GGUF_STRING, 0);
	gw_kv_u32(&l.w, "tokenizer.ggml.eos_token_id", 0);
	if (load(&l)) {
		check(lx_token_piece(l.v, 3, false, piece, 64) == 7 &&
		      lx_token_piece(l.v, 4, false, piece, 64) == 11 &&
		      !memcmp(piece, "<|channel|>", 11), "markers are shown");
		check(!lx_token_piece(l.v, 1, false, piece, 64),
		      "<|return|> is not");
		check(lx_tokenize(l.v, "<|end|>", 7, 0, ids, 32) == 1 &&
		      ids[0] == 5, "untrusted text has no control tokens");
		check(lx_tokenize(l.v, "<|end|>", 7, LX_TOK_SPECIAL, ids, 32) ==
		      1 && ids[0] == 3, "trusted text has");
	}
	unload(&l);
}

/* A vocabulary of six texts over a and b, and these merge rules. */
static int load_merges(struct loaded *l, const char *const *rules, u32 n,
		       struct lx_error *err)
{
	static const char *const texts[] = { "a", "b", "ab", "ba", "aba",
					     "bab" };
	struct test_mem m;
	struct lx_source src;

	gw_head(&l->w, 3, 0, 3);
	gw_kv_str(&l->w, "tokenizer.ggml.model", "gpt2");
	gw_kv_array(&l->w, "tokenizer.ggml.tokens", LX_GGUF_STRING, 6);
	for (u32 i = 0; i < 6; i++)
		gw_str(&l->w, texts[i]);
	gw_kv_array(&l->w, "tokenizer.ggml.merges", LX_GGUF_STRING, n);
	for (u32 i = 0; i < n; i++)
		gw_str(&l->w, rules[i]);
	m = (struct test_mem){ l->w.p, l->w.n };
	src = test_source(&m);
	check(!lx_gguf_open(&l->g, &host.host, &src, 1, err), "%s", err->msg);
	return lx_vocab_load(&host.host, &l->g, &l->v, err);
}

/*
 * Rules whose results are each other's parts end all the same: each makes the
 * text shorter. A table about other texts than the tokens is refused.
 */
static void test_merges(void)
{
	static const char *const cyclic[] = { "a b", "b a", "ab a", "ba b",
					      "a ba", "b ab", "b a" };
	static const char *absurd[64];
	static struct loaded l;
	static char text[100000], piece[16];
	static s32 ids[100000];
	struct lx_error err = { 0 };
	size_t total = 0;
	s64 n = 0;

	for (u32 i = 0; i < sizeof(text); i++)
		text[i] = "abba"[i % 4];
	check(!load_merges(&l, cyclic, 7, &err), "cyclic merges: %s", err.msg);
	if (l.v)
		n = lx_tokenize(l.v, text, sizeof(text), 0, ids, sizeof(text));
	for (s64 i = 0; i < n; i++)
		total += (size_t)lx_token_piece(l.v, ids[i], false, piece, 16);
	check(n > 0 && n < (s64)sizeof(text) && total == sizeof(text),
	      "cyclic merges: %lld tokens of %zu bytes", n, total);
	unload(&l);
	for (u32 i = 0; i < 64; i++)
		absurd[i] = "no such";
	check(load_merges(&l, absurd, 64, &err) == -LX_EBADMSG &&
	      strstr(err.msg, "'tokenizer.ggml.merges': 64 of 64 rules"),
	      "absurd merges: %s", err.msg);
	unload(&l);
}

/* Ids that no vocabulary has give no text and read nothing. */
static void test_ids_out_of_range(void)
{
	static const s32 bad[] = { -1, N_TOKENS, N_TOKENS + 1, 0x7fffffff,
				   -0x7fffffff - 1, 1 << 24 };
	static struct loaded l;
	char buf[4096];

	build(&l.w, "plain");
	if (!load(&l))
		return;
	for (u32 i = 0; i < LX_ARRAY_SIZE(bad); i++) {
		struct lx_detok d = { 0 };

		check(lx_token_piece(l.v, bad[i], true, buf, 64) == -LX_EINVAL,
		      "id %d has a piece", bad[i]);
		check(!lx_detok_push(&d, l.v, bad[i], true, buf, sizeof(buf)),
		      "id %d has text", bad[i]);
		check(!lx_token_is_eog(l.v, bad[i]) &&
		      !lx_token_is_control(l.v, bad[i]),
		      "id %d is something", bad[i]);
	}
	unload(&l);
}

int main(void)
{
	test_host_init(&host);
	test_reference();
	test_eog();
	test_shown();
	test_merges();
	test_ids_out_of_range();
	check(!host.live, "%zu bytes leaked", host.live);
	return test_done();
}
