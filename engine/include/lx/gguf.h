/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * GGUF v2/v3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md):
 * the header is read once into one buffer and parsed in place with checked
 * arithmetic; keys, values and tensor names point into that buffer, which
 * lives as long as the struct. Floats stay bits. Integer code only.
 */
#ifndef LX_GGUF_H
#define LX_GGUF_H

#include "deps.h"
#include "error.h"

enum lx_gguf_type {
	LX_GGUF_U8, LX_GGUF_I8, LX_GGUF_U16, LX_GGUF_I16, LX_GGUF_U32,
	LX_GGUF_I32, LX_GGUF_F32, LX_GGUF_BOOL, LX_GGUF_STRING, LX_GGUF_ARRAY,
	LX_GGUF_U64, LX_GGUF_I64, LX_GGUF_F64, LX_GGUF_TYPES
};

#define LX_GGUF_MAX_DIMS 4
#define LX_GGUF_MAX_NAME 64	/* tensor names, as the reference limits them */
#define LX_GGUF_MAX_SPLITS 256

struct lx_str {
	const char *p;		/* not terminated */
	u32 n;
};

struct lx_gguf_kv {
	struct lx_str key;
	u32 type;		/* enum lx_gguf_type */
	u32 elem_type;		/* of an array */
	u64 count;		/* 1, or the elements of an array */
	const u8 *data;		/* little-endian, unaligned; strings: u64 length + bytes */
	u64 size;		/* bytes at data */
};

struct lx_gguf_tensor {
	struct lx_str name;
	u32 n_dims;
	u32 type;		/* enum lx_type (lx/quant.h), valid */
	u64 ne[LX_GGUF_MAX_DIMS];	/* ne[0] is the row length; unused dims are 1 */
	u64 offset;		/* absolute in its file */
	u64 size;		/* bytes */
	u32 source;		/* which file of a split model */
};

struct lx_gguf {
	struct lx_host *host;
	u32 version;
	u32 alignment;
	u64 n_kv, n_tensors;
	struct lx_gguf_kv *kv;		/* of the first file */
	struct lx_gguf_tensor *tensors;	/* of all files */
	u64 data_size;			/* bytes of all tensors */
	u64 memory;			/* control memory held by this struct */
	struct lx_gguf_blob { u8 *p; size_t size; } blob[LX_GGUF_MAX_SPLITS];
	u32 n_blobs;
	size_t kv_bytes, tensor_bytes;
};

/*
 * Parse the headers of @n_src files (more than one for a split model, in
 * order). Everything is validated: counts, lengths, types, duplicate keys and
 * tensors, alignment (a power of two), offsets, overlap, offset + size within
 * the file. Errors: -LX_ENOEXEC not a GGUF, -LX_EBADMSG corrupt, -LX_ENOPKG
 * unknown version, big-endian or unknown tensor type, -LX_ENOMEM, or the
 * source's read error; @err says which key or tensor. On error @g holds
 * nothing. May sleep.
 */
int lx_gguf_open(struct lx_gguf *g, struct lx_host *host,
		 const struct lx_source *src, u32 n_src, struct lx_error *err);
void lx_gguf_close(struct lx_gguf *g);

/* NULL when there is none. */
const struct lx_gguf_kv *lx_gguf_find(const struct lx_gguf *g,
				      const char *key);
const struct lx_gguf_tensor *lx_gguf_tensor(const struct lx_gguf *g,
					    const char *name);

/*
 * Read a scalar. 1 when found, 0 when there is no such key (*@v is left
 * alone), -LX_EBADMSG when it has another type or does not fit, with @err set.
 * Any integer type is accepted for integers; f32 and f64 for floats, given as
 * f32 bits (f64 values are rounded by integer arithmetic).
 */
int lx_gguf_get_u32(const struct lx_gguf *g, const char *key, u32 *v,
		    struct lx_error *err);
int lx_gguf_get_f32(const struct lx_gguf *g, const char *key, u32 *bits,
		    struct lx_error *err);
int lx_gguf_get_bool(const struct lx_gguf *g, const char *key, bool *v,
		     struct lx_error *err);
int lx_gguf_get_str(const struct lx_gguf *g, const char *key,
		    struct lx_str *v, struct lx_error *err);

/*
 * Walk an array of strings: start with *@pos = 0; each call gives the next
 * string and moves *@pos. The caller counts to kv->count.
 */
struct lx_str lx_gguf_next_str(const struct lx_gguf_kv *kv, u64 *pos);
/* Element @i of an array of integers or f32 (bits); the caller checked type. */
u64 lx_gguf_elem(const struct lx_gguf_kv *kv, u64 i);

bool lx_str_eq(struct lx_str s, const char *z);

#endif
