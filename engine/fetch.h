/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Weights that are read when they are needed: what readers, threads of the host
 * beside the workers, do with a piece, whether layers are streamed or experts.
 */
#ifndef LX_FETCH_H
#define LX_FETCH_H

#include "piece.h"

#define LX_FETCH_READERS 4	/* threads, each with a read under way */
#define LX_FETCH_PIECE (2u << 20)	/* bytes of one read, about */

struct lx_fetch {
	struct lx_model *m;
	const struct lx_source *src;
	u32 failed;		/* one reader writes the error */
	int error;		/* it is written */
	struct lx_error err;
};

/* -LX_EINVAL: @src or the host cannot. */
int lx_fetch_check(const struct lx_model *m, const struct lx_source *src,
		   u32 n_src, struct lx_error *err);
/*
 * Read @p past the page cache into the memory of @reader, the last blocks of
 * the model, and pack it. Nothing after an error. In a thread of the crew.
 */
void lx_fetch_piece(struct lx_fetch *f, const struct lx_piece *p, u32 reader);
/* The error of a reader, which is logged, or 0. */
int lx_fetch_error(struct lx_fetch *f);
/* Forget it; no reader may be at work. */
void lx_fetch_reset(struct lx_fetch *f);
/* What one reader reads into. */
u64 lx_fetch_stage_bytes(const struct lx_model *m);

#endif
