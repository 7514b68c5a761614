/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text of a model, which may be any bytes, and buffers to put it in.
 */
#ifndef SERVE_TEXT_H
#define SERVE_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A JSON string; bytes that are no UTF-8 become U+FFFD. NULL: no memory. */
json_t *text_json(const char *s, size_t n);

struct buffer {
	char *data;	/* not terminated */
	size_t n, room;
	bool failed;	/* there was no memory: nothing is added any more */
};

void buffer_add(struct buffer *b, const char *data, size_t n);
void buffer_str(struct buffer *b, const char *s);
void buffer_printf(struct buffer *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The compact form of @json, which is given up. */
void buffer_json(struct buffer *b, json_t *json);
/* Drop the first @n bytes. */
void buffer_drop(struct buffer *b, size_t n);
/* Give back what is not used. */
void buffer_trim(struct buffer *b);
void buffer_free(struct buffer *b);

#endif
