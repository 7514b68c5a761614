/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A job is a list of operations, each cut into tiles: short floating-point
 * functions that write disjoint results. Operation i+1 starts when every tile
 * of operation i is finished: the barrier counts finished tiles, not arrived
 * workers, so a worker that is not scheduled costs nothing.
 *
 * The tiles of an operation are handed out in lanes, consecutive ranges of
 * them: a worker walks through its own, one long stream of weights in memory,
 * and helps in those of others when that is empty.
 *
 * Host loop of every worker:
 *
 *	while ((r = lx_job_claim(job, worker, &tile)) != LX_JOB_DONE) {
 *		if (r == LX_JOB_WAIT) { spin a little, then sleep; continue; }
 *		... inside the floating-point bracket ...
 *		if (lx_job_tile(job, tile, worker)) { wake sleeping workers }
 *	}
 *
 * Time decides when the bracket is left between two tiles, never where the
 * work is cut: tile boundaries depend on shapes only.
 */
#ifndef LX_JOB_H
#define LX_JOB_H

#include "deps.h"

struct lx_engine;
struct lx_op;

/* A tile: floating point, no allocation, no sleep, about 25 us. @scratch is
 * the worker's own memory (lx_engine: scratch_bytes).
 */
typedef void (*lx_tile_fn)(const struct lx_op *op, u32 tile, void *scratch);

enum lx_claim { LX_JOB_TILE, LX_JOB_WAIT, LX_JOB_DONE };

#define LX_JOB_LANES 8

struct lx_job {
	struct lx_op *ops;
	u32 n_ops;
	void **scratch;		/* one per worker */
	u32 n_lanes;
	u32 cancel;		/* set by any thread: remaining tiles are skipped */
	u32 op __attribute__((aligned(LX_CACHELINE)));	/* being worked on */
	u32 done __attribute__((aligned(LX_CACHELINE)));
	struct {		/* operation << 32 | next tile */
		u64 next __attribute__((aligned(LX_CACHELINE)));
	} lane[LX_JOB_LANES];
};

/*
 * Make @job ready: @ops[n_ops] are run in order, @scratch[worker] is the own
 * memory of each of @n_workers. No worker may be in it.
 */
void lx_job_init(struct lx_job *job, struct lx_op *ops, u32 n_ops,
		 void **scratch, u32 n_workers);

/*
 * Before a run and between two: it ends, or goes on to end, before operation
 * @end. What was cancelled stays so.
 */
void lx_job_part(struct lx_job *job, u32 end);

/* Any context, no locks; *@tile is set for LX_JOB_TILE. */
enum lx_claim lx_job_claim(struct lx_job *job, u32 worker, u64 *tile);

/*
 * Run a claimed tile. Inside the host's floating-point bracket. True when it
 * was the last of its operation: sleeping workers should be woken.
 */
bool lx_job_tile(struct lx_job *job, u64 tile, u32 worker);

/*
 * Run one tile of an operation outside any job, without scratch. Inside the
 * host's floating-point bracket.
 */
void lx_op_tile(const struct lx_op *op, u32 tile);

/* For waiting: changes whenever a claim may succeed that did not before. */
static inline u32 lx_job_epoch(const struct lx_job *job)
{
	return __atomic_load_n(&job->op, __ATOMIC_ACQUIRE);
}

/* Ask that the rest of the job be skipped; it still ends normally. */
static inline void lx_job_cancel(struct lx_job *job)
{
	__atomic_store_n(&job->cancel, 1, __ATOMIC_RELAXED);
}

#endif
