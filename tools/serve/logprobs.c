// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the model thought of the tokens of its answer.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "logprobs.h"
#include "text.h"

#define MAX_PIECE 512	/* bytes of a token's text that are shown */

uint32_t logprobs_param(const struct logprobs *p)
{
	return !p->wanted ? 0 : p->top ? p->top : 1;
}

static json_t *token(struct llamux *l, const struct llamux_logprob *lp,
		     size_t *len)
{
	char text[MAX_PIECE];
	ssize_t n = llamux_piece(l, lp->id, LLAMUX_TOK_SPECIAL, text,
				 sizeof(text));
	json_t *bytes = json_array();

	*len = n > 0 ? (size_t)n : 0;
	if (n < 0)
		n = 0;
	if (n > MAX_PIECE)
		n = MAX_PIECE;
	for (ssize_t i = 0; i < n; i++)
		json_array_append_new(bytes,
				      json_integer((unsigned char)text[i]));
	return json_pack("{s:o, s:f, s:o}", "token", text_json(text, (size_t)n),
			 "logprob", (double)lp->lp_u / 1e6, "bytes", bytes);
}

json_t *logprobs_take(struct logprobs *p, struct llamux *l, size_t bytes)
{
	uint32_t n_top = logprobs_param(p), stride = n_top + 1;
	struct llamux_logprob *records, *r;
	json_t *entries, *entry, *top;
	size_t len, more;
	ssize_t n;

	if (!p->wanted)
		return NULL;
	/* Of a long answer, only what is new: it is asked for at each piece. */
	n = llamux_logprobs_from(l, p->n, n_top, NULL, 0);
	more = n > (ssize_t)p->n ? (size_t)n - p->n : 0;
	records = calloc(more * stride + 1, sizeof(*records));
	entries = json_array();
	n = records && more ? llamux_logprobs_from(l, p->n, n_top, records,
						   more) : 0;
	/* Meanwhile there may be others, or fewer. */
	if (n < (ssize_t)(p->n + more))
		more = n > (ssize_t)p->n ? (size_t)n - p->n : 0;
	for (r = records; more; more--, p->n++, r += stride) {
		entry = token(l, r, &len);
		if (p->bytes + len > bytes) {
			json_decref(entry);
			break;
		}
		p->bytes += len;
		top = json_array();
		for (uint32_t i = 0; i < p->top; i++)
			json_array_append_new(top, token(l, r + 1 + i, &len));
		json_object_set_new(entry, "top_logprobs", top);
		json_array_append_new(entries, entry);
	}
	free(records);
	return entries;
}

json_t *logprobs_columns(json_t *entries, size_t offset)
{
	json_t *tokens, *values, *tops, *offsets, *entry, *t, *likely, *row;
	size_t i, k;

	if (!entries)
		return json_null();
	tokens = json_array();
	values = json_array();
	tops = json_array();
	offsets = json_array();
	json_array_foreach(entries, i, entry) {
		json_array_append(tokens, json_object_get(entry, "token"));
		json_array_append(values, json_object_get(entry, "logprob"));
		row = json_object();
		likely = json_object_get(entry, "top_logprobs");
		json_array_foreach(likely, k, t)
			json_object_set(row, json_string_value(
					json_object_get(t, "token")),
					json_object_get(t, "logprob"));
		json_array_append_new(tops, row);
		json_array_append_new(offsets,
				      json_integer((json_int_t)offset));
		offset += json_array_size(json_object_get(entry, "bytes"));
	}
	json_decref(entries);
	return json_pack("{s:o, s:o, s:o, s:o}", "tokens", tokens,
			 "token_logprobs", values, "top_logprobs", tops,
			 "text_offset", offsets);
}
