/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stop strings: text is held back while it may be the begin of one.
 */
#ifndef SERVE_STOP_H
#define SERVE_STOP_H

#include "problem.h"
#include "text.h"

#define MAX_STOPS 16
#define MAX_STOP_BYTES 256

/* Borrowed from the request's JSON. */
struct stops {
	const char *text[MAX_STOPS];
	size_t len[MAX_STOPS];
	size_t n;
};

/* A string, an array of strings, or null. 0 or -1. */
int stops_parse(struct stops *s, struct problem *p, json_t *value,
		const char *field);
/*
 * How many bytes of @text are certainly no part of a stop string; *@found:
 * one stands right behind them. @end: nothing follows.
 */
size_t stops_find(const struct stops *s, const char *text, size_t n, bool end,
		  bool *found);

#endif
