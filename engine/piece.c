// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "piece.h"

#define TILE_BYTES (64u << 10)	/* of the file, packed by one tile */

static u32 gcd(u32 a, u32 b)
{
	while (b) {
		u32 t = a % b;

		a = b;
		b = t;
	}
	return a;
}

u32 lx_item_row_unit(const struct lx_item *it)
{
	u32 h = it->head;

	return h ? LX_STRIP / gcd(LX_STRIP, h) * h : LX_STRIP;
}

u64 lx_item_row_bytes(const struct lx_item *it)
{
	const struct lx_type_info *ti = lx_type_info(it->t->type);

	return it->t->ne[0] / ti->block * ti->bytes;
}

void lx_item_pack(struct lx_op *op, const struct lx_ops *ops,
		  const struct lx_item *it, u32 expert, u64 row_bytes)
{
	*op = (struct lx_op){ .tile = ops->pack };
	op->pack.row_bytes = row_bytes;
	op->pack.head = it->head;
	op->pack.rot = it->rot;
	op->pack.mat = it->mat;
	op->pack.strip0 = (it->expert + expert) * it->mat->n_strips;
	op->pack.strips = (u32)lx_max((u64)1, TILE_BYTES /
				      (row_bytes * LX_STRIP));
}

static u32 rows_of_piece(const struct lx_item *it, u64 bytes)
{
	u32 unit = lx_item_row_unit(it);
	u64 n = bytes / lx_item_row_bytes(it) / unit * unit;

	return (u32)lx_min(lx_max(n, (u64)unit), (u64)it->mat->rows);
}

u32 lx_piece_count(const struct lx_item *it, u64 bytes)
{
	return it->n_expert * lx_div_up(it->mat->rows,
					rows_of_piece(it, bytes));
}

struct lx_piece lx_piece_at(const struct lx_item *it, u64 bytes, u32 n)
{
	u32 rows = rows_of_piece(it, bytes);
	u32 per = lx_div_up(it->mat->rows, rows);
	struct lx_piece p = { .it = it, .expert = n / per };

	p.row0 = n % per * rows;
	p.n_rows = lx_min(rows, it->mat->rows - p.row0);
	return p;
}

u64 lx_piece_room(const struct lx_item *it, u64 bytes)
{
	return lx_align_up(lx_item_row_bytes(it) * rows_of_piece(it, bytes),
			   (u64)LX_DIRECT_ALIGN) + 2 * LX_DIRECT_ALIGN;
}

int lx_piece_read(const struct lx_piece *p, const struct lx_source *src,
		  bool direct, u8 *stage, const u8 **rows)
{
	const struct lx_source *s = &src[p->it->t->source];
	u64 row = lx_item_row_bytes(p->it), n = p->n_rows * row, off, start;

	off = p->it->offset + ((u64)p->expert * p->it->mat->rows + p->row0) * row;
	start = direct ? off / LX_DIRECT_ALIGN * LX_DIRECT_ALIGN : off;
	*rows = stage + (off - start);
	if (!direct)
		return s->read(s->ctx, off, stage, n);
	return s->read_direct(s->ctx, start, stage,
			      lx_align_up(off + n, (u64)LX_DIRECT_ALIGN) -
			      start);
}

int lx_piece_pack(struct lx_model *m, const struct lx_piece *p, const u8 *rows)
{
	struct lx_host *h = m->host;
	struct lx_op op;
	u32 bad = 0;

	lx_item_pack(&op, m->ops, p->it, p->expert,
		     lx_item_row_bytes(p->it));
	op.pack.src = rows;
	op.pack.row0 = p->row0;
	op.pack.n_rows = p->n_rows;
	op.pack.bad = &bad;
	op.n_tiles = lx_div_up(lx_div_up(p->n_rows, LX_STRIP), op.pack.strips);
	for (u32 i = 0; i < op.n_tiles; i++)
		h->ops->tile(h, &op, i);
	return bad ? -LX_EBADMSG : 0;
}
