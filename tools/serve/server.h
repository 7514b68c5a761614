/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The gateway: its listeners and what requests share.
 */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include <microhttpd.h>
#include <sys/types.h>

#include "backend.h"
#include "config.h"
#include "connection.h"
#include "gate.h"
#include "metrics.h"
#include "peer.h"
#include "salt.h"
#include "token.h"

struct listener {
	struct server *server;
	struct MHD_Daemon *daemon;
	bool tcp;
};

struct server {
	const struct config *config;
	struct backend backend;
	struct connections connections;
	struct gate gate;
	struct gate compilers;	/* of grammars: each takes memory */
	struct metrics metrics;
	struct listener unix_socket, tcp;
	gid_t group;		/* who else may use the socket; -1: nobody */
	struct tokens tokens;	/* of TCP clients */
	struct salts salts;
	char address[80];	/* of the TCP listener */
	size_t body_bytes;	/* of all requests, atomic */
	size_t reply_bytes;	/* of all large replies, atomic */
};

/* 0, or -errno after saying why; then nothing is left. */
int server_start(struct server *s, const struct config *c);
/* Turns are cancelled, connections closed. */
void server_stop(struct server *s);

#endif
