// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/*
 * A JSON schema as a grammar. Every schema becomes a rule; $ref is a name of
 * one. What the grammar accepts is a part of what the schema does: members
 * come in the order of "properties", numbers have at most 16 digits before
 * and after the point, and between tokens there is at most one space or the
 * indentation of a new line. A keyword that would be ignored is an error.
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
#define MAX_WORK (16u << 20)	/* schema_spend(): a tenth of a second */

/* Say nothing about values. */
const char schema_annotations[] =
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

static int too_large(struct schema *s)
{
	return schema_fail(s, -E2BIG, "schema: too large: the grammar of its "
			   "keys, values and references has no room");
}

int schema_spend(struct schema *s, size_t n)
{
	s->work += n < MAX_WORK ? n : MAX_WORK;
	return s->work > MAX_WORK ? too_large(s) : 0;
}

/* ---- rules ---- */

/* A rule is a node of the automaton at least. */
int schema_new_rule(struct schema *s, size_t *rule)
{
	if (s->n_rules == GBNF_MAX_NODES)
		return too_large(s);
	*rule = s->n_rules++;
	return 0;
}

int schema_put_rule(struct schema *s, size_t n, struct text *body)
{
	int failed = body->failed;

	if (!failed)
		schema_text_add(&s->out, "r%zu ::= %s\n", n, body->n ? body->p : "\"\"");
	free(body->p);
	if (failed || s->out.failed)
		return schema_fail(s, -ENOMEM, "%s", strerror(ENOMEM));
	return s->out.n > GBNF_MAX_TEXT ? too_large(s) : 0;
}

/* ---- keywords ---- */

int schema_listed(const char *list, const char *word)
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
		if (!schema_listed(allowed, m->key) &&
		    !schema_listed(schema_annotations, m->key))
			return schema_fail(s, -EINVAL,
					   "schema: '%.60s' is not supported in a schema %s",
					   m->key, what);
	return 0;
}

int schema_count(struct schema *s, const struct json_value *v, const char *key,
		 uint32_t otherwise, uint32_t *out)
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

/* ---- arrays ---- */

static int put_array(struct schema *s, const struct json_value *v,
		     const char *type, struct text *body)
{
	const struct json_value *items = json_get(v, "items");
	char name[32] = "value";
	uint32_t min, max;
	size_t rule;
	int ret = schema_count(s, v, "minItems", 0, &min);

	if (!ret)
		ret = schema_count(s, v, "maxItems", UINT32_MAX, &max);
	if (!ret && max < min)
		ret = schema_fail(s, -EINVAL, "schema: 'maxItems' is below 'minItems'");
	if (!ret && items) {
		ret = schema_put(s, items, &rule);
		if (!ret)
			snprintf(name, sizeof(name), "r%zu", rule);
	}
	(void)type;
	if (ret)
		return ret;
	schema_text_add(body, "\"[\" ws ");
	if (max) {
		schema_text_add(body, "(%s ws (\",\" ws %s ws)", name, name);
		schema_text_repeat(body, min ? min - 1 : 0,
			   max == UINT32_MAX ? max : max - 1);
		schema_text_add(body, ")%s ", min ? "" : "?");
	}
	schema_text_add(body, "\"]\"");
	return 0;
}

/* ---- types ---- */

static int put_constant(struct schema *s, const struct json_value *v,
			const char *type, struct text *body)
{
	(void)s;
	(void)v;
	schema_text_add(body, "%s", type);
	return 0;
}

static int put_number(struct schema *s, const struct json_value *v,
		      const char *type, struct text *body)
{
	return schema_number(s, v, *type == 'i', body);
}

static int put_string(struct schema *s, const struct json_value *v,
		      const char *type, struct text *body)
{
	(void)type;
	return schema_string(s, v, body);
}

#define BOUNDS " type minimum maximum exclusiveMinimum exclusiveMaximum "

static const struct kind {
	const char *name, *what, *keywords;
	int (*put)(struct schema *s, const struct json_value *v,
		   const char *type, struct text *body);
} kinds[] = {
	{ "string", "of strings", " type minLength maxLength pattern format ",
	  put_string },
	{ "array", "of arrays", " type items minItems maxItems ", put_array },
	{ "object", "of objects",
	  " type properties required additionalProperties ", schema_object },
	{ "integer", "of integers", BOUNDS, put_number },
	{ "number", "of numbers", BOUNDS, put_number },
	{ "boolean", "of boolean", " type ", put_constant },
	{ "null", "of null", " type ", put_constant },
};

static int find_kind(struct schema *s, const struct json_value *type,
		     const struct kind **k)
{
	if (type->type != JSON_STRING)
		return schema_fail(s, -EINVAL, "schema: 'type' is no name");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		*k = &kinds[i];
		if (!strcmp(type->text, kinds[i].name))
			return 0;
	}
	return schema_fail(s, -EINVAL, "schema: no type '%.60s'", type->text);
}

static int put_type(struct schema *s, const struct json_value *v,
		    const struct json_value *type, struct text *body)
{
	const struct kind *k;
	int ret = find_kind(s, type, &k);

	if (!ret)
		ret = check_keywords(s, v, k->what, k->keywords);
	return ret ? ret : k->put(s, v, k->name, body);
}

/* Several types, each with the keywords that are about it. */
static int put_types(struct schema *s, const struct json_value *v,
		     const struct json_value *types, struct text *body)
{
	const struct json_value *part;
	char all[400] = " ";
	const struct kind *k;
	int ret = types->n && types->n < 8 ? 0 :
		  schema_fail(s, -EINVAL, "schema: 'type' is no list of types");

	for (const struct json_value *m = types->first; !ret && m;
	     m = m->next) {
		ret = find_kind(s, m, &k);
		if (!ret)
			strcat(all, k->keywords);
	}
	if (!ret)
		ret = check_keywords(s, v, "of these types", all);
	for (const struct json_value *m = types->first; !ret && m;
	     m = m->next) {
		schema_text_add(body, m == types->first ? "" : " | ");
		ret = find_kind(s, m, &k);
		if (!ret)
			ret = schema_part(s, v, k->keywords, 1, &part);
		if (!ret)
			ret = k->put(s, part, k->name, body);
	}
	return ret;
}

/* ---- choices ---- */

/* Whether @v is of the type called @name. */
static int has_type(const struct json_value *v, const char *name)
{
	static const char *const names[] = { "null", "boolean", "boolean",
					     "number", "string", "array",
					     "object" };
	struct decimal d;

	return !strcmp(names[v->type], name) ||
	       (v->type == JSON_NUMBER && !strcmp(name, "integer") &&
		!decimal_read(v->text, &d) && !*d.part);
}

/* Whether "type", which may be absent, allows it. */
static int is_allowed(const struct json_value *v,
		      const struct json_value *type)
{
	const struct json_value *m = type && type->type == JSON_ARRAY ?
				     type->first : type;

	for (; m; m = m == type ? NULL : m->next)
		if (m->type == JSON_STRING && has_type(v, m->text))
			return 1;
	return !type;
}

static int put_values(struct schema *s, const struct json_value *first,
		      const struct json_value *type, struct text *body)
{
	int some = 0;

	for (const struct json_value *m = first; m; m = m->next) {
		struct text t = { 0 };

		if (!is_allowed(m, type))
			continue;
		schema_text_json(&t, m);
		schema_text_add(body, some ? " | " : "");
		if (t.failed)
			body->failed = 1;
		else
			schema_text_literal(body, t.p, t.n);
		free(t.p);
		some = 1;
	}
	return some ? 0 : schema_fail(s, -EINVAL, "schema: '%s' allows nothing",
				      first ? "type" : "enum");
}

/* Other members of @v than annotations. */
static int has_more(const struct json_value *v)
{
	for (const struct json_value *m = v->first; m; m = m->next)
		if (!schema_listed(schema_annotations, m->key))
			return 1;
	return 0;
}

/* One of those called @key, each with what stands beside it. */
static int put_any_of(struct schema *s, const struct json_value *v,
		      const char *key, struct text *body)
{
	const struct json_value *list = json_get(v, key), *rest, *both;
	char name[32];
	size_t rule;
	int ret;

	if (list->type != JSON_ARRAY || !list->n)
		return schema_fail(s, -EINVAL, "schema: '%s' is no list", key);
	snprintf(name, sizeof(name), " %s ", key);
	ret = schema_part(s, v, name, 0, &rest);
	for (const struct json_value *m = list->first; !ret && m; m = m->next) {
		both = m;
		if (has_more(rest))
			ret = schema_both(s, rest, m, &both);
		if (!ret)
			ret = schema_put(s, both, &rule);
		if (!ret)
			schema_text_add(body, "%sr%zu", m == list->first ? "" :
					" | ", rule);
	}
	return ret;
}

/* The member or element called @name, "~1" a slash and "~0" a tilde. */
static const struct json_value *step_to(struct schema *s,
					const struct json_value *at, char *name)
{
	const struct json_value *m = at->first;
	char *to = name;
	size_t i;

	if (schema_spend(s, at->n))	/* it is looked for from the first */
		return NULL;
	for (const char *p = name; *p; p++) {
		if (*p == '~' && (p[1] == '0' || p[1] == '1'))
			*to++ = *++p == '1' ? '/' : '~';
		else
			*to++ = *p;
	}
	*to = '\0';
	if (at->type != JSON_ARRAY)
		return json_get(at, name);
	i = strtoul(name, &to, 10);
	while (m && i--)
		m = m->next;
	return *name && !*to ? m : NULL;
}

/* "#", "#/$defs/NAME", "#/a/b/c" */
int schema_find(struct schema *s, const struct json_value *ref,
		const struct json_value **out)
{
	const char *p = ref->type == JSON_STRING ? ref->text : "";
	const struct json_value *at = s->root;
	char name[256];
	size_t n;

	if (*p != '#')
		return schema_fail(s, -EINVAL, "schema: '$ref' to elsewhere is not supported");
	for (p++; at && *p == '/'; p += n) {
		n = strcspn(++p, "/");
		at = n < sizeof(name) ? at : NULL;
		if (at) {
			memcpy(name, p, n);
			name[n] = '\0';
			at = step_to(s, at, name);
		}
	}
	if (schema_spend(s, 0))
		return too_large(s);
	if (!at || *p)
		return schema_fail(s, -EINVAL, "schema: '$ref' to '%.60s', which is not there",
				   ref->text);
	*out = at;
	return 0;
}

static int put_ref(struct schema *s, const struct json_value *v,
		   struct text *body)
{
	const struct json_value *at;
	size_t rule;
	int ret = schema_find(s, json_get(v, "$ref"), &at);

	if (!ret)
		ret = schema_put(s, at, &rule);
	if (!ret)
		schema_text_add(body, "r%zu", rule);
	return ret;
}

/* ---- a schema ---- */

/* Without $ref and allOf. */
static int put_plain(struct schema *s, const struct json_value *v,
		     struct text *body)
{
	const struct json_value *type = json_get(v, "type"), *m;
	int ret;

	if (json_get(v, "anyOf") || json_get(v, "oneOf"))
		return put_any_of(s, v, json_get(v, "anyOf") ? "anyOf" : "oneOf",
				  body);
	m = json_get(v, "const");
	if (m) {
		struct json_value one = *m;

		one.next = NULL;
		ret = check_keywords(s, v, "with const", " const type ");
		return ret ? ret : put_values(s, &one, type, body);
	}
	m = json_get(v, "enum");
	if (m) {
		ret = check_keywords(s, v, "with enum", " enum type ");
		if (!ret && m->type != JSON_ARRAY)
			ret = schema_fail(s, -EINVAL, "schema: 'enum' is no list");
		return ret ? ret : put_values(s, m->first, type, body);
	}
	if (type)
		return type->type == JSON_ARRAY ?
		       put_types(s, v, type, body) : put_type(s, v, type, body);
	if (json_get(v, "properties")) {
		ret = check_keywords(s, v, kinds[2].what, kinds[2].keywords);
		return ret ? ret : schema_object(s, v, kinds[2].name, body);
	}
	ret = check_keywords(s, v, "without a type", " ");
	schema_text_add(body, "value");
	return ret;
}

static int put_body(struct schema *s, const struct json_value *v,
		    struct text *body)
{
	const struct json_value *rest;
	int ret;

	if (v->type == JSON_TRUE) {
		schema_text_add(body, "value");
		return 0;
	}
	if (v->type != JSON_OBJECT)
		return schema_fail(s, -EINVAL, "schema: %s", v->type == JSON_FALSE ?
				   "'false' allows nothing" : "not an object");
	if (!json_get(v, "$ref") && !json_get(v, "allOf"))
		return put_plain(s, v, body);
	ret = schema_part(s, v, " $ref ", 0, &rest);
	if (!ret && json_get(v, "$ref") && !has_more(rest))
		return put_ref(s, v, body);
	if (!ret)
		ret = schema_merge(s, v, &v);
	return ret ? ret : put_plain(s, v, body);
}

int schema_put(struct schema *s, const struct json_value *v, size_t *rule)
{
	/* All values are of this compilation. */
	struct json_value *id = (struct json_value *)(v->same ? v->same : v);
	struct text body = { 0 };
	int ret;

	if (id->note) {
		*rule = id->note - 1;
		return 0;
	}
	if (++s->depth > MAX_DEPTH)
		return schema_fail(s, -EINVAL, "schema: nested too deep");
	ret = schema_new_rule(s, rule);
	if (!ret) {
		id->note = *rule + 1;
		ret = put_body(s, v, &body);
	}
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
	ret = schema_put(&s, root, &rule);
	if (!ret) {
		schema_text_add(&s.out, "root ::= r%zu\n%s", rule, schema_basics);
		if (s.out.failed)
			ret = schema_fail(&s, -ENOMEM, "%s", strerror(ENOMEM));
	}
	*gbnf = ret ? NULL : s.out.p;
	if (ret)
		free(s.out.p);
	while (s.n_made)
		free(s.made[--s.n_made]);
	free(s.made);
	json_free(root);
	return ret;
}
