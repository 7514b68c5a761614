// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/*
 * Schemas that apply together (allOf, $ref with others beside it) as one. The
 * new schema shares the values of the old ones; what is taken over unchanged
 * knows where it was, so that recursion comes to an end.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

#define MAX_NESTING 50
#define MAX_TYPES 7
/* Costs, as schema_spend() counts. */
#define MAKE_COST 100
#define COMPARE_COST 8

/* ---- new values ---- */

static struct json_value *make(struct schema *s, enum json_type type)
{
	struct json_value *v;

	if (schema_spend(s, MAKE_COST))
		return NULL;
	if (s->n_made == s->cap_made) {
		size_t cap = s->cap_made ? s->cap_made * 2 : 64;
		void *p = realloc(s->made, cap * sizeof(*s->made));

		if (!p)
			return NULL;
		s->made = p;
		s->cap_made = cap;
	}
	v = calloc(1, sizeof(*v));
	if (v) {
		v->type = type;
		s->made[s->n_made++] = v;
	}
	return v;
}

/* As the last member of @list. */
static void append(struct json_value *list, struct json_value *v, char *key)
{
	v->key = key;
	v->next = NULL;
	if (list->first)
		list->last->next = v;
	else
		list->first = v;
	list->last = v;
	list->n++;
}

/* make() has failed. */
static int no_value(struct schema *s)
{
	int ret = schema_spend(s, 0);

	return ret ? ret : schema_fail(s, -ENOMEM, "%s", strerror(ENOMEM));
}

/* The same value as another member. */
static int add_copy(struct schema *s, struct json_value *list,
		    const struct json_value *v)
{
	struct json_value *copy = make(s, v->type);

	if (!copy)
		return no_value(s);
	*copy = *v;
	copy->note = 0;
	copy->same = v->same ? v->same : v;
	append(list, copy, v->key);
	return 0;
}

/* { "allOf": [ @a, @b ] }, or what is there of them, called @key. */
static int add_both(struct schema *s, struct json_value *list,
		    const struct json_value *a, const struct json_value *b,
		    char *key)
{
	static char name[] = "allOf";
	struct json_value *both = make(s, JSON_OBJECT);
	struct json_value *all = both ? make(s, JSON_ARRAY) : NULL;
	int ret = all ? add_copy(s, all, a) : no_value(s);

	if (!ret)
		ret = add_copy(s, all, b);
	if (ret)
		return ret;
	append(both, all, name);
	append(list, both, key);
	return 0;
}

/* ---- comparing values ---- */

static int same_number(const char *a, const char *b)
{
	struct decimal x, y;

	if (decimal_read(a, &x) || decimal_read(b, &y))
		return !strcmp(a, b);
	return !decimal_compare(&x, &y);
}

/* Members in any order; that of the other is tried first. */
static int same_members(struct schema *s, const struct json_value *a,
			const struct json_value *b)
{
	const struct json_value *o = b->first, *there;

	for (const struct json_value *m = a->first; m; m = m->next, o = o->next) {
		there = o;
		if (a->type == JSON_OBJECT && strcmp(m->key, o->key)) {
			if (schema_spend(s, b->n))
				return 0;
			there = json_get(b, m->key);
		}
		if (!there || !schema_same_value(s, m, there))
			return 0;
	}
	return 1;
}

/* Nothing is the same as something else when there was too much to do. */
int schema_same_value(struct schema *s, const struct json_value *a,
		      const struct json_value *b)
{
	if (schema_spend(s, COMPARE_COST) || a->type != b->type || a->n != b->n)
		return 0;
	if (a->type == JSON_NUMBER)
		return same_number(a->text, b->text);
	if (a->type == JSON_STRING)
		return a->len == b->len && !memcmp(a->text, b->text, a->len);
	return same_members(s, a, b);
}

/* ---- one keyword twice ---- */

/* What both lists have; an integer is a number. */
static int meet_types(struct schema *s, struct json_value *old,
		      const struct json_value *v)
{
	const struct json_value *a = old->type == JSON_ARRAY ? old->first : old;
	const struct json_value *b = v->type == JSON_ARRAY ? v->first : v;
	struct json_value *list = make(s, JSON_ARRAY), one;
	int ret = list ? 0 : no_value(s);

	if (!ret && (old->n > MAX_TYPES || v->n > MAX_TYPES))
		ret = schema_fail(s, -EINVAL, "schema: 'type' is no list of types");
	for (const struct json_value *x = a; !ret && x;
	     x = x == old ? NULL : x->next)
		for (const struct json_value *y = b; !ret && y;
		     y = y == v ? NULL : y->next) {
			if (x->type != JSON_STRING || y->type != JSON_STRING)
				return schema_fail(s, -EINVAL,
						   "schema: 'type' is no name");
			if (!strcmp(x->text, y->text) ||
			    (!strcmp(x->text, "integer") &&
			     !strcmp(y->text, "number")))
				ret = add_copy(s, list, x);
			else if (!strcmp(x->text, "number") &&
				 !strcmp(y->text, "integer"))
				ret = add_copy(s, list, y);
		}
	if (ret)
		return ret;
	if (!list->n)
		return schema_fail(s, -EINVAL, "schema: no 'type' fits all of 'allOf'");
	one = list->n == 1 ? *list->first : *list;
	one.key = old->key;
	one.next = old->next;
	one.same = NULL;
	*old = one;
	return 0;
}

/* @old is @list from now on, unless making that has failed. */
static int become(struct json_value *old, const struct json_value *list, int ret)
{
	if (ret)
		return ret;
	old->first = list->first;
	old->last = list->last;
	old->n = list->n;
	old->same = NULL;
	return 0;
}

/* Values that are in both lists. */
static int meet_values(struct schema *s, struct json_value *old,
		       const struct json_value *v)
{
	struct json_value *list = make(s, JSON_ARRAY);
	int ret = list && v->type == JSON_ARRAY && old->type == JSON_ARRAY ? 0 :
		  list ? schema_fail(s, -EINVAL, "schema: 'enum' is no list") :
			 no_value(s);

	for (const struct json_value *x = ret ? NULL : old->first; !ret && x;
	     x = x->next)
		for (const struct json_value *y = v->first; !ret && y;
		     y = y->next)
			if (schema_same_value(s, x, y)) {
				ret = add_copy(s, list, x);
				break;
			} else {
				ret = schema_spend(s, 0);
			}
	if (!ret && !list->n)
		ret = schema_fail(s, -EINVAL, "schema: no value fits all of 'allOf'");
	return become(old, list, ret);
}

/* The larger or smaller number of the two. */
static int meet_numbers(struct schema *s, struct json_value *old,
			const struct json_value *v, int larger)
{
	struct decimal x, y;

	if (old->type != JSON_NUMBER || v->type != JSON_NUMBER ||
	    decimal_read(old->text, &x) || decimal_read(v->text, &y))
		return schema_fail(s, -EINVAL,
				   "schema: '%s' of 'allOf' are no numbers that compare",
				   old->key);
	if ((decimal_compare(&y, &x) > 0) == larger) {
		old->text = v->text;
		old->len = v->len;
		old->same = NULL;
	}
	return 0;
}

static int add_names(struct schema *s, struct json_value *old,
		     const struct json_value *v)
{
	struct json_value *list = make(s, JSON_ARRAY);
	int ret = list ? 0 : no_value(s);

	for (int i = 0; i < 2; i++)
		for (const struct json_value *m = i ? v->first : old->first;
		     !ret && m; m = m->next)
			ret = add_copy(s, list, m);
	return become(old, list, ret);
}

/* Each way of the first with the whole second list. */
static int meet_ways(struct schema *s, struct json_value *old,
		     const struct json_value *v)
{
	static char name[] = "anyOf";
	struct json_value *list = make(s, JSON_ARRAY);
	struct json_value *second = list ? make(s, JSON_OBJECT) : NULL;
	struct json_value *ways = second ? make(s, v->type) : NULL;
	int ret = ways ? 0 : no_value(s);

	if (ret)
		return ret;
	ways->first = v->first;
	ways->last = v->last;
	ways->n = v->n;
	append(second, ways, name);
	for (const struct json_value *m = old->first; !ret && m; m = m->next)
		ret = add_both(s, list, m, second, NULL);
	return become(old, list, ret);
}

static int meet(struct schema *s, struct json_value *old,
		const struct json_value *v)
{
	const char *key = old->key;
	int ret;

	if (!strcmp(key, "type"))
		return meet_types(s, old, v);
	if (!strcmp(key, "enum"))
		return meet_values(s, old, v);
	if (!strcmp(key, "required"))
		return add_names(s, old, v);
	if (!strcmp(key, "anyOf"))
		return meet_ways(s, old, v);
	if (schema_same_value(s, old, v))
		return 0;
	ret = schema_spend(s, 0);
	if (ret)
		return ret;
	if (schema_listed(" minimum exclusiveMinimum minLength minItems ", key))
		return meet_numbers(s, old, v, 1);
	if (schema_listed(" maximum exclusiveMaximum maxLength maxItems ", key))
		return meet_numbers(s, old, v, 0);
	return schema_fail(s, -EINVAL, "schema: two '%.60s' that differ in 'allOf' are "
			   "not supported", key);
}

/* ---- members of objects ---- */

/* @p of one schema, of which the other says nothing but @more. */
static int add_alone(struct schema *s, struct json_value *list,
		     const struct json_value *p, const struct json_value *more)
{
	if (!more || more->type == JSON_TRUE)
		return add_copy(s, list, p);
	if (more->type == JSON_FALSE)	/* not to be there */
		return 0;
	return add_both(s, list, p, more, p->key);
}

static size_t members(const struct json_value *object)
{
	return object ? object->n : 0;
}

static struct json_value *member(struct json_value *v, const char *key)
{
	return (struct json_value *)json_get(v, key);
}

/* What both say of each of their properties, into @list. */
static int add_properties(struct schema *s, struct json_value *list,
			  const struct json_value *a,
			  const struct json_value *b,
			  const struct json_value *const more[2])
{
	const struct json_value **in_a = json_sorted(a), **in_b = json_sorted(b);
	int ret = in_a && in_b ? 0 : no_value(s);

	for (const struct json_value *p = a ? a->first : NULL; !ret && p;
	     p = p->next) {
		const struct json_value *q = json_find(in_b, members(b), p->key);

		ret = q ? add_both(s, list, p, q, p->key) :
			  add_alone(s, list, p, more[1]);
	}
	for (const struct json_value *p = b ? b->first : NULL; !ret && p;
	     p = p->next)
		if (!json_find(in_a, members(a), p->key))
			ret = add_alone(s, list, p, more[0]);
	free(in_a);
	free(in_b);
	return ret;
}

/* The properties of @to become those of both. */
static int merge_properties(struct schema *s, struct json_value *to,
			    const struct json_value *v)
{
	static char name[] = "properties";
	const struct json_value *more[2] = {
		json_get(to, "additionalProperties"),
		json_get(v, "additionalProperties") };
	const struct json_value *other = json_get(v, name);
	struct json_value *old = member(to, name);
	struct json_value *list = make(s, JSON_OBJECT);
	int ret = list ? 0 : no_value(s);

	if (ret || (!old && !other))
		return ret;
	if ((old && old->type != JSON_OBJECT) ||
	    (other && other->type != JSON_OBJECT))
		return schema_fail(s, -EINVAL, "schema: 'properties' is no object");
	ret = add_properties(s, list, old, other, more);
	if (!ret && !old) {
		append(to, list, name);
		return 0;
	}
	return become(old, list, ret);
}

/* Schemas for the same values, "items" and "additionalProperties". */
static int merge_schema(struct schema *s, struct json_value *old,
			const struct json_value *v)
{
	struct json_value *list = make(s, JSON_ARRAY);
	int ret;

	if (old->type == JSON_FALSE || v->type == JSON_TRUE)
		return 0;
	if (v->type == JSON_FALSE) {
		old->type = JSON_FALSE;
		old->same = NULL;
		return 0;
	}
	ret = list ? add_both(s, list, old, v, old->key) : no_value(s);
	if (!ret) {
		list->first->next = old->next;
		*old = *list->first;
	}
	return ret;
}

/* ---- schemas ---- */

static int flatten(struct schema *s, struct json_value *to,
		   const struct json_value *v, int depth);

/* Those that can be joined: few, so that looking for one takes no time. */
static const char joined[] =
	" type enum anyOf required items additionalProperties minLength maxLength "
	"pattern format minItems maxItems minimum maximum exclusiveMinimum "
	"exclusiveMaximum ";

/* "const" is an "enum" of one, and "oneOf" is taken as "anyOf". */
static int add_keyword(struct schema *s, struct json_value *to,
		       const struct json_value *m)
{
	static char any[] = "anyOf", list[] = "enum";
	char *key = !strcmp(m->key, "oneOf") ? any :
		    !strcmp(m->key, "const") ? list : m->key;
	struct json_value *old = member(to, key), *v = make(s, JSON_ARRAY);
	int ret = v ? 0 : no_value(s);

	if (!ret && !schema_listed(joined, key))
		ret = schema_fail(s, -EINVAL,
				  "schema: '%.60s' is not supported in 'allOf' "
				  "or beside '$ref' or 'anyOf'", key);
	if (!ret && !strcmp(m->key, "const")) {
		ret = add_copy(s, v, m);
	} else if (!ret) {
		*v = *m;
		v->note = 0;
		v->same = m->same ? m->same : m;
	}
	if (ret)
		return ret;
	if (!old) {
		append(to, v, key);
		return 0;
	}
	return schema_listed(" items additionalProperties ", key) ?
	       merge_schema(s, old, v) : meet(s, old, v);
}

static int flatten_list(struct schema *s, struct json_value *to,
			const struct json_value *all, int depth)
{
	int ret = 0;

	if (all->type != JSON_ARRAY || !all->n)
		return schema_fail(s, -EINVAL, "schema: 'allOf' is no list");
	for (const struct json_value *m = all->first; !ret && m; m = m->next)
		ret = flatten(s, to, m, depth);
	return ret;
}

static int flatten(struct schema *s, struct json_value *to,
		   const struct json_value *v, int depth)
{
	const struct json_value *ref = json_get(v, "$ref"), *at;
	int ret = 0;

	if (depth > MAX_NESTING)
		return schema_fail(s, -EINVAL, "schema: 'allOf' is nested too deep");
	if (v->type == JSON_TRUE)
		return 0;
	if (v->type != JSON_OBJECT)
		return schema_fail(s, -EINVAL, "schema: %s", v->type == JSON_FALSE ?
				   "'false' allows nothing" : "not an object");
	if (ref)
		ret = schema_find(s, ref, &at);
	if (ref && !ret)
		ret = flatten(s, to, at, depth + 1);
	if (!ret && json_get(v, "allOf"))
		ret = flatten_list(s, to, json_get(v, "allOf"), depth + 1);
	if (!ret)
		ret = merge_properties(s, to, v);
	for (const struct json_value *m = v->first; !ret && m; m = m->next)
		if (!schema_listed(" $ref allOf properties ", m->key) &&
		    !schema_listed(schema_annotations, m->key))
			ret = add_keyword(s, to, m);
	return ret;
}

int schema_merge(struct schema *s, const struct json_value *v,
		 const struct json_value **out)
{
	struct json_value *to = make(s, JSON_OBJECT);

	*out = to;
	return to ? flatten(s, to, v, 0) : no_value(s);
}

int schema_both(struct schema *s, const struct json_value *a,
		const struct json_value *b, const struct json_value **out)
{
	struct json_value *list = make(s, JSON_ARRAY);
	int ret = list ? add_both(s, list, a, b, NULL) : no_value(s);

	*out = ret ? NULL : list->first;
	return ret;
}

int schema_part(struct schema *s, const struct json_value *v,
		const char *keywords, int with, const struct json_value **out)
{
	struct json_value *to = make(s, JSON_OBJECT);
	int ret = to ? 0 : no_value(s);

	for (const struct json_value *m = v->first; !ret && m; m = m->next)
		if (schema_listed(keywords, m->key) == with)
			ret = add_copy(s, to, m);
	*out = to;
	return ret;
}
