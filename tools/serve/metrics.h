/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters, for Prometheus and the page. All are atomic.
 */
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include <stdint.h>

#include "route.h"

struct llamux_stats;
struct server;

/* Upper bounds of the buckets of seconds; one more is without a bound. */
#define METRICS_BUCKETS 8

struct metrics {
	uint64_t start_ns;
	uint64_t requests[MAX_ROUTES + 1][6];	/* by route and status / 100 */
	uint64_t turns, cancelled, failed;
	uint64_t prompt_tokens, cached_tokens, answer_tokens;
	uint64_t seconds[METRICS_BUCKETS + 1], seconds_sum_ns;
	uint64_t first_ns, gen_ns;	/* sums: prompts, answers */
};

void metrics_request(struct metrics *m, const struct request *r);
/* @n further tokens of an answer that goes on. */
void metrics_tokens(struct metrics *m, uint64_t n);
/* A turn has ended; tokens of its answer were counted before. */
void metrics_turn(struct metrics *m, const struct llamux_stats *st,
		  uint64_t ns);
/* GET /metrics, GET /llamux/status */
enum MHD_Result metrics_serve(struct request *r);
enum MHD_Result status_serve(struct request *r);

#endif
