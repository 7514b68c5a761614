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

#endif
