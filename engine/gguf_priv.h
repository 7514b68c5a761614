/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Shared by gguf.c (files, tensors) and gguf_kv.c (keys and values). */
#ifndef LX_GGUF_PRIV_H
#define LX_GGUF_PRIV_H

#include "lx/gguf.h"

/*
 * A cursor over the header of one file. While @src is set the blob grows as
 * the cursor needs bytes, so pointers into it are good only until the next
 * call; a second pass with @src NULL parses in place.
 */
struct lx_gguf_reader {
	struct lx_host *host;
	const struct lx_source *src;
	struct lx_error *err;
	struct lx_gguf_blob blob;
	size_t have;		/* bytes read into the blob */
	u64 off;
	u64 size;		/* of the file */
	u32 file;		/* index */
	char name[32];		/* in messages: a caller knows the file's own */
};

/* Make @n bytes at the cursor readable; -LX_EBADMSG beyond the file's end. */
int lx_gguf_need(struct lx_gguf_reader *r, u64 n);
int lx_gguf_read_u32(struct lx_gguf_reader *r, u32 *v);
int lx_gguf_read_u64(struct lx_gguf_reader *r, u64 *v);
/* @what names the string in messages. */
int lx_gguf_read_str(struct lx_gguf_reader *r, struct lx_str *s,
		     const char *what);
/* One key and its value; @kv may be NULL in the first pass. */
int lx_gguf_read_kv(struct lx_gguf_reader *r, struct lx_gguf_kv *kv);

static inline const u8 *lx_gguf_at(const struct lx_gguf_reader *r)
{
	return r->blob.p + r->off;
}

static inline u16 lx_le16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}

static inline u32 lx_le32(const u8 *p)
{
	return lx_le16(p) | (u32)lx_le16(p + 2) << 16;
}

static inline u64 lx_le64(const u8 *p)
{
	return lx_le32(p) | (u64)lx_le32(p + 4) << 32;
}

/* The same order as memcmp, shorter first on a common prefix. */
static inline int lx_str_cmp(struct lx_str a, struct lx_str b)
{
	int c = lx_memcmp(a.p, b.p, lx_min(a.n, b.n));

	if (c)
		return c;
	return a.n < b.n ? -1 : a.n > b.n;
}

const struct lx_gguf_kv *lx_gguf_find_kv(const struct lx_gguf_kv *kv, u64 n,
					 const char *key);
/* Any integer type as u32; see lx_gguf_get_u32(). */
int lx_gguf_kv_u32(const struct lx_gguf_kv *kv, u32 *v, struct lx_error *err);

#endif
