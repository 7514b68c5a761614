// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Any bytes as a GGUF file: opened, its vocabulary loaded and used. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "lx/quant.h"
#include "lx/vocab.h"
#include "testhost.h"

static struct test_host host;

/* Everything the header says must lie within the file. */
static void check_tensors(const struct lx_gguf *g, size_t size)
{
	for (u64 i = 0; i < g->n_tensors; i++) {
		const struct lx_gguf_tensor *t = &g->tensors[i];

		FUZZ_CHECK(lx_type_info(t->type) != NULL);
		FUZZ_CHECK(t->size && t->offset <= size &&
			   t->size <= size - t->offset);
	}
}

static void walk_keys(const struct lx_gguf *g)
{
	static volatile u64 sum;

	for (u64 i = 0; i < g->n_kv; i++) {
		const struct lx_gguf_kv *kv = &g->kv[i];
		u64 pos = 0;

		for (u64 k = 0; k < kv->count; k++) {
			if (kv->elem_type == LX_GGUF_STRING)
				sum += lx_gguf_next_str(kv, &pos).n;
			else
				sum += lx_gguf_elem(kv, k);
		}
	}
}

static void use_vocab(const struct lx_vocab *v)
{
	static char buf[3 * 65600];
	static const char text[] = "Hi <s> \xff\xe2\x96\x81 a</s> <|end|>";
	struct lx_detok d = { .strip = true };
	s32 ids[64];
	s64 n = lx_tokenize(v, text, sizeof(text) - 1,
			    LX_TOK_BOS | LX_TOK_SPECIAL, ids, 64);

	for (s64 i = 0; i < n && i < 64; i++) {
		FUZZ_CHECK(ids[i] >= 0 && (u32)ids[i] < lx_vocab_n_tokens(v));
		lx_detok_push(&d, v, ids[i], true, buf, sizeof(buf));
	}
	lx_detok_flush(&d, buf, sizeof(buf));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct lx_gguf g;
	struct test_mem m = { data, size };
	struct lx_source src = test_source(&m);
	struct lx_error err = { 0 };
	struct lx_vocab *v = NULL;

	if (!host.host.ops)
		test_host_init(&host);
	if (!lx_gguf_open(&g, &host.host, &src, 1, &err)) {
		check_tensors(&g, size);
		walk_keys(&g);
		if (!lx_vocab_load(&host.host, &g, &v, &err))
			use_vocab(v);
		else
			FUZZ_CHECK(err.code && err.msg[0]);
	} else {
		FUZZ_CHECK(err.code && err.msg[0]);
	}
	lx_vocab_free(v);
	lx_gguf_close(&g);
	FUZZ_CHECK(!host.live);
	return 0;
}
