/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A tiny GGUF writer: whatever is asked for, right or wrong. */
#ifndef GGUFW_H
#define GGUFW_H

#include "testhost.h"

struct ggufw {
	u8 *p;
	size_t n, cap;
};

void gw_bytes(struct ggufw *w, const void *p, size_t n);
void gw_u8(struct ggufw *w, u8 v);
void gw_u32(struct ggufw *w, u32 v);
void gw_u64(struct ggufw *w, u64 v);
void gw_str(struct ggufw *w, const char *s);
/* Zeros up to a multiple of @align. */
void gw_pad(struct ggufw *w, size_t align);

void gw_head(struct ggufw *w, u32 version, u64 n_tensors, u64 n_kv);
void gw_key(struct ggufw *w, const char *key, u32 type);
void gw_kv_u32(struct ggufw *w, const char *key, u32 v);
void gw_kv_bool(struct ggufw *w, const char *key, u8 v);
void gw_kv_str(struct ggufw *w, const char *key, const char *v);
/* An array's type and count; the elements follow. */
void gw_kv_array(struct ggufw *w, const char *key, u32 elem, u64 n);
void gw_tensor(struct ggufw *w, const char *name, u32 n_dims, const u64 *ne,
	       u32 type, u64 offset);
/*
 * The four keys of a SentencePiece vocabulary of @n tokens, 259 at least: three
 * control tokens, the bytes, words.
 */
void gw_spm(struct ggufw *w, u32 n);
void gw_free(struct ggufw *w);

#endif
