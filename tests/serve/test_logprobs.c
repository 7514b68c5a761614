// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the model thought of an answer's tokens, told piece by piece: the same as
 * all at once, and each record is taken from the library about once, however
 * long the answer is.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "logprobs.h"
#include "test.h"

#define TOKENS 200
#define TOP 5

static struct llamux_backend counting;
static size_t n_copied;		/* records, of all calls */

/* The real one, whose records are counted. */
static ssize_t count_logprobs(struct llamux *l, size_t first, uint32_t stride,
			      struct llamux_logprob *records, size_t max)
{
	ssize_t n = llamux_inproc.logprobs(l, first, stride, records, max);
	size_t there = n > (ssize_t)first ? (size_t)n - first : 0;

	n_copied += there < max ? there : max;
	return n;
}

static struct llamux *open_model(void)
{
	const char *model = getenv("LLAMUX_TEST_MODEL");
	struct llamux_options o = {
		.flags = LLAMUX_IN_PROCESS,
		.model = model ? model : "models/llamux-default.gguf",
		.threads = 1,
	};
	struct llamux_params p;
	struct llamux_message msg;
	struct llamux *l;

	if (access(o.model, R_OK))
		return NULL;
	if (!CHECK(!llamux_open(&l, &o, &msg))) {
		printf("%s\n", msg.text);
		return NULL;
	}
	counting = llamux_inproc;
	counting.logprobs = count_logprobs;
	l->ops = &counting;
	CHECK(!llamux_get_params(l, &p));
	p.flags |= LLAMUX_RAW | LLAMUX_IGNORE_EOG;
	p.max_tokens = TOKENS;
	p.temperature_u = 0;
	p.n_logprobs = TOP;
	CHECK(!llamux_set_params(l, &p));
	return l;
}

static void test_pieces(struct llamux *l)
{
	struct logprobs told = { .wanted = true, .top = TOP }, once = told;
	json_t *pieces = json_array(), *some, *all;
	size_t bytes = 0, n_pieces = 0;
	char text[64];
	ssize_t n;

	CHECK(!llamux_write(l, "Once upon a time", 16, LLAMUX_ROLE_USER, 0));
	while ((n = llamux_read(l, text, sizeof(text))) > 0) {
		bytes += (size_t)n;
		n_pieces++;
		some = logprobs_take(&told, l, bytes);
		CHECK(told.bytes <= bytes);
		json_array_extend(pieces, some);
		json_decref(some);
	}
	CHECK(!n);
	some = logprobs_take(&told, l, SIZE_MAX);
	json_array_extend(pieces, some);
	json_decref(some);
	CHECK(n_pieces > TOKENS / 4 && json_array_size(pieces) == TOKENS);
	if (!CHECK(n_copied <= TOKENS + 3 * n_pieces))
		printf("%zu records copied, %zu pieces\n", n_copied, n_pieces);
	all = logprobs_take(&once, l, SIZE_MAX);
	CHECK(json_equal(all, pieces));
	json_decref(all);
	json_decref(pieces);
}

int main(void)
{
	struct llamux *l = open_model();

	if (l)
		test_pieces(l);
	else if (!test_failed)
		SKIP("no model");
	llamux_close(l);
	return test_end();
}
