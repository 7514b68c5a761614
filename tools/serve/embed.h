/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Embeddings of a request's texts, for both dialects.
 */
#ifndef SERVE_EMBED_H
#define SERVE_EMBED_H

#include "llamux.h"
#include "request.h"

struct embedded {
	json_t *vectors;	/* an array of arrays of numbers */
	char model[LLAMUX_NAME_MAX];
	uint64_t n_tokens;	/* of all texts */
};

/*
 * @input: a text or an array of them, in the field called @field. 0, or -1 with
 * the request's problem set; then @out holds nothing.
 */
int embed_texts(struct embedded *out, struct request *r, const char *model,
		json_t *input, const char *field);

#endif
