// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The user-space worker pool: every tile once, barriers between operations,
 * no lost wake-up, fewer and more threads than CPUs.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "op.h"
#include "pool.h"
#include "test.h"

#define MAX_OPS 40
#define MAX_TILES 50
#define MAX_WORKERS 9

/* Of the job that runs: how often each tile ran, finished tiles, faults. */
static u32 ran[MAX_OPS][MAX_TILES];
static u32 finished[MAX_OPS];
static u32 faults;
static struct lx_op ops[MAX_OPS];

static u32 next_random(u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 16;
}

static void tile(const struct lx_op *op, u32 i, void *scratch)
{
	u32 index = (u32)(op - ops);
	u32 *busy = scratch;

	/* A worker's scratch is its own. */
	if (__atomic_exchange_n(busy, 1, __ATOMIC_SEQ_CST))
		__atomic_add_fetch(&faults, 1, __ATOMIC_SEQ_CST);
	for (u32 before = 0; before < index; before++)
		if (__atomic_load_n(&finished[before], __ATOMIC_SEQ_CST) !=
		    ops[before].n_tiles)
			__atomic_add_fetch(&faults, 1, __ATOMIC_SEQ_CST);
	if (index % 16 == 15 && i == 0)
		usleep(100);	/* long enough for others to fall asleep */
	__atomic_add_fetch(&ran[index][i], 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&finished[index], 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(busy, 0, __ATOMIC_SEQ_CST);
}

static void run_one(struct pool *p, u32 n_workers, u32 *random)
{
	u32 busy[MAX_WORKERS][16] = { 0 };
	void *scratch[MAX_WORKERS];
	u32 n_ops = next_random(random) % MAX_OPS;
	struct lx_job job;
	u32 i, t;

	memset(ran, 0, sizeof(ran));
	memset(finished, 0, sizeof(finished));
	for (i = 0; i < n_workers; i++)
		scratch[i] = busy[i];
	for (i = 0; i < n_ops; i++) {
		ops[i].tile = tile;
		ops[i].n_tiles = next_random(random) % MAX_TILES;
	}
	lx_job_init(&job, ops, n_ops, scratch, n_workers);
	if (pool_run(p, &job))
		faults++;
	/* The caller's memory again: nobody may look at it. */
	memset(&job, 0xff, sizeof(job));
	for (i = 0; i < n_ops; i++)
		for (t = 0; t < ops[i].n_tiles; t++)
			faults += ran[i][t] != 1;
}

static void test_workers(u32 n_workers, int jobs)
{
	u32 random = n_workers;
	struct pool *p;

	if (!CHECK(!pool_open(&p, n_workers)))
		return;
	faults = 0;
	for (int i = 0; i < jobs; i++) {
		run_one(p, n_workers, &random);
		if (i % 64 == 0)
			usleep(200);	/* workers fall asleep between jobs */
	}
	CHECK(faults == 0);
	pool_close(p);
}

static void test_cancel(void)
{
	u32 busy[2][16] = { 0 };
	void *scratch[2] = { busy[0], busy[1] };
	struct lx_job job;
	struct pool *p;

	if (!CHECK(!pool_open(&p, 2)))
		return;
	memset(ran, 0, sizeof(ran));
	ops[0].tile = tile;
	ops[0].n_tiles = MAX_TILES;
	lx_job_init(&job, ops, 1, scratch, 2);
	lx_job_cancel(&job);
	CHECK(pool_run(p, &job) == -LX_ECANCELED);
	CHECK(ran[0][0] == 0 && ran[0][MAX_TILES - 1] == 0);
	pool_close(p);
}

/* A worker walks through its own lane, then through those of others. */
static void test_lanes(void)
{
	u32 busy[16] = { 0 }, at[3] = { 0 };
	void *scratch[3] = { busy, busy, busy };
	struct lx_job job;
	u64 t;

	ops[0].tile = tile;
	ops[0].n_tiles = 11;	/* lanes 0..2, 3..6, 7..10 */
	for (u32 worker = 0; worker < 3; worker++) {
		lx_job_init(&job, ops, 1, scratch, 3);
		for (u32 i = 0; i < 11; i++) {
			if (!CHECK(lx_job_claim(&job, worker, &t) ==
				   LX_JOB_TILE))
				return;
			CHECK((u32)t == (worker * 11 / 3 + i) % 11);
		}
		CHECK(lx_job_claim(&job, worker, &t) == LX_JOB_WAIT);
	}
	lx_job_init(&job, ops, 1, scratch, 3);
	for (u32 i = 0; i < 9; i++) {
		u32 lane = i % 3;

		CHECK(lx_job_claim(&job, lane, &t) == LX_JOB_TILE);
		CHECK((u32)t == lane * 11 / 3 + at[lane]++);
	}
}

int main(void)
{
	for (u32 n = 1; n <= MAX_WORKERS; n += n < 3 ? 1 : 3)
		test_workers(n, n <= 3 ? 2000 : 300);
	test_cancel();
	test_lanes();
	return test_end();
}
