/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine in this process, for the subcommands that look inside.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "local.h"
#include "tool.h"

/* Open model and engine as the options say; complains. */
int open_engine(const struct globals *g, const struct lx_engine_params *ep,
		struct local *l);

/*
 * Bytes a second that direct reads of @sources get, in at most 1.5 s: disk.c.
 * 0, or an error.
 */
int measure_disk(struct lx_host *host, const struct lx_source *sources, u32 n,
		 uint64_t *speed);

#endif
