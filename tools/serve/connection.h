/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections, and a thread that watches over them: it cancels the turn of a
 * client that has gone away, and ends the connection of one that takes too
 * long to ask or to read. They are counted by who is behind them, so that nobody
 * takes the place of others: anybody on the machine may connect to a TCP port.
 */
#ifndef SERVE_CONNECTION_H
#define SERVE_CONNECTION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct llamux;

enum connection_phase {
	CONNECTION_ASKING,	/* a request is awaited, or coming in */
	CONNECTION_ANSWERING	/* it is complete */
};

enum connection_kind {
	CONNECTION_USER,	/* of the Unix socket, who may use it */
	CONNECTION_CLIENT,	/* of TCP, having shown a token */
	CONNECTION_STRANGER,	/* anybody else */
	CONNECTION_KINDS
};

struct connection {
	struct connections *all;
	struct connection *next, *prev;
	int fd;			/* the HTTP library's */
	bool tcp;
	bool allowed;		/* the peer's uid may use the Unix socket */
	uid_t uid;
	/* Under connections.lock; its own thread alone changes the first two: */
	enum connection_kind kind;
	bool excess;		/* one too many: only to be told so */
	enum connection_phase phase;
	uint64_t since;		/* when it began, ns */
	bool watched;		/* is the client still there? */
	bool gone;		/* no */
	bool ended;		/* shut down by us */
	struct llamux *turn;	/* to cancel then */
};

struct connections {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct connection head;	/* of a ring */
	uint32_t n, n_watched;
	uint32_t n_of[CONNECTION_KINDS];
	uint32_t max_of[CONNECTION_KINDS];	/* further ones are in excess */
	uint64_t ask_ns, answer_ns;
	uint64_t n_total, n_gone, n_slow, n_excess;	/* counters */
	bool stop;
	bool draining;		/* every turn is cancelled at once */
};

uint64_t now_ns(void);

/* @max: of users, and of clients. */
int connections_start(struct connections *all, uint32_t max,
		      uint32_t answer_seconds);
/* Cancel what is under way, and what begins. */
void connections_drain(struct connections *all);
/* After the last one was closed. */
void connections_stop(struct connections *all);

/* Of a user, or a stranger. NULL: no memory. */
struct connection *connection_open(struct connections *all, int fd,
				   enum connection_kind kind);
/* A stranger has shown a token. */
void connection_known(struct connection *c);
void connection_close(struct connection *c);
void connection_phase(struct connection *c, enum connection_phase phase);
/* From now on somebody asks whether it is gone. */
void connection_watch(struct connection *c, bool on);
bool connection_gone(struct connection *c);
/* Cancel @turn when the client is gone; NULL: no longer. Watched only. */
void connection_attach(struct connection *c, struct llamux *turn);

#endif
