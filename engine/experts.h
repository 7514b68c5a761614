/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A mixture larger than memory: all but its experts stays, and of these as many
 * as there are slots for.
 */
#ifndef LX_EXPERTS_H
#define LX_EXPERTS_H

#include "model.h"

struct lx_engine;

/* As lx_stream_open() and so on, for a model with slots. */
int lx_experts_open(struct lx_model *m, const struct lx_source *src, u32 n_src,
		    struct lx_error *err);
void lx_experts_close(struct lx_model *m);
int lx_experts_run(struct lx_engine *e);
/* Of its tables in control memory. */
u64 lx_experts_table_bytes(const struct lx_model *m);

/* How often an expert was there and how often it was read. What one owner's
 * steps found is for no other to see: never shown to users.
 */
struct lx_experts_count {
	u64 hits, misses;
};
struct lx_experts_count lx_experts_count(const struct lx_model *m);

/* layout.c: strip pointers of an expert in a slot. */
void lx_layout_place_expert(struct lx_model *m, u32 layer, u32 expert,
			    u32 slot);

#endif
