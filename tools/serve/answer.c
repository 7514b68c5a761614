// SPDX-License-Identifier: GPL-2.0-only
/*
 * The answer to a request.
 *
 * A stream begins with its first text, so that what is wrong with a request is
 * told by the status and not in the middle.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "answer.h"

#define BLOCK 4096	/* bytes the HTTP library asks for at a time */

struct answer *answer_new(struct request *r, const struct format *f)
{
	struct answer *a = calloc(1, sizeof(*a));
	unsigned char random[12] = { 0 };

	if (!a) {
		problem_set(&r->problem, 503, "unavailable", "out of memory");
		return NULL;
	}
	a->format = f;
	a->request = r;
	a->created = time(NULL);
	if (getrandom(random, sizeof(random), GRND_NONBLOCK) < 0)
		memcpy(random, &r->start, sizeof(r->start));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(a->id + 2 * i, 3, "%02x", random[i]);
	r->answer = a;
	return a;
}

void answer_free(struct answer *a)
{
	turn_end(&a->turn);
	prompt_free(&a->ask.prompt);
	free(a->ask.biases.v);
	shape_free(&a->ask.shape);
	tools_free(&a->ask.tools);
	calls_free(&a->calls);
	json_decref(a->called);
	buffer_free(&a->args);
	buffer_free(&a->out);
	free(a);
}

json_t *answer_logprobs(struct answer *a, bool all)
{
	return logprobs_take(&a->logprobs, a->turn.l,
			     all ? SIZE_MAX : a->turn.bytes);
}

/* ---- text and calls ---- */

static void give_text(void *ctx, const char *s, size_t n)
{
	struct answer *a = ctx;

	if (a->stream) {
		a->format->piece(a, &a->out, s, n);
		a->n_pieces++;
	} else {
		buffer_add(&a->out, s, n);
	}
}

static void give_call(void *ctx, const struct call_part *part)
{
	struct answer *a = ctx;

	buffer_add(&a->args, part->args, part->n);
	if (part->over) {
		json_array_append_new(a->called, json_pack("{s:s, s:o}",
			"name", part->name, "arguments",
			text_json(a->args.data, a->args.n)));
		a->args.n = 0;
	}
	if (a->stream) {
		a->format->call(a, &a->out, part);
		a->n_pieces++;
	}
}

const char *answer_reason(const struct answer *a)
{
	const char *reason = turn_reason(&a->turn);

	return json_array_size(a->called) && !strcmp(reason, "stop") ?
	       "tool_calls" : reason;
}

/* ---- all at once ---- */

static enum MHD_Result serve_whole(struct answer *a)
{
	json_t *json = NULL;
	const char *text;
	size_t n;
	int more;

	while ((more = turn_next(&a->turn, &text, &n)) > 0)
		calls_feed(&a->calls, text, n);
	calls_end(&a->calls);
	if (!more && (a->out.failed || a->args.failed))
		more = problem_set(&a->request->problem, 503, "unavailable",
				   "out of memory");
	if (!more)
		json = a->format->whole(a, a->out.data ? a->out.data : "",
					a->out.n);
	/* The place is for who waits, not for a slow reader. */
	turn_end(&a->turn);
	return more ? reply_problem(a->request) :
		      reply_json(a->request, 200, json);
}

/* ---- as it comes ---- */

static void step(struct answer *a)
{
	const char *text;
	size_t n;
	int more = turn_next(&a->turn, &text, &n);

	if (more > 0) {
		calls_feed(&a->calls, text, n);
		return;
	}
	a->over = true;
	calls_end(&a->calls);
	if (more < 0)
		a->format->broken(a, &a->out);
	else
		a->format->end(a, &a->out);
	turn_end(&a->turn);
}

static ssize_t send_some(void *ctx, uint64_t at, char *buf, size_t max)
{
	struct answer *a = ctx;
	size_t n;

	(void)at;
	while (a->sent == a->out.n) {
		if (a->over)
			return MHD_CONTENT_READER_END_OF_STREAM;
		a->out.n = 0;
		a->sent = 0;
		step(a);
	}
	if (a->out.failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = a->out.n - a->sent;
	if (n > max)
		n = max;
	memcpy(buf, a->out.data + a->sent, n);
	a->sent += n;
	return (ssize_t)n;
}

enum MHD_Result answer_serve(struct answer *a)
{
	const struct calls_listener listener = { give_text, give_call, a };
	struct request *r = a->request;

	a->logprobs = a->ask.logprobs;
	if (turn_start(&a->turn, r, &a->ask)) {
		turn_end(&a->turn);
		return reply_problem(r);
	}
	a->called = json_array();
	calls_init(&a->calls, a->ask.tools.list ? a->turn.dialect : NULL,
		   &listener);
	if (!a->stream)
		return serve_whole(a);
	return reply_response(r, 200, a->format->type,
			      MHD_create_response_from_callback(
				MHD_SIZE_UNKNOWN, BLOCK, send_some, a, NULL));
}
