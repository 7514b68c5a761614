// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/* Reading JSON: a descent of bounded depth. Keys are unique, text is UTF-8. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <string.h>

#include "jsonread.h"

#define MAX_DEPTH 200

struct reader {
	const char *p, *end, *why;
	int depth;
};

static int bad(struct reader *r, const char *why)
{
	if (!r->why)
		r->why = why;
	return -1;
}

static void skip(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' ||
				 *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static int next_is(struct reader *r, char c)
{
	skip(r);
	if (r->p == r->end || *r->p != c)
		return 0;
	r->p++;
	return 1;
}

/* ---- strings ---- */

static int hex4(struct reader *r, unsigned int *v)
{
	*v = 0;
	for (int i = 0; i < 4; i++, r->p++) {
		char c = r->p < r->end ? *r->p : 0;
		int d = c >= '0' && c <= '9' ? c - '0' :
			c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (d < 0)
			return bad(r, "an escape needs four digits");
		*v = *v << 4 | (unsigned int)d;
	}
	return 0;
}

static char *put_utf8(char *to, unsigned int cp)
{
	int n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	for (int i = n - 1; i; i--, cp >>= 6)
		to[i] = (char)(0x80 | (cp & 0x3f));
	to[0] = (char)(n == 1 ? cp : (0xf00u >> n | cp));
	return to + n;
}

static int read_escape(struct reader *r, char **to)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	unsigned int cp, low;
	const char *at;

	if (r->p == r->end)
		return bad(r, "a string does not end");
	if (*r->p != 'u') {
		at = *r->p ? strchr(names, *r->p++) : NULL;
		if (!at)
			return bad(r, "an unknown escape");
		*(*to)++ = values[at - names];
		return 0;
	}
	r->p++;
	if (hex4(r, &cp))
		return -1;
	if (cp >= 0xd800 && cp < 0xdc00) {
		if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u')
			return bad(r, "half a character");
		r->p += 2;
		if (hex4(r, &low))
			return -1;
		if (low < 0xdc00 || low >= 0xe000)
			return bad(r, "half a character");
		cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
	} else if ((cp >= 0xdc00 && cp < 0xe000) || !cp) {
		return bad(r, cp ? "half a character" : "a NUL character");
	}
	*to = put_utf8(*to, cp);
	return 0;
}

/* Behind the opening quote. Bytes of a string are taken as they are. */
static char *read_string(struct reader *r, size_t *len)
{
	const char *quote = r->p;
	char *text, *to;

	while (quote < r->end && *quote != '"')
		quote += *quote == '\\' && quote + 1 < r->end ? 2 : 1;
	text = malloc((size_t)(quote - r->p) + 1);
	if (!text) {
		bad(r, "no memory");
		return NULL;
	}
	for (to = text; r->p < r->end && *r->p != '"';) {
		char c = *r->p++;

		if ((unsigned char)c < 0x20)
			bad(r, "a control character in a string");
		else if (c != '\\')
			*to++ = c;
		else
			read_escape(r, &to);
		if (r->why)
			break;
	}
	if (!r->why && r->p == r->end)
		bad(r, "a string does not end");
	if (r->why) {
		free(text);
		return NULL;
	}
	r->p++;
	*to = '\0';
	*len = (size_t)(to - text);
	return text;
}

/* ---- numbers and words ---- */

static int digits(struct reader *r)
{
	const char *from = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return r->p > from;
}

static int read_number(struct reader *r, struct json_value *v)
{
	const char *from = r->p;
	int ok, zero;

	r->p += *r->p == '-';
	zero = r->p < r->end && *r->p == '0';
	ok = zero ? (r->p++, 1) : digits(r);
	if (ok && r->p < r->end && *r->p == '.') {
		r->p++;
		ok = digits(r);
	}
	if (ok && r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
		r->p++;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
			r->p++;
		ok = digits(r);
	}
	if (!ok)
		return bad(r, "a value is expected");
	v->type = JSON_NUMBER;
	v->len = (size_t)(r->p - from);
	v->text = strndup(from, v->len);
	return v->text ? 0 : bad(r, "no memory");
}

static int read_word(struct reader *r, struct json_value *v)
{
	static const struct {
		const char *word;
		enum json_type type;
	} words[] = { { "null", JSON_NULL }, { "false", JSON_FALSE },
		      { "true", JSON_TRUE } };

	for (int i = 0; i < 3; i++) {
		size_t n = strlen(words[i].word);

		if ((size_t)(r->end - r->p) >= n &&
		    !memcmp(r->p, words[i].word, n)) {
			r->p += n;
			v->type = words[i].type;
			return 0;
		}
	}
	return bad(r, "a value is expected");
}

/* ---- values ---- */

static struct json_value *read_value(struct reader *r);

static int read_key(struct reader *r, char **key)
{
	size_t len;

	if (!next_is(r, '"'))
		return bad(r, "a key is expected");
	*key = read_string(r, &len);
	if (!*key)
		return -1;
	return next_is(r, ':') ? 0 : bad(r, "a colon is expected");
}

/* Sorted once: looking for each among all others takes the square of them. */
static int check_keys(struct reader *r, const struct json_value *object)
{
	const struct json_value **v = json_sorted(object);
	int ret = v ? 0 : bad(r, "no memory");

	for (size_t i = 1; !ret && i < object->n; i++)
		if (!strcmp(v[i]->key, v[i - 1]->key))
			ret = bad(r, "the object that ends here has a key twice");
	free(v);
	return ret;
}

/* Behind the opening bracket. */
static int read_members(struct reader *r, struct json_value *v)
{
	char close = v->type == JSON_OBJECT ? '}' : ']';
	struct json_value **next = &v->first;

	if (++r->depth > MAX_DEPTH)
		return bad(r, "values are nested too deep");
	if (next_is(r, close)) {
		r->depth--;
		return 0;
	}
	do {
		char *key = NULL;

		if (v->type == JSON_OBJECT && read_key(r, &key)) {
			free(key);
			return -1;
		}
		*next = read_value(r);
		if (!*next) {
			free(key);
			return -1;
		}
		v->last = *next;
		v->last->key = key;
		next = &v->last->next;
		v->n++;
	} while (next_is(r, ','));
	r->depth--;
	if (!next_is(r, close))
		return bad(r, "a comma or the end is expected");
	return v->type == JSON_OBJECT ? check_keys(r, v) : 0;
}

static struct json_value *read_value(struct reader *r)
{
	struct json_value *v = calloc(1, sizeof(*v));
	int ret = 0;

	if (!v) {
		bad(r, "no memory");
		return NULL;
	}
	if (next_is(r, '{')) {
		v->type = JSON_OBJECT;
		ret = read_members(r, v);
	} else if (next_is(r, '[')) {
		v->type = JSON_ARRAY;
		ret = read_members(r, v);
	} else if (next_is(r, '"')) {
		v->type = JSON_STRING;
		v->text = read_string(r, &v->len);
		ret = v->text ? 0 : -1;
	} else if (r->p < r->end && (*r->p == '-' || (*r->p >= '0' &&
						      *r->p <= '9'))) {
		ret = read_number(r, v);
	} else {
		ret = read_word(r, v);
	}
	if (!ret)
		return v;
	json_free(v);
	return NULL;
}

struct json_value *json_read(const char *text, size_t n, const char **why,
			     size_t *at)
{
	struct reader r = { .p = text, .end = text + n };
	struct json_value *v = read_value(&r);

	skip(&r);
	if (v && r.p < r.end) {
		bad(&r, "something follows the value");
		json_free(v);
		v = NULL;
	}
	*why = r.why;
	*at = (size_t)(r.p - text);
	return v;
}

void json_free(struct json_value *v)
{
	while (v) {
		struct json_value *next = v->next;

		json_free(v->first);
		free(v->key);
		free(v->text);
		free(v);
		v = next;
	}
}

const struct json_value *json_get(const struct json_value *v, const char *key)
{
	if (!v || v->type != JSON_OBJECT)
		return NULL;
	for (v = v->first; v; v = v->next)
		if (v->key && !strcmp(v->key, key))
			return v;
	return NULL;
}

static int by_key(const void *a, const void *b)
{
	const struct json_value *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

const struct json_value **json_sorted(const struct json_value *v)
{
	const struct json_value *m = v && v->type == JSON_OBJECT ? v->first :
								   NULL;
	const struct json_value **sorted = calloc(m ? v->n : 1, sizeof(*sorted));
	size_t n = 0;

	for (; sorted && m; m = m->next)
		sorted[n++] = m;
	if (n)
		qsort(sorted, n, sizeof(*sorted), by_key);
	return sorted;
}

static int is_key(const void *key, const void *member)
{
	const struct json_value *const *m = member;

	return strcmp(key, (*m)->key);
}

const struct json_value *json_find(const struct json_value *const *sorted,
				   size_t n, const char *key)
{
	const struct json_value *const *m = bsearch(key, sorted, n,
						    sizeof(*sorted), is_key);

	return m ? *m : NULL;
}
