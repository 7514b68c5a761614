/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A request: its body, read within limits, and the reply to it.
 */
#ifndef SERVE_REQUEST_H
#define SERVE_REQUEST_H

#include <microhttpd.h>

#include "llamux.h"
#include "problem.h"
#include "text.h"

struct answer;
struct connection;
struct route;
struct server;
struct token;

struct request {
	struct server *server;
	struct MHD_Connection *mhd;
	struct connection *connection;
	const struct route *route;	/* NULL: there is no such path */
	char name[LLAMUX_NAME_MAX + 16];	/* behind the route's path */
	enum dialect dialect;
	struct buffer body;
	size_t taken;		/* of the server's budget for bodies, bytes */
	size_t held;		/* of that for replies */
	struct answer *answer;	/* being given, or NULL */
	json_t *json;		/* the body, when the route wants one */
	const struct token *token;	/* shown, on TCP */
	const char *end_user;	/* whom the client asks for, or NULL */
	uint64_t start;		/* ns */
	unsigned int status;	/* of the reply */
	struct problem problem;
};

struct request *request_new(struct server *s, struct MHD_Connection *mhd,
			    const char *path, const char *method);
void request_free(struct request *r);

/* What the headers say is acceptable; else the problem is set. */
void request_check(struct request *r, const char *method);
/* The body does not fit: reply now, its bytes are not read. */
bool request_refused(const struct request *r);
/* False: the client sends on and on, end the connection. */
bool request_body(struct request *r, const char *data, size_t n);
/* Whom what is computed for it may be shared with. */
uint64_t request_salt(const struct request *r);
/* All is there: serve it. */
enum MHD_Result request_serve(struct request *r);

/* ---- replies ---- */

enum MHD_Result reply_json(struct request *r, unsigned int status,
			   json_t *json);
/* As r->problem says. */
enum MHD_Result reply_problem(struct request *r);
/* @b is given up. */
enum MHD_Result reply_buffer(struct request *r, unsigned int status,
			     const char *type, struct buffer *b);
enum MHD_Result reply_static(struct request *r, const char *type,
			     const void *data, size_t n);
/* With the headers that all replies have; @response is given up. */
enum MHD_Result reply_response(struct request *r, unsigned int status,
			       const char *type,
			       struct MHD_Response *response);

#endif
