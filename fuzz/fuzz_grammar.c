// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Grammars from any bytes. The first byte says as what: an automaton as it is
 * handed to the engine, GBNF, or a JSON schema. What is accepted is followed
 * for a few tokens, and must never leave a mask with a token that it then
 * refuses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "gbnf.h"
#include "ggufw.h"
#include "lx/grammar.h"
#include "lx/vocab.h"

static struct test_host host;
static struct ggufw file;
static struct lx_gguf gguf;
static struct lx_vocab *vocab;
static struct lx_lexicon *lexicon;

static const char *const words[] = {
	"</s>", "the", "th", "{\"", "\":", "true", "\xc3", "\xc3\xa9", "aa"
};
#define N_TOKENS (256 + LX_ARRAY_SIZE(words))

static void set_up(void)
{
	struct test_mem m;
	struct lx_source src;
	struct lx_error err = { 0 };

	test_host_init(&host);
	gw_head(&file, 3, 0, 5);
	gw_kv_str(&file, "tokenizer.ggml.model", "llama");
	gw_kv_array(&file, "tokenizer.ggml.tokens", LX_GGUF_STRING, N_TOKENS);
	for (u32 id = 0; id < N_TOKENS; id++) {
		char text[16];

		snprintf(text, sizeof(text), "<0x%02X>", id);
		gw_str(&file, id < 256 ? text : words[id - 256]);
	}
	gw_kv_array(&file, "tokenizer.ggml.scores", LX_GGUF_F32, N_TOKENS);
	for (u32 id = 0; id < N_TOKENS; id++)
		gw_u32(&file, 0);
	gw_kv_array(&file, "tokenizer.ggml.token_type", LX_GGUF_I32, N_TOKENS);
	for (u32 id = 0; id < N_TOKENS; id++)
		gw_u32(&file, id < 256 ? 6 : id == 256 ? 3 : 1);
	gw_kv_u32(&file, "tokenizer.ggml.eos_token_id", 256);
	m = (struct test_mem){ file.p, file.n };
	src = test_source(&m);
	if (lx_gguf_open(&gguf, &host.host, &src, 1, &err) ||
	    lx_vocab_load(&host.host, &gguf, &vocab, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
	lexicon = lx_lexicon_new(&host.host, vocab);
}

static void follow(struct lx_grammar *g, u64 rng)
{
	for (u32 i = 0; i < 8 && !lx_grammar_done(g); i++) {
		const u32 *mask;
		u32 id, n = 0;

		if (lx_grammar_mask(g, &mask))
			return;
		for (id = (u32)(test_random(&rng) % N_TOKENS); n < N_TOKENS;
		     n++, id = (id + 1) % N_TOKENS)
			if (mask[id / 32] >> id % 32 & 1)
				break;
		if (n == N_TOKENS || lx_token_is_eog(vocab, (s32)id))
			return;
		FUZZ_CHECK(!lx_grammar_accept(g, (s32)id));
	}
}

static void check_blob(const void *blob, size_t n, u64 rng, int must)
{
	struct lx_error err = { 0 };
	struct lx_grammar *g;
	int ret = lx_grammar_new(&host.host, lexicon, NULL, blob, n, &g, &err);

	FUZZ_CHECK(!must || ret != -LX_EINVAL);
	if (ret)
		return;
	follow(g, rng);
	lx_grammar_free(g);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text = NULL;
	void *blob = NULL;
	size_t live, n;

	if (!host.host.ops)
		set_up();
	if (!size)
		return 0;
	live = host.live;
	if (data[0] % 3 == 0) {
		check_blob(data + 1, size - 1, data[0] + 1, 0);
	} else if (data[0] % 3 == 1) {
		if (!gbnf_compile((const char *)data + 1, size - 1, &blob, &n,
				  NULL))
			check_blob(blob, n, data[0] + 1, 1);
	} else if (!schema_to_gbnf((const char *)data + 1, size - 1, &text,
				   NULL)) {
		/* A schema may refer to itself at once, or hold no UTF-8. */
		if (!gbnf_compile(text, strlen(text), &blob, &n, NULL))
			check_blob(blob, n, data[0] + 1, 1);
	}
	free(blob);
	free(text);
	FUZZ_CHECK(host.live == live);
	return 0;
}
