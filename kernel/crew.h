/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_CREW_H
#define LLAMUX_CREW_H

#include <linux/types.h>
#include "lx/deps.h"

/* lx_host_ops.crew_*(): kthreads called "llamux/NAME:r0" and so on. */
struct lx_crew *llamux_crew_start(const char *name, u32 n,
				  bool (*work)(void *ctx, u32 thread),
				  void *ctx);
void llamux_crew_kick(struct lx_crew *c);
void llamux_crew_wait(struct lx_crew *c, bool (*done)(void *ctx), void *ctx);
void llamux_crew_stop(struct lx_crew *c);

#endif
