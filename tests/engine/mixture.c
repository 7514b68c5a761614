// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggufw.h"
#include "lx/quant.h"
#include "mixture.h"

#define EMBD 64
#define HEADS 4
#define HEADS_KV 2
#define FF 48

struct made {
	struct ggufw w;
	u64 offset;	/* of the next tensor, bytes: all are F32 */
};

static void tensor(struct made *m, const char *name, u32 cols, u32 rows, u32 n)
{
	u64 ne[3] = { cols, rows, n };
	u64 bytes = 4ull * cols * (rows ? rows : 1) * (n ? n : 1);

	gw_tensor(&m->w, name, n ? 3 : rows ? 2 : 1, ne, LX_TYPE_F32, m->offset);
	m->offset += lx_align_up(bytes, 32);
}

static void layer(struct made *m, u32 l)
{
	static const struct { const char *name; u32 cols, rows, n; } all[] = {
		{ "attn_norm", EMBD, 0, 0 }, { "ffn_norm", EMBD, 0, 0 },
		{ "attn_q", EMBD, EMBD, 0 },
		{ "attn_k", EMBD, EMBD / HEADS * HEADS_KV, 0 },
		{ "attn_v", EMBD, EMBD / HEADS * HEADS_KV, 0 },
		{ "attn_output", EMBD, EMBD, 0 },
		{ "ffn_gate_inp", EMBD, MIXTURE_EXPERTS, 0 },
		{ "ffn_gate_exps", EMBD, FF, MIXTURE_EXPERTS },
		{ "ffn_up_exps", EMBD, FF, MIXTURE_EXPERTS },
		{ "ffn_down_exps", FF, EMBD, MIXTURE_EXPERTS },
	};
	char name[64];

	for (size_t i = 0; i < LX_ARRAY_SIZE(all); i++) {
		snprintf(name, sizeof(name), "blk.%u.%s.weight", l, all[i].name);
		tensor(m, name, all[i].cols, all[i].rows, all[i].n);
	}
}

static void keys(struct ggufw *w)
{
	static const struct { const char *name; u32 v; } all[] = {
		{ "block_count", MIXTURE_LAYERS }, { "context_length", 1024 },
		{ "embedding_length", EMBD }, { "feed_forward_length", FF },
		{ "attention.head_count", HEADS },
		{ "attention.head_count_kv", HEADS_KV },
		{ "expert_count", MIXTURE_EXPERTS },
		{ "expert_used_count", MIXTURE_USED },
	};
	char key[80];

	gw_kv_str(w, "general.architecture", "llama");
	for (size_t i = 0; i < LX_ARRAY_SIZE(all); i++) {
		snprintf(key, sizeof(key), "llama.%s", all[i].name);
		gw_kv_u32(w, key, all[i].v);
	}
	gw_key(w, "llama.attention.layer_norm_rms_epsilon", LX_GGUF_F32);
	gw_u32(w, 0x3727c5ac);	/* 1e-5 */
	gw_spm(w, MIXTURE_VOCAB);
}

bool mixture_write(const char *path)
{
	FILE *f = fopen(path, "wb");
	struct made m = { 0 };
	u64 seed = 1;
	bool ok;

	if (!f)
		return false;
	gw_head(&m.w, 3, 2 + 10 * MIXTURE_LAYERS, 14);
	keys(&m.w);
	tensor(&m, "token_embd.weight", EMBD, MIXTURE_VOCAB, 0);
	tensor(&m, "output_norm.weight", EMBD, 0, 0);
	for (u32 l = 0; l < MIXTURE_LAYERS; l++)
		layer(&m, l);
	gw_pad(&m.w, 32);
	for (u64 i = 0; i < m.offset; i += 4) {
		float v = (float)((double)(test_random(&seed) >> 40) /
				  (1 << 23) - 1.0) * 0.4f;

		gw_bytes(&m.w, &v, 4);
	}
	ok = fwrite(m.w.p, m.w.n, 1, f) == 1;
	gw_free(&m.w);
	return !fclose(f) && ok;
}
