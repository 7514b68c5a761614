// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request and the reply to it.
 *
 * What a request can take is bounded before it is looked at: its bytes, those
 * of all requests together, and how many values its JSON holds, since a value
 * takes up to fifty times the memory of its text.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "connection.h"
#include "route.h"
#include "server.h"

#define DRAIN 8			/* times the limit are read and dropped */
#define ALL_BODIES 16		/* times the limit, in all requests */
#define ALL_REPLIES 128		/* times that limit, in replies that are ... */
#define LARGE_REPLY 65536	/* ... longer than this */
#define MAX_VALUES 65536	/* of a JSON text */
#define MAX_DEPTH 64

struct request *request_new(struct server *s, struct MHD_Connection *mhd,
			    const char *path, const char *method)
{
	struct request *r = calloc(1, sizeof(*r));
	const union MHD_ConnectionInfo *info;
	const char *behind;
	bool known;

	if (!r)
		return NULL;
	r->server = s;
	r->mhd = mhd;
	r->start = now_ns();
	info = MHD_get_connection_info(mhd,
				       MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	r->connection = info ? info->socket_context : NULL;
	r->route = route_find(method, path, &known);
	behind = r->route ? route_name(r->route, path) : NULL;
	if (behind)
		snprintf(r->name, sizeof(r->name), "%s", behind);
	r->dialect = !strncmp(path, "/api/", 5) ? DIALECT_OLLAMA :
						  DIALECT_OPENAI;
	if (!r->connection)
		problem_set(&r->problem, 503, "unavailable", "out of memory");
	else if (!r->route && known)
		problem_set(&r->problem, 405, NULL,
			    "%.16s is not for this path", method);
	else if (!r->route)
		problem_set(&r->problem, 404, NULL, "there is no %.100s here",
			    path);
	return r;
}

void request_free(struct request *r)
{
	if (r->answer)
		answer_free(r->answer);
	metrics_request(&r->server->metrics, r);
	__atomic_sub_fetch(&r->server->body_bytes, r->taken, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&r->server->reply_bytes, r->held, __ATOMIC_RELAXED);
	buffer_free(&r->body);
	json_decref(r->json);
	free(r);
}

static void check_client(struct request *r)
{
	const char *auth;

	if (!r->connection->tcp) {
		if (!r->connection->allowed)
			problem_set(&r->problem, 403, NULL,
				    "uid %u may not use this socket: it is for root, for who runs llamux-serve and for group '%s'",
				    r->connection->uid,
				    r->server->config->group);
		return;
	}
	if (r->route && r->route->open)
		return;
	auth = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND,
					   MHD_HTTP_HEADER_AUTHORIZATION);
	r->token = tokens_find(&r->server->tokens, auth);
	if (!r->token) {
		r->problem = (struct problem){ 0 };
		problem_set(&r->problem, 401, "invalid_api_key",
			    "the token is missing or wrong (Authorization: Bearer TOKEN)");
		return;
	}
	connection_known(r->connection);
}

uint64_t request_salt(const struct request *r)
{
	return salts_of(&r->server->salts, r->token, r->connection->uid,
			r->end_user);
}

void request_check(struct request *r, const char *method)
{
	const char *len;

	if (!r->connection)
		return;
	check_client(r);
	if (r->connection->excess) {
		r->problem.status = 0;
		problem_set(&r->problem, 503, "unavailable",
			    "too many connections: try again");
	}
	len = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND,
					  MHD_HTTP_HEADER_CONTENT_LENGTH);
	if (len && strtoull(len, NULL, 10) > r->server->config->body) {
		r->problem.status = 0;
		problem_set(&r->problem, 413, NULL,
			    "the request is longer than %u bytes",
			    r->server->config->body);
	}
}

/*
 * A client that is not asked for its body, or sends very much, is told at
 * once; others would be stopped in mid-sentence and not hear why.
 */
bool request_refused(const struct request *r)
{
	const char *len, *expect;

	if (r->problem.status != 413)
		return false;
	expect = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND,
					     MHD_HTTP_HEADER_EXPECT);
	len = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND,
					  MHD_HTTP_HEADER_CONTENT_LENGTH);
	return expect || strtoull(len, NULL, 10) / DRAIN >
			 r->server->config->body;
}

/* Take @n bytes of what all bodies together may have. */
static bool take(struct request *r, size_t n)
{
	size_t limit = (size_t)r->server->config->body * ALL_BODIES;
	size_t all = __atomic_add_fetch(&r->server->body_bytes, n,
					__ATOMIC_RELAXED);

	r->taken += n;
	return all <= limit;
}

bool request_body(struct request *r, const char *data, size_t n)
{
	size_t limit = r->server->config->body;

	if (r->problem.status) {
		r->body.n += n;	/* only counted */
		return r->body.n <= limit * DRAIN;
	}
	if (r->body.n + n > limit)
		problem_set(&r->problem, 413, NULL,
			    "the request is longer than %zu bytes", limit);
	else if (!take(r, n))
		problem_set(&r->problem, 503, "unavailable",
			    "too many requests at a time");
	if (r->problem.status) {
		buffer_free(&r->body);
		r->body.n = n;
		return true;
	}
	buffer_add(&r->body, data, n);
	if (r->body.failed)
		problem_set(&r->problem, 503, "unavailable", "out of memory");
	return true;
}

/* How many values a JSON text can have, and how deep they are. */
static bool modest(const char *s, size_t n)
{
	size_t values = 1, depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < n; i++) {
		if (quoted) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				quoted = false;
			continue;
		}
		switch (s[i]) {
		case '"':
			quoted = true;
			break;
		case '{':
		case '[':
			if (++depth > MAX_DEPTH)
				return false;
			values++;
			break;
		case '}':
		case ']':
			depth -= depth > 0;
			break;
		case ',':
			values++;
			break;
		}
	}
	return values <= MAX_VALUES;
}

static int parse(struct request *r)
{
	json_error_t err;

	if (!r->body.n)
		return problem_set(&r->problem, 400, NULL,
				   "the request has no body");
	if (!modest(r->body.data, r->body.n))
		return problem_set(&r->problem, 400, NULL,
				   "the JSON has more than %d values or is deeper than %d",
				   MAX_VALUES, MAX_DEPTH);
	r->json = json_loadb(r->body.data, r->body.n, 0, &err);
	if (!r->json)
		return problem_set(&r->problem, 400, NULL,
				   "not JSON: %s (line %d, column %d)",
				   err.text, err.line, err.column);
	if (!json_is_object(r->json))
		return problem_set(&r->problem, 400, NULL,
				   "the request is not a JSON object");
	return 0;
}

enum MHD_Result request_serve(struct request *r)
{
	if (!r->problem.status && !strcmp(r->route->method, "POST"))
		parse(r);
	/* The text is in the JSON now; the rest of a turn can be long. */
	buffer_free(&r->body);
	if (r->problem.status)
		return reply_problem(r);
	return r->route->serve(r);
}

/* ---- replies ---- */

enum MHD_Result reply_response(struct request *r, unsigned int status,
			       const char *type, struct MHD_Response *response)
{
	enum MHD_Result ret;

	if (!response)
		return MHD_NO;
	r->status = status;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
				"no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (status == 401)
		MHD_add_response_header(response,
					MHD_HTTP_HEADER_WWW_AUTHENTICATE,
					"Bearer");
	if (status == 503)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER,
					"1");
	if (r->connection && r->connection->excess)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION,
					"close");
	ret = MHD_queue_response(r->mhd, status, response);
	MHD_destroy_response(response);
	return ret;
}

/* Take @n bytes of what replies may have that wait to be read. */
static bool hold(struct request *r, size_t n)
{
	size_t limit = (size_t)r->server->config->body * ALL_REPLIES;
	size_t all;

	if (n <= LARGE_REPLY)
		return true;
	all = __atomic_add_fetch(&r->server->reply_bytes, n, __ATOMIC_RELAXED);
	r->held += n;
	return all <= limit;
}

enum MHD_Result reply_buffer(struct request *r, unsigned int status,
			     const char *type, struct buffer *b)
{
	struct MHD_Response *response;

	if (b->failed) {
		buffer_free(b);
		return MHD_NO;
	}
	buffer_trim(b);
	if (!hold(r, b->n)) {
		buffer_free(b);
		problem_set(&r->problem, 503, "unavailable",
			    "too many replies wait to be read: try again");
		return reply_problem(r);
	}
	response = MHD_create_response_from_buffer(b->n, b->data,
						   MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(b->data);
	*b = (struct buffer){ 0 };
	return reply_response(r, status, type, response);
}

enum MHD_Result reply_static(struct request *r, const char *type,
			     const void *data, size_t n)
{
	return reply_response(r, 200, type, MHD_create_response_from_buffer(
		n, (void *)(uintptr_t)data, MHD_RESPMEM_PERSISTENT));
}

enum MHD_Result reply_json(struct request *r, unsigned int status,
			   json_t *json)
{
	struct buffer b = { 0 };

	buffer_json(&b, json);
	return reply_buffer(r, status, "application/json", &b);
}

enum MHD_Result reply_problem(struct request *r)
{
	return reply_json(r, r->problem.status,
			  problem_json(&r->problem, r->dialect));
}
