// SPDX-License-Identifier: GPL-2.0-only
/*
 * read(2), write(2) and poll(2) on a conversation.
 *
 * write(2) of a line with echo(1) ends in a newline that nobody means: the
 * last newline of the text before a turn is dropped, unless the session is
 * LLAMUX_RAW. (LLAMUX_IOC_WRITE takes text exactly as it is.)
 */
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "model.h"
#include "session.h"

/* Text is copied from the writer in pieces of this size. */
#define PIECE 4096u

/* ---- writing ---- */

/*
 * Under model->lock: -EBUSY while an answer is computed or not read to its
 * end. Only the end of file is left: it is taken as read.
 */
static int begin_text(struct llamux_session *s)
{
	switch (llamux_session_state(s)) {
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

int llamux_session_settle(struct llamux_session *s)
{
	struct lx_session_params p;

	lx_session_get(s->lx, &p);
	return p.flags & LX_SESSION_RAW ? put_newline(s) : 0;
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
		smp_store_release(&s->written, true);
		llamux_session_wake(s);
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
		smp_store_release(&s->written, true);
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
	ret = llamux_session_lock(s);
	if (ret)
		goto out;
	ret = llamux_session_bind(s);
	if (!ret)
		ret = write_pieces(s, buf, n, piece);
	llamux_session_unlock(s);
out:
	kfree_sensitive(piece);
	return ret;
}

/* ---- reading ---- */

int llamux_session_complete(struct llamux_session *s)
{
	int err = llamux_session_settle(s);

	if (!err)
		s->newline = false;
	return err;
}

void llamux_session_prepare(struct llamux_session *s, bool answer)
{
	struct llamux_model *m = s->model;

	lockdep_assert_held(&s->lock);
	mutex_unlock(&m->lock);
	/* What is wrong with the prompt is told by who starts the turn. */
	lx_session_prepare(s->lx, answer, NULL);
	mutex_lock(&m->lock);
}

/* Under model->lock: the prompt is complete. */
static int start_turn(struct llamux_session *s)
{
	int err = llamux_session_admit(s);

	if (!err)
		err = llamux_session_complete(s);
	if (err)
		return err;
	llamux_session_prepare(s, true);
	err = lx_session_start(s->lx, NULL);
	if (!err) {
		s->turn = true;
		llamux_model_kick(s->model);
	}
	return err;
}

/* Under model->lock: all text of a turn that is over was read. */
static int end_turn(struct llamux_session *s)
{
	struct lx_session_stats st;

	lx_session_stats(s->lx, &st);
	lx_session_end_turn(s->lx);
	llamux_session_wake(s);
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

	switch (llamux_session_state(s)) {
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
		llamux_model_kick(s->model);	/* it may have waited for room */
		return n;
	}
	return llamux_session_state(s) == LX_SESSION_DONE ? end_turn(s) : -EAGAIN;
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

/*
 * Have text in s->out, of which @n bytes at most are wanted: how many to
 * take, or what fill() returned.
 */
static ssize_t have_text(struct llamux_session *s, size_t n, u32 *events)
{
	int ret = llamux_session_bind(s);

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
	return whole_chars(s->out + s->out_at, s->out_end - s->out_at, n);
}

ssize_t llamux_session_take(struct llamux_session *s, char *buf, size_t size,
			    u32 *events)
{
	ssize_t n = have_text(s, size, events);

	if (n > 0) {
		memcpy(buf, s->out + s->out_at, n);
		s->out_at += n;
	}
	return n;
}

static ssize_t read_once(struct llamux_session *s, char __user *buf,
			 size_t size, u32 *events)
{
	ssize_t n = have_text(s, size, events);

	if (n <= 0)
		return n;
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
		if (!nonblock)
			ret = llamux_session_lock(s);
		else
			ret = llamux_session_trylock(s) ? 0 : -EAGAIN;
		if (ret)
			return ret;
		ret = read_once(s, buf, n, &events);
		llamux_session_unlock(s);
		if (ret != -EAGAIN || nonblock)
			return ret;
		if (wait_event_interruptible(s->wait,
					     READ_ONCE(s->events) != events))
			return -ERESTARTSYS;
	}
}

/*
 * Never sleeps for another call on the session, which may take long (an
 * evaluation, or memory that faults): then there is nothing to be done yet,
 * and the end of that call wakes us.
 */
__poll_t llamux_session_poll(struct llamux_session *s, struct file *file,
			     struct poll_table_struct *wait)
{
	const __poll_t in = EPOLLIN | EPOLLRDNORM;
	const __poll_t out = EPOLLOUT | EPOLLWRNORM;
	__poll_t mask = 0;
	bool text;

	poll_wait(file, &s->wait, wait);
	if (!llamux_session_trylock(s))
		return 0;
	if (!s->model) {
		llamux_session_unlock(s);
		return out;
	}
	mutex_lock(&s->model->lock);
	text = s->out_at < s->out_end || lx_session_readable(s->lx);
	switch (llamux_session_state(s)) {
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
	llamux_session_unlock(s);
	return mask;
}
