/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls of the client's functions in an answer, found as it comes. That they
 * are written as they should be is for the grammar (tools.h).
 */
#ifndef SERVE_CALLS_H
#define SERVE_CALLS_H

#include <stdbool.h>

#include "text.h"
#include "tools.h"

/* What is known of a call that it was not before. */
struct call_part {
	const char *name;
	size_t number;		/* from 0 */
	const char *args;	/* more of them; @n 0: it begins, or is over */
	size_t n;
	bool over;
};

/* Who is told. */
struct calls_listener {
	/* Text of the answer that is no call. */
	void (*text)(void *ctx, const char *s, size_t n);
	void (*call)(void *ctx, const struct call_part *part);
	void *ctx;
};

enum calls_state {
	CALLS_TEXT,		/* in text */
	CALLS_PLAIN,		/* and no call can come any more */
	CALLS_BETWEEN,		/* before the { of a call */
	CALLS_HEAD,		/* before its arguments */
	CALLS_ARGS,
	CALLS_TAIL,		/* behind its arguments */
};

struct calls {
	const struct tools_dialect *dialect;	/* NULL: all is text */
	struct calls_listener tell;
	enum calls_state state;
	struct buffer held;	/* text not told: */
	size_t ready;		/* the end of it may open a call, these not */
	size_t matched;		/* characters at its end of what opens one */
	struct buffer head;	/* of a call, up to its arguments */
	char name[72];
	size_t n;		/* calls begun */
	int depth;		/* of brackets */
	bool quoted, escaped;
};

void calls_init(struct calls *c, const struct tools_dialect *d,
		const struct calls_listener *tell);
/* The next text of the answer. */
void calls_feed(struct calls *c, const char *s, size_t n);
/* It ends: tell what was held back. */
void calls_end(struct calls *c);
void calls_free(struct calls *c);

#endif
