/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_FPU_H
#define LLAMUX_FPU_H

#include <linux/percpu.h>
#include <linux/wait.h>

#include "hist.h"
#include "lx/job.h"

/* A section ends before it is longer than this, if tiles are as expected. */
#define LLAMUX_FPU_SECTION_NS 75000

/* A worker's memory of how long its tiles take. */
struct llamux_fpu_pace {
	u64 tile_ns;	/* longest of late */
	u64 spent_ns;	/* in sections */
};

int llamux_fpu_init(void);
void llamux_fpu_exit(void);

/*
 * Claim and run tiles in one bracket. LX_JOB_TILE: time is up, there may be
 * more; LX_JOB_WAIT, LX_JOB_DONE as from lx_job_claim(). @waiters are woken
 * when an operation ends. Kthreads only.
 */
enum lx_claim llamux_fpu_section(struct lx_job *job, u32 worker,
				 struct llamux_fpu_pace *pace,
				 wait_queue_head_t *waiters);

/* A section of one tile that needs no scratch, outside any job. Kthreads only. */
void llamux_fpu_tile(const struct lx_op *op, u32 tile);

/*
 * The control: a kthread whose sections hold no tile but spin for @us, so
 * that what the host takes away can be told from what tiles take. 0 stops it.
 */
int llamux_fpu_control_set(u32 us);
u32 llamux_fpu_control_get(void);

extern struct llamux_hist __percpu *llamux_fpu_sections;
extern struct llamux_hist __percpu *llamux_fpu_control;

#endif
