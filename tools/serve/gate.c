// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many answers are computed at a time.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "connection.h"
#include "gate.h"

#define LOOK_NS 50000000	/* how often a waiter asks for its client */

struct waiter {
	struct waiter *next;
	pthread_cond_t granted;
	bool go;
};

void gate_init(struct gate *g, uint32_t max_running, uint32_t max_waiting)
{
	*g = (struct gate){ .max_running = max_running,
			    .max_waiting = max_waiting };
	g->last = &g->first;
	pthread_mutex_init(&g->lock, NULL);
}

void gate_free(struct gate *g)
{
	pthread_mutex_destroy(&g->lock);
}

static void append(struct gate *g, struct waiter *w)
{
	*g->last = w;
	g->last = &w->next;
	g->waiting++;
}

static void take_out(struct gate *g, const struct waiter *w)
{
	struct waiter **p = &g->first;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	if (g->last == &w->next)
		g->last = p;
	g->waiting--;
}

static void sleep_on(struct gate *g, struct waiter *w)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&w->granted, &g->lock, &until);
}

/* A place that was given counts as running, whatever became of the client. */
static int wait_for_place(struct gate *g, struct connection *c)
{
	struct waiter w = { .granted = PTHREAD_COND_INITIALIZER };
	int ret = 0;

	append(g, &w);
	while (!w.go && !ret) {
		sleep_on(g, &w);
		if (!w.go && connection_gone(c))
			ret = -ECANCELED;
	}
	if (!w.go)
		take_out(g, &w);
	pthread_cond_destroy(&w.granted);
	return ret;
}

int gate_enter(struct gate *g, struct connection *c)
{
	int ret = 0;

	pthread_mutex_lock(&g->lock);
	if (g->running < g->max_running) {
		g->running++;
	} else if (g->waiting < g->max_waiting) {
		ret = wait_for_place(g, c);
	} else {
		g->n_refused++;
		ret = -EAGAIN;
	}
	pthread_mutex_unlock(&g->lock);
	return ret;
}

/* The place goes to the first who waits. */
void gate_leave(struct gate *g)
{
	struct waiter *w;

	pthread_mutex_lock(&g->lock);
	w = g->first;
	if (w) {
		take_out(g, w);
		w->go = true;
		pthread_cond_signal(&w->granted);
	} else {
		g->running--;
	}
	pthread_mutex_unlock(&g->lock);
}
