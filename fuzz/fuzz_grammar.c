// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Grammars from any bytes. The first byte says as what: an automaton as it is
 * handed to the engine, GBNF, a JSON schema, or one in which pieces are
 * repeated, so that a short input has keys as long and as many as a client's.
 * They are compiled on a stack like the gateway's and within a time. What is
 * accepted is followed for a few tokens, and must never leave a mask with a
 * token that it then refuses.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* ---- repeated pieces ---- */

#define REPEAT 1		/* then: log2 of how often, bytes, the piece */
#define MAX_TEXT (1 << 20)

struct expanded {
	char *p;
	size_t n;
};

/* A # is the number of the repetition, so that keys differ. */
static void put_piece(struct expanded *e, const unsigned char *p, size_t n,
		      unsigned int number)
{
	for (size_t i = 0; i < n && e->n < MAX_TEXT; i++)
		if (p[i] == '#')
			e->n += (size_t)sprintf(e->p + e->n, "%x", number);
		else
			e->p[e->n++] = (char)p[i];
}

static struct expanded expand(const unsigned char *p, size_t n)
{
	struct expanded e = { .p = malloc(MAX_TEXT + 16) };

	for (size_t i = 0; i < n; i++) {
		size_t piece = 1;
		unsigned int times = 1;

		if (p[i] == REPEAT && n - i > 3) {
			times = 1u << (p[i + 1] & 15);
			piece = p[i + 2] < n - i - 3 ? p[i + 2] : n - i - 3;
			i += 3;
		}
		for (unsigned int k = 0; k < times; k++)
			put_piece(&e, p + i, piece, k);
		i += piece - 1;
	}
	return e;
}

/* ---- compiling ---- */

/* The gateway's stack, and the time in which others may wait for it. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#define STACK_BYTES (4u << 20)
#define SECONDS 15.0
#else
#define STACK_BYTES (1u << 20)
#define SECONDS 3.0
#endif

struct job {
	const char *text;
	size_t n;
	int schema;
	void *blob;		/* NULL: it is refused */
	size_t size;
};

static void *compile(void *arg)
{
	struct job *j = arg;
	struct timespec ts;
	char *gbnf = NULL;

	/* A schema may refer to itself at once, or hold no UTF-8. */
	if (!j->schema)
		gbnf_compile(j->text, j->n, &j->blob, &j->size, NULL);
	else if (!schema_to_gbnf(j->text, j->n, &gbnf, NULL))
		gbnf_compile(gbnf, strlen(gbnf), &j->blob, &j->size, NULL);
	free(gbnf);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	FUZZ_CHECK((double)ts.tv_sec + (double)ts.tv_nsec / 1e9 < SECONDS);
	return NULL;
}

static void check_text(const char *text, size_t n, int schema, u64 rng)
{
	struct job j = { .text = text, .n = n, .schema = schema };
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	FUZZ_CHECK(!pthread_create(&thread, &attr, compile, &j));
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	if (j.blob)
		check_blob(j.blob, j.size, rng, 1);
	free(j.blob);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const char *text = (const char *)data + 1;
	struct expanded e;
	size_t live;

	if (!host.host.ops)
		set_up();
	if (!size)
		return 0;
	live = host.live;
	switch (data[0] % 4) {
	case 0:
		check_blob(data + 1, size - 1, data[0] + 1, 0);
		break;
	case 1:
	case 2:
		check_text(text, size - 1, data[0] % 4 == 2, data[0] + 1);
		break;
	default:
		e = expand(data + 1, size - 1);
		check_text(e.p, e.n, 1, data[0] + 1);
		free(e.p);
	}
	FUZZ_CHECK(host.live == live);
	return 0;
}
