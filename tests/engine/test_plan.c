// SPDX-License-Identifier: GPL-2.0-only
/*
 * The context that is chosen when nobody says how long it should be: what was
 * trained and fits. Headers only; the weights of these models exist in the
 * length of their files alone.
 */
#include <stdio.h>
#include <string.h>

#include "ggufw.h"
#include "lx/lx.h"

#define LAYERS 4
#define EMBD 64
#define HEADS 8
#define HEAD 128
#define FF 64
#define VOCAB 3

struct made {
	struct ggufw w;
	u64 offset;
	u32 n_tensors;
};

static void f32_tensor(struct made *m, const char *name, u32 cols, u32 rows)
{
	u64 ne[2] = { cols, rows };

	gw_tensor(&m->w, name, rows ? 2 : 1, ne, LX_TYPE_F32, m->offset);
	m->offset += 4ull * cols * (rows ? rows : 1);
	m->n_tensors++;
}

static void layer(struct made *m, u32 l, bool phi3)
{
	static const struct { const char *name; u32 cols, rows; } all[] = {
		{ "attn_norm", EMBD, 0 }, { "ffn_norm", EMBD, 0 },
		{ "attn_q", EMBD, HEADS * HEAD }, { "attn_k", EMBD, HEADS * HEAD },
		{ "attn_v", EMBD, HEADS * HEAD },
		{ "attn_output", HEADS * HEAD, EMBD },
		{ "ffn_gate", EMBD, FF }, { "ffn_up", EMBD, FF },
		{ "ffn_down", FF, EMBD },
	};
	char name[64];

	for (size_t i = 0; i < LX_ARRAY_SIZE(all); i++) {
		snprintf(name, sizeof(name), "blk.%u.%s.weight", l, all[i].name);
		f32_tensor(m, name, all[i].cols, all[i].rows);
	}
	if (phi3 && !l) {
		f32_tensor(m, "rope_factors_short.weight", HEAD / 2, 0);
		f32_tensor(m, "rope_factors_long.weight", HEAD / 2, 0);
	}
}

static void keys(struct ggufw *w, const char *arch, u32 n_ctx)
{
	static const char *const names[] = {
		"block_count", "embedding_length", "feed_forward_length",
		"attention.head_count", "attention.key_length",
		"attention.value_length", "context_length",
		"rope.scaling.original_context_length",
	};
	const u32 values[] = { LAYERS, EMBD, FF, HEADS, HEAD, HEAD, n_ctx, 4096 };
	char key[80];

	gw_kv_str(w, "general.architecture", arch);
	for (size_t i = 0; i < LX_ARRAY_SIZE(names); i++) {
		snprintf(key, sizeof(key), "%s.%s", arch, names[i]);
		gw_kv_u32(w, key, values[i]);
	}
	snprintf(key, sizeof(key), "%s.attention.layer_norm_rms_epsilon", arch);
	gw_key(w, key, LX_GGUF_F32);
	gw_u32(w, 0x3727c5ac);	/* 1e-5 */
	gw_kv_str(w, "tokenizer.ggml.model", "llama");
	gw_kv_array(w, "tokenizer.ggml.tokens", LX_GGUF_STRING, VOCAB);
	gw_str(w, "<unk>");
	gw_str(w, "<s>");
	gw_str(w, "</s>");
	gw_kv_array(w, "tokenizer.ggml.scores", LX_GGUF_F32, VOCAB);
	for (u32 i = 0; i < VOCAB; i++)
		gw_u32(w, 0);
	gw_kv_array(w, "tokenizer.ggml.token_type", LX_GGUF_I32, VOCAB);
	gw_u32(w, 2);
	gw_u32(w, 3);
	gw_u32(w, 3);
}

static void make(struct made *m, const char *arch, u32 n_ctx)
{
	bool phi3 = !strcmp(arch, "phi3");

	memset(m, 0, sizeof(*m));
	gw_head(&m->w, 3, 2 + 9 * LAYERS + (phi3 ? 2 : 0), 14);
	keys(&m->w, arch, n_ctx);
	f32_tensor(m, "token_embd.weight", EMBD, VOCAB);
	f32_tensor(m, "output_norm.weight", EMBD, 0);
	for (u32 l = 0; l < LAYERS; l++)
		layer(m, l, phi3);
	gw_pad(&m->w, 32);
}

static int read_header(void *ctx, u64 off, void *buf, size_t n)
{
	const struct ggufw *w = ctx;

	memset(buf, 0, n);
	if (off < w->n)
		memcpy(buf, w->p + off, lx_min(n, w->n - off));
	return 0;
}

/*
 * The plan of a model trained for @trained tokens with that much memory, of
 * which @reserved is not part.
 */
static struct lx_plan plan_with(const char *arch, u32 trained, u64 available,
				u64 reserved, const struct lx_engine_params *p)
{
	struct lx_model_params mp = { .reserved = reserved };
	struct lx_error err = { 0 };
	struct lx_plan out = { 0 };
	struct lx_source src;
	struct test_host h;
	struct made m;
	int r;

	make(&m, arch, trained);
	test_host_init(&h);
	h.available = available;
	src.ctx = &m.w;
	src.size = m.w.n + m.offset;
	src.read = read_header;
	r = lx_plan(&h.host, &src, 1, &mp, p, &out, &err);
	check(!r, "%s: %s", arch, err.msg);
	check(!h.live, "%s: %zu bytes are left", arch, h.live);
	gw_free(&m.w);
	return out;
}

static struct lx_plan plan(const char *arch, u32 trained, u64 available,
			   const struct lx_engine_params *p)
{
	return plan_with(arch, trained, available, 0, p);
}

static void expect(const char *arch, u32 trained, u64 available,
		   const struct lx_engine_params *p, u32 want)
{
	u32 got = plan(arch, trained, available, p).n_ctx;

	check(got == want, "%s of %u, %llu bytes: %u, not %u", arch, trained,
	      available, got, want);
}

/* As long as half of what the weights leave, and no shorter than needed. */
static void fits(u64 available, u32 n_sessions)
{
	struct lx_engine_params p = { .n_sessions = n_sessions };
	struct lx_plan a = plan("llama", 131072, available, &p), b;
	u64 half = (available - a.weights) / 2;

	check(a.n_ctx > 512 && a.n_ctx < 16384, "%u tokens", a.n_ctx);
	check(a.kv + a.scratch <= half, "%llu + %llu bytes, not %llu", a.kv,
	      a.scratch, half);
	check(a.total <= available, "%llu bytes of %llu", a.total, available);
	p.n_ctx = a.n_ctx * 2;
	b = plan("llama", 131072, available, &p);
	check(b.kv + b.scratch + (2 << 20) > half, "%u would have fitted",
	      p.n_ctx);
}

/* What is set aside is for weights alone, and they lie nowhere else. */
static void set_aside(void)
{
	const u64 some = 100 << 20;
	struct lx_plan a = plan("llama", 131072, some, NULL), b, c;

	b = plan_with("llama", 131072, some - a.weights, a.weights, NULL);
	check(b.n_ctx == a.n_ctx && b.total == a.total, "%u tokens, not %u",
	      b.n_ctx, a.n_ctx);
	c = plan_with("llama", 131072, some - a.weights, a.weights + some, NULL);
	check(c.n_ctx == a.n_ctx, "what is left over of it is no memory for KV");
	check(!lx_plan_missing(&b, b.total - b.weights), "the rest fits");
	check(lx_plan_missing(&b, b.total - b.weights - 7) == 7, "7 are missing");
	check(lx_plan_missing(&c, c.total - c.weights - 7) == 7,
	      "and are not taken from there");
	c = plan_with("llama", 131072, some, a.weights - 5, NULL);
	check(lx_plan_missing(&c, some) == 5, "weights lie nowhere else");
	check(lx_plan_missing(&a, a.total - 3) == 3 &&
	      !lx_plan_missing(&a, a.total), "nothing was set aside");
	check(a.n_blocks && a.block_bytes * a.n_blocks >= a.weights &&
	      a.block_bytes <= a.weights, "%u blocks of at most %llu bytes",
	      a.n_blocks, a.block_bytes);
}

int main(void)
{
	const struct lx_engine_params longer = { .n_ctx = 70000 };
	const u64 much = 1ull << 40;

	expect("llama", 131072, much, NULL, 16384);
	expect("llama", 2048, much, NULL, 2048);
	expect("llama", 100, 0, NULL, 100);
	expect("llama", 131072, 0, NULL, 512);
	expect("llama", 131072, 0, &longer, 70000);
	expect("phi3", 131072, much, NULL, 4096);
	expect("phi3", 131072, much, &longer, 70000);
	fits(100 << 20, 1);
	fits(150 << 20, 1);
	fits(600 << 20, 4);
	set_aside();
	return test_done();
}
