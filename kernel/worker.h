/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_WORKER_H
#define LLAMUX_WORKER_H

#include <linux/sched.h>

#include "fpu.h"
#include "lx/job.h"

int llamux_worker_init(void);
void llamux_worker_exit(void);

/* Threads that work on a job, the one that posts it included. */
u32 llamux_worker_count(void);
/* Give a thread that posts jobs the workers' CPUs and nice level. */
void llamux_worker_adopt(struct task_struct *t);

/*
 * Run a job to its end; the caller, a kthread, is its worker 0. *@ns: what
 * all workers spent in its sections. 0, or -ECANCELED.
 */
int llamux_worker_run(struct lx_job *job, struct llamux_fpu_pace *pace,
		      u64 *ns);

#endif
