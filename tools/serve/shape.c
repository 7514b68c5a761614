// SPDX-License-Identifier: GPL-2.0-only
/*
 * The form an answer is to have. Schemas are compiled by what libllamux has for
 * it, which says what it does not support.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gbnf.h"
#include "internal.h"
#include "shape.h"

#define ANY_OBJECT "{\"type\":\"object\"}"

static int set(struct shape *s, struct problem *p, const json_t *schema)
{
	s->schema = schema ? json_dumps(schema, JSON_COMPACT) :
			     strdup(ANY_OBJECT);
	return s->schema ? 0 : problem_errno(p, -ENOMEM, NULL);
}

int shape_openai(struct shape *s, struct problem *p, const json_t *format)
{
	const char *type = json_string_value(json_object_get(format, "type"));
	const json_t *schema;

	if (!format || json_is_null(format) || (type && !strcmp(type, "text")))
		return 0;
	if (type && !strcmp(type, "json_object"))
		return set(s, p, NULL);
	if (!type || strcmp(type, "json_schema"))
		return problem_field(p, "response_format",
				     "response_format is not of type text, json_object or json_schema");
	schema = json_object_get(json_object_get(format, "json_schema"),
				 "schema");
	if (!json_is_object(schema))
		return problem_field(p, "response_format",
				     "json_schema has no object 'schema'");
	return set(s, p, schema);
}

int shape_ollama(struct shape *s, struct problem *p, const json_t *format)
{
	if (!format || json_is_null(format) ||
	    (json_is_string(format) && !json_string_length(format)))
		return 0;
	if (json_is_string(format) && !strcmp(json_string_value(format), "json"))
		return set(s, p, NULL);
	if (!json_is_object(format))
		return problem_field(p, "format",
				     "format is neither 'json' nor a schema");
	return set(s, p, format);
}

int shape_compile(struct shape *s, struct problem *p)
{
	struct llamux_message msg = { "" };
	char *gbnf = NULL;
	int ret = schema_to_gbnf(s->schema, strlen(s->schema), &gbnf, &msg);

	if (!ret)
		ret = gbnf_compile(gbnf, strlen(gbnf), &s->automaton, &s->n,
				   &msg);
	free(gbnf);
	return ret ? problem_errno(p, ret, msg.text) : 0;
}

int shape_apply(const struct shape *s, struct llamux *l)
{
	return s->schema ? llamux_set_automaton(l, s->automaton, s->n) : 0;
}

void shape_free(struct shape *s)
{
	free(s->schema);
	free(s->automaton);
	*s = (struct shape){ 0 };
}
