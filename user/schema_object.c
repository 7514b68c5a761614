// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/* Objects: members in the order of "properties", then others. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

struct object {
	struct schema *s;
	const struct json_value *properties, *required;
	const char **names;	/* [n_names] of "required", sorted */
	size_t n_names;
	char more[80];		/* a further member; empty: none */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int is_required(const struct object *o, const char *key)
{
	return o->n_names && bsearch(&key, o->names, o->n_names,
				     sizeof(*o->names), by_name);
}

/* All of them are strings that are keys of "properties". */
static int find_required(struct object *o,
			 const struct json_value *const *properties)
{
	const struct json_value *m = o->required->first;
	size_t n = o->properties ? o->properties->n : 0;

	for (; m; m = m->next) {
		if (m->type != JSON_STRING)
			return schema_fail(o->s, -EINVAL, "schema: 'required' holds no names");
		if (!json_find(properties, n, m->text))
			return schema_fail(o->s, -EINVAL,
					   "schema: '%.60s' is required, but not "
					   "among 'properties'",
					   m->text);
		o->names[o->n_names++] = m->text;
	}
	if (o->n_names)
		qsort(o->names, o->n_names, sizeof(*o->names), by_name);
	return 0;
}

static int check_required(struct object *o)
{
	const struct json_value **properties;
	int ret = -ENOMEM;

	if (o->properties && o->properties->type != JSON_OBJECT)
		return schema_fail(o->s, -EINVAL, "schema: 'properties' is no object");
	if (o->required && o->required->type != JSON_ARRAY)
		return schema_fail(o->s, -EINVAL, "schema: 'required' is no array");
	if (!o->required)
		return 0;
	properties = json_sorted(o->properties);
	o->names = calloc(o->required->n + 1, sizeof(*o->names));
	if (properties && o->names)
		ret = find_required(o, properties);
	else
		schema_fail(o->s, ret, "%s", strerror(ENOMEM));
	free(properties);
	return ret;
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
		ret = schema_put(o->s, more, &rule);
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
	int ret = schema_put(o->s, p, &rule);

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
		ret = schema_new_rule(o->s, &to[some]);
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

int schema_object(struct schema *s, const struct json_value *v,
		  const char *type, struct text *body)
{
	struct object o = { .s = s, .properties = json_get(v, "properties"),
			    .required = json_get(v, "required") };
	const struct json_value **p = NULL, *m;
	size_t rest[2] = { 0, 0 }, to[2], n = 0;
	int ret = check_required(&o);

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
	free(o.names);
	(void)type;
	if (!ret)
		schema_text_add(body, "\"{\" ws r%zu \"}\"", rest[0]);
	return ret;
}
