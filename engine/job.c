// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Jobs: handing out tiles, barriers that count finished tiles. */
#include "lx/job.h"
#include "op.h"

#define STATE(op, tile) ((u64)(op) << 32 | (tile))

enum lx_claim lx_job_claim(struct lx_job *job, u64 *tile)
{
	u64 s = __atomic_load_n(&job->state, __ATOMIC_ACQUIRE);

	for (;;) {
		u32 op = (u32)(s >> 32);

		if (op >= job->n_ops)
			return LX_JOB_DONE;
		if ((u32)s >= job->ops[op].n_tiles)
			return LX_JOB_WAIT;
		if (__atomic_compare_exchange_n(&job->state, &s, s + 1, false,
						__ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE)) {
			*tile = s;
			return LX_JOB_TILE;
		}
	}
}

/* The next operation that has tiles. */
static u32 next_op(const struct lx_job *job, u32 op)
{
	while (++op < job->n_ops && !job->ops[op].n_tiles)
		;
	return op;
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
	/* The last of its operation: nobody else touches state or done now. */
	__atomic_store_n(&job->done, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&job->state, STATE(next_op(job, i), 0),
			 __ATOMIC_RELEASE);
	return true;
}

void lx_job_init(struct lx_job *job, struct lx_op *ops, u32 n_ops,
		 void **scratch)
{
	job->ops = ops;
	job->n_ops = n_ops;
	job->scratch = scratch;
	job->done = 0;
	__atomic_store_n(&job->cancel, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&job->state, STATE(next_op(job, (u32)-1), 0),
			 __ATOMIC_RELEASE);
}
