// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Any bytes as text. The first byte chooses the pre-tokenizer or the SPM
 * vocabulary, the second the flags. Both vocabularies are small ones made
 * here, with every byte, so what goes in must come out again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ggufw.h"
#include "lx/vocab.h"
#include "unicode.h"

static struct test_host host;

static const char *const pre[] = {
	"default", "llama-bpe", "gpt-2", "qwen2", "qwen35", "smollm",
	"deepseek-llm", "deepseek-coder", "deepseek-v3", "falcon", "tekken",
	"gpt-4o", "seed-coder", "minicpm5", "bloom", "viking",
	NULL /* SPM */
};
#define N_VOCABS LX_ARRAY_SIZE(pre)

static const char *const words[] = {
	"th", "the", "er", "in", "ing", "an", "and", "aa", "aaaa", "ll",
};
static const char *const merges[] = {
	"t h", "th e", "e r", "i n", "a n", "an d", "a a", "aa aa", "l l",
};
static const char *const specials[] = { "<s>", "</s>", "<|end|>", "<<" };
#define N_BASE (256 + LX_ARRAY_SIZE(words))
#define N_TOKENS (N_BASE + LX_ARRAY_SIZE(specials))

static struct ggufw file[N_VOCABS];
static struct lx_gguf gguf[N_VOCABS];
static struct lx_vocab *vocab[N_VOCABS];

static void put_token(struct ggufw *w, u32 id, bool spm)
{
	char text[16];

	if (id >= N_BASE) {
		gw_str(w, specials[id - N_BASE]);
	} else if (id >= 256) {
		gw_str(w, words[id - 256]);
	} else if (spm) {
		snprintf(text, sizeof(text), "<0x%02X>", id);
		gw_str(w, text);
	} else {
		text[lx_utf8_encode(lx_byte_to_char((u8)id), (u8 *)text)] = 0;
		gw_str(w, text);
	}
}

static u32 token_type(u32 id, bool spm)
{
	if (id + 1 == N_TOKENS)
		return 4;	/* user-defined: "<<" */
	if (id >= N_BASE)
		return 3;
	return spm && id < 256 ? 6 : 1;
}

static void build(struct ggufw *w, const char *name)
{
	gw_head(w, 3, 0, 8);
	gw_kv_str(w, "tokenizer.ggml.model", name ? "gpt2" : "llama");
	gw_kv_str(w, "tokenizer.ggml.pre", name ? name : "default");
	gw_kv_array(w, "tokenizer.ggml.tokens", LX_GGUF_STRING, N_TOKENS);
	for (u32 id = 0; id < N_TOKENS; id++)
		put_token(w, id, !name);
	gw_kv_array(w, "tokenizer.ggml.scores", LX_GGUF_F32, N_TOKENS);
	for (u32 id = 0; id < N_TOKENS; id++) {
		float f = -(float)(id / 2);

		gw_bytes(w, &f, 4);
	}
	gw_kv_array(w, "tokenizer.ggml.token_type", LX_GGUF_I32, N_TOKENS);
	for (u32 id = 0; id < N_TOKENS; id++)
		gw_u32(w, token_type(id, !name));
	gw_kv_array(w, "tokenizer.ggml.merges", LX_GGUF_STRING,
		    LX_ARRAY_SIZE(merges));
	for (u32 i = 0; i < LX_ARRAY_SIZE(merges); i++)
		gw_str(w, merges[i]);
	gw_kv_u32(w, "tokenizer.ggml.bos_token_id", N_BASE);
	gw_kv_u32(w, "tokenizer.ggml.eos_token_id", N_BASE + 1);
}

static void set_up(void)
{
	test_host_init(&host);
	for (u32 i = 0; i < N_VOCABS; i++) {
		struct test_mem m;
		struct lx_source src;
		struct lx_error err = { 0 };

		build(&file[i], pre[i]);
		m = (struct test_mem){ file[i].p, file[i].n };
		src = test_source(&m);
		if (lx_gguf_open(&gguf[i], &host.host, &src, 1, &err) ||
		    lx_vocab_load(&host.host, &gguf[i], &vocab[i], &err)) {
			fprintf(stderr, "%s\n", err.msg);
			abort();
		}
	}
}

/* Pieces joined are the text (not so for SPM, which has U+2581 for space). */
static void check_text(const struct lx_vocab *v, const s32 *ids, s64 n,
		       const char *text, size_t size)
{
	size_t o = 0;

	for (s64 i = 0; i < n; i++) {
		char piece[64];
		int k = lx_token_piece(v, ids[i], true, piece, sizeof(piece));

		FUZZ_CHECK(k >= 0 && k <= 64 && (size_t)k <= size - o);
		FUZZ_CHECK(!memcmp(piece, text + o, (size_t)k));
		o += (size_t)k;
	}
	FUZZ_CHECK(o == size);
}

/* Whatever the tokens, what a reader gets are whole characters. */
static void check_stream(const struct lx_vocab *v, const s32 *ids, s64 n)
{
	struct lx_detok d = { .strip = lx_vocab_adds_space(v) };
	char out[512];

	for (s64 i = 0; i <= n; i++) {
		size_t k = i < n ? lx_detok_push(&d, v, ids[i], true, out,
						 sizeof(out)) :
				   lx_detok_flush(&d, out, sizeof(out));
		size_t at = 0;

		FUZZ_CHECK(k <= sizeof(out));
		while (at < k) {
			int len = lx_utf8_check((u8 *)out + at, k - at);

			FUZZ_CHECK(len > 0);
			at += (size_t)len;
		}
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct lx_span span[2];
	const struct lx_vocab *v;
	size_t live;
	char *text;
	s32 *ids;
	s64 n;

	if (!host.host.ops)
		set_up();
	if (size < 3)
		return 0;
	live = host.live;
	v = vocab[data[0] % N_VOCABS];
	span[0] = (struct lx_span){ data[2] % (size - 2), data[1] & 1 };
	span[1] = (struct lx_span){ size - 3, data[1] & 2 };
	text = malloc(size - 2);
	memcpy(text, data + 3, size - 3);
	size -= 3;
	ids = malloc((2 * size + 8) * 3 * sizeof(*ids));
	n = lx_tokenize_spans(v, text, size, span, 2, LX_TOK_CONTINUE, ids,
			      6 * size + 24);
	FUZZ_CHECK(n >= 0 && (size_t)n <= 6 * size + 24);
	if (data[0] % N_VOCABS != N_VOCABS - 1)
		check_text(v, ids, n, text, size);
	check_stream(v, ids, n);
	FUZZ_CHECK(host.live == live);
	free(text);
	free(ids);
	return 0;
}
