/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The answer to a request: a turn, given out as it comes or all at once, in
 * one of the formats that clients expect.
 */
#ifndef SERVE_ANSWER_H
#define SERVE_ANSWER_H

#include <time.h>

#include "calls.h"
#include "request.h"
#include "turn.h"

struct answer;

struct format {
	const char *type;	/* of a stream */
	/* Append to @out what the client gets for a piece, at the end, ... */
	void (*piece)(struct answer *a, struct buffer *out, const char *text,
		      size_t n);
	void (*end)(struct answer *a, struct buffer *out);
	/* ... for what is new of a call, ... */
	void (*call)(struct answer *a, struct buffer *out,
		     const struct call_part *part);
	/* ... and for an error that comes when text was sent already. */
	void (*broken)(struct answer *a, struct buffer *out);
	/* All at once, and the calls; the turn is not ended yet. */
	json_t *(*whole)(struct answer *a, const char *text, size_t n);
};

struct answer {
	const struct format *format;
	struct request *request;
	struct ask ask;
	struct turn turn;
	bool stream;
	bool usage;		/* OpenAI: at the end of a stream */
	bool chat;		/* Ollama: messages are wanted */
	char id[40];
	time_t created;
	unsigned int n_pieces;	/* sent */
	struct logprobs logprobs;	/* told so far */
	struct calls calls;
	json_t *called;		/* of them: {"name", "arguments": text}, ... */
	struct buffer args;	/* of the last one */
	struct buffer out;	/* of a stream, to be sent; else the text */
	size_t sent;		/* of it */
	bool over;
};

/* NULL: no memory. It belongs to the request from then on. */
struct answer *answer_new(struct request *r, const struct format *f);
void answer_free(struct answer *a);
/*
 * What is to be told of tokens now; NULL: nothing was asked for. @all: the
 * answer is at its end.
 */
json_t *answer_logprobs(struct answer *a, bool all);
/* Why it ended: "stop", "length" or "tool_calls". */
const char *answer_reason(const struct answer *a);
/* @a->ask is complete: reply. */
enum MHD_Result answer_serve(struct answer *a);

#endif
