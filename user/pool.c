// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Worker threads that run the engine's jobs.
 *
 * pool->epoch changes whenever there may be something new to claim: a new
 * job, or an operation of the present one that ended. A worker notes the
 * epoch, looks for tiles, and when there are none waits for the epoch to
 * change, outside of the job: it holds a reference (pool->users) only while
 * it claims and computes, so a worker that is not scheduled delays nobody
 * unless it sits on a tile.
 *
 * Waiting spins for a moment and then sleeps in a futex. The waker pays for a
 * system call only when somebody sleeps: the waiter announces itself before
 * it looks at the epoch for the last time, the waker changes the epoch before
 * it looks for waiters, both sequentially consistent, so one sees the other.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pool.h"

#define SPIN_IN_JOB_NS 20000	/* an operation lasts some 50 us */
#define SPIN_IDLE_NS 50000	/* between two steps of one generation */
#define SPIN_CROWDED_NS 2000	/* more workers than CPUs */

struct worker {
	struct pool *pool;
	pthread_t thread;
	u32 index;
};

struct pool {
	u32 n;
	u32 spin_in_job, spin_idle;	/* ns */
	u32 quit;
	struct worker *workers;		/* [n], 0 is unused */
	struct lx_job *job __attribute__((aligned(LX_CACHELINE)));
	/* futex words */
	u32 epoch __attribute__((aligned(LX_CACHELINE)));
	u32 sleepers;
	u32 users __attribute__((aligned(LX_CACHELINE)));
	u32 draining;			/* pool_run() sleeps on users */
};

static void futex_wait(u32 *word, u32 value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(u32 *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/*
 * Tiles expect round-to-nearest, no traps and denormals as they are, whatever
 * the application has set. Returns what was set before.
 */
static u32 fp_mode_set(u32 mode)
{
	u32 old = mode;

#if defined(__x86_64__)
	__asm__ volatile("stmxcsr %0" : "=m"(old));
	__asm__ volatile("ldmxcsr %0" : : "m"(mode));
#endif
	return old;
}

#define FP_MODE_DEFAULT 0x1f80

static void announce(struct pool *p)
{
	__atomic_add_fetch(&p->epoch, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&p->sleepers, __ATOMIC_SEQ_CST))
		futex_wake(&p->epoch);
}

static void wait_for_change(struct pool *p, u32 epoch, u32 spin_ns)
{
	u64 end = now_ns() + spin_ns;

	do {
		for (int i = 0; i < 16; i++) {
			if (__atomic_load_n(&p->epoch, __ATOMIC_ACQUIRE) !=
			    epoch)
				return;
			relax();
		}
	} while (now_ns() < end);

	__atomic_add_fetch(&p->sleepers, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&p->epoch, __ATOMIC_SEQ_CST) == epoch)
		futex_wait(&p->epoch, epoch);
	__atomic_sub_fetch(&p->sleepers, 1, __ATOMIC_SEQ_CST);
}

/* Compute what can be claimed now. LX_JOB_WAIT or LX_JOB_DONE. */
static enum lx_claim work(struct pool *p, struct lx_job *job, u32 index)
{
	enum lx_claim r;
	u64 tile;

	while ((r = lx_job_claim(job, index, &tile)) == LX_JOB_TILE)
		if (lx_job_tile(job, tile, index))
			announce(p);
	return r;
}

static void drop_user(struct pool *p)
{
	if (__atomic_sub_fetch(&p->users, 1, __ATOMIC_SEQ_CST) == 0 &&
	    __atomic_load_n(&p->draining, __ATOMIC_SEQ_CST))
		futex_wake(&p->users);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;

	fp_mode_set(FP_MODE_DEFAULT);
	while (!__atomic_load_n(&p->quit, __ATOMIC_ACQUIRE)) {
		u32 epoch = __atomic_load_n(&p->epoch, __ATOMIC_SEQ_CST);
		enum lx_claim r = LX_JOB_DONE;
		struct lx_job *job;

		__atomic_add_fetch(&p->users, 1, __ATOMIC_SEQ_CST);
		job = __atomic_load_n(&p->job, __ATOMIC_SEQ_CST);
		if (job)
			r = work(p, job, w->index);
		drop_user(p);
		wait_for_change(p, epoch, r == LX_JOB_WAIT ? p->spin_in_job :
							     p->spin_idle);
	}
	return NULL;
}

/* Until no worker looks at the job any more: its memory is the caller's. */
static void drain(struct pool *p)
{
	u32 users;
	int i;

	for (i = 0; i < 2000; i++) {
		if (!__atomic_load_n(&p->users, __ATOMIC_SEQ_CST))
			return;
		relax();
	}
	__atomic_store_n(&p->draining, 1, __ATOMIC_SEQ_CST);
	while ((users = __atomic_load_n(&p->users, __ATOMIC_SEQ_CST)))
		futex_wait(&p->users, users);
	__atomic_store_n(&p->draining, 0, __ATOMIC_SEQ_CST);
}

int pool_run(struct pool *p, struct lx_job *job)
{
	u32 mode = fp_mode_set(FP_MODE_DEFAULT);
	u32 epoch;

	if (p->n > 1) {
		__atomic_store_n(&p->job, job, __ATOMIC_SEQ_CST);
		announce(p);
	}
	for (;;) {
		epoch = __atomic_load_n(&p->epoch, __ATOMIC_SEQ_CST);
		if (work(p, job, 0) == LX_JOB_DONE)
			break;
		wait_for_change(p, epoch, p->spin_in_job);
	}
	if (p->n > 1) {
		__atomic_store_n(&p->job, NULL, __ATOMIC_SEQ_CST);
		drain(p);
	}
	fp_mode_set(mode);
	return __atomic_load_n(&job->cancel, __ATOMIC_RELAXED) ?
		-LX_ECANCELED : 0;
}

u32 pool_cpus(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) == 0) {
		n = CPU_COUNT(&set);
	} else {
		n = (int)sysconf(_SC_NPROCESSORS_ONLN);
	}
	return n > 0 ? (u32)n : 1;
}

/* Signals are for the application's own threads. */
static int start(struct worker *w)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -ret;
}

int pool_open(struct pool **out, u32 n)
{
	struct pool *p;
	int ret;
	u32 i;

	p = aligned_alloc(LX_CACHELINE, lx_align_up(sizeof(*p), LX_CACHELINE));
	if (!p)
		return -ENOMEM;
	*p = (struct pool){ .n = 1 };
	p->workers = calloc(n, sizeof(*p->workers));
	if (!p->workers) {
		free(p);
		return -ENOMEM;
	}
	p->spin_in_job = n > pool_cpus() ? SPIN_CROWDED_NS : SPIN_IN_JOB_NS;
	p->spin_idle = n > pool_cpus() ? SPIN_CROWDED_NS : SPIN_IDLE_NS;
	for (i = 1; i < n; i++) {
		p->workers[i].pool = p;
		p->workers[i].index = i;
		ret = start(&p->workers[i]);
		if (ret) {
			pool_close(p);
			return ret;
		}
		p->n = i + 1;
	}
	*out = p;
	return 0;
}

void pool_close(struct pool *p)
{
	u32 i;

	__atomic_store_n(&p->quit, 1, __ATOMIC_SEQ_CST);
	announce(p);
	for (i = 1; i < p->n; i++)
		pthread_join(p->workers[i].thread, NULL);
	free(p->workers);
	free(p);
}
