// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Threads that wait for disks beside those that compute.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "crew.h"

struct crew_thread {
	struct lx_crew *crew;
	u32 number;
	pthread_t id;
};

struct lx_crew {
	bool (*work)(void *ctx, u32 thread);
	void *ctx;
	pthread_mutex_t lock;
	pthread_cond_t kicked, worked;
	u32 kicks;
	bool stop;
	u32 n;			/* started */
	struct crew_thread threads[];
};

static void *thread_main(void *arg)
{
	struct crew_thread *t = arg;
	struct lx_crew *c = t->crew;
	bool more;
	u32 kicks;

	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		kicks = c->kicks;
		pthread_mutex_unlock(&c->lock);
		more = c->work(c->ctx, t->number);
		pthread_mutex_lock(&c->lock);
		pthread_cond_broadcast(&c->worked);
		while (!more && !c->stop && c->kicks == kicks)
			pthread_cond_wait(&c->kicked, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Signals are for the application's own threads. */
static int start(struct crew_thread *t)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&t->id, NULL, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

struct lx_crew *crew_start(struct lx_host *h, u32 n,
			   bool (*work)(void *ctx, u32 thread), void *ctx)
{
	struct lx_crew *c = calloc(1, sizeof(*c) + n * sizeof(c->threads[0]));
	u32 i;

	(void)h;
	if (!c)
		return NULL;
	c->work = work;
	c->ctx = ctx;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->kicked, NULL);
	pthread_cond_init(&c->worked, NULL);
	for (i = 0; i < n; i++) {
		c->threads[i].crew = c;
		c->threads[i].number = i;
		if (start(&c->threads[i])) {
			crew_stop(c);
			return NULL;
		}
		c->n++;
	}
	return c;
}

void crew_kick(struct lx_crew *c)
{
	pthread_mutex_lock(&c->lock);
	c->kicks++;
	pthread_cond_broadcast(&c->kicked);
	pthread_mutex_unlock(&c->lock);
}

void crew_wait(struct lx_crew *c, bool (*done)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&c->lock);
	while (!done(ctx))
		pthread_cond_wait(&c->worked, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

void crew_stop(struct lx_crew *c)
{
	u32 i;

	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->kicked);
	pthread_mutex_unlock(&c->lock);
	for (i = 0; i < c->n; i++)
		pthread_join(c->threads[i].id, NULL);
	pthread_cond_destroy(&c->worked);
	pthread_cond_destroy(&c->kicked);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
