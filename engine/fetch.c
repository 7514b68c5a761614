// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "fetch.h"

int lx_fetch_check(const struct lx_model *m, const struct lx_source *src,
		   u32 n_src, struct lx_error *err)
{
	if (!m->host->ops->crew_start)
		return lx_fail(err, -LX_EINVAL, "no streaming here");
	for (u32 i = 0; i < n_src; i++)
		if (!src[i].read_direct)
			return lx_fail(err, -LX_EINVAL,
				       "streaming needs files opened for direct reads");
	return 0;
}

static void fail(struct lx_fetch *f, int code, const struct lx_piece *p,
		 const char *what)
{
	if (__atomic_exchange_n(&f->failed, 1, __ATOMIC_RELAXED))
		return;
	lx_fail(&f->err, code, "tensor %.*s: %s (%d)", (int)p->it->t->name.n,
		p->it->t->name.p, what, -code);
	__atomic_store_n(&f->error, code, __ATOMIC_RELEASE);
}

/* Padding of strips is zero, and their memory held other weights. */
static void clear(const struct lx_item *it, u32 strip, u32 n)
{
	for (u32 i = strip; i < strip + n; i++)
		lx_memset(it->mat->strips[i], 0, it->mat->strip_bytes);
}

void lx_fetch_piece(struct lx_fetch *f, const struct lx_piece *p, u32 reader)
{
	struct lx_model *m = f->m;
	u8 *stage = m->blocks[m->n_blocks - LX_FETCH_READERS + reader].addr;
	u32 strip = (p->it->expert + p->expert) * p->it->mat->n_strips +
		    p->row0 / LX_STRIP;
	const u8 *rows;
	int r;

	if (__atomic_load_n(&f->failed, __ATOMIC_RELAXED))
		return;
	r = lx_piece_read(p, f->src, true, stage, &rows);
	if (r) {
		fail(f, r == -LX_EINTR || r == -LX_EBADMSG || r == -LX_ENOMEM ?
		     r : -LX_EIO, p, "read error");
		return;
	}
	if (p->n_rows % LX_STRIP || lx_pack_padded(p->it->mat))
		clear(p->it, strip, lx_div_up(p->n_rows, LX_STRIP));
	if (lx_piece_pack(m, p, rows))
		fail(f, -LX_EBADMSG, p, "a scale is not a finite number");
}

int lx_fetch_error(struct lx_fetch *f)
{
	int r = __atomic_load_n(&f->error, __ATOMIC_ACQUIRE);

	if (r)
		f->m->host->ops->log(f->m->host, LX_LOG_ERR, f->err.msg);
	return r;
}

void lx_fetch_reset(struct lx_fetch *f)
{
	f->failed = 0;
	f->error = 0;
	f->err = (struct lx_error){ 0 };
}

u64 lx_fetch_stage_bytes(const struct lx_model *m)
{
	u64 most = 0;

	for (u32 i = 0; i < m->n_items; i++) {
		const struct lx_item *it = &m->items[i];

		if (lx_item_streamed(m, it))
			most = lx_max(most, lx_piece_room(it, LX_FETCH_PIECE));
	}
	return most;
}
