/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the model thought of the tokens of its answer, as OpenAI has it.
 */
#ifndef SERVE_LOGPROBS_H
#define SERVE_LOGPROBS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "llamux.h"

#define MAX_LOGPROBS 20

struct logprobs {
	bool wanted;
	uint32_t top;		/* the likeliest ones beside the token itself */
	size_t n;		/* tokens told */
	size_t bytes;		/* of their text */
};

/* llamux_params.n_logprobs */
uint32_t logprobs_param(const struct logprobs *p);
/*
 * Of the tokens not told so far whose text is within the first @bytes of the
 * answer (all, at its end): an array of objects token, logprob, bytes,
 * top_logprobs. NULL: they were not asked for.
 */
json_t *logprobs_take(struct logprobs *p, struct llamux *l, size_t bytes);
/* The same array, given up, in the form of completions. */
json_t *logprobs_columns(json_t *entries, size_t offset);

#endif
