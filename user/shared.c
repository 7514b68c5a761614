// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * An engine in this process at work for several conversations.
 */
#include <stdlib.h>

#include "shared.h"

struct shared *shared_new(void)
{
	struct shared *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->stepped, NULL);
	s->refs = 1;
	return s;
}

struct shared *shared_get(struct shared *s)
{
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void shared_put(struct shared *s)
{
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
		return;
	local_close(&s->local);
	pthread_cond_destroy(&s->stepped);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int shared_step(struct shared *s, void (*ready)(void *ctx), void *ctx)
{
	struct lx_engine *e = s->local.engine;
	int ret;

	if (s->stepping) {
		pthread_cond_wait(&s->stepped, &s->lock);
		return 0;
	}
	ret = lx_engine_form(e);
	if (ret <= 0)
		return ret;
	ready(ctx);
	s->stepping = true;
	pthread_mutex_unlock(&s->lock);
	/* Its one error is a cancel: commit tells the sessions. */
	lx_engine_run(e);
	pthread_mutex_lock(&s->lock);
	lx_engine_commit(e);
	s->stepping = false;
	pthread_cond_broadcast(&s->stepped);
	return 0;
}

void shared_close_session(struct shared *s, struct lx_session *session)
{
	lx_session_cancel(session);
	while (lx_session_in_batch(session))
		pthread_cond_wait(&s->stepped, &s->lock);
	lx_session_close(session);
}
