// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workers: one pool of helper kthreads for all models. The thread of a
 * model posts a job, works on it as its worker 0, and helpers 1..n-1 join.
 * A poster never depends on a helper, so one that is not scheduled, frozen or
 * busy with another model's job costs only its share of the speed.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/isolation.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

#include "compat/compat.h"
#include "worker.h"

static unsigned int threads;
module_param(threads, uint, 0444);
MODULE_PARM_DESC(threads, "threads that compute (default: one per housekeeping CPU)");

static int nice;
module_param(nice, int, 0444);
MODULE_PARM_DESC(nice, "their nice level, -20 to 19 (default 0)");

static char *cpus;
module_param(cpus, charp, 0444);
MODULE_PARM_DESC(cpus, "their CPUs as a list, e.g. 0-3,8 (default: housekeeping CPUs)");

/* How long to spin before sleeping: at a barrier, and for the next job. */
#define BARRIER_SPIN_NS 20000
#define IDLE_SPIN_NS 50000
#define MAX_THREADS 1024

/*
 * Sleep till @cond holds and not a moment less, whatever signals there are:
 * what is waited for is on a stack. The freezer may have the task meanwhile.
 */
#define wait_idle(wq, cond) \
	wait_event_state(wq, cond, (TASK_IDLE | TASK_FREEZABLE))

/* A job being run; on its poster's stack. */
struct post {
	struct list_head node;		/* in pool.posts, under pool.lock */
	struct lx_job *job;
	u32 helpers;			/* using it, under pool.lock */
	u64 ns;				/* helpers spent, under pool.lock */
	wait_queue_head_t wait;		/* at its barriers, and for helpers */
};

static struct {
	spinlock_t lock;
	struct list_head posts;
	u32 n_posts;			/* in the list */
	u32 posted;			/* ever: helpers sleep till it changes */
	wait_queue_head_t idle;
	struct task_struct **helpers;	/* threads - 1, from worker 1 */
	cpumask_var_t mask;
} pool;

u32 llamux_worker_count(void)
{
	return threads;
}

void llamux_worker_adopt(struct task_struct *t)
{
	set_user_nice(t, nice);
	set_cpus_allowed_ptr(t, pool.mask);
}

/*
 * Between two sections: let others have the CPU if they want it. A machine
 * that suspends does not wait for the job to end: nothing is held here.
 */
static void rest(void)
{
	try_to_freeze();
	if (llamux_cpu_wanted())
		schedule();
	else
		cond_resched_tasks_rcu_qs();
}

/* Spin till *@p is not @old; false when it takes long. */
static bool spin_while(const u32 *p, u32 old, u64 ns)
{
	u64 end = ktime_get_ns() + ns;

	while (READ_ONCE(*p) == old) {
		if (llamux_cpu_wanted() || ktime_get_ns() > end)
			return false;
		cpu_relax();
	}
	return true;
}

/*
 * Wait till the operation after @epoch starts. True when the caller should
 * rather look for another job.
 */
static bool barrier_wait(struct post *p, u32 epoch, bool helper)
{
	u64 end = ktime_get_ns() + BARRIER_SPIN_NS;

	while (lx_job_epoch(p->job) == epoch) {
		if (!llamux_cpu_wanted() && ktime_get_ns() < end) {
			cpu_relax();
			continue;
		}
		if (helper && READ_ONCE(pool.n_posts) > 1) {
			rest();
			return true;
		}
		wait_idle(p->wait, lx_job_epoch(p->job) != epoch);
	}
	return false;
}

/* Work on @p till there is nothing left to do for this worker. */
static enum lx_claim drive(struct post *p, u32 worker,
			   struct llamux_fpu_pace *pace)
{
	enum lx_claim claim;

	for (;;) {
		u32 epoch = lx_job_epoch(p->job);

		claim = llamux_fpu_section(p->job, worker, pace, &p->wait);
		if (claim == LX_JOB_DONE)
			return claim;
		if (claim == LX_JOB_TILE)
			rest();
		else if (barrier_wait(p, epoch, worker != 0))
			return claim;
	}
}

/* ---- helpers ---- */

static struct post *post_pick(u32 *posted)
{
	struct post *p;

	spin_lock(&pool.lock);
	*posted = pool.posted;
	p = list_first_entry_or_null(&pool.posts, struct post, node);
	if (p) {
		p->helpers++;
		list_rotate_left(&pool.posts);
	}
	spin_unlock(&pool.lock);
	return p;
}

/* Under pool.lock. No helper joins it from now on. */
static void post_unlist(struct post *p)
{
	if (!list_empty(&p->node)) {
		list_del_init(&p->node);
		WRITE_ONCE(pool.n_posts, pool.n_posts - 1);
	}
}

/* The poster's stack may be gone as soon as the lock is dropped. */
static void post_put(struct post *p, bool done, u64 ns)
{
	spin_lock(&pool.lock);
	p->ns += ns;
	if (done)
		post_unlist(p);
	WRITE_ONCE(p->helpers, p->helpers - 1);
	if (!p->helpers)
		wake_up_all(&p->wait);
	spin_unlock(&pool.lock);
}

static int helper_main(void *data)
{
	u32 worker = (uintptr_t)data, posted;
	struct llamux_fpu_pace pace = {};
	struct post *p;
	bool done;

	set_freezable();
	while (!kthread_should_stop()) {
		p = post_pick(&posted);
		if (p) {
			pace.spent_ns = 0;
			done = drive(p, worker, &pace) == LX_JOB_DONE;
			post_put(p, done, pace.spent_ns);
			continue;
		}
		if (spin_while(&pool.posted, posted, IDLE_SPIN_NS))
			continue;
		wait_event_freezable(pool.idle,
				     READ_ONCE(pool.posted) != posted ||
				     kthread_should_stop());
	}
	return 0;
}

/* ---- posters ---- */

static void post_add(struct post *p)
{
	spin_lock(&pool.lock);
	list_add(&p->node, &pool.posts);
	WRITE_ONCE(pool.n_posts, pool.n_posts + 1);
	WRITE_ONCE(pool.posted, pool.posted + 1);
	spin_unlock(&pool.lock);
	if (wq_has_sleeper(&pool.idle))
		wake_up_all(&pool.idle);
}

static bool post_unused(struct post *p)
{
	bool unused;

	spin_lock(&pool.lock);
	unused = !p->helpers;
	spin_unlock(&pool.lock);
	return unused;
}

/*
 * Returns when no helper can touch @p any more: the last look is always taken
 * under the lock that helpers let go of last.
 */
static void post_remove(struct post *p)
{
	u64 end;

	spin_lock(&pool.lock);
	post_unlist(p);
	spin_unlock(&pool.lock);
	end = ktime_get_ns() + BARRIER_SPIN_NS;
	while (READ_ONCE(p->helpers) && !llamux_cpu_wanted() &&
	       ktime_get_ns() < end)
		cpu_relax();
	wait_idle(p->wait, post_unused(p));
}

int llamux_worker_run(struct lx_job *job, struct llamux_fpu_pace *pace,
		      u64 *ns)
{
	struct post p = { .job = job };

	*ns = 0;
	if (WARN_ON_ONCE(!(current->flags & PF_KTHREAD)))
		return -EPERM;
	INIT_LIST_HEAD(&p.node);
	init_waitqueue_head(&p.wait);
	if (threads > 1)
		post_add(&p);
	pace->spent_ns = 0;
	drive(&p, 0, pace);
	if (threads > 1)
		post_remove(&p);
	*ns = pace->spent_ns + p.ns;
	return READ_ONCE(job->cancel) ? -ECANCELED : 0;
}

/* ---- the pool ---- */

static int mask_init(void)
{
	int err;

	if (cpus) {
		err = cpulist_parse(cpus, pool.mask);
		if (err)
			return err;
	} else {
		rcu_read_lock();
		cpumask_copy(pool.mask, housekeeping_cpumask(HK_TYPE_DOMAIN));
		rcu_read_unlock();
	}
	return cpumask_intersects(pool.mask, cpu_online_mask) ? 0 : -EINVAL;
}

static u32 default_threads(void)
{
	u32 n = 0;
	int cpu;

	for_each_cpu_and(cpu, pool.mask, cpu_online_mask)
		n++;
	return n;
}

static void helpers_stop(u32 n)
{
	while (n--)
		kthread_stop(pool.helpers[n]);
	kfree(pool.helpers);
}

static int helpers_start(void)
{
	struct task_struct *t;
	u32 i;

	pool.helpers = kcalloc(threads, sizeof(*pool.helpers), GFP_KERNEL);
	if (!pool.helpers)
		return -ENOMEM;
	for (i = 0; i + 1 < threads; i++) {
		t = kthread_create(helper_main, (void *)(uintptr_t)(i + 1),
				   "llamux/w%u", i + 1);
		if (IS_ERR(t)) {
			helpers_stop(i);
			return PTR_ERR(t);
		}
		llamux_worker_adopt(t);
		pool.helpers[i] = t;
		wake_up_process(t);
	}
	return 0;
}

int llamux_worker_init(void)
{
	int err;

	if (nice < MIN_NICE || nice > MAX_NICE || threads > MAX_THREADS)
		return -EINVAL;
	spin_lock_init(&pool.lock);
	INIT_LIST_HEAD(&pool.posts);
	init_waitqueue_head(&pool.idle);
	if (!zalloc_cpumask_var(&pool.mask, GFP_KERNEL))
		return -ENOMEM;
	err = mask_init();
	if (err)
		goto err_mask;
	if (!threads)
		threads = max(default_threads(), 1u);
	err = helpers_start();
	if (err)
		goto err_mask;
	return 0;

err_mask:
	free_cpumask_var(pool.mask);
	return err;
}

void llamux_worker_exit(void)
{
	helpers_stop(threads - 1);
	free_cpumask_var(pool.mask);
}
