/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The crew_*() of struct lx_host_ops in user space: pthreads.
 */
#ifndef USER_CREW_H
#define USER_CREW_H

#include "lx/deps.h"

struct lx_crew *crew_start(struct lx_host *h, u32 n,
			   bool (*work)(void *ctx, u32 thread), void *ctx);
void crew_kick(struct lx_crew *c);
void crew_wait(struct lx_crew *c, bool (*done)(void *ctx), void *ctx);
void crew_stop(struct lx_crew *c);

#endif
