/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Pieces of a matrix in a file, small enough to be read in one go, and packed
 * by whoever has read them: a thread of a crew, or the thread that loads.
 */
#ifndef LX_PIECE_H
#define LX_PIECE_H

#include "model.h"

struct lx_piece {
	const struct lx_item *it;
	u32 expert;
	u32 row0, n_rows;	/* whole strips, but for the last of a matrix */
};

/* Pieces of @it, all experts, of @bytes each in the file, or somewhat more. */
u32 lx_piece_count(const struct lx_item *it, u64 bytes);
/* The @n-th of them. */
struct lx_piece lx_piece_at(const struct lx_item *it, u64 bytes, u32 n);
/* Memory to read any of them into, past the page cache too. */
u64 lx_piece_room(const struct lx_item *it, u64 bytes);

/*
 * Read it into @stage, of lx_piece_room() bytes, aligned to LX_DIRECT_ALIGN
 * where @direct; *@rows is where its rows begin. May sleep. Error of the source.
 */
int lx_piece_read(const struct lx_piece *p, const struct lx_source *src,
		  bool direct, u8 *stage, const u8 **rows);
/*
 * Repack @rows into the strips. In a thread of a crew, or the one that calls
 * the engine. -LX_EBADMSG: a scale is not a finite number.
 */
int lx_piece_pack(struct lx_model *m, const struct lx_piece *p, const u8 *rows);

#endif
