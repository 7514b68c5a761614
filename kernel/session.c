// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: the semantics of read(2), write(2), poll(2) and close(2) on a
 * conversation.
 *
 * write(2) of a line with echo(1) ends in a newline that nobody means: the
 * last newline of the text before a turn is dropped, unless the session is
 * LLAMUX_RAW. (LLAMUX_IOC_WRITE takes text exactly as it is.)
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "model.h"
#include "session.h"

static unsigned int max_sessions = 1024;
module_param(max_sessions, uint, 0644);
MODULE_PARM_DESC(max_sessions, "most open conversations (default 1024); open fails with EAGAIN beyond");

/* Text is copied from the writer in pieces of this size. */
#define PIECE 4096u

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

/* Something happened that sleepers wait for. Under model->lock. */
static void session_wake(struct llamux_session *s)
{
	WRITE_ONCE(s->events, s->events + 1);
	wake_up_poll(&s->wait, EPOLLIN | EPOLLRDNORM |
		     EPOLLOUT | EPOLLWRNORM);
}

static u32 state_of(const struct llamux_session *s)
{
	struct lx_session_stats st;

	lx_session_stats(s->lx, &st);
	return st.state;
}

/* ---- open, bind, close ---- */

struct llamux_session *llamux_session_open(void)
{
	struct llamux_session *s;

	if (atomic_inc_return(&n_sessions) > READ_ONCE(max_sessions)) {
		atomic_dec(&n_sessions);
		return ERR_PTR(-EAGAIN);
	}
	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s) {
		atomic_dec(&n_sessions);
		return ERR_PTR(-ENOMEM);
	}
	mutex_init(&s->lock);
	init_waitqueue_head(&s->wait);
	INIT_LIST_HEAD(&s->node);
	lx_session_defaults(&s->params);
	s->id = atomic64_inc_return(&last_id);
	s->uid = current_euid();
	s->pid = task_tgid_nr(current);
	return s;
}

static void session_free(struct llamux_session *s)
{
	mutex_destroy(&s->lock);
	kfree_sensitive(s);
	atomic_dec(&n_sessions);
}

/*
 * Give up the model. True when the engine still computes for @s: the model's
 * thread then frees it.
 */
static bool detach(struct llamux_session *s)
{
	struct llamux_model *m = s->model;
	bool alone, busy;

	mutex_lock(&m->lock);
	lx_session_cancel(s->lx);
	busy = lx_session_in_batch(s->lx);
	if (busy) {
		list_move(&s->node, &m->zombies);
	} else {
		lx_session_close(s->lx);
		list_del_init(&s->node);
		s->lx = NULL;
	}
	m->n_sessions--;
	alone = list_empty(&m->sessions);
	mutex_unlock(&m->lock);
	s->model = NULL;

	if (busy && alone)
		llamux_model_cancel_job(m);
	llamux_model_kick(m);
	llamux_model_put(m);
	return busy;
}

void llamux_session_close(struct llamux_session *s)
{
	if (!s->model || !detach(s))
		session_free(s);
}

static int attach(struct llamux_session *s, struct llamux_model *m)
{
	int err;

	mutex_lock(&m->lock);
	err = lx_session_open(m->engine, &s->params, &s->lx);
	if (!err) {
		list_add_tail(&s->node, &m->sessions);
		m->n_sessions++;
	}
	mutex_unlock(&m->lock);
	if (err) {
		llamux_model_put(m);
		return err;
	}
	s->model = m;
	return 0;
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
	err = state_of(s) == LX_SESSION_RUNNING ? -EBUSY :
						  lx_session_set(s->lx, p);
	mutex_unlock(&s->model->lock);
	return err;
}

/* ---- writing ---- */

/*
 * Under model->lock: -EBUSY while an answer is computed or not read to its
 * end. Only the end of file is left: it is taken as read.
 */
static int begin_text(struct llamux_session *s)
{
	switch (state_of(s)) {
	case LX_SESSION_RUNNING:
		return -EBUSY;
	case LX_SESSION_DONE:
		if (s->out_at < s->out_end || lx_session_readable(s->lx))
			return -EBUSY;
		lx_session_end_turn(s->lx);
	}
	return 0;
}

/* Under model->lock. The newline kept back belongs to the text after all. */
static int put_newline(struct llamux_session *s)
{
	int err = 0;

	if (s->newline)
		err = lx_session_write(s->lx, LX_ROLE_USER, "\n", 1, 0);
	if (!err)
		s->newline = false;
	return err;
}

int llamux_session_add(struct llamux_session *s, enum lx_role role,
		       const char *text, size_t n, u32 flags)
{
	int err;

	mutex_lock(&s->model->lock);
	err = begin_text(s);
	if (!err)
		err = put_newline(s);
	if (!err && n)
		err = lx_session_write(s->lx, role, text, n, flags);
	if (!err && n) {
		s->written = true;
		session_wake(s);
	}
	mutex_unlock(&s->model->lock);
	return err;
}

/* A piece of write(2): all but a last newline, which is kept back. */
static int add_piece(struct llamux_session *s, const char *text, size_t n)
{
	bool newline = text[n - 1] == '\n';
	int err;

	err = llamux_session_add(s, LX_ROLE_USER, text, n - newline, 0);
	if (!err && newline) {
		s->newline = true;
		s->written = true;
	}
	return err;
}

static ssize_t write_pieces(struct llamux_session *s, const char __user *buf,
			    size_t n, char *piece)
{
	size_t done = 0, k;
	int err = 0;

	while (done < n && !err) {
		k = min_t(size_t, n - done, PIECE);
		if (copy_from_user(piece, buf + done, k)) {
			err = -EFAULT;
			break;
		}
		err = add_piece(s, piece, k);
		if (err)
			break;
		done += k;
		if (signal_pending(current))
			err = -ERESTARTSYS;
		cond_resched();
	}
	return done ? done : err;
}

ssize_t llamux_session_write(struct llamux_session *s, const char __user *buf,
			     size_t n)
{
	ssize_t ret;
	char *piece;

	if (!n)
		return 0;
	piece = kmalloc(PIECE, GFP_KERNEL_ACCOUNT);
	if (!piece)
		return -ENOMEM;
	ret = -ERESTARTSYS;
	if (mutex_lock_interruptible(&s->lock))
		goto out;
	ret = llamux_session_bind(s);
	if (!ret)
		ret = write_pieces(s, buf, n, piece);
	mutex_unlock(&s->lock);
out:
	kfree_sensitive(piece);
	return ret;
}

/* ---- reading ---- */

/* Under model->lock: the loop has something to do. */
static void kick(struct llamux_model *m)
{
	WRITE_ONCE(m->kicks, m->kicks + 1);
	wake_up(&m->wake);
}

/* Under model->lock: the prompt is complete. */
static int start_turn(struct llamux_session *s)
{
	struct lx_session_params p;
	int err = 0;

	lx_session_get(s->lx, &p);
	if (p.flags & LX_SESSION_RAW)
		err = put_newline(s);
	s->newline = false;
	if (!err)
		err = lx_session_start(s->lx, NULL);
	if (!err)
		kick(s->model);
	return err;
}

/* Under model->lock: all text of a turn that is over was read. */
static int end_turn(struct llamux_session *s)
{
	struct lx_session_stats st;

	lx_session_stats(s->lx, &st);
	lx_session_end_turn(s->lx);
	session_wake(s);
	if (st.finish != LX_FINISH_ERROR)
		return 0;
	return st.error ?: -EIO;
}

/* Only a newline was written: text for a raw session, nothing for others. */
static bool newline_pending(struct llamux_session *s)
{
	struct lx_session_params p;

	if (!s->newline)
		return false;
	lx_session_get(s->lx, &p);
	return p.flags & LX_SESSION_RAW;
}

/*
 * Under model->lock: take text into s->out, starting the turn if need be.
 * Returns the number of bytes, 0 at the end of a turn or when there is none,
 * -EAGAIN when there will be text later.
 */
static int fill(struct llamux_session *s)
{
	size_t n;
	int err;

	switch (state_of(s)) {
	case LX_SESSION_IDLE:
		if (!newline_pending(s)) {
			s->newline = false;
			return 0;
		}
		fallthrough;
	case LX_SESSION_PENDING:
		err = start_turn(s);
		if (err)
			return err;
	}
	n = lx_session_read(s->lx, s->out, sizeof(s->out));
	s->out_at = 0;
	s->out_end = n;
	if (n) {
		kick(s->model);	/* it may have waited for room */
		return n;
	}
	return state_of(s) == LX_SESSION_DONE ? end_turn(s) : -EAGAIN;
}

/* Bytes of the UTF-8 character that starts with @c. */
static u32 utf8_len(u8 c)
{
	return c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* As many whole characters as fit, or a part of one that does not. */
static size_t whole_chars(const char *p, size_t have, size_t room)
{
	size_t n = 0;

	if (have <= room)
		return have;
	while (n + utf8_len(p[n]) <= room)
		n += utf8_len(p[n]);
	return n ?: room;
}

static ssize_t read_once(struct llamux_session *s, char __user *buf, size_t n,
			 u32 *events)
{
	int ret;

	ret = llamux_session_bind(s);
	if (ret)
		return ret;
	if (s->out_at == s->out_end) {
		mutex_lock(&s->model->lock);
		*events = READ_ONCE(s->events);
		ret = fill(s);
		mutex_unlock(&s->model->lock);
		if (ret <= 0)
			return ret;
	}
	n = whole_chars(s->out + s->out_at, s->out_end - s->out_at, n);
	/* What could not be copied stays to be read. */
	if (copy_to_user(buf, s->out + s->out_at, n))
		return -EFAULT;
	s->out_at += n;
	return n;
}

ssize_t llamux_session_read(struct llamux_session *s, char __user *buf,
			    size_t n, bool nonblock)
{
	ssize_t ret;
	u32 events = 0;

	if (!n)
		return 0;
	for (;;) {
		if (mutex_lock_interruptible(&s->lock))
			return -ERESTARTSYS;
		ret = read_once(s, buf, n, &events);
		mutex_unlock(&s->lock);
		if (ret != -EAGAIN || nonblock)
			return ret;
		if (wait_event_interruptible(s->wait,
					     READ_ONCE(s->events) != events))
			return -ERESTARTSYS;
	}
}

__poll_t llamux_session_poll(struct llamux_session *s, struct file *file,
			     struct poll_table_struct *wait)
{
	const __poll_t in = EPOLLIN | EPOLLRDNORM;
	const __poll_t out = EPOLLOUT | EPOLLWRNORM;
	__poll_t mask = 0;
	bool text;

	poll_wait(file, &s->wait, wait);
	mutex_lock(&s->lock);
	if (!s->model) {
		mutex_unlock(&s->lock);
		return out;
	}
	mutex_lock(&s->model->lock);
	text = s->out_at < s->out_end || lx_session_readable(s->lx);
	switch (state_of(s)) {
	case LX_SESSION_IDLE:
		mask = newline_pending(s) ? in | out : out;
		break;
	case LX_SESSION_PENDING:
		mask = in | out;
		break;
	case LX_SESSION_RUNNING:
		mask = text ? in : 0;
		break;
	case LX_SESSION_DONE:
		mask = text ? in : in | out;
	}
	mutex_unlock(&s->model->lock);
	mutex_unlock(&s->lock);
	return mask;
}

/* ---- ending ---- */

void llamux_session_cancel(struct llamux_session *s)
{
	struct llamux_model *m = s->model;
	bool alone;

	if (!m)
		return;
	mutex_lock(&m->lock);
	lx_session_cancel(s->lx);
	session_wake(s);
	alone = lx_session_in_batch(s->lx) && list_is_singular(&m->sessions);
	mutex_unlock(&m->lock);
	if (alone)
		llamux_model_cancel_job(m);
}

/* Under model->lock. What was taken from the engine but not read goes. */
static void forget(struct llamux_session *s)
{
	s->out_at = 0;
	s->out_end = 0;
	s->newline = false;
	session_wake(s);
}

int llamux_session_reset(struct llamux_session *s)
{
	int err;

	if (!s->model)
		return 0;
	mutex_lock(&s->model->lock);
	err = state_of(s) == LX_SESSION_RUNNING ? -EBUSY :
						  lx_session_reset(s->lx);
	if (!err)
		forget(s);
	mutex_unlock(&s->model->lock);
	return err;
}

/* Under model->lock: nothing is computed any more; drop the answer. */
static bool drained(struct llamux_session *s)
{
	if (state_of(s) == LX_SESSION_RUNNING)
		return false;
	while (lx_session_read(s->lx, s->out, sizeof(s->out)))
		;
	if (state_of(s) == LX_SESSION_DONE)
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
		    state_of(s) == LX_SESSION_DONE)
			session_wake(s);
}
