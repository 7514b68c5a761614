/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions of the client that the model may ask to be called: what a request
 * says of them, how they are told to the model, and the grammar that makes a
 * call what the function's schema wants.
 */
#ifndef SERVE_TOOLS_H
#define SERVE_TOOLS_H

#include <stdbool.h>

#include "llamux.h"
#include "problem.h"
#include "text.h"

#define TOOLS_DIALECTS 2

/* How models of a family are used to read and write them. */
struct tools_dialect {
	uint32_t role;		/* LLAMUX_ROLE_*: whose message tells of them */
	const char *intro, *between, *outro;	/* around each of them */
	size_t indent;		/* of their JSON; 0: on one line */
	const char *args;	/* the member that holds the arguments */
	/*
	 * Around a call. What opens it cannot be a part of the text before;
	 * NULL: a call is a whole answer, as what begins with { is.
	 */
	const char *open, *close;
	const char *result, *result_end;	/* around what one returned */
};

/* For a chat format, as llamux_info has it. */
const struct tools_dialect *tools_dialect_of(const char *chat);

struct tools {
	const json_t *list;	/* of the request; NULL: no calls */
	const char *name;	/* the one to be called; NULL: the model chooses */
	bool required;		/* an answer is a call */
	bool one;		/* and one only */
	/* Of the answers, by dialect, when they are compiled: */
	struct {
		void *automaton;
		size_t n;
	} grammar[TOOLS_DIALECTS];
};

/* tools, tool_choice and parallel_tool_calls, or Ollama's tools. 0 or -1. */
int tools_openai(struct tools *t, struct problem *p, const json_t *json);
int tools_ollama(struct tools *t, struct problem *p, const json_t *json);
/* What the model is told of them. */
void tools_tell(const struct tools *t, const struct tools_dialect *d,
		struct buffer *out);
/* A call as the model writes it; @args is JSON and given up, may be NULL. */
void tools_write_call(const struct tools_dialect *d, const char *name,
		      json_t *args, struct buffer *out);
/* The grammar of answers: GBNF, terminated. 0 or -1. */
int tools_grammar(const struct tools *t, const struct tools_dialect *d,
		  struct buffer *rules, struct problem *p);
/* For all dialects: which one the model has is known when there is a place. */
int tools_compile(struct tools *t, struct problem *p);
void tools_free(struct tools *t);
/* Constrain the answers of @l by it, compiled. 0 or a negative errno. */
int tools_apply(const struct tools *t, const struct tools_dialect *d,
		struct llamux *l);

#endif
