// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ollama's paths.
 */
#include <string.h>

#include "answer.h"
#include "embed.h"
#include "field.h"
#include "ollama.h"
#include "server.h"
#include "tool.h"

/* As RFC 3339 has it, in UTC. */
static const char *stamp(time_t t, char buf[32])
{
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}

/* ---- models ---- */

/* The version whose interface this is; clients look at it. */
enum MHD_Result ollama_version(struct request *r)
{
	return reply_json(r, 200, json_pack("{s:s}", "version",
					    LLAMUX_VERSION));
}

/* 2.8M, 1.1B */
static const char *parameters(json_int_t n, char buf[24])
{
	if (n >= 1000000000)
		snprintf(buf, 24, "%.1fB", (double)n / 1e9);
	else
		snprintf(buf, 24, "%.1fM", (double)n / 1e6);
	return buf;
}

static json_t *details(json_t *model)
{
	const char *arch = json_string_value(json_object_get(model, "arch"));
	const char *type = json_string_value(json_object_get(model, "type"));
	char size[24];

	return json_pack("{s:s, s:s, s:s, s:[s], s:s, s:s}",
			 "parent_model", "", "format", "gguf",
			 "family", arch ? arch : "", "families",
			 arch ? arch : "",
			 "parameter_size", parameters(json_integer_value(
				json_object_get(model, "params")), size),
			 "quantization_level", type ? type : "");
}

static json_t *entry(struct request *r, json_t *model)
{
	time_t since = time(NULL) - (time_t)((now_ns() -
			r->server->metrics.start_ns) / 1000000000u);
	char when[32];

	return json_pack("{s:O, s:O, s:s, s:O, s:s, s:o}",
			 "name", json_object_get(model, "name"),
			 "model", json_object_get(model, "name"),
			 "modified_at", stamp(since, when),
			 "size", json_object_get(model, "bytes"),
			 "digest", "", "details", details(model));
}

enum MHD_Result ollama_tags(struct request *r)
{
	json_t *list = backend_models(&r->server->backend), *model;
	json_t *models = json_array();
	size_t i;

	json_array_foreach(list, i, model)
		json_array_append_new(models, entry(r, model));
	json_decref(list);
	return reply_json(r, 200, json_pack("{s:o}", "models", models));
}

/* All are in memory until somebody unloads them. */
enum MHD_Result ollama_ps(struct request *r)
{
	json_t *list = backend_models(&r->server->backend), *model, *e;
	json_t *models = json_array();
	size_t i;

	json_array_foreach(list, i, model) {
		e = entry(r, model);
		json_object_del(e, "modified_at");
		json_object_set_new(e, "expires_at",
				    json_string("9999-12-31T23:59:59Z"));
		json_object_set_new(e, "size_vram", json_integer(0));
		json_object_set(e, "context_length",
				json_object_get(model, "n_ctx"));
		json_array_append_new(models, e);
	}
	json_decref(list);
	return reply_json(r, 200, json_pack("{s:o}", "models", models));
}

/* Older clients say "name". */
static int model_name(struct problem *p, const json_t *json,
		      const char **name)
{
	int ret = field_string(p, json, "model", name);

	if (!ret)
		ret = field_string(p, json, "name", name);
	return ret < 0 ? ret : 0;
}

enum MHD_Result ollama_show(struct request *r)
{
	const char *name = NULL;
	json_t *model, *reply;
	char key[64];

	if (model_name(&r->problem, r->json, &name))
		return reply_problem(r);
	model = backend_model(&r->server->backend, name);
	if (!model) {
		problem_set(&r->problem, 404, NULL, "model '%.100s' not found",
			    name ? name : "");
		return reply_problem(r);
	}
	snprintf(key, sizeof(key), "%.32s.context_length",
		 json_string_value(json_object_get(model, "arch")));
	reply = json_pack("{s:s, s:s, s:s, s:s, s:o, s:{s:O?, s:O?, s:O?}, s:[s, s]}",
			  "license", "", "modelfile", "", "parameters", "",
			  "template", "", "details", details(model),
			  "model_info", "general.architecture",
			  json_object_get(model, "arch"),
			  "general.parameter_count",
			  json_object_get(model, "params"),
			  key, json_object_get(model, "n_ctx"),
			  "capabilities", "completion", "tools");
	json_decref(model);
	return reply_json(r, 200, reply);
}

/* ---- what chat and generate ask ---- */

/* What would change the answer and is not there. 0 or -1. */
static int refuse(struct problem *p, const json_t *json)
{
	if (json_string_length(json_object_get(json, "suffix")))
		return problem_field(p, "suffix", "suffix is not supported");
	if (json_string_length(json_object_get(json, "template")))
		return problem_field(p, "template",
				     "template is not supported: the model's own is used");
	if (json_array_size(json_object_get(json, "images")))
		return problem_field(p, "images", "images are not supported");
	if (json_array_size(json_object_get(json, "context")))
		return problem_field(p, "context",
				     "context is not supported: use /api/chat");
	return 0;
}

static int common(struct answer *a, const json_t *json)
{
	struct problem *p = &a->request->problem;
	json_t *options = NULL;

	a->stream = true;
	if (model_name(p, json, &a->ask.model) ||
	    field_bool(p, json, "stream", &a->stream) < 0 ||
	    field_object(p, json, "options", &options) < 0 ||
	    refuse(p, json) ||
	    sampling_ollama(&a->ask.sampling, p, options) ||
	    stops_parse(&a->ask.stops, p, json_object_get(options, "stop"),
			"stop") ||
	    shape_ollama(&a->ask.shape, p, json_object_get(json, "format")))
		return -1;
	return 0;
}

/* ---- replies ---- */

static json_t *object(const struct answer *a, bool done)
{
	const char *model = a->ask.model;
	struct timespec now;
	char when[32];

	clock_gettime(CLOCK_REALTIME, &now);
	return json_pack("{s:s, s:s, s:b}", "model",
			 model && *model ? model : a->turn.info.model,
			 "created_at", stamp(now.tv_sec, when), "done", done);
}

/* The numbers of the last line; durations are in ns. */
static void totals(const struct answer *a, json_t *json)
{
	const struct llamux_stats *s = &a->turn.stats;
	json_t *t = json_pack("{s:s, s:I, s:I, s:i, s:I, s:i, s:I}",
		"done_reason", turn_reason(&a->turn),
		"total_duration", (json_int_t)(now_ns() - a->request->start),
		"load_duration", (json_int_t)0,
		"prompt_eval_count", (int)s->n_prompt,
		"prompt_eval_duration", (json_int_t)s->prompt_ns,
		"eval_count", (int)s->n_gen,
		"eval_duration", (json_int_t)s->gen_ns);

	json_object_update(json, t);
	json_decref(t);
}

/* {"function": {"name", "arguments"}} */
static json_t *call_json(const json_t *call)
{
	json_t *args = json_loads(json_string_value(
			json_object_get(call, "arguments")), 0, NULL);

	return json_pack("{s:{s:O, s:o}}", "function",
			 "name", json_object_get(call, "name"),
			 "arguments", args);
}

/* @calls: of tools, NULL: none. */
static json_t *message_json(const char *text, size_t n, const json_t *calls)
{
	json_t *json = json_pack("{s:s, s:o}", "role", "assistant", "content",
				 text_json(text, n));
	json_t *list = json_array(), *call;
	size_t i;

	json_array_foreach(calls, i, call)
		json_array_append_new(list, call_json(call));
	if (json_array_size(list))
		json_object_set(json, "tool_calls", list);
	json_decref(list);
	return json;
}

/* Chat has messages, generate has text. */
static json_t *with_text(struct answer *a, bool done, const char *text,
			 size_t n, const json_t *calls)
{
	json_t *json = object(a, done);

	if (a->chat)
		json_object_set_new(json, "message",
				    message_json(text, n, calls));
	else
		json_object_set_new(json, "response", text_json(text, n));
	return json;
}

static void line(struct buffer *out, json_t *json)
{
	buffer_json(out, json);
	buffer_str(out, "\n");
}

static void broken(struct answer *a, struct buffer *out)
{
	line(out, problem_json(&a->request->problem, DIALECT_OLLAMA));
}

static void piece(struct answer *a, struct buffer *out, const char *text,
		  size_t n)
{
	line(out, with_text(a, false, text, n, NULL));
}

/* Each when it is complete. */
static void call(struct answer *a, struct buffer *out,
		 const struct call_part *part)
{
	json_t *last;

	if (!part->over)
		return;
	last = json_pack("[O]", json_array_get(a->called, part->number));
	line(out, with_text(a, false, "", 0, last));
	json_decref(last);
}

static json_t *whole(struct answer *a, const char *text, size_t n)
{
	json_t *json = with_text(a, true, text, n, a->called);

	totals(a, json);
	return json;
}

static void end(struct answer *a, struct buffer *out)
{
	json_t *json = with_text(a, true, "", 0, NULL);

	totals(a, json);
	line(out, json);
}

static const struct format format = {
	.type = "application/x-ndjson",
	.piece = piece,
	.end = end,
	.call = call,
	.broken = broken,
	.whole = whole,
};

/* Nothing is asked: a client wants the model in memory, where it is. */
static enum MHD_Result loaded(struct answer *a)
{
	struct request *r = a->request;
	json_t *model = backend_model(&r->server->backend, a->ask.model);
	json_t *json;

	if (!model) {
		problem_set(&r->problem, 404, NULL, "model '%.100s' not found",
			    a->ask.model ? a->ask.model : "");
		return reply_problem(r);
	}
	json_decref(model);
	json = with_text(a, true, "", 0, NULL);
	json_object_set_new(json, "done_reason", json_string("load"));
	return reply_json(r, 200, json);
}

enum MHD_Result ollama_chat(struct request *r)
{
	struct answer *a = answer_new(r, &format);

	if (!a || common(a, r->json) ||
	    field_array(&r->problem, r->json, "messages",
			&a->ask.messages) < 0 ||
	    tools_ollama(&a->ask.tools, &r->problem, r->json))
		return reply_problem(r);
	if (a->ask.tools.list && a->ask.shape.schema) {
		problem_field(&r->problem, "format",
			      "format beside tools is not supported");
		return reply_problem(r);
	}
	a->chat = true;
	if (!json_array_size(a->ask.messages))
		return loaded(a);
	return answer_serve(a);
}

enum MHD_Result ollama_generate(struct request *r)
{
	struct answer *a = answer_new(r, &format);
	const char *prompt = NULL, *system = NULL;

	if (!a || common(a, r->json) ||
	    field_string(&r->problem, r->json, "prompt", &prompt) < 0 ||
	    field_string(&r->problem, r->json, "system", &system) < 0 ||
	    field_bool(&r->problem, r->json, "raw", &a->ask.prompt.raw) < 0)
		return reply_problem(r);
	if (!prompt || !*prompt)
		return loaded(a);
	if (system && *system)
		prompt_add(&a->ask.prompt, LLAMUX_ROLE_SYSTEM, system,
			   strlen(system));
	prompt_add(&a->ask.prompt, LLAMUX_ROLE_USER, prompt, strlen(prompt));
	return answer_serve(a);
}

/* /api/embed has "input" and gives all; the older /api/embeddings "prompt". */
enum MHD_Result ollama_embed(struct request *r)
{
	json_t *input = json_object_get(r->json, "input");
	const char *name = NULL, *field = input ? "input" : "prompt";
	struct embedded e = { .n_tokens = 0 };

	if (!input)
		input = json_object_get(r->json, "prompt");
	buffer_str(&e.reply, *field == 'i' ? "{\"embeddings\":[" :
					     "{\"embedding\":");
	if (model_name(&r->problem, r->json, &name) ||
	    embed_texts(&e, r, name, input, field, false)) {
		buffer_free(&e.reply);
		return reply_problem(r);
	}
	if (*field == 'p') {
		e.reply.n = e.first;
		buffer_str(&e.reply, "}");
		return reply_buffer(r, 200, "application/json", &e.reply);
	}
	buffer_str(&e.reply, "]");
	return embed_reply(&e, r, json_pack("{s:s, s:I, s:I}",
		"model", name && *name ? name : e.model,
		"total_duration", (json_int_t)(now_ns() - r->start),
		"prompt_eval_count", (json_int_t)e.n_tokens));
}
