// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Reading weights in. Matrices are read in pieces that fit in a core's cache,
 * by a crew of as many threads as there are workers, each of which packs what
 * it has read: packing waits for no disk, and a weight crosses memory once.
 * Before that, vectors, and matrices that become another type, which is
 * floating point and for the workers.
 */
#include "fill.h"
#include "piece.h"
#include "scratch.h"
#include "stream.h"
#include "lx/convert.h"

#define PIECE_BYTES (256u << 10)	/* read at a time: within an L2 cache */
#define DIRECT_BYTES (2u << 20)		/* the same, from a disk */
#define CONVERT_BYTES (4u << 20)	/* the same, to convert */
#define MAX_READERS 16
#define LOOK_BYTES (4u << 20)		/* between two reports of progress */

struct loader {
	struct lx_model *m;
	const struct lx_source *src;
	struct lx_error *err;
	u64 total;

	/* the crew's */
	u8 *stage;
	u64 stage_bytes;	/* of one thread */
	u64 piece_bytes;
	bool direct;
	u64 next;		/* claim: item << 32 | piece */
	u64 done;		/* bytes read */
	u64 seen;		/* of them, when they were last reported */
	u32 busy;		/* threads between claim and done */
	u32 failed;		/* who sets it writes the error */
	int error;
};

static bool is_converted(const struct lx_item *it)
{
	return it->mat && it->mat->type != it->t->type;
}

static bool is_for_crew(const struct loader *l, const struct lx_item *it)
{
	return it->mat && !is_converted(it) && !lx_item_streamed(l->m, it);
}

static int read_failed(struct lx_error *err, const struct lx_item *it, int r)
{
	return lx_fail(err, r == -LX_EINTR || r == -LX_ENOMEM ? r : -LX_EIO,
		       "tensor %.*s: read error %d", (int)it->t->name.n,
		       it->t->name.p, -r);
}

static int bad_scale(struct lx_error *err, const struct lx_item *it)
{
	return lx_fail(err, -LX_EBADMSG,
		       "tensor %.*s: a scale is not a finite number",
		       (int)it->t->name.n, it->t->name.p);
}

/* In the thread that loads. */
static int report(struct loader *l, struct lx_error *err)
{
	struct lx_host *h = l->m->host;

	l->seen = __atomic_load_n(&l->done, __ATOMIC_RELAXED);
	return h->ops->progress(h, l->seen, l->total) ?
	       lx_fail(err, -LX_EINTR, "interrupted") : 0;
}

static int read_at(struct loader *l, const struct lx_item *it, u64 off,
		   void *buf, size_t n)
{
	const struct lx_source *s = &l->src[it->t->source];
	int r = s->read(s->ctx, off, buf, n);

	if (r)
		return read_failed(l->err, it, r);
	l->done += n;
	return report(l, l->err);
}

/* ---- vectors ---- */

static int load_vec(struct loader *l, const struct lx_item *it)
{
	struct lx_host *h = l->m->host;
	u32 *v = it->vec->p, *copy, n = it->vec->n;
	int r = 0;

	for (u32 i = 0; !r && i < it->vec->rows; i++)
		r = read_at(l, it, it->offset + (u64)i * n * 4,
			    v + i * lx_align_up(n, LX_STRIP), (size_t)n * 4);
	if (r || !it->head)
		return r;
	copy = lx_scratch_get(h, (size_t)n * 4);
	if (!copy)
		return lx_fail(l->err, -LX_ENOMEM, "no memory to read into");
	lx_memcpy(copy, v, (size_t)n * 4);
	/* The order of the rows it belongs to. */
	for (u32 i = 0; i < n; i++)
		v[i] = copy[lx_head_row(it->head, it->rot, i)];
	lx_scratch_put(h, copy, (size_t)n * 4);
	return 0;
}

/* ---- matrices that become another type ---- */

struct converter {
	u8 *stage, *made;	/* rows as read, as converted */
	u64 bytes;		/* of each */
};

static u64 made_row_bytes(const struct lx_item *it)
{
	const struct lx_type_info *ti = lx_type_info(it->mat->type);

	return it->t->ne[0] / ti->block * ti->bytes;
}

/* The longer of the rows read and the rows made */
static u64 stage_row(const struct lx_item *it)
{
	return lx_max(lx_item_row_bytes(it), made_row_bytes(it));
}

/* Convert the rows of @pack and pack them. */
static int convert_rows(struct loader *l, const struct converter *c,
			const struct lx_item *it, const struct lx_op *pack)
{
	struct lx_op ops[2] = { { 0 }, *pack };
	u32 bad[2] = { 0, 0 }, unpackable = 0;
	struct lx_rows rows = {
		.src = c->stage, .dst = c->made, .from = it->t->type,
		.to = it->mat->type, .rows = pack->pack.n_rows,
		.cols = it->mat->cols,
	};
	int r;

	lx_convert_op(&ops[0], l->m->ops, &rows, bad);
	ops[1].pack.bad = &unpackable;
	r = lx_run_ops(l->m->host, ops, 2, LX_QUANT_SCRATCH);
	if (r)
		return lx_fail(l->err, r, "interrupted");
	if (bad[0] || bad[1])
		return lx_fail(l->err, -LX_EBADMSG, "tensor %.*s: a weight is %s",
			       (int)it->t->name.n, it->t->name.p, bad[0] ?
			       "not a finite number" :
			       "beyond what the type holds");
	return unpackable ? bad_scale(l->err, it) : 0;
}

static int convert_expert(struct loader *l, const struct converter *c,
			  const struct lx_item *it, u32 e)
{
	u32 unit = lx_item_row_unit(it), all = it->mat->rows;
	u64 rb = lx_item_row_bytes(it), fit = c->bytes / stage_row(it);
	u32 rows = (u32)lx_min(fit / unit * unit, (u64)all);
	struct lx_op op;
	int r = 0;

	lx_item_pack(&op, l->m->ops, it, e, made_row_bytes(it));
	op.pack.src = c->made;
	for (u32 row = 0; row < all && !r; row += rows) {
		u32 n = lx_min(rows, all - row);

		r = read_at(l, it, it->offset + ((u64)e * all + row) * rb,
			    c->stage, n * rb);
		if (r)
			break;
		op.pack.row0 = row;
		op.pack.n_rows = n;
		op.n_tiles = lx_div_up(lx_div_up(n, LX_STRIP), op.pack.strips);
		r = convert_rows(l, c, it, &op);
	}
	return r;
}

static int convert_items(struct loader *l, const struct converter *c)
{
	int r = 0;

	for (u32 i = 0; i < l->m->n_items && !r; i++) {
		const struct lx_item *it = &l->m->items[i];

		if (!is_converted(it) || lx_item_streamed(l->m, it))
			continue;
		for (u32 e = 0; e < it->n_expert && !r; e++)
			r = convert_expert(l, c, it, e);
	}
	return r;
}

static int convert_all(struct loader *l)
{
	struct lx_host *h = l->m->host;
	struct converter c = { .bytes = CONVERT_BYTES };
	int r;

	for (u32 i = 0; i < l->m->n_items; i++) {
		const struct lx_item *it = &l->m->items[i];

		if (is_converted(it))
			c.bytes = lx_max(c.bytes, stage_row(it) *
					 lx_item_row_unit(it));
	}
	c.stage = lx_scratch_get(h, c.bytes);
	c.made = lx_scratch_get(h, c.bytes);
	if (c.stage && c.made)
		r = convert_items(l, &c);
	else
		r = lx_fail(l->err, -LX_ENOMEM, "no memory to read into");
	lx_scratch_put(h, c.made, c.bytes);
	lx_scratch_put(h, c.stage, c.bytes);
	return r;
}

/* ---- the others, by the crew ---- */

static bool has_failed(const struct loader *l)
{
	return __atomic_load_n(&l->failed, __ATOMIC_ACQUIRE);
}

/* The next piece that nobody has. */
static bool claim(struct loader *l, struct lx_piece *p)
{
	u64 c = __atomic_load_n(&l->next, __ATOMIC_RELAXED), to;
	const struct lx_item *it;
	u32 item, piece, n;

	for (;;) {
		item = (u32)(c >> 32);
		piece = (u32)c;
		if (item >= l->m->n_items)
			return false;
		it = &l->m->items[item];
		n = is_for_crew(l, it) ? lx_piece_count(it, l->piece_bytes) : 0;
		to = piece + 1 < n ? c + 1 : (u64)(item + 1) << 32;
		if (!__atomic_compare_exchange_n(&l->next, &c, to, false,
						 __ATOMIC_RELAXED,
						 __ATOMIC_RELAXED))
			continue;
		if (n)
			break;
		c = to;
	}
	*p = lx_piece_at(it, l->piece_bytes, piece);
	return true;
}

/* Whoever fails first says why. */
static void fail(struct loader *l, int code, const struct lx_error *err)
{
	if (__atomic_exchange_n(&l->failed, 1, __ATOMIC_ACQ_REL))
		return;
	*l->err = *err;
	l->error = code;
}

/* How many bytes that were. */
static u64 load_piece(struct loader *l, const struct lx_piece *p, u8 *stage)
{
	u64 n = p->n_rows * lx_item_row_bytes(p->it);
	struct lx_error err = { 0 };
	const u8 *rows;
	int r = lx_piece_read(p, l->src, l->direct, stage, &rows);

	if (r)
		r = read_failed(&err, p->it, r);
	else if (lx_piece_pack(l->m, p, rows))
		r = bad_scale(&err, p->it);
	if (r)
		fail(l, r, &err);
	__atomic_add_fetch(&l->done, n, __ATOMIC_RELAXED);
	return n;
}

static bool work(void *ctx, u32 thread)
{
	struct loader *l = ctx;
	u64 n = 0;
	struct lx_piece p;
	bool some;

	__atomic_add_fetch(&l->busy, 1, __ATOMIC_SEQ_CST);
	do {
		some = !has_failed(l) && claim(l, &p);
		if (some)
			n += load_piece(l, &p,
					l->stage + thread * l->stage_bytes);
	} while (some && n < LOOK_BYTES);
	__atomic_sub_fetch(&l->busy, 1, __ATOMIC_SEQ_CST);
	return some;
}

static bool is_over(const struct loader *l)
{
	u64 next = __atomic_load_n(&l->next, __ATOMIC_SEQ_CST);

	return (has_failed(l) || next >> 32 >= l->m->n_items) &&
	       !__atomic_load_n(&l->busy, __ATOMIC_SEQ_CST);
}

static bool is_news(void *ctx)
{
	const struct loader *l = ctx;

	return is_over(l) || __atomic_load_n(&l->done, __ATOMIC_RELAXED) -
			     l->seen >= LOOK_BYTES;
}

static void look(struct loader *l)
{
	struct lx_error err = { 0 };
	int r = report(l, &err);

	if (r)
		fail(l, r, &err);
}

/* Without a crew the thread that loads does it alone. */
static int load_pieces(struct loader *l, u32 readers)
{
	const struct lx_host_ops *ops = l->m->host->ops;
	struct lx_crew *crew = NULL;

	if (readers > 1)
		crew = ops->crew_start(l->m->host, readers, work, l);
	while (!crew && work(l, 0))
		look(l);
	while (crew) {
		ops->crew_wait(crew, is_news, l);
		if (is_over(l))
			break;
		look(l);
	}
	if (crew)
		ops->crew_stop(crew);
	return l->error;
}

static int load_others(struct loader *l)
{
	struct lx_host *h = l->m->host;
	u32 readers = h->ops->crew_start ?
		      lx_min(h->n_workers, MAX_READERS) : 1;
	struct lx_block stage;
	int r;

	l->direct = true;
	for (u32 i = 0; i < l->m->n_items; i++)
		if (!l->src[l->m->items[i].t->source].read_direct)
			l->direct = false;
	l->piece_bytes = l->direct ? DIRECT_BYTES : PIECE_BYTES;
	for (u32 i = 0; i < l->m->n_items; i++)
		if (is_for_crew(l, &l->m->items[i]))
			l->stage_bytes = lx_max(l->stage_bytes,
				lx_piece_room(&l->m->items[i], l->piece_bytes));
	if (!l->stage_bytes)
		return 0;
	if (h->ops->block_alloc(h, &stage, readers * l->stage_bytes,
				LX_MEM_SCRATCH))
		return lx_fail(l->err, -LX_ENOMEM, "no memory to read into");
	l->stage = stage.addr;
	r = load_pieces(l, readers);
	h->ops->block_free(h, &stage, LX_MEM_SCRATCH);
	return r;
}

int lx_fill(struct lx_model *m, const struct lx_source *src,
	    struct lx_error *err)
{
	struct loader l = {
		.m = m, .src = src, .err = err,
		.total = m->gguf.data_size - lx_stream_bytes(m),
	};
	int r = 0;

	for (u32 i = 0; i < m->n_items && !r; i++)
		if (m->items[i].vec)
			r = load_vec(&l, &m->items[i]);
	if (!r && m->as)
		r = convert_all(&l);
	return r ? r : load_others(&l);
}
