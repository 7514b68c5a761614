// SPDX-License-Identifier: GPL-2.0-only
/*
 * Turns whose tokens are given and that yield numbers: logits, scores of
 * continuations, embeddings. They run in the batches of everybody else.
 */
#include <linux/sched/signal.h>

#include "model.h"
#include "session.h"

/* ---- turns that are waited for ---- */

/* Under model->lock, the turn is over: what came of it, 0 or an error. */
typedef int (*end_fn)(struct llamux_session *s, void *out);

static bool over(struct llamux_session *s)
{
	return llamux_session_state(s) != LX_SESSION_RUNNING &&
	       !lx_session_in_batch(s->lx);
}

/*
 * After a signal only the step that is running is awaited. -EINTR then, and
 * not to be restarted: the tokens would be appended once more.
 */
static int await(struct llamux_session *s, end_fn end, void *out)
{
	struct llamux_model *m = s->model;
	bool interrupted = false, done;
	u32 events;
	int ret = 0;

	llamux_model_kick(m);
	for (;;) {
		mutex_lock(&m->lock);
		events = READ_ONCE(s->events);
		done = over(s);
		if (done)
			ret = end(s, out);
		mutex_unlock(&m->lock);
		if (done)
			break;
		if (interrupted) {
			wait_event(s->wait, READ_ONCE(s->events) != events);
		} else if (wait_event_interruptible(s->wait,
					READ_ONCE(s->events) != events)) {
			interrupted = true;
			llamux_session_cancel(s);
		}
	}
	return interrupted && ret == -ECANCELED ? -EINTR : ret;
}

/* Under model->lock: no text is left to read, and there may be a turn. */
static int begin(struct llamux_session *s)
{
	return s->out_at < s->out_end ? -EBUSY : llamux_session_admit(s);
}

/* Under model->lock: @err is what came of starting a turn. */
static int claim(struct llamux_session *s, int err)
{
	if (!err) {
		s->turn = true;
		smp_store_release(&s->written, true);
	}
	return err;
}

/* ---- logits ---- */

static int end_eval(struct llamux_session *s, void *out)
{
	struct lx_session_stats st;

	lx_session_stats(s->lx, &st);
	lx_session_end_turn(s->lx);
	if (st.finish == LX_FINISH_ERROR)
		return st.error ?: -EIO;
	return st.finish == LX_FINISH_CANCELLED ? -ECANCELED : 0;
}

int llamux_session_outcome(struct llamux_session *s)
{
	return await(s, end_eval, NULL);
}

int llamux_session_eval(struct llamux_session *s, const s32 *ids, u32 n,
			void *out)
{
	int err;

	mutex_lock(&s->model->lock);
	err = begin(s);
	if (!err)
		err = claim(s, lx_session_eval(s->lx, ids, n, out));
	mutex_unlock(&s->model->lock);
	return err ?: llamux_session_outcome(s);
}

/* ---- scores ---- */

static int end_score(struct llamux_session *s, void *out)
{
	return lx_session_score_end(s->lx, out);
}

int llamux_session_score(struct llamux_session *s, const char *text,
			 const u32 *ends, u32 n, struct lx_choice *out)
{
	int err;

	mutex_lock(&s->model->lock);
	err = begin(s);
	if (!err)
		err = llamux_session_settle(s);
	if (!err) {
		llamux_session_prepare(s, true);
		err = claim(s, lx_session_score(s->lx, text, ends, n, NULL));
	}
	mutex_unlock(&s->model->lock);
	return err ?: await(s, end_score, out);
}

/* ---- embeddings ---- */

static int end_embed(struct llamux_session *s, void *out)
{
	return lx_session_embed_end(s->lx);
}

int llamux_session_embed(struct llamux_session *s, const char *text, size_t n,
			 u32 pooling, void *out)
{
	int err = lx_session_prepare_embed(s->lx, text, n, NULL);

	if (err)
		return err;
	mutex_lock(&s->model->lock);
	err = s->newline ? -EBUSY : begin(s);
	if (!err)
		err = claim(s, lx_session_embed(s->lx, pooling, out, NULL));
	mutex_unlock(&s->model->lock);
	return err ?: await(s, end_embed, NULL);
}
