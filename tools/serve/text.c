// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text of a model, and buffers.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* Bytes of the character at @s (RFC 3629), 0 when it is none. */
static size_t character(const unsigned char *s, size_t n)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	if (s[0] == 0xe0)
		lo = 0xa0;
	else if (s[0] == 0xed)
		hi = 0x9f;
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;
	if (s[1] < lo || s[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

json_t *text_json(const char *s, size_t n)
{
	json_t *json = json_stringn(s, n);
	struct buffer b = { 0 };

	if (json)
		return json;
	for (size_t i = 0, len; i < n; i += len) {
		len = character((const unsigned char *)s + i, n - i);
		if (len) {
			buffer_add(&b, s + i, len);
		} else {
			buffer_str(&b, "\xef\xbf\xbd");
			len = 1;
		}
	}
	if (!b.failed)
		json = json_stringn(b.data, b.n);
	buffer_free(&b);
	return json;
}

static bool make_room(struct buffer *b, size_t n)
{
	size_t room = b->room ? b->room : 256;
	char *more;

	if (b->failed)
		return false;
	while (room - b->n < n)
		room *= 2;
	if (room == b->room)
		return true;
	more = realloc(b->data, room);
	if (!more) {
		b->failed = true;
		return false;
	}
	b->data = more;
	b->room = room;
	return true;
}

void buffer_add(struct buffer *b, const char *data, size_t n)
{
	if (!n || !make_room(b, n))
		return;
	memcpy(b->data + b->n, data, n);
	b->n += n;
}

void buffer_str(struct buffer *b, const char *s)
{
	buffer_add(b, s, strlen(s));
}

void buffer_printf(struct buffer *b, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		b->failed = true;
	else
		buffer_add(b, line, (size_t)n);
}

static int dump(const char *data, size_t n, void *ctx)
{
	struct buffer *b = ctx;

	buffer_add(b, data, n);
	return b->failed ? -1 : 0;
}

void buffer_json(struct buffer *b, json_t *json)
{
	if (!json || json_dump_callback(json, dump, b, JSON_COMPACT))
		b->failed = true;
	json_decref(json);
}

void buffer_drop(struct buffer *b, size_t n)
{
	b->n -= n;
	if (b->n)
		memmove(b->data, b->data + n, b->n);
}

void buffer_trim(struct buffer *b)
{
	char *less = b->n && b->n < b->room ? realloc(b->data, b->n) : NULL;

	if (less) {
		b->data = less;
		b->room = b->n;
	}
}

void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){ 0 };
}
