// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Plan against reality: what a model, an engine and full sessions take is what
 * the plan said, to 2 % or 1 MB, whichever is more. Large shapes are a header
 * without data, loaded by a host that counts: it maps memory that nobody
 * touches and runs no tile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ggufw.h"
#include "session.h"

static u64 held[LX_MEM_KINDS];

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void *host_alloc(struct lx_host *h, size_t size, enum lx_mem kind)
{
	void *p = size < 1 << 20 ? aligned_alloc(64, lx_align_up(size, 64)) :
				   map(size);

	(void)h;
	if (p && size < 1 << 20)
		memset(p, 0, size);
	held[kind] += p ? size : 0;
	return p;
}

static void host_free(struct lx_host *h, void *p, size_t size,
		      enum lx_mem kind)
{
	(void)h;
	if (size < 1 << 20)
		free(p);
	else
		munmap(p, size);
	held[kind] -= size;
}

static int block_alloc(struct lx_host *h, struct lx_block *b, size_t size,
		       enum lx_mem kind)
{
	(void)h;
	b->addr = map(size);
	b->size = size;
	held[kind] += size;
	return b->addr ? 0 : -LX_ENOMEM;
}

/* KV is not written here, and not read to be cleaned: it stays unmapped. */
static void block_free(struct lx_host *h, struct lx_block *b, enum lx_mem kind)
{
	(void)h;
	munmap(b->addr, b->size);
	held[kind] -= b->size;
}

static int run(struct lx_host *h, struct lx_job *job)
{
	(void)h;
	(void)job;
	return 0;
}

static void run_tile(struct lx_host *h, const struct lx_op *op, u32 tile)
{
	(void)h;
	(void)op;
	(void)tile;
}

static u64 available(struct lx_host *h)
{
	(void)h;
	return 1ull << 40;
}

static u64 time_ns(struct lx_host *h)
{
	(void)h;
	return 0;
}

static int progress(struct lx_host *h, u64 done, u64 total)
{
	(void)h;
	(void)done;
	(void)total;
	return 0;
}

static const struct lx_host_ops ops = {
	.alloc = host_alloc,
	.free = host_free,
	.block_alloc = block_alloc,
	.block_free = block_free,
	.run = run,
	.tile = run_tile,
	.available = available,
	.time_ns = time_ns,
	.progress = progress,
};

/* ---- shapes ---- */

struct shape {
	const char *name;
	u32 layers, embd, heads, heads_kv, ff, vocab, experts;
	u32 ctx, sessions;
	u32 less;	/* every other layer has so many times fewer heads */
};

static const struct shape shapes[] = {
	{ "TinyLlama", 22, 2048, 32, 4, 5632, 32000, 0, 2048, 4, 0 },
	{ "7B", 32, 4096, 32, 32, 11008, 32000, 0, 4096, 1, 0 },
	{ "13B", 40, 5120, 40, 40, 13824, 32000, 0, 4096, 2, 0 },
	{ "70B", 80, 8192, 64, 8, 28672, 32000, 0, 4096, 3, 0 },
	{ "8x7B", 32, 4096, 32, 8, 14336, 32000, 8, 8192, 1, 0 },
	{ "8B", 32, 4096, 32, 8, 14336, 128256, 0, 8192, 2, 0 },
	{ "1B", 16, 2048, 32, 8, 8192, 128256, 0, 4096, 16, 0 },
	{ "differing", 24, 2048, 32, 16, 8192, 32000, 0, 4096, 8, 8 },
};

/* By what the heads and the feed-forward of layer @i are divided */
static u32 less_of(const struct shape *s, u32 i)
{
	return s->less && i % 2 ? s->less : 1;
}

static u64 offset;

static void tensor(struct ggufw *w, const char *name, u64 cols, u64 rows,
		   u64 n, u32 type)
{
	const struct lx_type_info *ti = lx_type_info(type);
	u64 ne[3] = { cols, rows, n };
	u64 bytes = cols / ti->block * ti->bytes * (rows ? rows : 1) *
		    (n ? n : 1);

	gw_tensor(w, name, n ? 3 : rows ? 2 : 1, ne, type, offset);
	offset += lx_align_up(bytes, 32);
}

static void layer(struct ggufw *w, const struct shape *s, u32 i)
{
	u64 kv = (u64)s->embd / s->heads * s->heads_kv / less_of(s, i);
	u64 q = s->embd / less_of(s, i), ff = s->ff / less_of(s, i);
	u32 big = i % 2 ? LX_TYPE_Q6_K : LX_TYPE_Q4_K;
	char name[64];

#define TENSOR(what, ...) \
	(snprintf(name, sizeof(name), "blk.%u." what ".weight", i), \
	 tensor(w, name, __VA_ARGS__))
	TENSOR("attn_norm", s->embd, 0, 0, LX_TYPE_F32);
	TENSOR("attn_q", s->embd, q, 0, LX_TYPE_Q4_K);
	TENSOR("attn_k", s->embd, kv, 0, LX_TYPE_Q4_K);
	TENSOR("attn_v", s->embd, kv, 0, big);
	TENSOR("attn_output", q, s->embd, 0, LX_TYPE_Q4_K);
	TENSOR("ffn_norm", s->embd, 0, 0, LX_TYPE_F32);
	if (s->experts) {
		TENSOR("ffn_gate_inp", s->embd, s->experts, 0, LX_TYPE_F32);
		TENSOR("ffn_gate_exps", s->embd, s->ff, s->experts,
		       LX_TYPE_Q4_K);
		TENSOR("ffn_up_exps", s->embd, s->ff, s->experts,
		       LX_TYPE_Q4_K);
		TENSOR("ffn_down_exps", s->ff, s->embd, s->experts, big);
		return;
	}
	TENSOR("ffn_gate", s->embd, ff, 0, LX_TYPE_Q4_K);
	TENSOR("ffn_up", s->embd, ff, 0, LX_TYPE_Q4_K);
	TENSOR("ffn_down", ff, s->embd, 0, big);
#undef TENSOR
}

/* One value for all layers, or an array of one for each. */
static void per_layer(struct ggufw *w, const char *key, const struct shape *s,
		      u32 v)
{
	if (!s->less) {
		gw_kv_u32(w, key, v);
		return;
	}
	gw_kv_array(w, key, LX_GGUF_U32, s->layers);
	for (u32 i = 0; i < s->layers; i++)
		gw_u32(w, v / less_of(s, i));
}

static void header(struct ggufw *w, const struct shape *s)
{
	float eps = 1e-5f;

	offset = 0;
	gw_head(w, 3, 3 + (u64)s->layers * (s->experts ? 10 : 9),
		12 + (s->experts ? 2 : 0));
	gw_kv_str(w, "general.architecture", "llama");
	gw_kv_u32(w, "llama.block_count", s->layers);
	gw_kv_u32(w, "llama.context_length", s->ctx);
	gw_kv_u32(w, "llama.embedding_length", s->embd);
	per_layer(w, "llama.feed_forward_length", s, s->ff);
	per_layer(w, "llama.attention.head_count", s, s->heads);
	per_layer(w, "llama.attention.head_count_kv", s, s->heads_kv);
	gw_key(w, "llama.attention.layer_norm_rms_epsilon", LX_GGUF_F32);
	gw_bytes(w, &eps, 4);
	if (s->experts) {
		gw_kv_u32(w, "llama.expert_count", s->experts);
		gw_kv_u32(w, "llama.expert_used_count", 2);
	}
	gw_spm(w, s->vocab);
	tensor(w, "token_embd.weight", s->embd, s->vocab, 0, LX_TYPE_Q4_K);
	tensor(w, "output.weight", s->embd, s->vocab, 0, LX_TYPE_Q6_K);
	tensor(w, "output_norm.weight", s->embd, 0, 0, LX_TYPE_F32);
	for (u32 i = 0; i < s->layers; i++)
		layer(w, s, i);
	gw_pad(w, 32);
}

/* The header, and no data: nobody looks at it. */
static int read_header(void *ctx, u64 off, void *buf, size_t n)
{
	const struct ggufw *w = ctx;

	if (off < w->n)
		memcpy(buf, w->p + off, lx_min(n, w->n - off));
	return 0;
}

/* ---- the comparison ---- */

static void compare(const char *name, const char *what, u64 plan, u64 real)
{
	u64 d = plan > real ? plan - real : real - plan;

	check(d <= lx_max(plan / 50, (u64)1 << 20),
	      "%s: %s: planned %llu, took %llu", name, what, plan, real);
}

static void measure(const char *name, struct lx_source *src,
		    const struct lx_engine_params *ep)
{
	struct lx_host host = { .ops = &ops, .n_workers = 2,
				.block_size = 4u << 20 };
	struct lx_error err = { 0 };
	struct lx_session_params sp;
	struct lx_session *s;
	struct lx_engine *e;
	struct lx_model *m;
	struct lx_plan plan;
	int r;

	memset(held, 0, sizeof(held));
	r = lx_plan(&host, src, 1, NULL, ep, &plan, &err);
	check(!r, "%s: plan: %d %s", name, r, err.msg);
	check(!held[LX_MEM_CONTROL], "%s: planning holds nothing", name);
	r = r ? r : lx_model_load(&host, src, 1, NULL, &m, &err);
	check(!r, "%s: load: %d %s", name, r, err.msg);
	if (r)
		return;
	check(!lx_engine_open(m, ep, &e, &err), "%s: %s", name, err.msg);
	lx_session_defaults(&sp);
	for (u32 i = 0; i < plan.n_sessions; i++)
		check(!lx_session_open(e, &sp, &s) &&
		      !lx_kv_reserve(s, plan.n_ctx), "%s: a session", name);
	compare(name, "weights", plan.weights, held[LX_MEM_WEIGHTS]);
	compare(name, "kv", plan.kv, held[LX_MEM_KV]);
	compare(name, "scratch", plan.scratch, held[LX_MEM_SCRATCH]);
	compare(name, "control", plan.control, held[LX_MEM_CONTROL]);
	compare(name, "total", plan.total, held[0] + held[1] + held[2] +
		held[3]);
	printf("%-10s planned %12llu took %12llu\n", name, plan.total,
	       held[0] + held[1] + held[2] + held[3]);
	/* Nothing is given back: it would be cleaned, and so touched. */
}

int main(void)
{
	struct ggufw w = { 0 };
	struct test_mem mem;
	struct lx_source src;

	for (u32 i = 0; i < LX_ARRAY_SIZE(shapes); i++) {
		struct lx_engine_params ep = { .n_ctx = shapes[i].ctx,
			.n_sessions = shapes[i].sessions };

		gw_free(&w);
		header(&w, &shapes[i]);
		src = (struct lx_source){ .ctx = &w, .size = w.n + offset,
					  .read = read_header };
		measure(shapes[i].name, &src, &ep);
	}
	gw_free(&w);
	mem.p = test_read_file("models/llamux-default.gguf", &mem.n);
	src = test_source(&mem);
	measure("default", &src, NULL);
	return test_done();
}
