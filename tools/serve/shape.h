/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The form an answer is to have: JSON, as a schema wants it or any object.
 */
#ifndef SERVE_SHAPE_H
#define SERVE_SHAPE_H

#include "llamux.h"
#include "problem.h"

struct shape {
	char *schema;		/* JSON text, NULL: any text */
};

/* OpenAI's response_format, Ollama's format, or null. 0 or -1. */
int shape_openai(struct shape *s, struct problem *p, const json_t *format);
int shape_ollama(struct shape *s, struct problem *p, const json_t *format);
/* 0, or a negative errno of libllamux. */
int shape_apply(const struct shape *s, struct llamux *l);
void shape_free(struct shape *s);

#endif
