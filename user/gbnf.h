/* SPDX-License-Identifier: MIT OR LGPL-2.1-or-later */
/*
 * GBNF, the grammar notation of llama.cpp, and its way to the automaton that
 * the engine takes (lx/grammar.h, whose layout this repeats: the library for
 * clients does not need the engine). gbnf.c reads, gbnf_emit.c writes.
 */
#ifndef USER_GBNF_H
#define USER_GBNF_H

#include <stddef.h>
#include <stdint.h>

#include "llamux.h"

#define GBNF_MAX_NODES 32768	/* of the automaton */
#define GBNF_MAX_SETS 4096
#define GBNF_MAX_PIECES (16 * GBNF_MAX_NODES)	/* of what is read */
#define GBNF_MAX_DEPTH 200	/* of brackets */
#define GBNF_MAX_TEXT (1u << 20)
#define GBNF_MAX_REPEAT 10000

enum gbnf_kind {
	GBNF_EMPTY,
	GBNF_CHARS,	/* one of ranges[first .. first + n) */
	GBNF_SEQ,	/* a, then b */
	GBNF_ALT,	/* a or b */
	GBNF_REF,	/* rule a */
	GBNF_REPEAT,	/* a, min to max times (UINT32_MAX: any number) */
};

struct gbnf_node {
	uint32_t kind, a, b;
	uint32_t min, max;
};

struct gbnf_range {
	uint32_t lo, hi;	/* code points, ascending, apart */
};

struct gbnf_rule {
	const char *name;	/* in the text */
	size_t len;
	uint32_t body;		/* UINT32_MAX: not defined yet */
	uint32_t line;		/* where it was named first */
	int nullable;
};

struct gbnf {
	struct gbnf_node *nodes;
	size_t n_nodes, cap_nodes;
	struct gbnf_range *ranges;
	size_t n_ranges, cap_ranges;
	struct gbnf_rule *rules;
	size_t n_rules, cap_rules;
	uint32_t *slots;	/* [n_slots] rules + 1 by a hash of their names, or 0 */
	size_t n_slots;
	struct llamux_message *msg;
};

/* For %.*s in messages. */
static inline int gbnf_name_len(const struct gbnf_rule *r)
{
	return r->len > 60 ? 60 : (int)r->len;
}

/* 0, -EINVAL (the message says line and reason), -E2BIG, -ENOMEM. */
int gbnf_parse(struct gbnf *g, const char *text, size_t n,
	       struct llamux_message *msg);
void gbnf_free(struct gbnf *g);
/* The automaton, malloced; -EINVAL left recursion, -E2BIG too large. */
int gbnf_emit(struct gbnf *g, void **blob, size_t *n);
int gbnf_fail(struct gbnf *g, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Both in one. */
int gbnf_compile(const char *text, size_t n, void **blob, size_t *size,
		 struct llamux_message *msg);
/*
 * A JSON schema as GBNF (malloced, terminated). -EINVAL: the message names the
 * keyword that is wrong or not supported; -E2BIG: no automaton could hold it.
 */
int schema_to_gbnf(const char *text, size_t n, char **gbnf,
		   struct llamux_message *msg);

#endif
