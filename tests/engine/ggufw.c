// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggufw.h"

void gw_bytes(struct ggufw *w, const void *p, size_t n)
{
	if (w->n + n > w->cap) {
		w->cap = 2 * (w->n + n) + 256;
		w->p = realloc(w->p, w->cap);
		if (!w->p)
			abort();
	}
	memcpy(w->p + w->n, p, n);
	w->n += n;
}

void gw_u8(struct ggufw *w, u8 v)
{
	gw_bytes(w, &v, 1);
}

void gw_u32(struct ggufw *w, u32 v)
{
	gw_bytes(w, &v, 4);
}

void gw_u64(struct ggufw *w, u64 v)
{
	gw_bytes(w, &v, 8);
}

void gw_str(struct ggufw *w, const char *s)
{
	gw_u64(w, strlen(s));
	gw_bytes(w, s, strlen(s));
}

void gw_pad(struct ggufw *w, size_t align)
{
	while (w->n % align)
		gw_u8(w, 0);
}

void gw_head(struct ggufw *w, u32 version, u64 n_tensors, u64 n_kv)
{
	gw_bytes(w, "GGUF", 4);
	gw_u32(w, version);
	gw_u64(w, n_tensors);
	gw_u64(w, n_kv);
}

void gw_key(struct ggufw *w, const char *key, u32 type)
{
	gw_str(w, key);
	gw_u32(w, type);
}

void gw_kv_u32(struct ggufw *w, const char *key, u32 v)
{
	gw_key(w, key, LX_GGUF_U32);
	gw_u32(w, v);
}

void gw_kv_bool(struct ggufw *w, const char *key, u8 v)
{
	gw_key(w, key, LX_GGUF_BOOL);
	gw_u8(w, v);
}

void gw_kv_str(struct ggufw *w, const char *key, const char *v)
{
	gw_key(w, key, LX_GGUF_STRING);
	gw_str(w, v);
}

void gw_kv_array(struct ggufw *w, const char *key, u32 elem, u64 n)
{
	gw_key(w, key, LX_GGUF_ARRAY);
	gw_u32(w, elem);
	gw_u64(w, n);
}

void gw_spm(struct ggufw *w, u32 n)
{
	char token[16];

	gw_kv_str(w, "tokenizer.ggml.model", "llama");
	gw_kv_array(w, "tokenizer.ggml.tokens", LX_GGUF_STRING, n);
	gw_str(w, "<unk>");
	gw_str(w, "<s>");
	gw_str(w, "</s>");
	for (u32 i = 3; i < n; i++) {
		snprintf(token, sizeof(token), i < 259 ? "<0x%02X>" : "w%u",
			 i < 259 ? i - 3 : i);
		gw_str(w, token);
	}
	gw_kv_array(w, "tokenizer.ggml.scores", LX_GGUF_F32, n);
	for (u32 i = 0; i < n; i++)
		gw_u32(w, 0);
	gw_kv_array(w, "tokenizer.ggml.token_type", LX_GGUF_I32, n);
	for (u32 i = 0; i < n; i++)
		gw_u32(w, i < 3 ? 3 : i < 259 ? 6 : 1);
}

void gw_tensor(struct ggufw *w, const char *name, u32 n_dims, const u64 *ne,
	       u32 type, u64 offset)
{
	gw_str(w, name);
	gw_u32(w, n_dims);
	for (u32 i = 0; i < n_dims; i++)
		gw_u64(w, ne[i]);
	gw_u32(w, type);
	gw_u64(w, offset);
}

void gw_free(struct ggufw *w)
{
	free(w->p);
	memset(w, 0, sizeof(*w));
}
