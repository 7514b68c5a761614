// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that wait for a file while a model is loaded or streamed, beside the
 * workers, who compute. What they have read they pack, in sections of a tile.
 */
#include <linux/err.h>
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "compat/compat.h"
#include "crew.h"
#include "worker.h"

struct crew_thread {
	struct lx_crew *crew;
	u32 number;
	struct task_struct *task;
};

struct lx_crew {
	bool (*work)(void *ctx, u32 thread);
	void *ctx;
	wait_queue_head_t kicked, worked;
	u32 kicks;			/* by the thread that kicks alone */
	u32 n;				/* started */
	struct crew_thread threads[];
};

static int crew_main(void *data)
{
	struct crew_thread *t = data;
	struct lx_crew *c = t->crew;
	bool more;
	u32 kicks;

	set_freezable();
	while (!kthread_should_stop()) {
		kicks = READ_ONCE(c->kicks);
		more = c->work(c->ctx, t->number);
		wake_up(&c->worked);
		try_to_freeze();
		cond_resched();
		if (!more)
			wait_event_freezable(c->kicked,
					     READ_ONCE(c->kicks) != kicks ||
					     kthread_should_stop());
	}
	return 0;
}

struct lx_crew *llamux_crew_start(const char *name, u32 n,
				  bool (*work)(void *ctx, u32 thread),
				  void *ctx)
{
	struct lx_crew *c = kzalloc(struct_size(c, threads, n), GFP_KERNEL);
	struct task_struct *task;
	u32 i;

	if (!c)
		return NULL;
	c->work = work;
	c->ctx = ctx;
	init_waitqueue_head(&c->kicked);
	init_waitqueue_head(&c->worked);
	for (i = 0; i < n; i++) {
		c->threads[i].crew = c;
		c->threads[i].number = i;
		task = kthread_create(crew_main, &c->threads[i],
				      "llamux/%s:r%u", name, i);
		if (IS_ERR(task)) {
			llamux_crew_stop(c);
			return NULL;
		}
		llamux_worker_adopt(task);
		c->threads[i].task = task;
		c->n++;
		wake_up_process(task);
	}
	return c;
}

void llamux_crew_kick(struct lx_crew *c)
{
	WRITE_ONCE(c->kicks, c->kicks + 1);
	wake_up_all(&c->kicked);
}

/* Not a moment less than till @done, whatever signals there are. */
void llamux_crew_wait(struct lx_crew *c, bool (*done)(void *ctx), void *ctx)
{
	wait_event_state(c->worked, done(ctx), (TASK_IDLE | TASK_FREEZABLE));
}

void llamux_crew_stop(struct lx_crew *c)
{
	u32 i;

	for (i = 0; i < c->n; i++)
		kthread_stop(c->threads[i].task);
	kfree(c);
}
