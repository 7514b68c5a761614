// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Layers streamed from the file. Readers, threads of the host beside the
 * workers, read pieces of the next layers past the page cache and repack them
 * into one of two buffers, while what is in the other is computed.
 *
 * Layers are counted by turns, from 0 on and on: turn t is layer t mod n of
 * the n streamed ones, in buffer t mod 2. Readers claim the pieces of turns
 * below @open, in order; a turn is there when all its pieces are done, and
 * when it was computed its buffer is opened for the one after the next. Who
 * computes is alone in changing @open; a step that ends early halts the
 * readers and starts over.
 */
#include "experts.h"
#include "fetch.h"
#include "session.h"
#include "stream.h"

#define PIECE_BITS 24		/* of a claim: turn << PIECE_BITS | piece */

struct lx_stream {
	struct lx_fetch f;
	u32 n;			/* streamed layers */
	u32 *pieces;		/* [n] */
	struct lx_crew *crew;
	u64 next;		/* claim */
	u64 open;		/* turns below may be read */
	u32 busy;		/* readers between claim and done */
	u32 done[2];		/* pieces, by buffer */
};

/* ---- pieces ---- */

static bool is_of_layer(const struct lx_model *m, u32 i, u32 layer)
{
	return i < m->n_items && lx_item_layer(m, &m->items[i]) == layer;
}

static u32 pieces_of_layer(const struct lx_model *m, u32 layer)
{
	u32 n = 0;

	for (u32 i = m->layers[layer].item0; is_of_layer(m, i, layer); i++)
		if (m->items[i].mat)
			n += lx_piece_count(&m->items[i],
					    LX_FETCH_PIECE);
	return n;
}

static struct lx_piece find_piece(const struct lx_model *m, u32 layer,
				  u32 number)
{
	const struct lx_item *it;
	u32 n;

	for (u32 i = m->layers[layer].item0; ; i++) {
		it = &m->items[i];
		n = it->mat ? lx_piece_count(it, LX_FETCH_PIECE) : 0;
		if (number < n)
			return lx_piece_at(it, LX_FETCH_PIECE, number);
		number -= n;
	}
}

u64 lx_stream_bytes(const struct lx_model *m)
{
	u64 n = 0;

	for (u32 i = 0; i < m->n_items; i++) {
		const struct lx_item *it = &m->items[i];

		if (lx_item_streamed(m, it))
			n += lx_item_row_bytes(it) * it->mat->rows *
			     it->n_expert;
	}
	return n;
}

u64 lx_stream_table_bytes(const struct lx_model *m)
{
	u32 n = m->hp.n_layer - m->n_kept;

	if (m->n_slots)
		return lx_experts_table_bytes(m);
	if (!n)
		return 0;
	return sizeof(struct lx_stream) + n * sizeof(u32) +
	       (u64)m->max_items * sizeof(*m->items);
}

/* ---- readers ---- */

/* The next piece that may be read; @busy keeps who halts waiting. */
static bool claim(struct lx_stream *st, u64 *turn, u32 *piece)
{
	u64 c = __atomic_load_n(&st->next, __ATOMIC_SEQ_CST), to;
	u32 n;

	for (;;) {
		*turn = c >> PIECE_BITS;
		*piece = (u32)(c & ((1u << PIECE_BITS) - 1));
		if (*turn >= __atomic_load_n(&st->open, __ATOMIC_SEQ_CST))
			return false;
		n = st->pieces[*turn % st->n];
		to = *piece + 1 < n ? c + 1 : (*turn + 1) << PIECE_BITS;
		if (!__atomic_compare_exchange_n(&st->next, &c, to, false,
						 __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			continue;
		if (n)
			return true;
		c = to;		/* a layer without matrices */
	}
}

static bool work(void *ctx, u32 reader)
{
	struct lx_stream *st = ctx;
	struct lx_model *m = st->f.m;
	struct lx_piece p;
	bool some;
	u64 turn;
	u32 i;

	__atomic_add_fetch(&st->busy, 1, __ATOMIC_SEQ_CST);
	some = claim(st, &turn, &i);
	if (some) {
		p = find_piece(m, m->n_kept + (u32)(turn % st->n), i);
		lx_fetch_piece(&st->f, &p, reader);
		__atomic_add_fetch(&st->done[turn & 1], 1, __ATOMIC_RELEASE);
	}
	__atomic_sub_fetch(&st->busy, 1, __ATOMIC_SEQ_CST);
	return some;
}

/* ---- who computes ---- */

/* The buffer of @turn is free: have it filled. */
static void open_turn(struct lx_stream *st, u64 turn)
{
	struct lx_model *m = st->f.m;

	lx_layout_place_layer(m, m->n_kept + (u32)(turn % st->n), turn & 1);
	__atomic_store_n(&st->done[turn & 1], 0, __ATOMIC_RELAXED);
	__atomic_store_n(&st->open, turn + 1, __ATOMIC_SEQ_CST);
	m->host->ops->crew_kick(st->crew);
}

static bool is_idle(void *ctx)
{
	const struct lx_stream *st = ctx;

	return !__atomic_load_n(&st->busy, __ATOMIC_SEQ_CST);
}

static void start_over(struct lx_stream *st)
{
	__atomic_store_n(&st->open, 0, __ATOMIC_SEQ_CST);
	st->f.m->host->ops->crew_wait(st->crew, is_idle, st);
	lx_fetch_reset(&st->f);
	__atomic_store_n(&st->next, 0, __ATOMIC_SEQ_CST);
	open_turn(st, 0);
	open_turn(st, 1);
}

struct wait {
	struct lx_stream *st;
	struct lx_engine *e;
	u64 turn;
};

static bool is_there(void *ctx)
{
	struct wait *w = ctx;
	struct lx_stream *st = w->st;

	return __atomic_load_n(&st->f.error, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&w->e->job.cancel, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&st->done[w->turn & 1], __ATOMIC_ACQUIRE) ==
	       st->pieces[w->turn % st->n];
}

static int wait_for(struct lx_engine *e, u64 turn)
{
	struct lx_stream *st = e->model->stream;
	struct wait w = { st, e, turn };

	e->host->ops->crew_wait(st->crew, is_there, &w);
	if (__atomic_load_n(&e->job.cancel, __ATOMIC_RELAXED))
		return -LX_ECANCELED;
	return lx_fetch_error(&st->f);
}

int lx_stream_run(struct lx_engine *e)
{
	struct lx_stream *st = e->model->stream;
	u64 turn;
	int r;

	if (e->model->experts)
		return lx_experts_run(e);
	/* What could not be read ahead is tried again for this step. */
	if (__atomic_load_n(&st->f.failed, __ATOMIC_ACQUIRE))
		start_over(st);
	turn = st->open - 2;		/* the first of a pass */
	r = lx_engine_run_to(e, e->marks[0]);
	for (u32 i = 0; i < st->n && !r; i++) {
		r = wait_for(e, turn + i);
		if (!r)
			r = lx_engine_run_to(e, e->marks[i + 1]);
		if (!r)
			open_turn(st, turn + i + 2);
	}
	if (r)
		start_over(st);
	else
		r = lx_engine_run_to(e, e->n_ops);
	return r;
}

/* ---- opening ---- */

int lx_stream_open(struct lx_model *m, const struct lx_source *src, u32 n_src,
		   struct lx_error *err)
{
	struct lx_stream *st;
	int r;

	if (m->n_slots)
		return lx_experts_open(m, src, n_src, err);
	if (m->n_kept == m->hp.n_layer)
		return 0;
	r = lx_fetch_check(m, src, n_src, err);
	if (r)
		return r;
	st = lx_model_alloc(m, 1, sizeof(*st));
	if (!st)
		return lx_fail(err, -LX_ENOMEM, "no memory to stream");
	m->stream = st;
	st->f.m = m;
	st->f.src = src;
	st->n = m->hp.n_layer - m->n_kept;
	st->pieces = lx_model_alloc(m, st->n, sizeof(*st->pieces));
	if (!st->pieces)
		return lx_fail(err, -LX_ENOMEM, "no memory to stream");
	for (u32 i = 0; i < st->n; i++)
		st->pieces[i] = pieces_of_layer(m, m->n_kept + i);
	st->crew = m->host->ops->crew_start(m->host, LX_FETCH_READERS, work,
					    st);
	if (!st->crew)
		return lx_fail(err, -LX_ENOMEM, "no threads to read with");
	start_over(st);
	return 0;
}

void lx_stream_close(struct lx_model *m)
{
	struct lx_stream *st = m->stream;

	lx_experts_close(m);
	if (!st)
		return;
	__atomic_store_n(&st->open, 0, __ATOMIC_SEQ_CST);
	if (st->crew)
		m->host->ops->crew_stop(st->crew);
	lx_model_release(m, st->pieces, st->n, sizeof(*st->pieces));
	lx_model_release(m, st, 1, sizeof(*st));
	m->stream = NULL;
}
