/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The form an answer is to have: JSON, as a schema wants it or any object. It
 * is compiled before the answer has a place, since others wait for that.
 */
#ifndef SERVE_SHAPE_H
#define SERVE_SHAPE_H

#include "llamux.h"
#include "problem.h"

struct shape {
	char *schema;		/* JSON text, NULL: any text */
	void *automaton;	/* [n], when it is compiled */
	size_t n;
};

/* OpenAI's response_format, Ollama's format, or null. 0 or -1. */
int shape_openai(struct shape *s, struct problem *p, const json_t *format);
int shape_ollama(struct shape *s, struct problem *p, const json_t *format);
/* 0 or -1. */
int shape_compile(struct shape *s, struct problem *p);
/* Compiled, or any text. 0, or a negative errno of libllamux. */
int shape_apply(const struct shape *s, struct llamux *l);
void shape_free(struct shape *s);

#endif
