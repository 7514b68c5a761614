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
	buffer_free(&a->out);
	free(a);
}

json_t *answer_logprobs(struct answer *a, bool all)
{
	return logprobs_take(&a->logprobs, a->turn.l,
			     all ? SIZE_MAX : a->turn.bytes);
}

/* ---- all at once ---- */

static enum MHD_Result serve_whole(struct answer *a)
{
	struct buffer all = { 0 };
	json_t *json = NULL;
	const char *text;
	size_t n;
	int more;

	while ((more = turn_next(&a->turn, &text, &n)) > 0)
		buffer_add(&all, text, n);
	if (!more && all.failed)
		more = problem_set(&a->request->problem, 503, "unavailable",
				   "out of memory");
	if (!more)
		json = a->format->whole(a, all.data ? all.data : "", all.n);
	/* The place is for who waits, not for a slow reader. */
	turn_end(&a->turn);
	buffer_free(&all);
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
		a->format->piece(a, &a->out, text, n);
		a->n_pieces++;
		return;
	}
	a->over = true;
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
	struct request *r = a->request;

	a->logprobs = a->ask.logprobs;
	if (turn_start(&a->turn, r, &a->ask)) {
		turn_end(&a->turn);
		return reply_problem(r);
	}
	if (!a->stream)
		return serve_whole(a);
	return reply_response(r, 200, a->format->type,
			      MHD_create_response_from_callback(
				MHD_SIZE_UNKNOWN, BLOCK, send_some, a, NULL));
}
