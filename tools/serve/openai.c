// SPDX-License-Identifier: GPL-2.0-only
/*
 * OpenAI's paths: models, chat completions, completions, embeddings.
 */
#include <string.h>

#include "answer.h"
#include "embed.h"
#include "field.h"
#include "openai.h"
#include "server.h"

#define COMPLETION_TOKENS 16	/* of a completion that does not say */

/* ---- models ---- */

static json_t *model_object(const struct request *r, json_t *model)
{
	time_t since = time(NULL) - (time_t)((now_ns() -
			r->server->metrics.start_ns) / 1000000000u);

	return json_pack("{s:O, s:s, s:I, s:s}",
			 "id", json_object_get(model, "name"),
			 "object", "model", "created", (json_int_t)since,
			 "owned_by", "llamux");
}

enum MHD_Result openai_model(struct request *r)
{
	json_t *model = *r->name ?
			backend_model(&r->server->backend, r->name) : NULL;
	json_t *reply;

	if (!model) {
		problem_set(&r->problem, 404, "model_not_found",
			    "the model '%.100s' is not loaded", r->name);
		return reply_problem(r);
	}
	reply = model_object(r, model);
	json_decref(model);
	return reply_json(r, 200, reply);
}

enum MHD_Result openai_models(struct request *r)
{
	json_t *list = backend_models(&r->server->backend), *model;
	json_t *data = json_array();
	size_t i;

	json_array_foreach(list, i, model)
		json_array_append_new(data, model_object(r, model));
	json_decref(list);
	return reply_json(r, 200, json_pack("{s:s, s:o}", "object", "list",
					    "data", data));
}

/* ---- what both completions ask ---- */

/* Fields that would change the answer and are not there. 0 or -1. */
static int refuse(struct problem *p, const json_t *json)
{
	static const char *const unsupported[] = {
		"suffix", "functions", "function_call", "audio",
		"prediction", NULL
	};
	int64_t n = 1, best = 1;
	bool echo = false;

	if (field_int(p, json, "n", 1, 128, &n) < 0 ||
	    field_int(p, json, "best_of", 1, 128, &best) < 0 ||
	    field_bool(p, json, "echo", &echo) < 0)
		return -1;
	if (n > 1)
		return problem_field(p, "n", "only one answer (n = 1) is made");
	if (best > 1)
		return problem_field(p, "best_of", "only best_of = 1 is supported");
	if (echo)
		return problem_field(p, "echo", "echo is not supported");
	for (size_t i = 0; unsupported[i]; i++) {
		json_t *v = json_object_get(json, unsupported[i]);

		if (v && !json_is_null(v) && !json_is_false(v) &&
		    !(json_is_object(v) && !json_object_size(v)) &&
		    !(json_is_string(v) && !json_string_length(v)))
			return problem_field(p, unsupported[i],
					     "%s is not supported",
					     unsupported[i]);
	}
	return 0;
}

/* The client's own name for who asks it. 0 or -1. */
static int end_user(struct request *r)
{
	if (field_string(&r->problem, r->json, "user", &r->end_user) < 0 ||
	    field_string(&r->problem, r->json, "safety_identifier",
			 &r->end_user) < 0)
		return -1;
	return 0;
}

static int common(struct answer *a, const json_t *json)
{
	struct problem *p = &a->request->problem;
	json_t *options = NULL;

	if (end_user(a->request) ||
	    field_string(p, json, "model", &a->ask.model) < 0 ||
	    field_bool(p, json, "stream", &a->stream) < 0 ||
	    field_object(p, json, "stream_options", &options) < 0 ||
	    field_bool(p, options, "include_usage", &a->usage) < 0 ||
	    refuse(p, json) ||
	    sampling_openai(&a->ask.sampling, p, json) ||
	    stops_parse(&a->ask.stops, p, json_object_get(json, "stop"),
			"stop") ||
	    biases_parse(&a->ask.biases, p,
			 json_object_get(json, "logit_bias")) ||
	    shape_openai(&a->ask.shape, p,
			 json_object_get(json, "response_format")))
		return -1;
	return 0;
}

/* ---- replies ---- */

static json_t *usage(const struct answer *a)
{
	const struct llamux_stats *s = &a->turn.stats;

	return json_pack("{s:i, s:i, s:i, s:{s:i}}",
			 "prompt_tokens", (int)s->n_prompt,
			 "completion_tokens", (int)s->n_gen,
			 "total_tokens", (int)(s->n_prompt + s->n_gen),
			 "prompt_tokens_details",
			 "cached_tokens", (int)s->n_cached);
}

/* What all objects have; @choice is given up, NULL: none. */
static json_t *object(const struct answer *a, const char *prefix,
		      const char *kind, json_t *choice)
{
	char id[sizeof(a->id) + 16];
	json_t *choices = json_array();

	snprintf(id, sizeof(id), "%s-%s", prefix, a->id);
	if (choice)
		json_array_append_new(choices, choice);
	return json_pack("{s:s, s:s, s:I, s:s, s:o}", "id", id, "object", kind,
			 "created", (json_int_t)a->created,
			 "model", a->turn.info.model, "choices", choices);
}

/* An event of a stream. */
static void event(struct buffer *out, json_t *json)
{
	buffer_str(out, "data: ");
	buffer_json(out, json);
	buffer_str(out, "\n\n");
}

static void broken(struct answer *a, struct buffer *out)
{
	event(out, problem_json(&a->request->problem, DIALECT_OPENAI));
}

/* The end of a stream: the reason, usage when it was asked for, the mark. */
static void last(struct answer *a, struct buffer *out, json_t *final,
		 json_t *bare)
{
	if (a->usage)
		json_object_set_new(final, "usage", json_null());
	event(out, final);
	if (a->usage) {
		json_object_set_new(bare, "usage", usage(a));
		event(out, bare);
	} else {
		json_decref(bare);
	}
	buffer_str(out, "data: [DONE]\n\n");
}

/* ---- chat completions ---- */

static json_t *chat_object(const struct answer *a, json_t *choice)
{
	return object(a, "chatcmpl", a->stream ? "chat.completion.chunk" :
		      "chat.completion", choice);
}

/* {"content": [...]}, or null. */
static json_t *chat_logprobs(struct answer *a, bool all)
{
	json_t *entries = answer_logprobs(a, all);

	return entries ? json_pack("{s:o, s:n}", "content", entries,
				   "refusal") : json_null();
}

static json_t *delta(json_t *what, json_t *logprobs, const char *reason)
{
	return json_pack("{s:i, s:o, s:o, s:s?}", "index", 0, "delta", what,
			 "logprobs", logprobs, "finish_reason", reason);
}

/* An event with a delta; the first one says whose answer it is. */
static void chat_delta(struct answer *a, struct buffer *out, json_t *what)
{
	json_t *chunk;

	if (!a->n_pieces)
		json_object_set_new(what, "role", json_string("assistant"));
	chunk = chat_object(a, delta(what, chat_logprobs(a, false), NULL));
	if (a->usage)
		json_object_set_new(chunk, "usage", json_null());
	event(out, chunk);
}

static void chat_piece(struct answer *a, struct buffer *out, const char *text,
		       size_t n)
{
	chat_delta(a, out, json_pack("{s:o}", "content", text_json(text, n)));
}

/* The id of a call. */
static json_t *call_id(const struct answer *a, size_t number)
{
	return json_sprintf("call_%s%02zu", a->id, number);
}

static void chat_call(struct answer *a, struct buffer *out,
		      const struct call_part *part)
{
	json_t *call, *what;

	if (part->over)
		return;
	call = json_pack("{s:I, s:{s:o}}", "index", (json_int_t)part->number,
			 "function", "arguments",
			 text_json(part->args, part->n));
	if (!part->n) {
		json_object_set_new(call, "id", call_id(a, part->number));
		json_object_set_new(call, "type", json_string("function"));
		json_object_set_new(json_object_get(call, "function"), "name",
				    json_string(part->name));
	}
	what = json_pack("{s:[o]}", "tool_calls", call);
	if (!a->n_pieces)
		json_object_set_new(what, "content", json_null());
	chat_delta(a, out, what);
}

static void chat_end(struct answer *a, struct buffer *out)
{
	if (!a->n_pieces)
		chat_piece(a, out, "", 0);
	last(a, out, chat_object(a, delta(json_object(), chat_logprobs(a, true),
					  answer_reason(a))),
	     chat_object(a, NULL));
}

static json_t *chat_message(const struct answer *a, const char *text, size_t n)
{
	json_t *message = json_pack("{s:s, s:o, s:n}", "role", "assistant",
				    "content", text_json(text, n), "refusal");
	json_t *call, *list = json_array();
	size_t i;

	json_array_foreach(a->called, i, call)
		json_array_append_new(list, json_pack("{s:o, s:s, s:O}",
			"id", call_id(a, i), "type", "function",
			"function", call));
	if (json_array_size(list) && !n)
		json_object_set_new(message, "content", json_null());
	if (json_array_size(list))
		json_object_set(message, "tool_calls", list);
	json_decref(list);
	return message;
}

static json_t *chat_whole(struct answer *a, const char *text, size_t n)
{
	json_t *all = chat_object(a, json_pack("{s:i, s:o, s:o, s:s}",
		"index", 0, "message", chat_message(a, text, n),
		"logprobs", chat_logprobs(a, true),
		"finish_reason", answer_reason(a)));

	json_object_set_new(all, "usage", usage(a));
	return all;
}

static const struct format chat_format = {
	.type = "text/event-stream",
	.piece = chat_piece,
	.end = chat_end,
	.call = chat_call,
	.broken = broken,
	.whole = chat_whole,
};

/* logprobs: true, top_logprobs: how many. 0 or -1. */
static int chat_wants(struct answer *a, const json_t *json)
{
	struct problem *p = &a->request->problem;
	struct logprobs *l = &a->ask.logprobs;
	int64_t top = 0;

	if (field_bool(p, json, "logprobs", &l->wanted) < 0 ||
	    field_int(p, json, "top_logprobs", 0, MAX_LOGPROBS, &top) < 0)
		return -1;
	if (top && !l->wanted)
		return problem_field(p, "top_logprobs",
				     "top_logprobs needs logprobs");
	l->top = (uint32_t)top;
	return 0;
}

/* tools, and what is not there beside them. 0 or -1. */
static int chat_tools(struct ask *ask, struct problem *p, const json_t *json)
{
	if (tools_openai(&ask->tools, p, json))
		return -1;
	if (ask->tools.list && ask->shape.schema)
		return problem_field(p, "response_format",
				     "response_format beside tools is not supported");
	if (ask->tools.list && ask->logprobs.wanted)
		return problem_field(p, "logprobs",
				     "logprobs beside tools are not supported");
	return 0;
}

enum MHD_Result openai_chat(struct request *r)
{
	struct answer *a = answer_new(r, &chat_format);

	if (!a || common(a, r->json) || chat_wants(a, r->json) ||
	    chat_tools(&a->ask, &r->problem, r->json))
		return reply_problem(r);
	a->ask.messages = json_object_get(r->json, "messages");
	if (!json_array_size(a->ask.messages)) {
		problem_field(&r->problem, "messages",
			      "messages is not an array of messages");
		return reply_problem(r);
	}
	return answer_serve(a);
}

/* ---- completions ---- */

/* @reason: of the end, NULL: more comes. */
static json_t *text_object(struct answer *a, const char *text, size_t n,
			   const char *reason)
{
	size_t offset = a->logprobs.bytes;
	json_t *logprobs = logprobs_columns(answer_logprobs(a, reason), offset);

	return object(a, "cmpl", "text_completion", json_pack(
		"{s:o, s:i, s:o, s:s?}", "text", text_json(text, n),
		"index", 0, "logprobs", logprobs, "finish_reason", reason));
}

static void text_piece(struct answer *a, struct buffer *out, const char *text,
		       size_t n)
{
	json_t *chunk = text_object(a, text, n, NULL);

	if (a->usage)
		json_object_set_new(chunk, "usage", json_null());
	event(out, chunk);
}

static void text_end(struct answer *a, struct buffer *out)
{
	last(a, out, text_object(a, "", 0, turn_reason(&a->turn)),
	     object(a, "cmpl", "text_completion", NULL));
}

static json_t *text_whole(struct answer *a, const char *text, size_t n)
{
	json_t *all = text_object(a, text, n, turn_reason(&a->turn));

	json_object_set_new(all, "usage", usage(a));
	return all;
}

static const struct format text_format = {
	.type = "text/event-stream",
	.piece = text_piece,
	.end = text_end,
	.broken = broken,
	.whole = text_whole,
};

/* logprobs: how many. 0 or -1. */
static int text_wants(struct answer *a, const json_t *json)
{
	int64_t top = 0;
	int ret = field_int(&a->request->problem, json, "logprobs", 0,
			    MAX_LOGPROBS, &top);

	a->ask.logprobs.wanted = ret > 0;
	a->ask.logprobs.top = (uint32_t)top;
	return ret < 0 ? ret : 0;
}

/* A string, or an array of one. 0 or -1. */
static int text_prompt(struct ask *ask, struct problem *p, json_t *prompt)
{
	if (json_array_size(prompt) == 1)
		prompt = json_array_get(prompt, 0);
	if (!json_is_string(prompt))
		return problem_field(p, "prompt",
				     "prompt is not one string (of texts one a request is taken, of token ids none)");
	ask->prompt.raw = true;
	prompt_add(&ask->prompt, LLAMUX_ROLE_USER, json_string_value(prompt),
		   json_string_length(prompt));
	return 0;
}

enum MHD_Result openai_completions(struct request *r)
{
	struct answer *a = answer_new(r, &text_format);

	if (!a || common(a, r->json) || text_wants(a, r->json) ||
	    text_prompt(&a->ask, &r->problem,
			json_object_get(r->json, "prompt")))
		return reply_problem(r);
	sampling_limit(&a->ask.sampling, COMPLETION_TOKENS);
	return answer_serve(a);
}

/* ---- embeddings ---- */

/* encoding_format: float only. 0 or -1. */
static int embedding_format(struct problem *p, const json_t *json)
{
	const char *format = NULL;
	int64_t n = 0;

	if (field_string(p, json, "encoding_format", &format) < 0 ||
	    field_int(p, json, "dimensions", 1, INT64_MAX, &n) < 0)
		return -1;
	if (format && strcmp(format, "float"))
		return problem_field(p, "encoding_format",
				     "only the encoding 'float' is supported");
	if (n)
		return problem_field(p, "dimensions",
				     "dimensions are the model's own");
	return 0;
}

enum MHD_Result openai_embeddings(struct request *r)
{
	struct embedded e = { .n_tokens = 0 };
	const char *model = NULL;

	buffer_str(&e.reply, "{\"object\":\"list\",\"data\":[");
	if (end_user(r) ||
	    field_string(&r->problem, r->json, "model", &model) < 0 ||
	    embedding_format(&r->problem, r->json) ||
	    embed_texts(&e, r, model, json_object_get(r->json, "input"),
			"input", true)) {
		buffer_free(&e.reply);
		return reply_problem(r);
	}
	buffer_str(&e.reply, "]");
	return embed_reply(&e, r, json_pack(
		"{s:s, s:{s:I, s:I}}", "model", e.model, "usage",
		"prompt_tokens", (json_int_t)e.n_tokens,
		"total_tokens", (json_int_t)e.n_tokens));
}
