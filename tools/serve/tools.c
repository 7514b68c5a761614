// SPDX-License-Identifier: GPL-2.0-only
/*
 * The client's functions. Two ways to write of them are known: that of
 * Llama 3.1, and that of Hermes and Qwen, which says in words how a call is
 * written and is used with all other formats.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "gbnf.h"
#include "internal.h"
#include "tools.h"

#define MAX_TOOLS 128
#define MAX_CALLS 8		/* of an answer */
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
#define MAX_NAME 64

static const struct tools_dialect hermes = {
	.role = LLAMUX_ROLE_SYSTEM,
	.intro = "# Tools\n\n"
		 "You may call one or more functions to assist with the user query.\n\n"
		 "You are provided with function signatures within <tools></tools> XML tags:\n"
		 "<tools>\n",
	.between = "\n",
	.outro = "\n</tools>\n\n"
		 "For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n"
		 "<tool_call>\n"
		 "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n"
		 "</tool_call>",
	.args = "arguments",
	.open = "<tool_call>", .close = "</tool_call>",
	.result = "<tool_response>\n", .result_end = "\n</tool_response>",
};

static const struct tools_dialect llama3 = {
	.role = LLAMUX_ROLE_USER,
	.intro = "Given the following functions, please respond with a JSON for a function call with its proper arguments that best answers the given prompt.\n\n"
		 "Respond in the format {\"name\": function name, \"parameters\": dictionary of argument name and its value}. Do not use variables.\n\n",
	.between = "\n\n", .outro = "",
	.indent = 4,
	.args = "parameters",
	.result = "", .result_end = "",
};

static const struct tools_dialect *const dialects[TOOLS_DIALECTS] = {
	&hermes, &llama3
};

const struct tools_dialect *tools_dialect_of(const char *chat)
{
	return strcmp(chat, "llama3") ? &hermes : &llama3;
}

/* ---- what a request says ---- */

static const json_t *function_of(const json_t *tool)
{
	return json_object_get(tool, "function");
}

static const char *name_of(const json_t *tool)
{
	return json_string_value(json_object_get(function_of(tool), "name"));
}

static const json_t *find(const json_t *list, const char *name, size_t before)
{
	for (size_t i = 0; i < before; i++) {
		const json_t *tool = json_array_get(list, i);

		if (!strcmp(name_of(tool), name))
			return tool;
	}
	return NULL;
}

/* Arguments are an object; {} and nothing at all are those of none. */
static bool is_object_schema(const json_t *schema)
{
	const char *type = json_string_value(json_object_get(schema, "type"));

	if (!schema || json_is_null(schema))
		return true;
	if (type)
		return !strcmp(type, "object");
	return json_is_object(schema) && (!json_object_size(schema) ||
	       json_object_get(schema, "properties"));
}

static int check_tool(struct problem *p, const json_t *list, size_t i)
{
	const json_t *tool = json_array_get(list, i);
	const char *type = json_string_value(json_object_get(tool, "type"));
	const char *name = name_of(tool);
	size_t n = name ? strlen(name) : 0;

	if (type && strcmp(type, "function"))
		return problem_field(p, "tools",
				     "tools of type '%.40s' are not supported",
				     type);
	if (!n || n > MAX_NAME || strspn(name, NAME_CHARS) != n)
		return problem_field(p, "tools",
				     "tool %zu has no function whose name is of 1 to %d letters, digits, '_', '-' and '.'",
				     i, MAX_NAME);
	if (find(list, name, i))
		return problem_field(p, "tools", "there are two functions '%s'",
				     name);
	if (!is_object_schema(json_object_get(function_of(tool), "parameters")))
		return problem_field(p, "tools",
				     "the parameters of '%s' are no object",
				     name);
	return 0;
}

static int list_tools(struct tools *t, struct problem *p, const json_t *json)
{
	json_t *list = NULL;

	if (field_array(p, json, "tools", &list) < 0)
		return -1;
	if (json_array_size(list) > MAX_TOOLS)
		return problem_field(p, "tools", "more than %d tools",
				     MAX_TOOLS);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (check_tool(p, list, i))
			return -1;
	t->list = json_array_size(list) ? list : NULL;
	return 0;
}

/* {"type": "function", "function": {"name": ...}} */
static int named(struct tools *t, struct problem *p, const json_t *choice)
{
	const char *type = json_string_value(json_object_get(choice, "type"));
	const char *name = name_of(choice);

	if (!type || strcmp(type, "function") || !name)
		return problem_field(p, "tool_choice",
				     "tool_choice is neither none, auto, required nor a function");
	if (!find(t->list, name, json_array_size(t->list)))
		return problem_field(p, "tool_choice",
				     "tool_choice: '%.64s' is none of the tools",
				     name);
	t->name = name;
	t->required = true;
	t->one = true;
	return 0;
}

int tools_openai(struct tools *t, struct problem *p, const json_t *json)
{
	const json_t *choice = json_object_get(json, "tool_choice");
	const char *word = json_string_value(choice);
	bool parallel = true;

	if (list_tools(t, p, json) ||
	    field_bool(p, json, "parallel_tool_calls", &parallel) < 0)
		return -1;
	t->one = !parallel;
	if (!choice || json_is_null(choice) || (word && !strcmp(word, "auto")))
		return 0;
	if (word && !strcmp(word, "none")) {
		t->list = NULL;
		return 0;
	}
	if (!word || strcmp(word, "required"))
		return named(t, p, choice);
	if (!t->list)
		return problem_field(p, "tool_choice",
				     "tool_choice: there are no tools");
	t->required = true;
	return 0;
}

int tools_ollama(struct tools *t, struct problem *p, const json_t *json)
{
	return list_tools(t, p, json);
}

/* ---- what the model is told ---- */

/* With spaces, as models have seen it. @json is given up. */
static void spaced(struct buffer *out, json_t *json, size_t indent)
{
	char *text = json ? json_dumps(json, JSON_INDENT(indent)) : NULL;

	if (text)
		buffer_str(out, text);
	else
		out->failed = true;
	free(text);
	json_decref(json);
}

void tools_tell(const struct tools *t, const struct tools_dialect *d,
		struct buffer *out)
{
	buffer_str(out, d->intro);
	for (size_t i = 0; i < json_array_size(t->list); i++) {
		buffer_str(out, i ? d->between : "");
		spaced(out, json_pack("{s:s, s:O}", "type", "function",
				      "function",
				      function_of(json_array_get(t->list, i))),
		       d->indent);
	}
	buffer_str(out, d->outro);
}

void tools_write_call(const struct tools_dialect *d, const char *name,
		      json_t *args, struct buffer *out)
{
	if (out->n)
		buffer_str(out, "\n");
	if (d->open)
		buffer_printf(out, "%s\n", d->open);
	spaced(out, json_pack("{s:s, s:o}", "name", name ? name : "", d->args,
			      args ? args : json_object()), 0);
	if (d->open)
		buffer_printf(out, "\n%s", d->close);
}

/* ---- the grammar ---- */

/* "#/a" of a schema that has come to lie at #/$defs/NAME. */
static void move_refs(json_t *v, const char *name)
{
	const char *ref = json_string_value(json_object_get(v, "$ref")), *key;
	json_t *child;
	size_t i;

	if (ref && *ref == '#')
		json_object_set_new(v, "$ref", json_sprintf("#/$defs/%s%s",
							     name, ref + 1));
	json_object_foreach(v, key, child)
		move_refs(child, name);
	json_array_foreach(v, i, child)
		move_refs(child, name);
}

static json_t *arguments(const json_t *tool)
{
	const json_t *schema = json_object_get(function_of(tool), "parameters");
	json_t *copy;

	if (!json_object_size(schema))
		return json_pack("{s:s, s:{}}", "type", "object", "properties");
	copy = json_deep_copy(schema);
	move_refs(copy, name_of(tool));
	return copy;
}

/* The schema of a call. */
static json_t *call_schema(const struct tools *t, const struct tools_dialect *d)
{
	json_t *any = json_array(), *defs = json_object();

	for (size_t i = 0; i < json_array_size(t->list); i++) {
		const json_t *tool = json_array_get(t->list, i);
		const char *name = name_of(tool);

		if (t->name && strcmp(t->name, name))
			continue;
		json_object_set_new(defs, name, arguments(tool));
		json_array_append_new(any, json_pack(
			"{s:s, s:{s:{s:s}, s:{s:o}}, s:[s, s]}",
			"type", "object", "properties",
			"name", "const", name,
			d->args, "$ref", json_sprintf("#/$defs/%s", name),
			"required", "name", d->args));
	}
	return json_pack("{s:o, s:o}", "anyOf", any, "$defs", defs);
}

/* The rules of a call, its first one being "call" instead of "root". */
static int call_rules(const struct tools *t, const struct tools_dialect *d,
		      struct buffer *out, struct problem *p)
{
	json_t *schema = call_schema(t, d);
	char *text = json_dumps(schema, JSON_COMPACT), *gbnf = NULL, *root;
	struct llamux_message msg = { "" };
	int ret = text ? schema_to_gbnf(text, strlen(text), &gbnf, &msg) :
			 -ENOMEM;

	json_decref(schema);
	free(text);
	if (ret == -EINVAL || ret == -E2BIG)
		return problem_field(p, "tools", "tools: %s", msg.text);
	if (ret)
		return problem_errno(p, ret, msg.text);
	/* At the start of a line: names and texts of the schema are within one. */
	root = strstr(gbnf, "\nroot ::=") + 1;
	buffer_add(out, gbnf, (size_t)(root - gbnf));
	buffer_str(out, "call");
	buffer_str(out, root + strlen("root"));
	free(gbnf);
	return 0;
}

/*
 * Text in which @word does not stand, unless it opens calls: rule tN is where
 * N characters of it were read. @word begins with a character that is not
 * in the rest of it.
 */
static void text_rules(struct buffer *out, const char *word)
{
	size_t n = strlen(word);

	buffer_printf(out, "t0 ::= \"\" | [^%c] t0 | \"%c\" t1\n", word[0],
		      word[0]);
	for (size_t i = 1; i < n; i++)
		buffer_printf(out,
			      "t%zu ::= \"\" | [^%c%c] t0 | \"%c\" t1 | \"%c\" t%zu\n",
			      i, word[0], word[i], word[0], word[i], i + 1);
	buffer_printf(out, "t%zu ::= opened\n", n);
}

static void root_rules(const struct tools *t, const struct tools_dialect *d,
		       struct buffer *out)
{
	if (!d->open) {
		buffer_str(out, t->required ? "root ::= call\n" :
			   "root ::= call | ([^{] [^\\x00]*)?\n");
		return;
	}
	buffer_printf(out, "opened ::= \"\\n\" call \"\\n%s\"", d->close);
	if (!t->one)
		buffer_printf(out, " (\"\\n%s\\n\" call \"\\n%s\"){0,%d}",
			      d->open, d->close, MAX_CALLS - 1);
	buffer_str(out, "\n");
	if (t->required) {
		buffer_printf(out, "root ::= \"%s\" opened\n", d->open);
		return;
	}
	text_rules(out, d->open);
	buffer_str(out, "root ::= t0\n");
}

int tools_grammar(const struct tools *t, const struct tools_dialect *d,
		  struct buffer *rules, struct problem *p)
{
	if (call_rules(t, d, rules, p))
		return -1;
	root_rules(t, d, rules);
	buffer_add(rules, "", 1);
	return rules->failed ? problem_errno(p, -ENOMEM, NULL) : 0;
}

static int compile(struct tools *t, struct problem *p, int i)
{
	struct llamux_message msg = { "" };
	struct buffer rules = { 0 };
	int ret = tools_grammar(t, dialects[i], &rules, p);

	if (!ret) {
		ret = gbnf_compile(rules.data, strlen(rules.data),
				   &t->grammar[i].automaton, &t->grammar[i].n,
				   &msg);
		if (ret == -EINVAL || ret == -E2BIG)
			ret = problem_field(p, "tools", "tools: %s", msg.text);
		else if (ret)
			ret = problem_errno(p, ret, msg.text);
	}
	buffer_free(&rules);
	return ret;
}

int tools_compile(struct tools *t, struct problem *p)
{
	for (int i = 0; i < TOOLS_DIALECTS; i++)
		if (compile(t, p, i))
			return -1;
	return 0;
}

int tools_apply(const struct tools *t, const struct tools_dialect *d,
		struct llamux *l)
{
	int i = 0;

	while (dialects[i] != d)
		i++;
	return llamux_set_automaton(l, t->grammar[i].automaton,
				    t->grammar[i].n);
}

void tools_free(struct tools *t)
{
	for (int i = 0; i < TOOLS_DIALECTS; i++)
		free(t->grammar[i].automaton);
}
