// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * GGUF files: reading the header of each into one blob, its tensors, and the
 * checks that make every later access safe.
 *
 * Each header is walked twice. The first pass reads the file in growing
 * pieces and checks every length; the second, over the finished blob, fills
 * the tables with pointers that stay valid.
 */
#include "gguf_priv.h"
#include "sort.h"
#include "lx/quant.h"

#define MAGIC 0x46554747	/* "GGUF" */
#define FIRST_READ (64u << 10)
#define HEADER_MAX (1ull << 30)
#define KV_MIN 14	/* bytes of the smallest key and value: u64 + 1, u32, 1 */
#define TENSOR_MIN 33	/* ... of the smallest tensor: u64 + 1, u32, u64, u32, u64 */
#define ALIGNMENT_DEFAULT 32
#define ALIGNMENT_MAX (1u << 20)

/* One file while it is opened. */
struct header {
	struct lx_gguf_reader r;
	u64 n_kv, n_tensors;
	u64 data;		/* where tensor data begins */
	u32 version;
	u32 alignment;
	struct lx_gguf_kv *kv;
};

/* Replace the blob by one of @size bytes, keeping what was read. */
static int blob_resize(struct lx_gguf_reader *r, size_t size)
{
	u8 *p = r->host->ops->alloc(r->host, size, LX_MEM_CONTROL);

	if (!p)
		return lx_fail(r->err, -LX_ENOMEM,
			       "no memory for %zu bytes of GGUF header", size);
	r->have = lx_min(r->have, size);
	if (r->blob.p) {
		lx_memcpy(p, r->blob.p, r->have);
		r->host->ops->free(r->host, r->blob.p, r->blob.size,
				   LX_MEM_CONTROL);
	}
	r->blob.p = p;
	r->blob.size = size;
	return 0;
}

static int blob_grow(struct lx_gguf_reader *r, u64 end)
{
	u64 size = lx_max(r->blob.size, (size_t)FIRST_READ);
	int ret;

	if (end > HEADER_MAX)
		return lx_fail(r->err, -LX_EBADMSG,
			       "a header of more than %llu bytes", HEADER_MAX);
	while (size < end)
		size *= 2;
	size = lx_min(size, lx_min(r->size, HEADER_MAX));
	ret = blob_resize(r, (size_t)size);
	if (ret)
		return ret;
	ret = r->src->read(r->src->ctx, r->have, r->blob.p + r->have,
			   (size_t)size - r->have);
	if (ret)
		return lx_fail(r->err, ret, "%s: reading the header failed",
			       r->name);
	r->have = (size_t)size;
	return 0;
}

int lx_gguf_need(struct lx_gguf_reader *r, u64 n)
{
	if (n > r->size || r->off > r->size - n)
		return lx_fail(r->err, -LX_EBADMSG,
			       "%s ends within its header (%llu bytes)",
			       r->name, r->size);
	if (r->off + n <= r->have)
		return 0;
	return blob_grow(r, r->off + n);
}

static int check_version(struct header *h)
{
	struct lx_error *err = h->r.err;

	if (h->version == 2 || h->version == 3)
		return 0;
	if (h->version == 1)
		return lx_fail(err, -LX_ENOPKG,
			       "GGUF version 1 is not supported; convert the file to version 3");
	if (h->version && !(h->version & 0xffff))
		return lx_fail(err, -LX_ENOPKG,
			       "a big-endian GGUF (version %u) is not supported",
			       __builtin_bswap32(h->version));
	return lx_fail(err, -LX_ENOPKG, "GGUF version %u is not supported",
		       h->version);
}

static int read_counts(struct header *h)
{
	struct lx_gguf_reader *r = &h->r;
	u32 magic;
	int ret;

	if (r->size < 8)
		return lx_fail(r->err, -LX_ENOEXEC,
			       "%s is not a GGUF (%llu bytes)", r->name,
			       r->size);
	ret = lx_gguf_read_u32(r, &magic);
	if (!ret && magic != MAGIC)
		return lx_fail(r->err, -LX_ENOEXEC,
			       "%s is not a GGUF (magic %x)", r->name,
			       magic);
	if (!ret)
		ret = lx_gguf_read_u32(r, &h->version);
	if (!ret)
		ret = check_version(h);
	if (!ret)
		ret = lx_gguf_read_u64(r, &h->n_tensors);
	if (!ret)
		ret = lx_gguf_read_u64(r, &h->n_kv);
	if (ret)
		return ret;
	if (h->n_kv > (r->size - r->off) / KV_MIN)
		return lx_fail(r->err, -LX_EBADMSG,
			       "%llu keys do not fit into the file", h->n_kv);
	if (h->n_tensors > (r->size - r->off) / TENSOR_MIN)
		return lx_fail(r->err, -LX_EBADMSG,
			       "%llu tensors do not fit into the file",
			       h->n_tensors);
	return 0;
}

#define fail_tensor(err, code, t, fmt, ...)				\
	lx_fail(err, code, "tensor '%.*s' " fmt,			\
		(int)lx_min((t)->name.n, 64u), (t)->name.p, ##__VA_ARGS__)

/* Name, dimensions, type and offset as they stand; nothing is judged yet. */
static int read_tensor(struct lx_gguf_reader *r, struct lx_gguf_tensor *t)
{
	u32 left;
	int ret = lx_gguf_read_str(r, &t->name, "a tensor's name");

	if (ret)
		return ret;
	if (!t->name.n || t->name.n >= LX_GGUF_MAX_NAME)
		return lx_fail(r->err, -LX_EBADMSG,
			       "a tensor's name of %u bytes before offset %llu",
			       t->name.n, r->off);
	left = t->name.n;
	ret = lx_gguf_read_u32(r, &t->n_dims);
	if (ret)
		return ret;
	if (!t->n_dims || t->n_dims > LX_GGUF_MAX_DIMS) {
		t->name.p = (const char *)lx_gguf_at(r) - 4 - left;
		return fail_tensor(r->err, -LX_EBADMSG, t,
				   "has %u dimensions", t->n_dims);
	}
	for (u32 i = 0; i < LX_GGUF_MAX_DIMS; i++) {
		t->ne[i] = 1;
		if (i < t->n_dims && !ret)
			ret = lx_gguf_read_u64(r, &t->ne[i]);
	}
	if (!ret)
		ret = lx_gguf_read_u32(r, &t->type);
	if (!ret)
		ret = lx_gguf_read_u64(r, &t->offset);
	t->source = r->file;
	return ret;
}

static int check_type(struct lx_error *err, const struct lx_gguf_tensor *t)
{
	const char *old = lx_type_retired(t->type);

	if (lx_type_info(t->type))
		return 0;
	if (old)
		return fail_tensor(err, -LX_ENOPKG, t,
				   "has type %u (%s), which ggml retired",
				   t->type, old);
	return fail_tensor(err, -LX_ENOPKG, t, "has the unknown type %u",
			   t->type);
}

/* Its bytes, by arithmetic that cannot wrap. */
static int tensor_size(struct lx_error *err, struct lx_gguf_tensor *t)
{
	const struct lx_type_info *ti = lx_type_info(t->type);
	u64 n = 1;

	for (u32 i = 0; i < t->n_dims; i++) {
		if (!t->ne[i])
			return fail_tensor(err, -LX_EBADMSG, t,
					   "has a dimension of 0");
		if (lx_mul_overflow(n, t->ne[i], &n) || n >> 62)
			return fail_tensor(err, -LX_EBADMSG, t,
					   "has more elements than fit into 64 bits");
	}
	if (t->ne[0] % ti->block)
		return fail_tensor(err, -LX_EBADMSG, t,
				   "has rows of %llu elements, not a multiple of %u (%s)",
				   t->ne[0], ti->block, ti->name);
	if (lx_mul_overflow(n / ti->block, (u64)ti->bytes, &t->size))
		return fail_tensor(err, -LX_EBADMSG, t,
				   "has more bytes than fit into 64 bits");
	return 0;
}

/* Turn the relative offset into an absolute one that is within the file. */
static int place_tensor(struct header *h, struct lx_gguf_tensor *t)
{
	u64 room = h->r.size - h->data;

	if (t->offset % h->alignment)
		return fail_tensor(h->r.err, -LX_EBADMSG, t,
				   "is at offset %llu, not a multiple of the alignment %u",
				   t->offset, h->alignment);
	if (t->offset > room || t->size > room - t->offset)
		return fail_tensor(h->r.err, -LX_EBADMSG, t,
				   "(%llu bytes at offset %llu) ends beyond the file",
				   t->size, t->offset);
	t->offset += h->data;
	return 0;
}

static int read_alignment(struct header *h)
{
	const struct lx_gguf_kv *kv = lx_gguf_find_kv(h->kv, h->n_kv,
						      "general.alignment");
	u32 a = ALIGNMENT_DEFAULT;
	int ret = kv ? lx_gguf_kv_u32(kv, &a, h->r.err) : 0;

	if (ret < 0)
		return ret;
	if (!a || (a & (a - 1)) || a > ALIGNMENT_MAX)
		return lx_fail(h->r.err, -LX_EBADMSG,
			       "key 'general.alignment' is %u, not a power of two up to %u",
			       a, ALIGNMENT_MAX);
	h->alignment = a;
	return 0;
}

/* The first pass: how many, how long, and the blob at its exact size. */
static int skim(struct header *h)
{
	struct lx_gguf_reader *r = &h->r;
	struct lx_gguf_tensor t;
	int ret = read_counts(h);

	for (u64 i = 0; !ret && i < h->n_kv; i++)
		ret = lx_gguf_read_kv(r, NULL);
	for (u64 i = 0; !ret && i < h->n_tensors; i++)
		ret = read_tensor(r, &t);
	if (!ret && r->blob.size != r->off)
		ret = blob_resize(r, (size_t)r->off);
	return ret;
}

static bool key_less(const void *ctx, u32 a, u32 b)
{
	const struct lx_gguf_kv *kv = ctx;

	return lx_str_cmp(kv[a].key, kv[b].key) < 0;
}

/* Indices 0 .. n-1 from control memory; the caller frees n * 4 bytes. */
static int index_alloc(struct lx_host *host, u64 n, u32 **out,
		       struct lx_error *err)
{
	u32 *idx = host->ops->alloc(host, lx_max(n, 1ull) * sizeof(u32),
				    LX_MEM_CONTROL);

	if (!idx)
		return lx_fail(err, -LX_ENOMEM,
			       "no memory to check the GGUF header");
	for (u64 i = 0; i < n; i++)
		idx[i] = (u32)i;
	*out = idx;
	return 0;
}

static void index_free(struct lx_host *host, u32 *idx, u64 n)
{
	host->ops->free(host, idx, lx_max(n, 1ull) * sizeof(u32),
			LX_MEM_CONTROL);
}

static int check_keys(struct header *h)
{
	struct lx_host *host = h->r.host;
	u32 *idx;
	int ret = index_alloc(host, h->n_kv, &idx, h->r.err);

	if (ret)
		return ret;
	lx_sort_index(idx, (u32)h->n_kv, key_less, h->kv);
	for (u64 i = 1; !ret && i < h->n_kv; i++) {
		const struct lx_str k = h->kv[idx[i]].key;

		if (!lx_str_cmp(k, h->kv[idx[i - 1]].key))
			ret = lx_fail(h->r.err, -LX_EBADMSG,
				      "key '%.*s' stands there twice",
				      (int)lx_min(k.n, 100u), k.p);
	}
	index_free(host, idx, h->n_kv);
	return ret;
}

static size_t kv_bytes(const struct header *h)
{
	return lx_max(h->n_kv, 1ull) * sizeof(struct lx_gguf_kv);
}

/* The second pass over keys; the cursor then stands at the tensors. */
static int parse_keys(struct header *h)
{
	struct lx_gguf_reader *r = &h->r;
	int ret = 0;

	h->kv = r->host->ops->alloc(r->host, kv_bytes(h), LX_MEM_CONTROL);
	if (!h->kv)
		return lx_fail(r->err, -LX_ENOMEM, "no memory for %llu keys",
			       h->n_kv);
	r->src = NULL;
	r->off = 24;
	for (u64 i = 0; !ret && i < h->n_kv; i++)
		ret = lx_gguf_read_kv(r, &h->kv[i]);
	if (!ret)
		ret = check_keys(h);
	if (!ret)
		ret = read_alignment(h);
	if (ret)
		return ret;
	h->data = lx_align_up((u64)r->have, (u64)h->alignment);
	if (h->n_tensors && h->data > r->size)
		return lx_fail(r->err, -LX_EBADMSG,
			       "%s ends before its tensor data", r->name);
	return 0;
}

static int parse_tensors(struct header *h, struct lx_gguf_tensor *t)
{
	int ret = 0;

	for (u64 i = 0; !ret && i < h->n_tensors; i++, t++) {
		ret = read_tensor(&h->r, t);
		if (!ret)
			ret = check_type(h->r.err, t);
		if (!ret)
			ret = tensor_size(h->r.err, t);
		if (!ret)
			ret = place_tensor(h, t);
	}
	return ret;
}

static void header_free(struct lx_host *host, struct header *h)
{
	if (h->kv)
		host->ops->free(host, h->kv, kv_bytes(h), LX_MEM_CONTROL);
	if (h->r.blob.p)
		host->ops->free(host, h->r.blob.p, h->r.blob.size,
				LX_MEM_CONTROL);
	h->kv = NULL;
	h->r.blob.p = NULL;
}

static int split_key(const struct header *h, const char *key, u32 want)
{
	const struct lx_gguf_kv *kv = lx_gguf_find_kv(h->kv, h->n_kv, key);
	u32 v;
	int ret;

	if (!kv)
		return lx_fail(h->r.err, -LX_EBADMSG,
			       "%s: a part of a split model without the key '%s'",
			       h->r.name, key);
	ret = lx_gguf_kv_u32(kv, &v, h->r.err);
	if (ret < 0)
		return ret;
	if (v != want)
		return lx_fail(h->r.err, -LX_EBADMSG,
			       "%s: key '%s' is %u, expected %u",
			       h->r.name, key, v, want);
	return 0;
}

/* @h is file @h->r.file of @n; a model in one file may have no split keys. */
static int check_split(const struct header *h, u32 n)
{
	int ret;

	if (n == 1 && !lx_gguf_find_kv(h->kv, h->n_kv, "split.count"))
		return 0;
	ret = split_key(h, "split.count", n);
	if (!ret)
		ret = split_key(h, "split.no", h->r.file);
	return ret;
}

static int check_split_total(const struct header *h, u32 n, u64 total)
{
	if (n == 1 || !lx_gguf_find_kv(h->kv, h->n_kv, "split.tensors.count"))
		return 0;
	return split_key(h, "split.tensors.count", (u32)total);
}

static bool name_less(const void *ctx, u32 a, u32 b)
{
	const struct lx_gguf_tensor *t = ctx;

	return lx_str_cmp(t[a].name, t[b].name) < 0;
}

static bool place_less(const void *ctx, u32 a, u32 b)
{
	const struct lx_gguf_tensor *t = ctx;

	if (t[a].source != t[b].source)
		return t[a].source < t[b].source;
	return t[a].offset < t[b].offset;
}

static int check_pair(struct lx_error *err, const struct lx_gguf_tensor *a,
		      const struct lx_gguf_tensor *b)
{
	if (a->source != b->source || b->offset - a->offset >= a->size)
		return 0;
	return fail_tensor(err, -LX_EBADMSG, b, "overlaps tensor '%.*s'",
			   (int)lx_min(a->name.n, 64u), a->name.p);
}

/* No name twice, no byte in two tensors; the sum of all bytes. */
static int check_tensors(struct lx_gguf *g, struct lx_error *err)
{
	const struct lx_gguf_tensor *t = g->tensors;
	u32 n = (u32)g->n_tensors;
	u32 *idx;
	int ret = index_alloc(g->host, n, &idx, err);

	if (ret)
		return ret;
	lx_sort_index(idx, n, name_less, t);
	for (u32 i = 1; !ret && i < n; i++)
		if (!lx_str_cmp(t[idx[i]].name, t[idx[i - 1]].name))
			ret = fail_tensor(err, -LX_EBADMSG, &t[idx[i]],
					  "stands there twice");
	if (!ret)
		lx_sort_index(idx, n, place_less, t);
	for (u32 i = 1; !ret && i < n; i++)
		ret = check_pair(err, &t[idx[i - 1]], &t[idx[i]]);
	for (u32 i = 0; !ret && i < n; i++)
		if (lx_add_overflow(g->data_size, t[i].size, &g->data_size))
			ret = fail_tensor(err, -LX_EBADMSG, &t[i],
					  "makes the model larger than 64 bits");
	index_free(g->host, idx, n);
	return ret;
}

static int open_header(struct header *h, struct lx_host *host,
		       const struct lx_source *src, u32 i, u32 n,
		       struct lx_error *err)
{
	int ret;

	lx_memset(h, 0, sizeof(*h));
	h->r.host = host;
	h->r.src = src;
	h->r.err = err;
	h->r.size = src->size;
	h->r.file = i;
	if (n == 1)
		lx_format(h->r.name, sizeof(h->r.name), "the file");
	else
		lx_format(h->r.name, sizeof(h->r.name), "file %u of %u", i + 1, n);
	ret = skim(h);
	if (!ret)
		ret = parse_keys(h);
	if (!ret)
		ret = check_split(h, n);
	return ret;
}

/* Hand the blobs and the first file's keys to @g; the rest goes. */
static void take_headers(struct lx_gguf *g, struct header *h, u32 n)
{
	g->version = h->version;
	g->alignment = h->alignment;
	g->n_kv = h->n_kv;
	g->kv = h->kv;
	g->kv_bytes = kv_bytes(h);
	g->memory = g->kv_bytes + g->tensor_bytes;
	g->n_blobs = n;
	h->kv = NULL;
	for (u32 i = 0; i < n; i++) {
		g->blob[i] = h[i].r.blob;
		g->memory += h[i].r.blob.size;
		h[i].r.blob.p = NULL;
	}
}

static int open_all(struct lx_gguf *g, struct header *h,
		    const struct lx_source *src, u32 n, struct lx_error *err)
{
	u64 total = 0, at = 0;
	int ret = 0;

	for (u32 i = 0; !ret && i < n; i++) {
		ret = open_header(&h[i], g->host, &src[i], i, n, err);
		total += h[i].n_tensors;
	}
	if (!ret && total > 0xffffffff)
		ret = lx_fail(err, -LX_EBADMSG, "%llu tensors", total);
	if (!ret)
		ret = check_split_total(h, n, total);
	if (ret)
		return ret;
	g->tensor_bytes = lx_max(total, 1ull) * sizeof(*g->tensors);
	g->tensors = g->host->ops->alloc(g->host, g->tensor_bytes,
					 LX_MEM_CONTROL);
	if (!g->tensors)
		return lx_fail(err, -LX_ENOMEM, "no memory for %llu tensors",
			       total);
	g->n_tensors = total;
	for (u32 i = 0; !ret && i < n; i++) {
		ret = parse_tensors(&h[i], g->tensors + at);
		at += h[i].n_tensors;
	}
	if (!ret)
		ret = check_tensors(g, err);
	return ret;
}

int lx_gguf_open(struct lx_gguf *g, struct lx_host *host,
		 const struct lx_source *src, u32 n_src, struct lx_error *err)
{
	struct header *h;
	int ret;

	lx_memset(g, 0, sizeof(*g));
	if (!n_src || n_src > LX_GGUF_MAX_SPLITS)
		return lx_fail(err, -LX_EINVAL, "%u files of a model", n_src);
	g->host = host;
	h = host->ops->alloc(host, n_src * sizeof(*h), LX_MEM_CONTROL);
	if (!h)
		return lx_fail(err, -LX_ENOMEM, "no memory to open %u files",
			       n_src);
	ret = open_all(g, h, src, n_src, err);
	if (!ret)
		take_headers(g, h, n_src);
	for (u32 i = 0; i < n_src; i++)
		header_free(host, &h[i]);
	host->ops->free(host, h, n_src * sizeof(*h), LX_MEM_CONTROL);
	if (ret)
		lx_gguf_close(g);
	return ret;
}

void lx_gguf_close(struct lx_gguf *g)
{
	struct lx_host *host = g->host;

	if (!host)
		return;
	if (g->kv)
		host->ops->free(host, g->kv, g->kv_bytes, LX_MEM_CONTROL);
	if (g->tensors)
		host->ops->free(host, g->tensors, g->tensor_bytes,
				LX_MEM_CONTROL);
	for (u32 i = 0; i < g->n_blobs; i++)
		host->ops->free(host, g->blob[i].p, g->blob[i].size,
				LX_MEM_CONTROL);
	lx_memset(g, 0, sizeof(*g));
}

const struct lx_gguf_tensor *lx_gguf_tensor(const struct lx_gguf *g,
					    const char *name)
{
	for (u64 i = 0; i < g->n_tensors; i++)
		if (lx_str_eq(g->tensors[i].name, name))
			return &g->tensors[i];
	return NULL;
}
