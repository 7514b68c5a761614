// SPDX-License-Identifier: GPL-2.0-only
/*
 * The messages of a request.
 *
 * Chat formats know three roles. What a tool returned is a message of the
 * user that says so, a call is what the model wrote to make it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <string.h>

#include "prompt.h"

void prompt_free(struct prompt *p)
{
	buffer_free(&p->text);
	buffer_free(&p->messages);
}

void prompt_add(struct prompt *p, uint32_t role, const char *text, size_t n)
{
	struct prompt_message m = { role, p->text.n, n }, *last;

	if (p->messages.n) {
		last = (void *)(p->messages.data + p->messages.n - sizeof(m));
		if (last->role == role) {
			buffer_str(&p->text, "\n\n");
			buffer_add(&p->text, text, n);
			last->n += 2 + n;
			return;
		}
	}
	buffer_add(&p->text, text, n);
	buffer_add(&p->messages, (const char *)&m, sizeof(m));
}

static int role_of(struct problem *p, const json_t *message, uint32_t *role,
		   bool *tool)
{
	const char *s = json_string_value(json_object_get(message, "role"));

	*tool = false;
	if (!s)
		return problem_field(p, "messages", "a message has no role");
	if (!strcmp(s, "system") || !strcmp(s, "developer")) {
		*role = LLAMUX_ROLE_SYSTEM;
	} else if (!strcmp(s, "assistant")) {
		*role = LLAMUX_ROLE_ASSISTANT;
	} else if (!strcmp(s, "user")) {
		*role = LLAMUX_ROLE_USER;
	} else if (!strcmp(s, "tool") || !strcmp(s, "function")) {
		*role = LLAMUX_ROLE_USER;
		*tool = true;
	} else {
		return problem_field(p, "messages", "there is no role '%.40s'",
				     s);
	}
	return 0;
}

/* A string, or parts that are text. */
static int content(struct problem *p, json_t *value, struct buffer *out)
{
	const char *type;
	json_t *part, *text;
	size_t i;

	if (json_is_string(value)) {
		buffer_add(out, json_string_value(value),
			   json_string_length(value));
		return 0;
	}
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_array(value))
		return problem_field(p, "messages",
				     "content is neither text nor parts");
	json_array_foreach(value, i, part) {
		type = json_string_value(json_object_get(part, "type"));
		text = json_object_get(part, "text");
		if (!type || strcmp(type, "text") || !json_is_string(text))
			return problem_field(p, "messages",
					     "content parts of type '%.40s' are not supported",
					     type ? type : "");
		buffer_add(out, json_string_value(text),
			   json_string_length(text));
	}
	return 0;
}

/* What the model wrote to call them. */
static int calls(struct problem *p, json_t *list,
		 const struct tools_dialect *d, struct buffer *out)
{
	json_t *call, *f, *args;
	const char *name;
	size_t i;

	json_array_foreach(list, i, call) {
		f = json_object_get(call, "function");
		name = json_string_value(json_object_get(f, "name"));
		args = json_object_get(f, "arguments");
		args = json_is_string(args) ?
			json_loads(json_string_value(args), 0, NULL) :
			json_incref(args);
		if (!name || !json_is_object(args)) {
			json_decref(args);
			return problem_field(p, "messages",
					     "a call has no name, or arguments that are no object");
		}
		tools_write_call(d, name, args, out);
	}
	return 0;
}

static void tell_tools(struct prompt *p, const struct tools *tools,
		       const struct tools_dialect *d)
{
	struct buffer text = { 0 };

	tools_tell(tools, d, &text);
	p->text.failed |= text.failed;
	prompt_add(p, d->role, text.data, text.n);
	buffer_free(&text);
}

/* *@tools: what is to be told before it; NULL afterwards. */
static int add_message(struct prompt *p, struct problem *problem,
		       json_t *message, const struct tools **tools,
		       const struct tools_dialect *d)
{
	struct buffer text = { 0 };
	uint32_t role = LLAMUX_ROLE_USER;
	bool tool;
	int ret = role_of(problem, message, &role, &tool);

	if (ret)
		return ret;
	if (json_array_size(json_object_get(message, "images")))
		return problem_field(problem, "images",
				     "images are not supported");
	if (*tools && role != LLAMUX_ROLE_SYSTEM &&
	    (role == d->role || d->role == LLAMUX_ROLE_SYSTEM)) {
		tell_tools(p, *tools, d);
		*tools = NULL;
	}
	if (tool)
		buffer_str(&text, d->result);
	ret = content(problem, json_object_get(message, "content"), &text);
	if (tool)
		buffer_str(&text, d->result_end);
	if (!ret)
		ret = calls(problem, json_object_get(message, "tool_calls"), d,
			    &text);
	if (!ret && text.failed)
		ret = problem_errno(problem, -ENOMEM, NULL);
	if (!ret)
		prompt_add(p, role, text.data, text.n);
	buffer_free(&text);
	return ret;
}

int prompt_chat(struct prompt *p, struct problem *problem, json_t *messages,
		const struct tools *tools, const struct tools_dialect *d)
{
	json_t *message;
	size_t i;

	if (!tools->list)
		tools = NULL;
	json_array_foreach(messages, i, message)
		if (add_message(p, problem, message, &tools, d))
			return -1;
	if (tools)
		tell_tools(p, tools, d);
	return 0;
}

int prompt_write(const struct prompt *p, struct llamux *l)
{
	const struct prompt_message *m = (const void *)p->messages.data;
	size_t n = p->messages.n / sizeof(*m);
	int ret = 0;

	if (p->text.failed || p->messages.failed)
		return -ENOMEM;
	for (size_t i = 0; !ret && i < n; i++)
		ret = llamux_write(l, p->text.data ? p->text.data + m[i].at :
				   "", m[i].n, m[i].role,
				   p->raw ? LLAMUX_WRITE_SPECIAL : 0);
	return ret;
}
