/* SPDX-License-Identifier: MIT OR LGPL-2.1-or-later */
/*
 * JSON schema to GBNF: schema.c walks, schema_text.c writes strings, patterns
 * and names.
 */
#ifndef USER_SCHEMA_H
#define USER_SCHEMA_H

#include "gbnf.h"
#include "jsonread.h"

struct text {
	char *p;
	size_t n, cap;
	int failed;		/* no memory */
};

struct schema {
	const struct json_value *root;
	struct text out;	/* rules that are complete */
	const struct json_value **seen;	/* [n_rules] whose rule that is */
	size_t n_rules, cap_rules;
	int depth;
	struct llamux_message *msg;
};

int schema_fail(struct schema *s, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

void schema_text_add(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Bytes as a GBNF literal, quotes included. */
void schema_text_literal(struct text *t, const char *s, size_t n);
/* A value as JSON. */
void schema_text_json(struct text *t, const struct json_value *v);

/* The inside of a JSON string that matches @regex. */
int schema_pattern(struct schema *s, struct text *body, const char *regex);
/*
 * A new rule for the inside of a JSON string that is none of the keys of
 * @object; its number.
 */
int schema_other_key(struct schema *s, const struct json_value *object,
		     size_t *rule);
/* A number for a rule, of @v or of nothing. */
int schema_new_rule(struct schema *s, const struct json_value *v, size_t *rule);
/* Write rule @n ::= @body, which is freed. */
int schema_put_rule(struct schema *s, size_t n, struct text *body);

#endif
