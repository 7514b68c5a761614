// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Quantizing files.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "local.h"
#include "lx/convert.h"
#include "output.h"
#include "quantize.h"

#define STAGE_BYTES (4u << 20)	/* of rows read at a time, one row at least */
#define QUANTIZATION_VERSION 2	/* of the blocks of the format */

struct job {
	const struct quantize_options *opt;
	struct quantize_result *res;
	const char *out_path;
	struct local local;
	struct lx_gguf gguf;
	struct lx_error err;
	u32 *type;		/* of each tensor, to be */
	u64 *offset;		/* of each tensor's data, from the first */
	u64 header, size;	/* bytes before the data; of the whole file */
	u32 alignment;
	struct output out;
	u64 done;		/* bytes read */
};

static int say(struct job *j, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int say(struct job *j, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(j->res->message, sizeof(j->res->message), fmt, ap);
	va_end(ap);
	return code;
}

/* What the engine said in j->err, about @in. */
static int say_error(struct job *j, const char *in, int code)
{
	return say(j, code, "%s: %s", in,
		   j->err.msg[0] ? j->err.msg : strerror(-code));
}

/* ---- the header ---- */

/* Bytes put one after another; with @p NULL they are only counted. */
struct put {
	u8 *p;
	u64 n;
};

static void put(struct put *to, const void *p, u64 n)
{
	if (to->p)
		memcpy(to->p + to->n, p, n);
	to->n += n;
}

static void put_u32(struct put *to, u32 v)
{
	put(to, &v, 4);
}

static void put_u64(struct put *to, u64 v)
{
	put(to, &v, 8);
}

static void put_str(struct put *to, const char *p, u64 n)
{
	put_u64(to, n);
	put(to, p, n);
}

static void put_kv_u32(struct put *to, const char *key, u32 v)
{
	put_str(to, key, strlen(key));
	put_u32(to, LX_GGUF_U32);
	put_u32(to, v);
}

static bool inexact(u32 type)
{
	return lx_type_info(type)->block > 1;
}

/* Keys that say what this file no longer is. */
static bool replaced(const struct lx_gguf_kv *kv)
{
	return lx_str_eq(kv->key, "general.file_type") ||
	       lx_str_eq(kv->key, "general.quantization_version") ||
	       (kv->key.n > 6 && !memcmp(kv->key.p, "split.", 6));
}

static void put_keys(const struct job *j, struct put *to)
{
	const struct lx_gguf *g = &j->gguf;

	for (u64 i = 0; i < g->n_kv; i++) {
		const struct lx_gguf_kv *kv = &g->kv[i];

		if (replaced(kv))
			continue;
		put_str(to, kv->key.p, kv->key.n);
		put_u32(to, kv->type);
		if (kv->type == LX_GGUF_ARRAY) {
			put_u32(to, kv->elem_type);
			put_u64(to, kv->count);
		}
		put(to, kv->data, kv->size);
	}
	put_kv_u32(to, "general.quantization_version", QUANTIZATION_VERSION);
	put_kv_u32(to, "general.file_type", j->opt->preset->file_type);
}

static u64 count_keys(const struct lx_gguf *g)
{
	u64 n = 2;

	for (u64 i = 0; i < g->n_kv; i++)
		n += !replaced(&g->kv[i]);
	return n;
}

static void put_header(const struct job *j, struct put *to)
{
	const struct lx_gguf *g = &j->gguf;

	put(to, "GGUF", 4);
	put_u32(to, 3);
	put_u64(to, g->n_tensors);
	put_u64(to, count_keys(g));
	put_keys(j, to);
	for (u64 i = 0; i < g->n_tensors; i++) {
		const struct lx_gguf_tensor *t = &g->tensors[i];

		put_str(to, t->name.p, t->name.n);
		put_u32(to, t->n_dims);
		for (u32 d = 0; d < t->n_dims; d++)
			put_u64(to, t->ne[d]);
		put_u32(to, j->type[i]);
		put_u64(to, j->offset[i]);
	}
}

static int write_header(struct job *j)
{
	struct put to = { calloc(1, j->header), 0 };
	int ret;

	if (!to.p)
		return say(j, -ENOMEM, "no memory for a header");
	put_header(j, &to);
	ret = output_write(&j->out, 0, to.p, j->header);
	free(to.p);
	return ret ? say(j, ret, "%s: %s", j->out_path, strerror(-ret)) : 0;
}

/* ---- what becomes what ---- */

static u64 row_bytes(u32 type, u64 cols)
{
	const struct lx_type_info *ti = lx_type_info(type);

	return cols / ti->block * ti->bytes;
}

static u64 rows_of(const struct lx_gguf_tensor *t)
{
	return t->ne[1] * t->ne[2] * t->ne[3];
}

/* Tell of tensors whose rows do not fit, those alike at once. */
static void tell_misfits(const struct job *j, const u32 *wanted)
{
	const struct lx_gguf_tensor *t = j->gguf.tensors;

	for (u64 i = 0; i < j->gguf.n_tensors; i++) {
		u32 n = 0;
		u64 k;

		for (k = 0; k < j->gguf.n_tensors; k++) {
			if (t[k].ne[0] != t[i].ne[0] || wanted[k] != wanted[i] ||
			    j->type[k] != j->type[i])
				continue;
			if (k < i)	/* told with that one */
				break;
			n++;
		}
		if (k == j->gguf.n_tensors && wanted[i] != j->type[i])
			j->opt->misfit(j->opt->ctx, n, t[i].ne[0], wanted[i],
				       j->type[i]);
	}
}

static int choose_types(struct job *j, const char *in)
{
	const struct lx_gguf *g = &j->gguf;
	struct lx_preset_model m;
	u32 *wanted = calloc(g->n_tensors + 1, sizeof(*wanted));
	int ret;

	j->type = calloc(g->n_tensors + 1, sizeof(*j->type));
	j->offset = calloc(g->n_tensors + 1, sizeof(*j->offset));
	if (!wanted || !j->type || !j->offset) {
		free(wanted);
		return say(j, -ENOMEM, "no memory for a list of tensors");
	}
	ret = lx_preset_model(&m, g, &j->err);
	for (u64 i = 0; !ret && i < g->n_tensors; i++) {
		const struct lx_gguf_tensor *t = &g->tensors[i];

		j->type[i] = lx_preset_type(j->opt->preset, &m, t,
					    j->opt->pure, &wanted[i]);
		j->res->n_converted += j->type[i] != t->type;
		if (j->type[i] != t->type && inexact(t->type))
			j->res->quantized = t->type;
	}
	if (!ret && j->opt->misfit)
		tell_misfits(j, wanted);
	free(wanted);
	return ret ? say_error(j, in, ret) : 0;
}

static int lay_out(struct job *j)
{
	struct put count = { NULL, 0 };
	u64 at = 0;

	j->alignment = j->gguf.alignment;
	for (u64 i = 0; i < j->gguf.n_tensors; i++) {
		const struct lx_gguf_tensor *t = &j->gguf.tensors[i];
		u64 bytes;

		at = lx_align_up(at, (u64)j->alignment);
		j->offset[i] = at;
		if (lx_mul_overflow(row_bytes(j->type[i], t->ne[0]), rows_of(t),
				    &bytes) ||
		    lx_add_overflow(at, bytes, &at) || at >> 62)
			return say(j, -EFBIG, "more than 2^62 bytes");
	}
	put_header(j, &count);
	j->header = lx_align_up(count.n, (u64)j->alignment);
	j->size = j->header + at;
	return 0;
}

/* ---- the tensors ---- */

static int check_rows(struct job *j, const struct lx_gguf_tensor *t, u32 type,
		      const struct lx_rows *r, int ret)
{
	struct lx_error e = { 0 };

	if (!ret && r->not_finite)
		ret = lx_fail(&e, -EBADMSG,
			      "tensor %.*s: a weight is not a finite number",
			      (int)t->name.n, t->name.p);
	else if (!ret && r->out_of_range)
		ret = lx_fail(&e, -ERANGE,
			      "tensor %.*s: a weight is beyond what %s can hold",
			      (int)t->name.n, t->name.p, lx_type_name(type));
	else if (ret)
		lx_fail(&e, ret, "tensor %.*s: %s", (int)t->name.n, t->name.p,
			strerror(-ret));
	return ret ? say(j, ret, "%s", e.msg) : 0;
}

static int read_rows(struct job *j, const struct lx_gguf_tensor *t, u64 off,
		     void *buf, u64 n)
{
	const struct lx_source *s = &j->local.files.sources[t->source];
	struct lx_host *h = j->local.host;
	int ret = s->read(s->ctx, t->offset + off, buf, n);

	if (ret)
		return say(j, ret, "tensor %.*s: %s", (int)t->name.n,
			   t->name.p, strerror(-ret));
	j->done += n;
	ret = h->ops->progress(h, j->done, j->gguf.data_size);
	return ret ? say(j, ret, "interrupted") : 0;
}

/* Rows of tensor @i through @src and @dst, which hold @per of them. */
static int convert_tensor(struct job *j, u64 i, void *src, void *dst, u64 per)
{
	const struct lx_gguf_tensor *t = &j->gguf.tensors[i];
	u64 from = row_bytes(t->type, t->ne[0]), rows = rows_of(t);
	u64 to = row_bytes(j->type[i], t->ne[0]);
	bool convert = lx_type_can_read(t->type);
	int ret = 0;

	for (u64 row = 0; !ret && row < rows; row += per) {
		struct lx_rows r = {
			.src = src, .dst = convert ? dst : src,
			.from = t->type, .to = j->type[i],
			.rows = (u32)lx_min(per, rows - row),
			.cols = (u32)t->ne[0], .simd = j->opt->simd,
		};

		ret = read_rows(j, t, row * from, src, r.rows * from);
		if (!ret && convert)
			ret = check_rows(j, t, j->type[i], &r,
					 lx_convert(j->local.host, &r));
		if (ret)
			break;
		ret = output_write(&j->out, j->header + j->offset[i] + row * to,
				   r.dst, r.rows * to);
		if (ret)
			say(j, ret, "%s: %s", j->out_path, strerror(-ret));
	}
	return ret;
}

static int convert_tensors(struct job *j)
{
	int ret = 0;

	for (u64 i = 0; !ret && i < j->gguf.n_tensors; i++) {
		const struct lx_gguf_tensor *t = &j->gguf.tensors[i];
		u64 from = row_bytes(t->type, t->ne[0]), per;
		void *src, *dst;

		if (t->ne[0] > 1u << 30)
			return say(j, -ENOPKG, "tensor %.*s: rows of %llu",
				   (int)t->name.n, t->name.p, t->ne[0]);
		per = lx_min(lx_max(STAGE_BYTES / from, 1ull), rows_of(t));
		src = malloc(per * from);
		dst = malloc(per * row_bytes(j->type[i], t->ne[0]));
		ret = src && dst ? convert_tensor(j, i, src, dst, per) :
			say(j, -ENOMEM, "no memory for rows of %llu", t->ne[0]);
		free(src);
		free(dst);
	}
	return ret;
}

/* ---- all of it ---- */

static int check_out(struct job *j, const char *out)
{
	struct stat a, b;

	if (stat(out, &b))
		return 0;
	for (u32 i = 0; i < j->local.files.n; i++)
		if (!fstat(j->local.files.fds[i], &a) && a.st_dev == b.st_dev &&
		    a.st_ino == b.st_ino)
			return say(j, -EINVAL, "%s is what is read", out);
	if (!S_ISREG(b.st_mode))
		return say(j, -EINVAL, "%s: not a regular file", out);
	return 0;
}

static int write_file(struct job *j)
{
	int ret = output_open(&j->out, j->out_path, j->size);

	if (ret)
		return say(j, ret, "%s: %s", j->out_path, strerror(-ret));
	ret = write_header(j);
	if (!ret)
		ret = convert_tensors(j);
	if (ret) {
		output_drop(&j->out);
		return ret;
	}
	ret = output_finish(&j->out);
	return ret ? say(j, ret, "%s: %s", j->out_path, strerror(-ret)) : 0;
}

static int run(struct job *j, const char *in)
{
	int ret = check_out(j, j->out_path);

	if (ret)
		return ret;
	ret = lx_gguf_open(&j->gguf, j->local.host, j->local.files.sources,
			   j->local.files.n, &j->err);
	if (ret)
		return say_error(j, in, ret);
	ret = choose_types(j, in);
	if (!ret)
		ret = lay_out(j);
	if (!ret)
		ret = write_file(j);
	for (u32 i = 0; i < j->local.files.n; i++)
		j->res->bytes_in += j->local.files.sources[i].size;
	j->res->bytes_out = j->size;
	j->res->n_tensors = j->gguf.n_tensors;
	free(j->type);
	free(j->offset);
	lx_gguf_close(&j->gguf);
	return ret;
}

int quantize_file(const char *in, const char *out,
		  const struct quantize_options *opt, struct quantize_result *res)
{
	struct job *j = calloc(1, sizeof(*j));
	int ret;

	memset(res, 0, sizeof(*res));
	res->quantized = ~0u;
	if (!j)
		return -ENOMEM;
	j->opt = opt;
	j->res = res;
	j->out_path = out;
	ret = local_open_files(&j->local, in, false, &opt->host);
	if (ret) {
		say(j, ret, "%s", j->local.message);
	} else {
		ret = run(j, in);
		local_close(&j->local);
	}
	free(j);
	return ret;
}
