/* SPDX-License-Identifier: MIT OR LGPL-2.1-or-later */
/*
 * JSON schema to GBNF: schema.c walks, schema_merge.c joins schemas that apply
 * together, schema_number.c and schema_string.c write what their names say,
 * schema_text.c literals and patterns, schema_keys.c what is none of some keys.
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
	size_t n_rules;
	size_t work;		/* done so far: schema_spend() */
	int depth;
	struct json_value **made;	/* [n_made] of schema_merge.c */
	size_t n_made, cap_made;
	struct llamux_message *msg;
};

#define DECIMAL_DIGITS 64

/* A number, exact. Zero has no sign. */
struct decimal {
	int neg;
	char whole[DECIMAL_DIGITS + 2];	/* no leading zeros; "0" */
	char part[DECIMAL_DIGITS + 1];	/* no trailing zeros */
};

/* -1: more digits than DECIMAL_DIGITS before or after the point. */
int decimal_read(const char *text, struct decimal *d);
int decimal_compare(const struct decimal *a, const struct decimal *b);

int schema_fail(struct schema *s, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * @n more steps, of some nanoseconds each: -E2BIG when it is more than a schema
 * may take, and from then on. A short schema can ask for very much.
 */
int schema_spend(struct schema *s, size_t n);

/* Keywords that say nothing about values; lists are " a b c ". */
extern const char schema_annotations[];
int schema_listed(const char *list, const char *word);
/* The count called @key; absent: @otherwise. */
int schema_count(struct schema *s, const struct json_value *v, const char *key,
		 uint32_t otherwise, uint32_t *out);
/* What a "$ref" stands for. */
int schema_find(struct schema *s, const struct json_value *ref,
		const struct json_value **at);

/*
 * One schema for "allOf", or "$ref" with others beside it: without these. It
 * lives as long as @s.
 */
int schema_merge(struct schema *s, const struct json_value *v,
		 const struct json_value **out);
/* A schema for what fits both. */
int schema_both(struct schema *s, const struct json_value *a,
		const struct json_value *b, const struct json_value **out);
/* The members of @v whose keys are in the list (@with) or are not. */
int schema_part(struct schema *s, const struct json_value *v,
		const char *keywords, int with, const struct json_value **out);
int schema_same_value(struct schema *s, const struct json_value *a,
		      const struct json_value *b);

/* The rule of a schema, of which there is one; it may be under way. */
int schema_put(struct schema *s, const struct json_value *v, size_t *rule);

int schema_object(struct schema *s, const struct json_value *v,
		  const char *type, struct text *body);
/* Numbers, whole ones where @integer, within the bounds of @v. */
int schema_number(struct schema *s, const struct json_value *v, int integer,
		  struct text *body);
/* A string of @v's length, pattern or format. */
int schema_string(struct schema *s, const struct json_value *v,
		  struct text *body);
extern const char schema_basics[];	/* rules that all schemas may name */

void schema_text_add(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* {min,max}, max UINT32_MAX: no end */
void schema_text_repeat(struct text *t, uint32_t min, uint32_t max);
/* Bytes as a GBNF literal, quotes included. */
void schema_text_literal(struct text *t, const char *s, size_t n);
/* A character of a string, in the one way in which the grammar writes it. */
void schema_text_char(struct text *t, char c);
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
/* A number for a rule. */
int schema_new_rule(struct schema *s, size_t *rule);
/* Write rule @n ::= @body, which is freed. */
int schema_put_rule(struct schema *s, size_t n, struct text *body);

#endif
