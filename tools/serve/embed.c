// SPDX-License-Identifier: GPL-2.0-only
/*
 * Embeddings of a request's texts: one conversation for all of them, since it
 * is empty after each.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "embed.h"
#include "server.h"
#include "turn.h"

#define MAX_TEXTS 2048		/* of one request, as OpenAI has it */
#define NUMBERS 2		/* in a reply, for a byte that a request may have */

static int fail(struct request *r, struct llamux *l, ssize_t err)
{
	return problem_errno(&r->problem, (int)err, llamux_error(l));
}

/* As text at once: as JSON values they would take three times as much. */
static int numbers(struct buffer *out, struct problem *p, const float *v,
		   size_t n)
{
	buffer_str(out, "[");
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(v[i]))
			return problem_set(p, 500, NULL,
					   "the model's vector has a number that is none");
		buffer_printf(out, i ? ",%.9g" : "%.9g", (double)v[i]);
	}
	buffer_str(out, "]");
	return out->failed ? problem_errno(p, -ENOMEM, NULL) : 0;
}

/* @v: room for @dim numbers. */
static int embed_one(struct embedded *out, struct request *r, struct llamux *l,
		     json_t *text, float *v, size_t dim)
{
	const char *s = json_string_value(text);
	size_t n = json_string_length(text);
	ssize_t got = llamux_embed(l, s, n, LLAMUX_POOL_MEAN, v, dim);
	ssize_t tokens = got < 0 ? got : llamux_tokenize(l, s, n,
							 LLAMUX_TOK_BOS, NULL,
							 0);

	if (tokens < 0)
		return fail(r, l, tokens);
	if ((size_t)got != dim)
		return problem_set(&r->problem, 500, NULL,
				   "the model's vector has %zd numbers, not %zu",
				   got, dim);
	out->n_tokens += (uint64_t)tokens;
	return numbers(&out->reply, &r->problem, v, dim);
}

/* All @texts, in a conversation of the turn. */
static int embed_all(struct embedded *out, struct turn *t, json_t *texts,
		     bool objects)
{
	struct request *r = t->request;
	size_t dim = t->info.n_embd, i;
	float *v = calloc(dim, sizeof(*v));
	json_t *text;
	int ret = v ? 0 : problem_errno(&r->problem, -ENOMEM, NULL);

	json_array_foreach(texts, i, text) {
		if (ret)
			break;
		buffer_str(&out->reply, i ? "," : "");
		if (objects)
			buffer_printf(&out->reply,
				      "{\"object\":\"embedding\",\"index\":%zu,\"embedding\":",
				      i);
		ret = embed_one(out, r, t->l, text, v, dim);
		buffer_str(&out->reply, objects ? "}" : "");
		if (!i)
			out->first = out->reply.n;
	}
	free(v);
	return ret;
}

/* One text is always few enough. */
static int check_size(const struct turn *t, size_t n)
{
	struct request *r = t->request;
	size_t max = NUMBERS * (size_t)r->server->config->body;

	if (n == 1 || n * t->info.n_embd <= max)
		return 0;
	return problem_set(&r->problem, 413, NULL,
			   "%zu vectors of %u numbers: more than %zu numbers, send fewer texts at a time",
			   n, t->info.n_embd, max);
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
		json_t *input, const char *field, bool objects)
{
	struct ask ask = { .model = model, .prompt.raw = true };
	json_t *texts = json_is_array(input) ? json_incref(input) :
					       json_pack("[O?]", input);
	struct turn t = { 0 };
	int ret = check(r, texts, field);

	if (!ret)
		ret = turn_open(&t, r, &ask);
	if (!ret)
		ret = check_size(&t, json_array_size(texts));
	if (!ret) {
		memcpy(out->model, t.info.model, sizeof(out->model));
		connection_attach(r->connection, t.l);
		ret = embed_all(out, &t, texts, objects);
	}
	turn_end(&t);
	json_decref(texts);
	if (ret)
		buffer_free(&out->reply);
	return ret;
}

enum MHD_Result embed_reply(struct embedded *out, struct request *r,
			    json_t *rest)
{
	struct buffer end = { 0 };

	buffer_json(&end, rest);
	buffer_str(&out->reply, ",");
	if (end.n)
		buffer_add(&out->reply, end.data + 1, end.n - 1);
	out->reply.failed |= end.failed;
	buffer_free(&end);
	return reply_buffer(r, 200, "application/json", &out->reply);
}
