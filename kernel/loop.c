// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model's thread: loads it, then forms, runs and commits batches as long as
 * sessions are runnable, and frees it at the end. All floating point of the
 * model is posted from here.
 */
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "loop.h"
#include "model.h"
#include "prompt.h"
#include "session.h"
#include "shrink.h"
#include "trace.h"

/* Say how much is missing, and what would fit. */
static int refuse(struct llamux_model *m, const struct lx_model_params *mp,
		  const struct lx_plan *plan, u64 available)
{
	char where[72] = "";
	struct lx_advice a;
	char ctx[40] = "", stream[48] = "";
	int err;

	err = lx_advise(&m->host, m->source.lx, m->source.n, mp, &m->params,
			plan, available, &a);
	if (err)
		return err;
	if (a.n_ctx)
		snprintf(ctx, sizeof(ctx), "; a context of %u fits", a.n_ctx);
	if (a.stream)
		snprintf(stream, sizeof(stream), "; streamed it takes %llu",
			 a.stream);
	if (plan->reserved)
		snprintf(where, sizeof(where), " (weights %llu, set aside %llu)",
			 plan->weights, plan->reserved);
	return lx_fail(&m->error, -ENOMEM,
		       "needs %llu bytes%s, %llu are available: %llu missing%s%s%s%s%s",
		       plan->total, where, available, a.missing, ctx,
		       a.type ? "; weights of " : "", a.type ?: "",
		       a.type ? " fit" : "", stream);
}

static int check_fits(struct llamux_model *m, struct lx_model_params *mp)
{
	u64 available = llamux_memory_available();
	struct lx_plan *plan;
	int err;

	plan = kvzalloc(sizeof(*plan), GFP_KERNEL);
	if (!plan)
		return -ENOMEM;
	err = lx_plan(&m->host, m->source.lx, m->source.n, mp, &m->params,
		      plan, &m->error);
	/* What other models can compute again may make room. */
	if (!err && lx_plan_missing(plan, available) && llamux_shrink_all())
		available = llamux_memory_available();
	if (!err && lx_plan_missing(plan, available))
		err = refuse(m, mp, plan, available);
	if (!err && llamux_reserve_take(&m->reserve, plan->weights))
		err = lx_fail(&m->error, -ENOMEM,
			      "another model has taken what was set aside");
	if (!err) {
		m->params.n_ctx = plan->n_ctx;	/* what the plan says fits */
		mp->n_kept = plan->n_kept;
		mp->n_slots = plan->n_slots;
	}
	kvfree(plan);
	return err;
}

static int load(struct llamux_model *m)
{
	struct lx_model_params mp = {
		.simd = llamux_model_simd_wanted(),
		.as = m->as_type[0] ? m->as_type : NULL,
		.stream = m->source.direct,
		.memory = m->budget,
		.reserved = llamux_reserve_room(&m->reserve),
	};
	int err;

	if (llamux_reserve_wanted(&m->reserve) && !mp.reserved)
		return lx_fail(&m->error, -ENOMEM,
			       "other models have all that was set aside");
	err = check_fits(m, &mp);
	if (err)
		return err;
	err = lx_model_load(&m->host, m->source.lx, m->source.n, &mp, &m->lx,
			    &m->error);
	if (err)
		goto err_load;
	err = lx_engine_open(m->lx, &m->params, &m->engine, &m->error);
	if (err)
		goto err_engine;
	err = llamux_shrink_start(m);
	if (err)
		goto err_shrink;
	return 0;

err_shrink:
	lx_engine_close(m->engine);
	m->engine = NULL;
err_engine:
	lx_model_free(m->lx);
	m->lx = NULL;
err_load:
	llamux_reserve_give(&m->reserve);
	return err;
}

/* One pass; true when there may be more to do at once. */
static bool step(struct llamux_model *m)
{
	u64 start;
	int n;

	mutex_lock(&m->lock);
	llamux_session_reap(m);
	n = lx_engine_form(m->engine);
	if (n <= 0)
		llamux_session_notify(m);
	mutex_unlock(&m->lock);
	if (n <= 0)
		return false;

	/* What went wrong is told to the sessions by commit. */
	start = ktime_get_ns();
	m->job_ns = 0;
	lx_engine_run(m->engine);
	trace_step(m->name, n, ktime_get_ns() - start, m->job_ns);

	mutex_lock(&m->lock);
	llamux_session_account(m, m->job_ns);
	lx_engine_commit(m->engine);
	llamux_session_reap(m);
	llamux_session_notify(m);
	mutex_unlock(&m->lock);
	cond_resched();
	return true;
}

/* ---- sleep ---- */

/* The shrinker looks at the engine no more. */
static void unload(struct llamux_model *m, struct lx_engine *engine)
{
	lx_engine_close(engine);
	lx_model_free(m->lx);
	llamux_reserve_give(&m->reserve);
}

/* Take the engine away, unless a session has come. */
static struct lx_engine *take_engine(struct llamux_model *m)
{
	struct lx_engine *e = NULL;

	mutex_lock(&m->lock);
	llamux_session_reap(m);
	if (!m->n_sessions && list_empty(&m->zombies))
		swap(e, m->engine);
	mutex_unlock(&m->lock);
	return e;
}

/* All but the files and the name goes, till somebody wants it. */
static void doze(struct llamux_model *m)
{
	struct lx_engine *e;

	WRITE_ONCE(m->doze, false);
	if (!llamux_model_move(m, LLAMUX_MODEL_READY, LLAMUX_MODEL_ASLEEP))
		return;
	/* Its files are kept from now on, or it stays: policy.c */
	if (llamux_model_patience(m) == MAX_SCHEDULE_TIMEOUT) {
		llamux_model_move(m, LLAMUX_MODEL_ASLEEP, LLAMUX_MODEL_READY);
		return;
	}
	llamux_prompt_rest(m);
	/* The shrinker looks at the engine without the lock. */
	llamux_shrink_stop(m);
	e = take_engine(m);
	if (e) {
		unload(m, e);
		return;
	}
	if (llamux_shrink_start(m))
		pr_warn_ratelimited("llamux: %s: no memory for a shrinker\n",
				    m->name);
	llamux_model_move(m, LLAMUX_MODEL_ASLEEP, LLAMUX_MODEL_READY);
}

static void wake(struct llamux_model *m)
{
	WRITE_ONCE(m->wanted, false);
	m->wake_result = m->engine ? 0 : load(m);
	if (!m->wake_result)
		llamux_model_move(m, LLAMUX_MODEL_ASLEEP, LLAMUX_MODEL_READY);
	smp_store_release(&m->wakings, m->wakings + 1);
	wake_up_all(&m->awake);
}

/* One look at what there is to do; sleeps when it is nothing. */
static void serve(struct llamux_model *m)
{
	int kicks = atomic_read_acquire(&m->kicks);
	long patience;

	if (READ_ONCE(m->wanted))
		wake(m);
	if (m->engine && step(m))
		return;
	patience = m->engine ? llamux_model_patience(m) : MAX_SCHEDULE_TIMEOUT;
	if (!wait_event_freezable_timeout(m->wake,
					  atomic_read(&m->kicks) != kicks ||
					  kthread_should_stop(), patience))
		doze(m);
}

int llamux_loop(void *data)
{
	struct llamux_model *m = data;

	set_freezable();
	m->result = load(m);
	if (m->once)
		llamux_source_close(&m->source);
	else
		llamux_source_allow_write(&m->source);
	complete_all(&m->loaded);
	if (!m->result) {
		while (!kthread_should_stop()) {
			try_to_freeze();
			serve(m);
		}
		mutex_lock(&m->lock);
		llamux_session_reap(m);
		mutex_unlock(&m->lock);
		if (m->engine) {
			llamux_shrink_stop(m);
			unload(m, m->engine);
		}
		return 0;
	}
	wait_event_freezable(m->wake, kthread_should_stop());
	return 0;
}
