/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ends an answer, and which tokens are favoured or avoided in it.
 */
#ifndef SERVE_STOP_H
#define SERVE_STOP_H

#include "llamux.h"
#include "problem.h"

/* Borrowed from the request's JSON. */
struct stops {
	const char *text[LLAMUX_MAX_STOPS];
	size_t n;
};

struct biases {
	struct llamux_bias *v;
	size_t n;
};

/* A string, an array of strings, or null. 0 or -1. */
int stops_parse(struct stops *s, struct problem *p, json_t *value,
		const char *field);
/* OpenAI's object of ids and numbers, or null. 0 or -1; @b->v is the caller's. */
int biases_parse(struct biases *b, struct problem *p, json_t *value);

#endif
