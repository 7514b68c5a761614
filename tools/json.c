// SPDX-License-Identifier: GPL-2.0-only
/*
 * Write JSON.
 */
#include <string.h>

#include "json.h"

void json_start(struct json *j, FILE *f)
{
	*j = (struct json){ .f = f };
}

/*
 * Characters that JSON or a terminal would take for something else are
 * escaped. Bytes that are no UTF-8 become U+FFFD.
 */
static void quoted(FILE *f, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + n;

	fputc('"', f);
	while (p < end) {
		size_t len = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 :
			     *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
		size_t i;

		for (i = 1; i < len; i++)
			if (p + i >= end || (p[i] & 0xc0) != 0x80)
				break;
		if (len > 1 && (i < len || (*p == 0xe0 && p[1] < 0xa0) ||
				(*p == 0xed && p[1] >= 0xa0) ||
				(*p == 0xf0 && p[1] < 0x90) ||
				(*p == 0xf4 && p[1] >= 0x90)))
			len = 0;
		if (!len)
			fputs("\\ufffd", f);
		else if (*p == '"' || *p == '\\')
			fprintf(f, "\\%c", *p);
		else if (*p == '\n')
			fputs("\\n", f);
		else if (*p < 0x20 || *p == 0x7f)
			fprintf(f, "\\u%04x", *p);
		else if (*p == 0xc2 && p[1] < 0xa0)
			fprintf(f, "\\u%04x", p[1]);
		else
			fwrite(p, 1, len, f);
		p += len ? len : 1;
	}
	fputc('"', f);
}

static void lead(struct json *j, const char *key)
{
	if (j->some)
		fputs(", ", j->f);
	j->some = true;
	if (key) {
		quoted(j->f, key, strlen(key));
		fputs(": ", j->f);
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	lead(j, key);
	fputc(bracket, j->f);
	j->some = false;
	j->depth++;
}

void json_close(struct json *j, char bracket)
{
	fputc(bracket, j->f);
	j->some = true;
	if (--j->depth == 0)
		fputc('\n', j->f);
}

void json_text(struct json *j, const char *key, const char *s, size_t n)
{
	lead(j, key);
	quoted(j->f, s, n);
}

void json_str(struct json *j, const char *key, const char *s)
{
	json_text(j, key, s, strlen(s));
}

void json_u64(struct json *j, const char *key, uint64_t v)
{
	lead(j, key);
	fprintf(j->f, "%llu", (unsigned long long)v);
}

void json_s64(struct json *j, const char *key, int64_t v)
{
	lead(j, key);
	fprintf(j->f, "%lld", (long long)v);
}

void json_real(struct json *j, const char *key, double v)
{
	lead(j, key);
	fprintf(j->f, "%.6g", v);
}

void json_bool(struct json *j, const char *key, bool v)
{
	lead(j, key);
	fputs(v ? "true" : "false", j->f);
}

void json_null(struct json *j, const char *key)
{
	lead(j, key);
	fputs("null", j->f);
}

void json_ids(struct json *j, const char *key, const int32_t *ids, size_t n)
{
	json_open(j, key, '[');
	for (size_t i = 0; i < n; i++)
		json_s64(j, NULL, ids[i]);
	json_close(j, ']');
}
