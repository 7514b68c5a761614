/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One answer: a place in the queue, a conversation of its own, its text.
 */
#ifndef SERVE_TURN_H
#define SERVE_TURN_H

#include "llamux.h"
#include "logprobs.h"
#include "prompt.h"
#include "sampling.h"
#include "shape.h"
#include "stop.h"
#include "tools.h"

struct request;

/* What is asked for. Texts are borrowed from the request. */
struct ask {
	const char *model;	/* NULL: the default one */
	json_t *messages;	/* of a chat; NULL: the prompt is complete */
	struct prompt prompt;
	struct sampling sampling;
	struct stops stops;
	struct biases biases;
	struct shape shape;
	struct tools tools;
	struct logprobs logprobs;	/* wanted, top */
};

struct turn {
	struct request *request;
	struct ask *ask;
	const struct tools_dialect *dialect;	/* of the model */
	struct llamux *l;
	struct llamux_info info;
	struct llamux_stats stats;	/* when it is over */
	char text[4096];	/* of the last read */
	size_t n;		/* bytes of it */
	size_t bytes;		/* of the answer, given out */
	uint64_t start;		/* ns */
	uint64_t counted_at;	/* ns: when the counters last heard of it */
	uint32_t counted;	/* tokens they know of */
	bool entered;		/* has a place */
	bool over;		/* nothing more is to be read */
};

/*
 * A place in the queue and a conversation, for what is not an answer. 0, or -1
 * with the request's problem set; turn_end() is called all the same.
 */
int turn_open(struct turn *t, struct request *r, struct ask *ask);
/* Up to the first text. 0, or -1 with the request's problem set. */
int turn_start(struct turn *t, struct request *r, struct ask *ask);
/*
 * The next text, valid until the next call: 1; 0 at the end, with the stats;
 * -1 with the request's problem set.
 */
int turn_next(struct turn *t, const char **text, size_t *n);
/* Give everything back, cancelling what is under way. May be called twice. */
void turn_end(struct turn *t);
/* "stop" or "length", as both dialects have it. */
const char *turn_reason(const struct turn *t);

#endif
