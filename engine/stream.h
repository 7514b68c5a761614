/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Models larger than memory: the weights of a layer are read while those
 * before it are computed, into two buffers that take turns. Mixtures that have
 * slots are read by expert (experts.h); these calls are for both.
 */
#ifndef LX_STREAM_H
#define LX_STREAM_H

#include "model.h"

struct lx_engine;

/* Bytes of the file that are not read to load it. */
u64 lx_stream_bytes(const struct lx_model *m);
/* Of its tables in control memory. */
u64 lx_stream_table_bytes(const struct lx_model *m);

/*
 * Start reading ahead, for a model that is laid out and filled; @src
 * stays in use. Nothing where all layers stay in memory. -LX_ENOMEM,
 * -LX_EINVAL @src or the host cannot.
 */
int lx_stream_open(struct lx_model *m, const struct lx_source *src, u32 n_src,
		   struct lx_error *err);
/* Waits for reads under way. */
void lx_stream_close(struct lx_model *m);

/*
 * Run the job of a step, a layer at a time as weights come. 0, -LX_ECANCELED, or
 * why they could not be had, which is logged: the next step tries again.
 */
int lx_stream_run(struct lx_engine *e);

/* layout.c: strip pointers, of what stays, of one layer in a buffer. */
void lx_layout_place(struct lx_model *m);
void lx_layout_place_layer(struct lx_model *m, u32 layer, u32 buffer);

#endif
