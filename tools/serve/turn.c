// SPDX-License-Identifier: GPL-2.0-only
/*
 * One answer.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <string.h>

#include "connection.h"
#include "request.h"
#include "server.h"
#include "turn.h"

#define COUNT_NS 200000000	/* between two looks at a turn's numbers */

static int fail(struct turn *t, int err)
{
	return problem_errno(&t->request->problem, err,
			     t->l ? llamux_error(t->l) : NULL);
}

static int enter(struct request *r, struct gate *g)
{
	int ret = gate_enter(g, r->connection);

	if (ret == -EAGAIN)
		return problem_set(&r->problem, 503, "unavailable",
				   "too many requests wait: try again");
	if (ret)
		return problem_set(&r->problem, 503, "unavailable",
				   "the client is gone");
	return 0;
}

/*
 * What answers have to fit, before there is a place: others wait for those.
 * A few are compiled at a time, for the memory it takes.
 */
static int compile(struct request *r, struct ask *ask)
{
	struct gate *g = &r->server->compilers;
	int ret;

	if (!ask->shape.schema && !ask->tools.list)
		return 0;
	if (enter(r, g))
		return -1;
	ret = ask->tools.list ? tools_compile(&ask->tools, &r->problem) :
				shape_compile(&ask->shape, &r->problem);
	gate_leave(g);
	return ret;
}

static int open_model(struct turn *t)
{
	struct request *r = t->request;
	struct llamux_message msg = { "" };
	int ret;

	ret = backend_talk(&r->server->backend, t->ask->model, &t->l, &msg);
	if (ret)
		return problem_errno(&r->problem, ret, msg.text);
	ret = llamux_set_salt(t->l, request_salt(r));
	if (!ret)
		ret = llamux_info(t->l, &t->info);
	if (ret)
		return fail(t, ret);
	if (!t->ask->prompt.raw && !(t->info.features & LLAMUX_FEATURE_CHAT))
		return problem_set(&r->problem, 400, NULL,
				   "the chat format of '%s' is not known: only raw completions can be made",
				   t->info.model);
	t->dialect = tools_dialect_of(t->info.chat);
	return 0;
}

static int configure(struct turn *t)
{
	struct llamux_params p;
	int ret = llamux_get_params(t->l, &p);

	if (!ret) {
		sampling_apply(&t->ask->sampling, &p);
		if (t->ask->prompt.raw)
			p.flags |= LLAMUX_RAW;
		p.n_logprobs = logprobs_param(&t->ask->logprobs);
		ret = llamux_set_params(t->l, &p);
	}
	if (!ret && t->ask->stops.n)
		ret = llamux_set_stops(t->l, t->ask->stops.text,
				       t->ask->stops.n);
	if (!ret && t->ask->biases.n)
		ret = llamux_set_bias(t->l, t->ask->biases.v,
				      t->ask->biases.n);
	if (!ret)
		ret = shape_apply(&t->ask->shape, t->l);
	if (!ret && t->ask->tools.list)
		ret = tools_apply(&t->ask->tools, t->dialect, t->l);
	return ret ? fail(t, ret) : 0;
}

/* Nobody wants what the model goes on to say. */
static void cancel(struct turn *t)
{
	char drop[1024];

	llamux_cancel(t->l);
	while (llamux_read(t->l, drop, sizeof(drop)) > 0)
		;
	t->over = true;
}

/* Tell the counters, now and then, how far it is. */
static void count(struct turn *t, bool now)
{
	struct metrics *m = &t->request->server->metrics;

	if (!now && now_ns() - t->counted_at < COUNT_NS)
		return;
	t->counted_at = now_ns();
	if (llamux_stats(t->l, &t->stats) || t->stats.n_gen <= t->counted)
		return;
	metrics_tokens(m, t->stats.n_gen - t->counted);
	t->counted = t->stats.n_gen;
}

/* Read once. 0 or -1. */
static int fetch(struct turn *t)
{
	ssize_t n = llamux_read(t->l, t->text, sizeof(t->text));

	t->n = n > 0 ? (size_t)n : 0;
	t->over = n <= 0;
	if (n < 0)
		return fail(t, (int)n);
	count(t, false);
	return 0;
}

static void begin(struct turn *t, struct request *r, struct ask *ask)
{
	*t = (struct turn){ .request = r, .ask = ask, .start = now_ns(),
			    .over = true };
	connection_watch(r->connection, true);
}

static int take_place(struct turn *t)
{
	t->entered = !enter(t->request, &t->request->server->gate);
	return t->entered ? open_model(t) : -1;
}

int turn_open(struct turn *t, struct request *r, struct ask *ask)
{
	begin(t, r, ask);
	return take_place(t);
}

int turn_start(struct turn *t, struct request *r, struct ask *ask)
{
	int ret;

	begin(t, r, ask);
	if (compile(r, ask) || take_place(t))
		return -1;
	if (ask->messages && prompt_chat(&ask->prompt, &r->problem,
					 ask->messages, &ask->tools,
					 t->dialect))
		return -1;
	if (configure(t))
		return -1;
	ret = prompt_write(&ask->prompt, t->l);
	if (ret)
		return fail(t, ret);
	/* Not before: a write takes a cancel back. */
	connection_attach(r->connection, t->l);
	t->over = false;
	return fetch(t);
}

static int finish(struct turn *t)
{
	int ret = llamux_stats(t->l, &t->stats);

	if (ret)
		return fail(t, ret);
	if (t->stats.finish == LLAMUX_FINISH_CANCELLED)
		return problem_set(&t->request->problem, 503, "unavailable",
				   "the answer was cancelled");
	return 0;
}

int turn_next(struct turn *t, const char **text, size_t *n)
{
	if (!t->n && !t->over && fetch(t))
		return -1;
	if (!t->n)
		return finish(t);
	*text = t->text;
	*n = t->n;
	t->bytes += t->n;
	t->n = 0;
	return 1;
}

void turn_end(struct turn *t)
{
	struct request *r = t->request;

	if (!r)
		return;
	connection_attach(r->connection, NULL);
	connection_watch(r->connection, false);
	if (t->l) {
		if (!t->over)
			cancel(t);
		count(t, true);
		if (!llamux_stats(t->l, &t->stats))
			metrics_turn(&r->server->metrics, &t->stats,
				     now_ns() - t->start);
		llamux_close(t->l);
	}
	if (t->entered)
		gate_leave(&r->server->gate);
	t->request = NULL;
}

const char *turn_reason(const struct turn *t)
{
	if (t->stats.finish == LLAMUX_FINISH_STOP ||
	    t->stats.finish == LLAMUX_FINISH_EOG)
		return "stop";
	return "length";
}
