// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters, as Prometheus reads them (text format 0.0.4) and as the page does.
 */
#include <string.h>

#include "metrics.h"
#include "server.h"
#include "tool.h"

static const double bounds[METRICS_BUCKETS] = {
	0.1, 0.25, 0.5, 1, 2.5, 10, 30, 120
};

static void add(uint64_t *counter, uint64_t n)
{
	__atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

static uint64_t get(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void metrics_request(struct metrics *m, const struct request *r)
{
	unsigned int class = r->status / 100;

	/* 0: the client left before there was a reply. */
	add(&m->requests[route_index(r->route)][class < 6 ? class : 5], 1);
}

void metrics_tokens(struct metrics *m, uint64_t n)
{
	add(&m->answer_tokens, n);
}

void metrics_turn(struct metrics *m, const struct llamux_stats *st, uint64_t ns)
{
	double seconds = (double)ns / 1e9;
	unsigned int i = 0;

	add(&m->turns, 1);
	if (st->finish == LLAMUX_FINISH_CANCELLED)
		add(&m->cancelled, 1);
	else if (st->finish == LLAMUX_FINISH_ERROR)
		add(&m->failed, 1);
	add(&m->prompt_tokens, st->n_prompt);
	add(&m->cached_tokens, st->n_cached);
	add(&m->first_ns, st->prompt_ns);
	add(&m->gen_ns, st->gen_ns);
	while (i < METRICS_BUCKETS && seconds > bounds[i])
		i++;
	add(&m->seconds[i], 1);
	add(&m->seconds_sum_ns, ns);
}

/* ---- Prometheus ---- */

static void head(struct buffer *b, const char *name, const char *type,
		 const char *text)
{
	buffer_printf(b, "# HELP llamux_%s %s\n# TYPE llamux_%s %s\n", name,
		      text, name, type);
}

static void one(struct buffer *b, const char *name, const char *type,
		const char *text, double v)
{
	head(b, name, type, text);
	buffer_printf(b, "llamux_%s %.15g\n", name, v);
}

static void put_requests(struct buffer *b, const struct metrics *m)
{
	static const char *const classes[] = {
		"none", "1xx", "2xx", "3xx", "4xx", "5xx"
	};
	const struct route *r;
	uint64_t n;

	head(b, "serve_requests_total", "counter",
	     "Requests by path and kind of status.");
	for (unsigned int i = 0; i <= MAX_ROUTES; i++) {
		r = route_at(i);
		for (unsigned int c = 0; c < 6; c++) {
			n = get(&m->requests[i][c]);
			if (n)
				buffer_printf(b, "llamux_serve_requests_total{path=\"%s\",method=\"%s\",status=\"%s\"} %llu\n",
					      r ? r->path : "", r ? r->method :
					      "", classes[c],
					      (unsigned long long)n);
		}
	}
}

static void put_seconds(struct buffer *b, const struct metrics *m)
{
	uint64_t sum = 0;

	head(b, "serve_turn_seconds", "histogram",
	     "Time from a turn's place in the queue to its end.");
	for (unsigned int i = 0; i < METRICS_BUCKETS; i++) {
		sum += get(&m->seconds[i]);
		buffer_printf(b, "llamux_serve_turn_seconds_bucket{le=\"%g\"} %llu\n",
			      bounds[i], (unsigned long long)sum);
	}
	sum += get(&m->seconds[METRICS_BUCKETS]);
	buffer_printf(b, "llamux_serve_turn_seconds_bucket{le=\"+Inf\"} %llu\n"
		      "llamux_serve_turn_seconds_sum %.9f\n"
		      "llamux_serve_turn_seconds_count %llu\n",
		      (unsigned long long)sum,
		      (double)get(&m->seconds_sum_ns) / 1e9,
		      (unsigned long long)sum);
}

static void put_own(struct buffer *b, struct server *s)
{
	const struct metrics *m = &s->metrics;

	put_requests(b, m);
	one(b, "serve_turns_total", "counter", "Turns that ended.",
	    (double)get(&m->turns));
	one(b, "serve_turns_cancelled_total", "counter",
	    "Turns of clients that went away.", (double)get(&m->cancelled));
	one(b, "serve_turns_failed_total", "counter",
	    "Turns that the engine could not end.", (double)get(&m->failed));
	one(b, "serve_prompt_tokens_total", "counter", "Tokens of prompts.",
	    (double)get(&m->prompt_tokens));
	one(b, "serve_cached_tokens_total", "counter",
	    "Tokens of prompts that were in a cache.",
	    (double)get(&m->cached_tokens));
	one(b, "serve_answer_tokens_total", "counter", "Tokens of answers.",
	    (double)get(&m->answer_tokens));
	put_seconds(b, m);
	one(b, "serve_turns_running", "gauge", "Turns under way.",
	    __atomic_load_n(&s->gate.running, __ATOMIC_RELAXED));
	one(b, "serve_turns_waiting", "gauge", "Requests that wait for one.",
	    __atomic_load_n(&s->gate.waiting, __ATOMIC_RELAXED));
	one(b, "serve_refused_total", "counter",
	    "Requests that found the queue full.",
	    (double)get(&s->gate.n_refused));
	one(b, "serve_connections", "gauge", "Connections.",
	    __atomic_load_n(&s->connections.n, __ATOMIC_RELAXED));
	one(b, "serve_connections_total", "counter",
	    "Connections since the start.",
	    (double)get(&s->connections.n_total));
	one(b, "serve_connections_refused_total", "counter",
	    "Connections that were too many.",
	    (double)get(&s->connections.n_excess));
	one(b, "serve_clients_gone_total", "counter",
	    "Clients that left before their answer was complete.",
	    (double)get(&s->connections.n_gone));
	one(b, "serve_clients_slow_total", "counter",
	    "Connections ended because they took too long.",
	    (double)get(&s->connections.n_slow));
}

static void put_models(struct buffer *b, struct server *s)
{
	json_t *list = backend_models(&s->backend), *model;
	size_t i;

	head(b, "model_bytes", "gauge", "Memory of a model (in process: its file).");
	json_array_foreach(list, i, model)
		buffer_printf(b, "llamux_model_bytes{model=\"%s\"} %lld\n",
			      json_string_value(json_object_get(model, "name")),
			      (long long)json_integer_value(
				      json_object_get(model, "bytes")));
	json_decref(list);
}

/* The module's numbers, under their own names. */
static void put_stats(struct buffer *b, struct server *s)
{
	json_t *stats = backend_stats(&s->backend), *v;
	const char *key;
	char name[64];

	json_object_foreach(stats, key, v) {
		size_t n = 0;

		if (!json_is_integer(v) || strlen(key) >= sizeof(name))
			continue;
		for (; key[n]; n++)
			name[n] = strchr(" .:-", key[n]) ? '_' : key[n];
		name[n] = '\0';
		buffer_printf(b, "# TYPE llamux_kernel_%s gauge\nllamux_kernel_%s %lld\n",
			      name, name, (long long)json_integer_value(v));
	}
	json_decref(stats);
}

enum MHD_Result metrics_serve(struct request *r)
{
	struct buffer b = { 0 };

	put_own(&b, r->server);
	put_models(&b, r->server);
	put_stats(&b, r->server);
	return reply_buffer(r, 200, "text/plain; version=0.0.4", &b);
}

/* ---- the page ---- */

enum MHD_Result status_serve(struct request *r)
{
	struct server *s = r->server;
	const struct metrics *m = &s->metrics;

	return reply_json(r, 200, json_pack(
		"{s:s, s:b, s:I, s:o, s:o?, s:o?, s:{s:i, s:i, s:i, s:i}, "
		"s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:I}",
		"version", LLAMUX_VERSION, "kernel", !s->backend.user,
		"uptime_ms", (json_int_t)((now_ns() - m->start_ns) / 1000000),
		"models", backend_models(&s->backend),
		"sessions", backend_sessions(&s->backend),
		"stats", backend_stats(&s->backend),
		"serve", "running", (int)s->gate.running,
		"waiting", (int)s->gate.waiting,
		"connections", (int)s->connections.n,
		"turns_at_a_time", (int)s->gate.max_running,
		"totals", "turns", (json_int_t)get(&m->turns),
		"cancelled", (json_int_t)get(&m->cancelled),
		"prompt_tokens", (json_int_t)get(&m->prompt_tokens),
		"answer_tokens", (json_int_t)get(&m->answer_tokens),
		"prompt_ns", (json_int_t)get(&m->first_ns),
		"gen_ns", (json_int_t)get(&m->gen_ns),
		"memory_bytes", (json_int_t)backend_memory(&s->backend)));
}
