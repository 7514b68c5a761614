/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Worker threads that run the engine's jobs. The thread that calls
 * pool_run() is worker 0.
 */
#ifndef USER_POOL_H
#define USER_POOL_H

#include "lx/job.h"

struct pool;

/* @n workers in all, the caller of pool_run() included. 0 or -errno. */
int pool_open(struct pool **out, u32 n);
void pool_close(struct pool *p);

/* One caller at a time. 0, or -LX_ECANCELED when the job was cancelled. */
int pool_run(struct pool *p, struct lx_job *job);

/* CPUs this process may run on, at least 1. */
u32 pool_cpus(void);

#endif
