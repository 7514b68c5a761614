// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversations made from others: a prompt that many questions share is
 * computed once (prefill), then every question goes to a fork of it.
 */
#include <linux/err.h>
#include <linux/sched/signal.h>

#include "model.h"
#include "session.h"

/* Under model->lock. */
static int fork_into(struct llamux_session *child, struct llamux_session *s)
{
	struct llamux_model *m = s->model;
	int err;

	err = lx_session_fork(s->lx, child->account, &child->lx);
	if (err)
		return err;
	kref_get(&m->ref);
	list_add_tail(&child->node, &m->sessions);
	m->n_sessions++;
	child->model = m;
	/* What it goes on with is known to those of the parent's realm. */
	child->realm = s->realm;
	child->written = s->written;
	child->newline = s->newline;
	return 0;
}

struct llamux_session *llamux_session_fork(struct llamux_session *s)
{
	struct llamux_session *child = llamux_session_open();
	int err;

	if (IS_ERR(child))
		return child;
	mutex_lock(&s->model->lock);
	err = fork_into(child, s);
	mutex_unlock(&s->model->lock);
	if (err) {
		llamux_session_close(child);
		return ERR_PTR(err);
	}
	return child;
}

int llamux_session_prefill(struct llamux_session *s)
{
	struct llamux_model *m = s->model;
	int err;

	mutex_lock(&m->lock);
	err = llamux_session_admit(s);
	if (!err)
		err = llamux_session_complete(s);
	if (!err) {
		llamux_session_prepare(s, false);
		err = lx_session_prefill(s->lx, NULL);
	}
	if (!err)
		s->turn = true;
	mutex_unlock(&m->lock);
	if (err)
		return err;
	llamux_model_kick(m);
	return llamux_session_outcome(s);
}
