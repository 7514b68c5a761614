/* SPDX-License-Identifier: MIT OR LGPL-2.1-or-later */
/* Reading JSON (RFC 8259) into a tree. */
#ifndef USER_JSONREAD_H
#define USER_JSONREAD_H

#include <stddef.h>

enum json_type {
	JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING,
	JSON_ARRAY, JSON_OBJECT
};

struct json_value {
	enum json_type type;
	struct json_value *next;	/* the next member or element */
	struct json_value *first, *last;	/* of an array or object */
	char *key;			/* of a member, terminated */
	char *text;	/* of a string, unescaped; of a number, as written */
	size_t len;
	size_t n;			/* members or elements */
	const struct json_value *same;	/* of a copy: what it is of, or NULL */
	size_t note;		/* its user's */
};

/* NULL: *@why says what is wrong (or "no memory"), *@at where. */
struct json_value *json_read(const char *text, size_t n, const char **why,
			     size_t *at);
void json_free(struct json_value *v);
/* The member of that name, or NULL. It looks at one after the other. */
const struct json_value *json_get(const struct json_value *v, const char *key);
/*
 * All members of an object by their names, malloced, for json_find(); of what
 * is none, no members. NULL: no memory.
 */
const struct json_value **json_sorted(const struct json_value *v);
const struct json_value *json_find(const struct json_value *const *sorted,
				   size_t n, const char *key);

#endif
