/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Embeddings of a request's texts, for both dialects.
 */
#ifndef SERVE_EMBED_H
#define SERVE_EMBED_H

#include "llamux.h"
#include "request.h"

struct embedded {
	struct buffer reply;	/* what the caller began, and the vectors */
	size_t first;		/* where the first one ends in it */
	char model[LLAMUX_NAME_MAX];
	uint64_t n_tokens;	/* of all texts */
};

/*
 * @input: a text or an array of them, in the field called @field. Their vectors
 * are added to @out->reply as JSON, a comma between two: arrays of numbers, or
 * (@objects) what OpenAI has around these. 0, or -1 with the request's problem
 * set; then @out holds nothing.
 */
int embed_texts(struct embedded *out, struct request *r, const char *model,
		json_t *input, const char *field, bool objects);
/* The reply ends with the members of @rest, which is given up. */
enum MHD_Result embed_reply(struct embedded *out, struct request *r,
			    json_t *rest);

#endif
