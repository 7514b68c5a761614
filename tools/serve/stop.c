// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stop strings.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <string.h>

#include "stop.h"

static int add(struct stops *s, struct problem *p, json_t *value,
	       const char *field)
{
	size_t n = json_string_length(value);

	if (!json_is_string(value) || !n || n > MAX_STOP_BYTES)
		return problem_field(p, field,
				     "%s is not made of strings of 1 to %d bytes",
				     field, MAX_STOP_BYTES);
	if (s->n == MAX_STOPS)
		return problem_field(p, field, "more than %d stop strings",
				     MAX_STOPS);
	s->text[s->n] = json_string_value(value);
	s->len[s->n++] = n;
	return 0;
}

int stops_parse(struct stops *s, struct problem *p, json_t *value,
		const char *field)
{
	json_t *v;
	size_t i;

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_array(value))
		return add(s, p, value, field);
	json_array_foreach(value, i, v)
		if (add(s, p, v, field))
			return -1;
	return 0;
}

size_t stops_find(const struct stops *s, const char *text, size_t n, bool end,
		  bool *found)
{
	size_t left;

	*found = false;
	for (size_t at = 0; at < n; at++) {
		left = n - at;
		for (size_t i = 0; i < s->n; i++) {
			if (left >= s->len[i]) {
				*found = !memcmp(text + at, s->text[i],
						 s->len[i]);
				if (*found)
					return at;
			} else if (!end && !memcmp(text + at, s->text[i],
						   left)) {
				return at;
			}
		}
	}
	return n;
}
