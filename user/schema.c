// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/*
 * A JSON schema as a grammar. Every schema becomes a rule; $ref is a name of
 * one. What the grammar accepts is a part of what the schema does: members
 * come in the order of "properties", strings have no \u escapes, numbers at
 * most 16 digits before and after the point, and between tokens there is at
 * most one space or the indentation of a new line. A keyword that would
 * be ignored is an error.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

#define MAX_DEPTH 100

static const char basics[] =
	"ws ::= (\" \" | \"\\n\" [ \\t]{0,20})?\n"
	"char ::= [^\"\\\\\\x00-\\x1f\\x7f] | \"\\\\\" [\"\\\\bfnrt]\n"
	"string ::= \"\\\"\" char* \"\\\"\"\n"
	"integer ::= \"-\"? (\"0\" | [1-9] [0-9]{0,15})\n"
	"number ::= integer (\".\" [0-9]{1,16})? ([eE] [+-]? [0-9]{1,2})?\n"
	"boolean ::= \"true\" | \"false\"\n"
	"null ::= \"null\"\n"
	"array ::= \"[\" ws (value ws (\",\" ws value ws)*)? \"]\"\n"
	"member ::= string ws \":\" ws value ws\n"
	"object ::= \"{\" ws (member (\",\" ws member)*)? \"}\"\n"
	"value ::= object | array | string | number | boolean | null\n";

/* Say nothing about values. */
static const char annotations[] =
	" title description default examples $schema $id $comment deprecated "
	"readOnly writeOnly $defs definitions ";

int schema_fail(struct schema *s, int code, const char *fmt, ...)
{
	va_list ap;

	if (s->msg) {
		va_start(ap, fmt);
		vsnprintf(s->msg->text, sizeof(s->msg->text), fmt, ap);
		va_end(ap);
	}
	return code;
}

/* ---- rules ---- */

int schema_new_rule(struct schema *s, const struct json_value *v, size_t *rule)
{
	if (s->n_rules == s->cap_rules) {
		size_t cap = s->cap_rules ? s->cap_rules * 2 : 64;
		void *p = realloc(s->seen, cap * sizeof(*s->seen));

		if (!p)
			return schema_fail(s, -ENOMEM, "%s", strerror(ENOMEM));
		s->seen = p;
		s->cap_rules = cap;
	}
	s->seen[s->n_rules] = v;
	*rule = s->n_rules++;
	return 0;
}

int schema_put_rule(struct schema *s, size_t n, struct text *body)
{
	int failed = body->failed;

	if (!failed)
		schema_text_add(&s->out, "r%zu ::= %s\n", n, body->n ? body->p : "\"\"");
	free(body->p);
	return failed || s->out.failed ?
	       schema_fail(s, -ENOMEM, "%s", strerror(ENOMEM)) : 0;
}

static int put_schema(struct schema *s, const struct json_value *v,
		      size_t *rule);

/* ---- keywords ---- */

static int listed(const char *list, const char *word)
{
	const char *at = list;
	size_t n = strlen(word);

	while (n && (at = strstr(at, word))) {
		if (at > list && at[-1] == ' ' && at[n] == ' ')
			return 1;
		at++;
	}
	return 0;
}

static int check_keywords(struct schema *s, const struct json_value *v,
			  const char *what, const char *allowed)
{
	for (const struct json_value *m = v->first; m; m = m->next)
		if (!listed(allowed, m->key) && !listed(annotations, m->key))
			return schema_fail(s, -EINVAL,
					   "schema: '%.60s' is not supported in a schema %s",
					   m->key, what);
	return 0;
}

/* A count; absent: @otherwise. */
static int get_count(struct schema *s, const struct json_value *v,
		     const char *key, uint32_t otherwise, uint32_t *out)
{
	const struct json_value *m = json_get(v, key);
	unsigned long n;
	char *end;

	*out = otherwise;
	if (!m)
		return 0;
	n = m->type == JSON_NUMBER ? strtoul(m->text, &end, 10) : 0;
	if (m->type != JSON_NUMBER || *end || *m->text == '-' ||
	    n > GBNF_MAX_REPEAT)
		return schema_fail(s, -EINVAL,
				   "schema: '%s' is not a count of at most %d",
				   key, GBNF_MAX_REPEAT);
	*out = (uint32_t)n;
	return 0;
}

static void add_repeat(struct text *t, uint32_t min, uint32_t max)
{
	if (max == UINT32_MAX)
		schema_text_add(t, "{%u,}", min);
	else
		schema_text_add(t, "{%u,%u}", min, max);
}

/* ---- strings ---- */

static int put_string(struct schema *s, const struct json_value *v,
		      struct text *body)
{
	const struct json_value *pattern = json_get(v, "pattern");
	uint32_t min, max;
	int ret = check_keywords(s, v, "of strings",
				 " type minLength maxLength pattern ");

	if (!ret)
		ret = get_count(s, v, "minLength", 0, &min);
	if (!ret)
		ret = get_count(s, v, "maxLength", UINT32_MAX, &max);
	if (ret)
		return ret;
	if (max < min)
		return schema_fail(s, -EINVAL, "schema: 'maxLength' is below 'minLength'");
	if (pattern && (pattern->type != JSON_STRING || min ||
			max != UINT32_MAX))
		return schema_fail(s, -EINVAL,
				   "schema: 'pattern' is no string, or stands beside a length");
	schema_text_add(body, "\"\\\"\" ");
	if (pattern) {
		ret = schema_pattern(s, body, pattern->text);
	} else {
		schema_text_add(body, "char");
		add_repeat(body, min, max);
	}
	schema_text_add(body, " \"\\\"\"");
	return ret;
}

/* ---- arrays ---- */

static int put_array(struct schema *s, const struct json_value *v,
		     struct text *body)
{
	const struct json_value *items = json_get(v, "items");
	char name[32] = "value";
	uint32_t min, max;
	size_t rule;
	int ret = check_keywords(s, v, "of arrays",
				 " type items minItems maxItems ");

	if (!ret)
		ret = get_count(s, v, "minItems", 0, &min);
	if (!ret)
		ret = get_count(s, v, "maxItems", UINT32_MAX, &max);
	if (!ret && max < min)
		ret = schema_fail(s, -EINVAL, "schema: 'maxItems' is below 'minItems'");
	if (!ret && items) {
		ret = put_schema(s, items, &rule);
		if (!ret)
			snprintf(name, sizeof(name), "r%zu", rule);
	}
	if (ret)
		return ret;
	schema_text_add(body, "\"[\" ws ");
	if (max) {
		schema_text_add(body, "(%s ws (\",\" ws %s ws)", name, name);
		add_repeat(body, min ? min - 1 : 0,
			   max == UINT32_MAX ? max : max - 1);
		schema_text_add(body, ")%s ", min ? "" : "?");
	}
	schema_text_add(body, "\"]\"");
	return 0;
}

/* ---- objects ---- */

struct object {
	struct schema *s;
	const struct json_value *properties, *required;
	char more[80];		/* a further member; empty: none */
};

static int is_required(const struct object *o, const char *key)
{
	const struct json_value *m = o->required ? o->required->first : NULL;

	for (; m; m = m->next)
		if (!strcmp(m->text, key))
			return 1;
	return 0;
}

static int check_required(struct object *o)
{
	const struct json_value *m = o->required ? o->required->first : NULL;

	if (o->properties && o->properties->type != JSON_OBJECT)
		return schema_fail(o->s, -EINVAL, "schema: 'properties' is no object");
	if (o->required && o->required->type != JSON_ARRAY)
		return schema_fail(o->s, -EINVAL, "schema: 'required' is no array");
	for (; m; m = m->next) {
		if (m->type != JSON_STRING)
			return schema_fail(o->s, -EINVAL, "schema: 'required' holds no names");
		if (!json_get(o->properties, m->text))
			return schema_fail(o->s, -EINVAL,
					   "schema: '%.60s' is required, but not "
					   "among 'properties'",
					   m->text);
	}
	return 0;
}

static int put_more(struct object *o, const struct json_value *v)
{
	const struct json_value *more = json_get(v, "additionalProperties");
	char value[32] = "value";
	size_t rule, key;
	int ret;

	if (more ? more->type == JSON_FALSE : o->properties != NULL)
		return 0;
	if (more && more->type != JSON_TRUE) {
		ret = put_schema(o->s, more, &rule);
		if (ret)
			return ret;
		snprintf(value, sizeof(value), "r%zu", rule);
	}
	ret = schema_other_key(o->s, o->properties, &key);
	if (!ret)
		snprintf(o->more, sizeof(o->more),
			 "\"\\\"\" r%zu \"\\\"\" ws \":\" ws %s ws", key,
			 value);
	return ret;
}

/* One member: its key as a literal, and its value. */
static int put_member(struct object *o, const struct json_value *p,
		      struct text *body)
{
	struct json_value key = { .type = JSON_STRING, .text = p->key,
				  .len = strlen(p->key) };
	struct text quoted = { 0 };
	size_t rule;
	int ret = put_schema(o->s, p, &rule);

	if (ret)
		return ret;
	schema_text_json(&quoted, &key);
	if (!quoted.failed)
		schema_text_literal(body, quoted.p, quoted.n);
	body->failed |= quoted.failed;
	schema_text_add(body, " ws \":\" ws r%zu ws", rule);
	free(quoted.p);
	return 0;
}

/*
 * From property @p on. Two rules: when some member stands before (a comma
 * leads the next), and when none does. Written from the last property up.
 */
static int put_rest(struct object *o, const struct json_value *p,
		    size_t rest[2], size_t to[2])
{
	static const char *const lead[] = { "", "\",\" ws " };
	struct text member = { 0 };
	int ret = p ? put_member(o, p, &member) : 0;

	for (int some = 0; !ret && some < 2; some++) {
		struct text body = { 0 };

		if (!p && *o->more)
			schema_text_add(&body, "(%s%s (\",\" ws %s)*)?", lead[some],
				 o->more, o->more);
		else if (p)
			schema_text_add(&body, "%s%s r%zu", lead[some],
				 member.p ? member.p : "", rest[1]);
		if (p && !is_required(o, p->key))
			schema_text_add(&body, " | r%zu", rest[some]);
		ret = schema_new_rule(o->s, NULL, &to[some]);
		if (ret)
			free(body.p);
		else
			ret = schema_put_rule(o->s, to[some], &body);
	}
	if (!ret && member.failed)
		ret = schema_fail(o->s, -ENOMEM, "%s", strerror(ENOMEM));
	free(member.p);
	return ret;
}

static int put_object(struct schema *s, const struct json_value *v,
		      struct text *body)
{
	struct object o = { .s = s, .properties = json_get(v, "properties"),
			    .required = json_get(v, "required") };
	const struct json_value **p = NULL, *m;
	size_t rest[2] = { 0, 0 }, to[2], n = 0;
	int ret = check_keywords(s, v, "of objects",
		" type properties required additionalProperties ");

	if (!ret)
		ret = check_required(&o);
	if (!ret)
		ret = put_more(&o, v);
	if (!ret && o.properties) {
		p = calloc(o.properties->n + 1, sizeof(*p));
		if (!p)
			ret = schema_fail(s, -ENOMEM, "%s", strerror(ENOMEM));
		for (m = o.properties->first; p && m; m = m->next)
			p[n++] = m;
	}
	for (size_t i = n + 1; !ret && i-- > 0;) {
		ret = put_rest(&o, i < n ? p[i] : NULL, rest, to);
		rest[0] = to[0];
		rest[1] = to[1];
	}
	free(p);
	if (!ret)
		schema_text_add(body, "\"{\" ws r%zu \"}\"", rest[0]);
	return ret;
}

/* ---- choices ---- */

static int put_values(struct schema *s, const struct json_value *first,
		      struct text *body)
{
	int some = 0;

	for (const struct json_value *m = first; m; m = m->next, some = 1) {
		struct text t = { 0 };

		schema_text_json(&t, m);
		schema_text_add(body, some ? " | " : "");
		if (t.failed)
			body->failed = 1;
		else
			schema_text_literal(body, t.p, t.n);
		free(t.p);
	}
	return some ? 0 : schema_fail(s, -EINVAL, "schema: 'enum' is empty");
}

static int put_any_of(struct schema *s, const struct json_value *v,
		      const char *key, struct text *body)
{
	const struct json_value *list = json_get(v, key);
	int ret = check_keywords(s, v, "with anyOf or oneOf", " anyOf oneOf ");
	size_t rule;

	if (!ret && (list->type != JSON_ARRAY || !list->n))
		ret = schema_fail(s, -EINVAL, "schema: '%s' is no list", key);
	for (const struct json_value *m = list->first; !ret && m; m = m->next) {
		ret = put_schema(s, m, &rule);
		if (!ret)
			schema_text_add(body, "%sr%zu", m == list->first ? "" : " | ",
				 rule);
	}
	return ret;
}

/* "#", "#/$defs/NAME", "#/a/b/c" */
static int put_ref(struct schema *s, const struct json_value *v,
		   struct text *body)
{
	const struct json_value *ref = json_get(v, "$ref"), *at = s->root;
	const char *p = ref->type == JSON_STRING ? ref->text : "";
	char name[256];
	size_t rule, n;
	int ret = check_keywords(s, v, "with $ref", " $ref ");

	if (ret)
		return ret;
	if (*p != '#')
		return schema_fail(s, -EINVAL, "schema: '$ref' to elsewhere is not supported");
	for (p++; at && *p == '/'; p += n) {
		n = strcspn(++p, "/");
		at = n < sizeof(name) ? at : NULL;
		if (at) {
			memcpy(name, p, n);
			name[n] = '\0';
			at = json_get(at, name);
		}
	}
	if (!at || *p)
		return schema_fail(s, -EINVAL, "schema: '$ref' to '%.60s', which is not there",
				   ref->text);
	ret = put_schema(s, at, &rule);
	if (!ret)
		schema_text_add(body, "r%zu", rule);
	return ret;
}

/* ---- a schema ---- */

static int put_type(struct schema *s, const struct json_value *v,
		    const char *type, struct text *body)
{
	int ret;

	if (!strcmp(type, "string"))
		return put_string(s, v, body);
	if (!strcmp(type, "array"))
		return put_array(s, v, body);
	if (!strcmp(type, "object"))
		return put_object(s, v, body);
	if (strcmp(type, "integer") && strcmp(type, "number") &&
	    strcmp(type, "boolean") && strcmp(type, "null"))
		return schema_fail(s, -EINVAL, "schema: no type '%.60s'", type);
	ret = check_keywords(s, v, "of numbers, boolean or null", " type ");
	schema_text_add(body, "%s", type);
	return ret;
}

/* Several types: nothing else is said of them. */
static int put_types(struct schema *s, const struct json_value *v,
		     const struct json_value *types, struct text *body)
{
	struct json_value none = { .type = JSON_OBJECT };
	int ret = check_keywords(s, v, "of several types", " type ");

	if (!ret && !types->n)
		ret = schema_fail(s, -EINVAL, "schema: 'type' is empty");
	for (const struct json_value *m = types->first; !ret && m;
	     m = m->next) {
		if (m->type != JSON_STRING)
			return schema_fail(s, -EINVAL, "schema: 'type' is no name");
		schema_text_add(body, m == types->first ? "" : " | ");
		ret = put_type(s, &none, m->text, body);
	}
	return ret;
}

static int put_body(struct schema *s, const struct json_value *v,
		    struct text *body)
{
	const struct json_value *type = json_get(v, "type"), *m;
	int ret;

	if (v->type == JSON_TRUE) {
		schema_text_add(body, "value");
		return 0;
	}
	if (v->type != JSON_OBJECT)
		return schema_fail(s, -EINVAL, "schema: %s", v->type == JSON_FALSE ?
				   "'false' allows nothing" : "not an object");
	if (json_get(v, "$ref"))
		return put_ref(s, v, body);
	if (json_get(v, "anyOf") || json_get(v, "oneOf"))
		return put_any_of(s, v, json_get(v, "anyOf") ? "anyOf" : "oneOf",
				  body);
	m = json_get(v, "const");
	if (m) {
		struct json_value one = *m;

		one.next = NULL;
		ret = check_keywords(s, v, "with const", " const type ");
		return ret ? ret : put_values(s, &one, body);
	}
	m = json_get(v, "enum");
	if (m) {
		ret = check_keywords(s, v, "with enum", " enum type ");
		if (!ret && m->type != JSON_ARRAY)
			ret = schema_fail(s, -EINVAL, "schema: 'enum' is no list");
		return ret ? ret : put_values(s, m->first, body);
	}
	if (type && type->type == JSON_STRING)
		return put_type(s, v, type->text, body);
	if (type && type->type == JSON_ARRAY)
		return put_types(s, v, type, body);
	if (type)
		return schema_fail(s, -EINVAL, "schema: 'type' is no name");
	if (json_get(v, "properties"))
		return put_object(s, v, body);
	ret = check_keywords(s, v, "without a type", " ");
	schema_text_add(body, "value");
	return ret;
}

static int put_schema(struct schema *s, const struct json_value *v,
		      size_t *rule)
{
	struct text body = { 0 };
	int ret;

	for (size_t i = 0; i < s->n_rules; i++) {
		if (s->seen[i] == v) {
			*rule = i;
			return 0;
		}
	}
	if (++s->depth > MAX_DEPTH)
		return schema_fail(s, -EINVAL, "schema: nested too deep");
	ret = schema_new_rule(s, v, rule);
	if (!ret)
		ret = put_body(s, v, &body);
	s->depth--;
	if (!ret)
		return schema_put_rule(s, *rule, &body);
	free(body.p);
	return ret;
}

int schema_to_gbnf(const char *text, size_t n, char **gbnf,
		   struct llamux_message *msg)
{
	struct schema s = { .msg = msg };
	struct json_value *root;
	const char *why;
	size_t at, rule;
	int ret;

	root = json_read(text, n, &why, &at);
	if (!root)
		return schema_fail(&s, -EINVAL, "schema: not JSON at byte %zu: %s",
				   at, why);
	s.root = root;
	ret = put_schema(&s, root, &rule);
	if (!ret) {
		schema_text_add(&s.out, "root ::= r%zu\n%s", rule, basics);
		if (s.out.failed)
			ret = schema_fail(&s, -ENOMEM, "%s", strerror(ENOMEM));
	}
	*gbnf = ret ? NULL : s.out.p;
	if (ret)
		free(s.out.p);
	free(s.seen);
	json_free(root);
	return ret;
}
