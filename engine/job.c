// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Jobs: handing out tiles, barriers that count finished tiles. */
#include "lx/job.h"
#include "op.h"

#define STATE(op, tile) ((u64)(op) << 32 | (tile))

/* The first tile of a lane; that of the next one is its end. */
static u32 lane_first(const struct lx_job *job, u32 op, u32 lane)
{
	return (u32)((u64)job->ops[op].n_tiles * lane / job->n_lanes);
}

enum lx_claim lx_job_claim(struct lx_job *job, u32 worker, u64 *tile)
{
	u32 op = __atomic_load_n(&job->op, __ATOMIC_ACQUIRE);

	if (op >= job->n_ops)
		return LX_JOB_DONE;
	for (u32 i = 0; i < job->n_lanes; i++) {
		u32 lane = (worker + i) % job->n_lanes;
		u64 *next = &job->lane[lane].next;
		u64 s = __atomic_load_n(next, __ATOMIC_ACQUIRE);
		u64 end = STATE(op, lane_first(job, op, lane + 1));

		/*
		 * A lane may be ahead of @op, since operations end meanwhile:
		 * the caller's epoch is old then, or about to be.
		 */
		while (s < end)
			if (__atomic_compare_exchange_n(next, &s, s + 1, false,
							__ATOMIC_ACQ_REL,
							__ATOMIC_ACQUIRE)) {
				*tile = s;
				return LX_JOB_TILE;
			}
	}
	return LX_JOB_WAIT;
}

/* Go on with the first operation from @op on that has tiles. */
static void start(struct lx_job *job, u32 op)
{
	while (op < job->n_ops && !job->ops[op].n_tiles)
		op++;
	for (u32 i = 0; op < job->n_ops && i < job->n_lanes; i++)
		__atomic_store_n(&job->lane[i].next,
				 STATE(op, lane_first(job, op, i)),
				 __ATOMIC_RELEASE);
	__atomic_store_n(&job->op, op, __ATOMIC_RELEASE);
}

bool lx_job_tile(struct lx_job *job, u64 tile, u32 worker)
{
	u32 i = (u32)(tile >> 32);
	const struct lx_op *op = &job->ops[i];
	u32 n = op->n_tiles;

	if (!__atomic_load_n(&job->cancel, __ATOMIC_RELAXED))
		op->tile(op, (u32)tile, job->scratch[worker]);

	if (__atomic_add_fetch(&job->done, 1, __ATOMIC_ACQ_REL) != n)
		return false;
	/* The last of its operation: nobody can claim before start() is through. */
	__atomic_store_n(&job->done, 0, __ATOMIC_RELAXED);
	start(job, i + 1);
	return true;
}

void lx_op_tile(const struct lx_op *op, u32 tile)
{
	op->tile(op, tile, NULL);
}

void lx_job_part(struct lx_job *job, u32 end)
{
	job->n_ops = end;
	start(job, job->op);
}

void lx_job_init(struct lx_job *job, struct lx_op *ops, u32 n_ops,
		 void **scratch, u32 n_workers)
{
	job->ops = ops;
	job->n_ops = n_ops;
	job->scratch = scratch;
	job->n_lanes = lx_min(lx_max(n_workers, 1u), (u32)LX_JOB_LANES);
	job->done = 0;
	__atomic_store_n(&job->cancel, 0, __ATOMIC_RELAXED);
	start(job, 0);
}
