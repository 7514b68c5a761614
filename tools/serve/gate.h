/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many answers are computed at a time; the others wait in their order.
 */
#ifndef SERVE_GATE_H
#define SERVE_GATE_H

#include <pthread.h>
#include <stdint.h>

struct connection;
struct waiter;

struct gate {
	pthread_mutex_t lock;
	struct waiter *first, **last;
	uint32_t max_running, max_waiting;
	uint32_t running, waiting;
	uint64_t n_refused;	/* counter */
};

void gate_init(struct gate *g, uint32_t max_running, uint32_t max_waiting);
void gate_free(struct gate *g);
/* 0, -EAGAIN too many wait, -ECANCELED the client is gone. */
int gate_enter(struct gate *g, struct connection *c);
void gate_leave(struct gate *g);

#endif
