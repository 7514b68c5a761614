/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Write JSON: one document, keys in the order of the calls. A NULL key is for
 * an element of an array (or the document itself).
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *f;
	unsigned int depth;
	bool some;	/* an element stands before: a comma is due */
};

void json_start(struct json *j, FILE *f);
void json_open(struct json *j, const char *key, char bracket);	/* { or [ */
void json_close(struct json *j, char bracket);			/* } or ] */
void json_text(struct json *j, const char *key, const char *s, size_t n);
void json_str(struct json *j, const char *key, const char *s);
void json_u64(struct json *j, const char *key, uint64_t v);
void json_s64(struct json *j, const char *key, int64_t v);
void json_real(struct json *j, const char *key, double v);	/* finite */
void json_bool(struct json *j, const char *key, bool v);
void json_null(struct json *j, const char *key);
void json_ids(struct json *j, const char *key, const int32_t *ids, size_t n);

#endif
