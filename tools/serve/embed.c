// SPDX-License-Identifier: GPL-2.0-only
/*
 * Embeddings of a request's texts: one conversation for all of them, since it
 * is empty after each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "embed.h"
#include "turn.h"

#define MAX_TEXTS 2048		/* of one request, as OpenAI has it */

static int fail(struct request *r, struct llamux *l, ssize_t err)
{
	return problem_errno(&r->problem, (int)err, llamux_error(l));
}

static json_t *numbers(const float *v, size_t n)
{
	json_t *all = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, json_real(v[i]));
	return all;
}

static int embed_one(struct embedded *out, struct request *r, struct llamux *l,
		     const char *text, size_t n)
{
	ssize_t dim = llamux_embed(l, text, n, LLAMUX_POOL_MEAN, NULL, 0);
	ssize_t tokens;
	float *v;

	if (dim < 0)
		return fail(r, l, dim);
	v = calloc((size_t)dim, sizeof(*v));
	if (!v)
		return problem_errno(&r->problem, -ENOMEM, NULL);
	dim = llamux_embed(l, text, n, LLAMUX_POOL_MEAN, v, (size_t)dim);
	tokens = llamux_tokenize(l, text, n, LLAMUX_TOK_BOS, NULL, 0);
	if (dim >= 0 && tokens >= 0) {
		json_array_append_new(out->vectors, numbers(v, (size_t)dim));
		out->n_tokens += (uint64_t)tokens;
	}
	free(v);
	return dim < 0 ? fail(r, l, dim) : tokens < 0 ? fail(r, l, tokens) : 0;
}

static int check(struct request *r, json_t *input, const char *field)
{
	json_t *text;
	size_t i;

	if (!json_array_size(input) || json_array_size(input) > MAX_TEXTS)
		return problem_field(&r->problem, field,
				     "%s is not a text, nor 1 to %d of them",
				     field, MAX_TEXTS);
	json_array_foreach(input, i, text)
		if (!json_is_string(text) || !json_string_length(text))
			return problem_field(&r->problem, field,
					     "%s holds something that is no text, or an empty one",
					     field);
	return 0;
}

int embed_texts(struct embedded *out, struct request *r, const char *model,
		json_t *input, const char *field)
{
	struct ask ask = { .model = model, .prompt.raw = true };
	json_t *texts = json_is_array(input) ? json_incref(input) :
					       json_pack("[O?]", input);
	struct turn t = { 0 };
	json_t *text;
	size_t i;
	int ret;

	*out = (struct embedded){ .vectors = json_array() };
	ret = check(r, texts, field);
	if (!ret)
		ret = turn_open(&t, r, &ask);
	if (!ret) {
		memcpy(out->model, t.info.model, sizeof(out->model));
		connection_attach(r->connection, t.l);
		json_array_foreach(texts, i, text)
			if ((ret = embed_one(out, r, t.l,
					     json_string_value(text),
					     json_string_length(text))))
				break;
	}
	turn_end(&t);
	json_decref(texts);
	if (ret) {
		json_decref(out->vectors);
		out->vectors = NULL;
	}
	return ret;
}
