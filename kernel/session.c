// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: they come, are bound to a model, are cancelled and go. What
 * clients read and write is in io.c.
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "model.h"
#include "owner.h"
#include "session.h"
#include "trace.h"

static unsigned int max_sessions = 4096;
module_param(max_sessions, uint, 0644);
MODULE_PARM_DESC(max_sessions, "most open conversations (default 4096); open fails with EAGAIN beyond");

static atomic_t n_sessions = ATOMIC_INIT(0);
static atomic64_t last_id = ATOMIC64_INIT(0);

u32 llamux_session_count(void)
{
	return atomic_read(&n_sessions);
}

u32 llamux_session_limit(void)
{
	return READ_ONCE(max_sessions);
}

u32 llamux_session_state(const struct llamux_session *s)
{
	struct lx_session_stats st;

	lx_session_stats(s->lx, &st);
	return st.state;
}

/* Under model->lock: tell of a turn that has ended, once. */
static void note_turn(struct llamux_session *s)
{
	struct lx_session_stats st;

	if (!s->turn)
		return;
	lx_session_stats(s->lx, &st);
	if (st.state == LX_SESSION_RUNNING)
		return;
	s->turn = false;
	trace_turn(s->id, from_kuid(&init_user_ns, s->owner->uid), &st);
}

void llamux_session_wake(struct llamux_session *s)
{
	note_turn(s);
	WRITE_ONCE(s->events, s->events + 1);
	wake_up_poll(&s->wait, EPOLLIN | EPOLLRDNORM |
		     EPOLLOUT | EPOLLWRNORM);
}

/* ---- the lock ---- */

int llamux_session_lock(struct llamux_session *s)
{
	return mutex_lock_interruptible(&s->lock) ? -ERESTARTSYS : 0;
}

bool llamux_session_trylock(struct llamux_session *s)
{
	if (mutex_trylock(&s->lock))
		return true;
	WRITE_ONCE(s->missed, true);
	smp_mb();	/* before the second try; pairs with unlock */
	return mutex_trylock(&s->lock);
}

void llamux_session_unlock(struct llamux_session *s)
{
	mutex_unlock(&s->lock);
	smp_mb();	/* before the look at missed; pairs with trylock */
	if (READ_ONCE(s->missed)) {
		WRITE_ONCE(s->missed, false);
		wake_up_poll(&s->wait, EPOLLIN | EPOLLRDNORM |
			     EPOLLOUT | EPOLLWRNORM);
	}
}

/* ---- open, bind, close ---- */

struct llamux_session *llamux_session_open(void)
{
	struct llamux_session *s;
	int err = -EAGAIN;

	if (atomic_inc_return(&n_sessions) > READ_ONCE(max_sessions))
		goto err_count;
	err = -ENOMEM;
	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		goto err_count;
	err = llamux_session_whose(s);
	if (err)
		goto err_whose;
	mutex_init(&s->lock);
	init_waitqueue_head(&s->wait);
	INIT_LIST_HEAD(&s->node);
	lx_session_defaults(&s->params);
	s->id = atomic64_inc_return(&last_id);
	s->pid = task_tgid_nr(current);
	return s;

err_whose:
	kfree(s);
err_count:
	atomic_dec(&n_sessions);
	return ERR_PTR(err);
}

static void session_free(struct llamux_session *s)
{
	llamux_session_whose_no_more(s);
	mutex_destroy(&s->lock);
	kfree_sensitive(s);
	atomic_dec(&n_sessions);
}

/*
 * Give up the model. True when the engine still computes for @s: the model's
 * thread then frees it, maybe before this returns.
 */
static bool detach(struct llamux_session *s)
{
	struct llamux_model *m = s->model;
	bool busy;

	mutex_lock(&m->lock);
	lx_session_cancel(s->lx);
	busy = lx_session_in_batch(s->lx);
	s->model = NULL;
	if (busy) {
		list_move(&s->node, &m->zombies);
	} else {
		note_turn(s);
		lx_session_close(s->lx);
		list_del_init(&s->node);
		s->lx = NULL;
	}
	m->n_sessions--;
	m->n_unattended -= s->unattended;
	mutex_unlock(&m->lock);

	llamux_model_kick(m);
	llamux_model_put(m);
	return busy;
}

void llamux_session_close(struct llamux_session *s)
{
	if (!s->model || !detach(s))
		session_free(s);
}

/* With model->lock held and the engine there, which a session makes stay. */
static int lock_awake(struct llamux_model *m)
{
	int err;

	for (;;) {
		mutex_lock(&m->lock);
		if (m->engine)
			return 0;
		mutex_unlock(&m->lock);
		err = llamux_model_wake(m);
		if (err)
			return err;
	}
}

static int attach(struct llamux_session *s, struct llamux_model *m)
{
	int err;

	s->model = m;
	err = lock_awake(m);
	if (err)
		goto out;
	err = lx_session_open(m->engine, &s->params, &s->lx);
	if (!err) {
		err = llamux_session_join(s);
		if (err)
			lx_session_close(s->lx);
	}
	if (!err) {
		list_add_tail(&s->node, &m->sessions);
		m->n_sessions++;
	}
	mutex_unlock(&m->lock);
out:
	if (err) {
		s->lx = NULL;
		s->model = NULL;
		llamux_model_put(m);
	}
	return err;
}

int llamux_session_bind(struct llamux_session *s)
{
	struct llamux_model *m;

	if (s->model)
		return 0;
	m = llamux_model_get(NULL);
	return m ? attach(s, m) : -ENODEV;
}

int llamux_session_set_model(struct llamux_session *s, const char *name)
{
	struct llamux_model *m;

	if (s->written)
		return -EBUSY;
	m = llamux_model_get(name);
	if (!m)
		return -ENODEV;
	if (s->model) {
		llamux_session_get_params(s, &s->params);
		/* Nothing was written: it is in no batch. */
		if (WARN_ON_ONCE(detach(s))) {
			llamux_model_put(m);
			return -EBUSY;
		}
	}
	return attach(s, m);
}

void llamux_session_attend(struct llamux_session *s, bool attended)
{
	struct llamux_model *m = s->model;

	if (!m || s->unattended == !attended)
		return;
	mutex_lock(&m->lock);
	s->unattended = !attended;
	m->n_unattended += attended ? -1 : 1;
	mutex_unlock(&m->lock);
	llamux_model_kick(m);	/* for its patience */
}

/* ---- parameters ---- */

void llamux_session_get_params(struct llamux_session *s,
			       struct lx_session_params *p)
{
	if (!s->model) {
		*p = s->params;
		return;
	}
	mutex_lock(&s->model->lock);
	lx_session_get(s->lx, p);
	mutex_unlock(&s->model->lock);
}

int llamux_session_set_params(struct llamux_session *s,
			      const struct lx_session_params *p)
{
	int err = lx_session_check(p, NULL);

	if (err)
		return err;
	if (!s->model) {
		s->params = *p;
		return 0;
	}
	mutex_lock(&s->model->lock);
	err = llamux_session_state(s) == LX_SESSION_RUNNING ? -EBUSY :
						  lx_session_set(s->lx, p);
	mutex_unlock(&s->model->lock);
	return err;
}

/* ---- ending ---- */

/* The model of a session that was written to does not change any more. */
void llamux_session_cancel(struct llamux_session *s)
{
	struct llamux_model *m;

	if (!smp_load_acquire(&s->written))
		return;
	m = s->model;
	mutex_lock(&m->lock);
	lx_session_cancel(s->lx);
	llamux_session_wake(s);
	mutex_unlock(&m->lock);
}

/* Under model->lock. What was taken from the engine but not read goes. */
static void forget(struct llamux_session *s)
{
	s->out_at = 0;
	s->out_end = 0;
	s->newline = false;
	llamux_session_wake(s);
}

int llamux_session_reset(struct llamux_session *s)
{
	int err;

	if (!s->model)
		return 0;
	mutex_lock(&s->model->lock);
	err = llamux_session_state(s) == LX_SESSION_RUNNING ? -EBUSY :
						  lx_session_reset(s->lx);
	if (!err)
		forget(s);
	mutex_unlock(&s->model->lock);
	return err;
}

/* Under model->lock: nothing is computed any more; drop the answer. */
static bool drained(struct llamux_session *s)
{
	if (llamux_session_state(s) == LX_SESSION_RUNNING)
		return false;
	while (lx_session_read(s->lx, s->out, sizeof(s->out)))
		;
	if (llamux_session_state(s) == LX_SESSION_DONE)
		lx_session_end_turn(s->lx);
	forget(s);
	return true;
}

int llamux_session_abandon(struct llamux_session *s)
{
	struct llamux_model *m = s->model;
	bool done;
	u32 events;

	if (!m)
		return 0;
	for (;;) {
		mutex_lock(&m->lock);
		events = READ_ONCE(s->events);
		lx_session_cancel(s->lx);
		done = drained(s);
		mutex_unlock(&m->lock);
		if (done)
			break;
		if (wait_event_interruptible(s->wait,
					     READ_ONCE(s->events) != events))
			return -ERESTARTSYS;
	}
	return 0;
}

/* ---- for the model's thread ---- */

void llamux_session_reap(struct llamux_model *m)
{
	struct llamux_session *s, *next;

	lockdep_assert_held(&m->lock);
	list_for_each_entry_safe(s, next, &m->zombies, node) {
		if (lx_session_in_batch(s->lx))
			continue;
		note_turn(s);
		list_del(&s->node);
		lx_session_close(s->lx);
		session_free(s);
	}
}

void llamux_session_notify(struct llamux_model *m)
{
	struct llamux_session *s;

	lockdep_assert_held(&m->lock);
	list_for_each_entry(s, &m->sessions, node)
		if (lx_session_readable(s->lx) ||
		    llamux_session_state(s) == LX_SESSION_DONE)
			llamux_session_wake(s);
}

/* By tokens: every token of a step takes about the same time. */
static void account(struct list_head *sessions, u64 ns)
{
	struct llamux_session *s;
	u64 share;
	u32 n, of;

	list_for_each_entry(s, sessions, node) {
		n = lx_session_step_tokens(s->lx, &of);
		if (!n)
			continue;
		share = mul_u64_u32_div(ns, n, of);
		s->cpu_ns += share;
		llamux_owner_charge(s->owner, share, n);
	}
}

void llamux_session_account(struct llamux_model *m, u64 ns)
{
	lockdep_assert_held(&m->lock);
	account(&m->sessions, ns);
	account(&m->zombies, ns);
}
