// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections and the thread that watches over them.
 *
 * A connection has a thread of the HTTP library, which is in the engine while
 * a turn runs and cannot look at its socket. So this thread polls the sockets
 * of those that are watched. A client that has closed its sending side counts
 * as gone: what is left of it cannot be told from one that has closed both.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "connection.h"
#include "llamux.h"

#define LOOK_MS 50		/* how often, while any is watched */
#define IDLE_MS 1000		/* otherwise: for the time limits */
#define ASK_SECONDS 30		/* a request has to come in */
#define EXCESS_NS 2000000000ull	/* that of one too many */
#define STRANGERS 8		/* they may have this part of the others' number, */
#define FEW_STRANGERS 4		/* or so many */

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* With the lock held. */
static void set_gone(struct connection *c)
{
	if (c->gone)
		return;
	c->gone = true;
	c->all->n_gone++;
	if (c->turn)
		llamux_cancel(c->turn);
}

/* The library's thread wakes up and closes it. With the lock held. */
static void end(struct connection *c)
{
	c->ended = true;
	c->all->n_slow++;
	if (c->watched)
		set_gone(c);
	shutdown(c->fd, SHUT_RDWR);
}

static void check_time(struct connections *all)
{
	uint64_t now = now_ns(), limit;
	struct connection *c;

	for (c = all->head.next; c != &all->head; c = c->next) {
		limit = c->excess ? EXCESS_NS :
			c->phase == CONNECTION_ASKING ? all->ask_ns :
							all->answer_ns;
		if (!c->ended && now - c->since > limit)
			end(c);
	}
}

/* Strangers have no turns. */
static nfds_t watched_max(const struct connections *all)
{
	return all->max_of[CONNECTION_USER] + all->max_of[CONNECTION_CLIENT];
}

/* The sockets of watched connections: with the lock held. */
static nfds_t collect(struct connections *all, struct pollfd *fds)
{
	nfds_t n = 0, max = watched_max(all);
	struct connection *c;

	for (c = all->head.next; c != &all->head && n < max; c = c->next)
		if (c->watched && !c->gone)
			fds[n++] = (struct pollfd){ .fd = c->fd,
						    .events = POLLRDHUP };
	return n;
}

/*
 * With the lock held, so that no descriptor is closed and opened again
 * between the look and what is done about it.
 */
static void check_gone(struct connections *all, struct pollfd *fds)
{
	nfds_t n = collect(all, fds), i = 0;
	struct connection *c;

	if (poll(fds, n, 0) <= 0)
		return;
	for (c = all->head.next; c != &all->head && i < n; c = c->next) {
		if (!c->watched || c->gone)
			continue;
		if (fds[i++].revents)
			set_gone(c);
	}
}

static void *watch(void *arg)
{
	struct connections *all = arg;
	struct pollfd *fds = calloc(watched_max(all), sizeof(*fds));
	struct timespec until;

	pthread_mutex_lock(&all->lock);
	while (!all->stop) {
		uint64_t t = now_ns() + 1000000ull *
			     (all->n_watched ? LOOK_MS : IDLE_MS);

		until.tv_sec = (time_t)(t / 1000000000u);
		until.tv_nsec = (long)(t % 1000000000u);
		pthread_cond_timedwait(&all->wake, &all->lock, &until);
		check_time(all);
		if (fds)
			check_gone(all, fds);
	}
	pthread_mutex_unlock(&all->lock);
	free(fds);
	return NULL;
}

int connections_start(struct connections *all, uint32_t max,
		      uint32_t answer_seconds)
{
	pthread_condattr_t attr;

	memset(all, 0, sizeof(*all));
	all->head.next = &all->head;
	all->head.prev = &all->head;
	all->max_of[CONNECTION_USER] = max;
	all->max_of[CONNECTION_CLIENT] = max;
	all->max_of[CONNECTION_STRANGER] =
		max / STRANGERS > FEW_STRANGERS ? max / STRANGERS :
		max < FEW_STRANGERS ? max : FEW_STRANGERS;
	all->ask_ns = 1000000000ull * (answer_seconds < ASK_SECONDS ?
				       answer_seconds : ASK_SECONDS);
	all->answer_ns = 1000000000ull * answer_seconds;
	pthread_mutex_init(&all->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&all->wake, &attr);
	pthread_condattr_destroy(&attr);
	return -pthread_create(&all->thread, NULL, watch, all);
}

void connections_drain(struct connections *all)
{
	struct connection *c;

	pthread_mutex_lock(&all->lock);
	all->draining = true;
	for (c = all->head.next; c != &all->head; c = c->next)
		if (c->watched)
			set_gone(c);
	pthread_mutex_unlock(&all->lock);
}

void connections_stop(struct connections *all)
{
	pthread_mutex_lock(&all->lock);
	all->stop = true;
	pthread_cond_signal(&all->wake);
	pthread_mutex_unlock(&all->lock);
	pthread_join(all->thread, NULL);
	pthread_cond_destroy(&all->wake);
	pthread_mutex_destroy(&all->lock);
}

/* With the lock held. */
static void count_as(struct connection *c, enum connection_kind kind)
{
	c->kind = kind;
	c->excess = c->all->n_of[kind] >= c->all->max_of[kind];
	c->all->n_of[kind]++;
}

struct connection *connection_open(struct connections *all, int fd,
				   enum connection_kind kind)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->all = all;
	c->fd = fd;
	c->since = now_ns();
	pthread_mutex_lock(&all->lock);
	c->next = &all->head;
	c->prev = all->head.prev;
	c->prev->next = c;
	c->next->prev = c;
	count_as(c, kind);
	all->n++;
	all->n_total++;
	pthread_mutex_unlock(&all->lock);
	return c;
}

void connection_known(struct connection *c)
{
	pthread_mutex_lock(&c->all->lock);
	if (c->kind == CONNECTION_STRANGER) {
		c->all->n_of[CONNECTION_STRANGER]--;
		count_as(c, CONNECTION_CLIENT);
	}
	pthread_mutex_unlock(&c->all->lock);
}

void connection_close(struct connection *c)
{
	struct connections *all = c->all;

	pthread_mutex_lock(&all->lock);
	c->prev->next = c->next;
	c->next->prev = c->prev;
	all->n--;
	all->n_of[c->kind]--;
	all->n_excess += c->excess;
	pthread_mutex_unlock(&all->lock);
	free(c);
}

void connection_phase(struct connection *c, enum connection_phase phase)
{
	pthread_mutex_lock(&c->all->lock);
	c->phase = phase;
	c->since = now_ns();
	pthread_mutex_unlock(&c->all->lock);
}

void connection_watch(struct connection *c, bool on)
{
	struct connections *all = c->all;

	pthread_mutex_lock(&all->lock);
	if (c->watched != on) {
		c->watched = on;
		all->n_watched += on ? 1 : -1;
		if (on && all->draining)
			set_gone(c);
		if (all->n_watched == 1)
			pthread_cond_signal(&all->wake);
	}
	pthread_mutex_unlock(&all->lock);
}

bool connection_gone(struct connection *c)
{
	bool gone;

	pthread_mutex_lock(&c->all->lock);
	gone = c->gone;
	pthread_mutex_unlock(&c->all->lock);
	return gone;
}

void connection_attach(struct connection *c, struct llamux *turn)
{
	pthread_mutex_lock(&c->all->lock);
	c->turn = turn;
	if (turn && c->gone)
		llamux_cancel(turn);
	pthread_mutex_unlock(&c->all->lock);
}

