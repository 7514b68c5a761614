/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The messages of a request.
 */
#ifndef SERVE_PROMPT_H
#define SERVE_PROMPT_H

#include <stdint.h>

#include "llamux.h"
#include "problem.h"
#include "text.h"
#include "tools.h"

struct prompt_message {
	uint32_t role;		/* LLAMUX_ROLE_* */
	size_t at, n;		/* in prompt.text */
};

struct prompt {
	struct buffer text;
	struct buffer messages;	/* of struct prompt_message */
	bool raw;		/* one text, without the chat format */
};

void prompt_free(struct prompt *p);
/* A message; behind one of the same role it is a paragraph of that. */
void prompt_add(struct prompt *p, uint32_t role, const char *text, size_t n);
/*
 * The array that OpenAI's and Ollama's chat have, and what is to be told of
 * tools. 0 or -1.
 */
int prompt_chat(struct prompt *p, struct problem *problem, json_t *messages,
		const struct tools *tools, const struct tools_dialect *d);
/* Write all of it. 0 or -errno. */
int prompt_write(const struct prompt *p, struct llamux *l);

#endif
