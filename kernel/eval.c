// SPDX-License-Identifier: GPL-2.0-only
/*
 * Evaluation: a turn whose tokens are given and that yields logits, for
 * scoring, benchmarks and tests. It runs in the batches of everybody else.
 */
#include <linux/sched/signal.h>

#include "model.h"
#include "session.h"

/* Under model->lock: 1 over, 0 not yet, or the error it ended with. */
static int outcome(struct llamux_session *s)
{
	struct lx_session_stats st;

	lx_session_stats(s->lx, &st);
	if (st.state == LX_SESSION_RUNNING || lx_session_in_batch(s->lx))
		return 0;
	lx_session_end_turn(s->lx);
	if (st.finish == LX_FINISH_ERROR)
		return st.error ?: -EIO;
	return st.finish == LX_FINISH_CANCELLED ? -ECANCELED : 1;
}

int llamux_session_outcome(struct llamux_session *s)
{
	struct llamux_model *m = s->model;
	bool interrupted = false;
	u32 events;
	int ret;

	for (;;) {
		mutex_lock(&m->lock);
		events = READ_ONCE(s->events);
		ret = outcome(s);
		mutex_unlock(&m->lock);
		if (ret)
			break;
		/* After a signal only the step that is running is awaited. */
		if (interrupted) {
			wait_event(s->wait, READ_ONCE(s->events) != events);
		} else if (wait_event_interruptible(s->wait,
					READ_ONCE(s->events) != events)) {
			interrupted = true;
			llamux_session_cancel(s);
		}
	}
	/* Not to be restarted: the tokens would be appended once more. */
	if (interrupted && ret == -ECANCELED)
		return -EINTR;
	return ret < 0 ? ret : 0;
}

int llamux_session_eval(struct llamux_session *s, const s32 *ids, u32 n,
			void *out)
{
	struct llamux_model *m = s->model;
	int ret;

	mutex_lock(&m->lock);
	ret = s->out_at < s->out_end ? -EBUSY : llamux_session_admit(s);
	if (!ret)
		ret = lx_session_eval(s->lx, ids, n, out);
	if (!ret) {
		s->turn = true;
		smp_store_release(&s->written, true);
	}
	mutex_unlock(&m->lock);
	if (ret)
		return ret;
	llamux_model_kick(m);
	return llamux_session_outcome(s);
}
