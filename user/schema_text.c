// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/* What goes into the rules of a schema: literals, patterns. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

/* ---- text ---- */

static int room(struct text *t, size_t more)
{
	size_t cap = (t->n + more + 1) * 2;
	char *p;

	if (t->n + more < t->cap)
		return 1;
	p = realloc(t->p, cap);
	if (!p) {
		t->failed = 1;
		return 0;
	}
	t->p = p;
	t->cap = cap;
	return 1;
}

void schema_text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !room(t, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(t->p + t->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	t->n += (size_t)n;
}

void schema_text_repeat(struct text *t, uint32_t min, uint32_t max)
{
	if (max == UINT32_MAX)
		schema_text_add(t, "{%u,}", min);
	else
		schema_text_add(t, "{%u,%u}", min, max);
}

void schema_text_literal(struct text *t, const char *s, size_t n)
{
	schema_text_add(t, "\"");
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"' || s[i] == '\\')
			schema_text_add(t, "\\%c", s[i]);
		else if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			schema_text_add(t, "\\x%02x", (unsigned char)s[i]);
		else
			schema_text_add(t, "%c", s[i]);
	}
	schema_text_add(t, "\"");
}

void schema_text_char(struct text *t, char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at = c ? strchr(from, c) : NULL;

	if (at)
		schema_text_add(t, "\\%c", to[at - from]);
	else if ((unsigned char)c < 0x20 || c == 0x7f)
		schema_text_add(t, "\\u%04x", (unsigned char)c);
	else
		schema_text_add(t, "%c", c);
}

static void json_string(struct text *t, const char *s, size_t n)
{
	schema_text_add(t, "\"");
	for (size_t i = 0; i < n; i++)
		schema_text_char(t, s[i]);
	schema_text_add(t, "\"");
}

void schema_text_json(struct text *t, const struct json_value *v)
{
	static const char *const words[] = { "null", "false", "true" };
	int object = v->type == JSON_OBJECT;

	switch (v->type) {
	case JSON_NUMBER:
		schema_text_add(t, "%s", v->text);
		return;
	case JSON_STRING:
		json_string(t, v->text, v->len);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	default:
		schema_text_add(t, "%s", words[v->type]);
		return;
	}
	schema_text_add(t, object ? "{" : "[");
	for (const struct json_value *c = v->first; c; c = c->next) {
		if (object) {
			json_string(t, c->key, strlen(c->key));
			schema_text_add(t, ": ");
		}
		schema_text_json(t, c);
		if (c->next)
			schema_text_add(t, ", ");
	}
	schema_text_add(t, object ? "}" : "]");
}

/* ---- patterns: a part of ECMA 262 that needs no look-around ---- */

struct pattern {
	struct schema *s;
	struct text *out;
	const char *p;
	int depth;
};

static int bad(struct pattern *r, const char *what)
{
	return schema_fail(r->s, -EINVAL,
			   "schema: 'pattern' with %s is not supported", what);
}

/* A character that stands for itself, as the string has it. */
static int put_char(struct pattern *r, char c)
{
	struct text t = { 0 };

	schema_text_char(&t, c);
	schema_text_literal(r->out, t.p, t.n);
	free(t.p);
	return t.failed ? -ENOMEM : 0;
}

/* \d \w \s, as the inside of a class; NULL: none of them. */
static const char *shorthand(char c)
{
	return c == 'd' ? "0-9" : c == 'w' ? "A-Za-z0-9_" : c == 's' ? " " :
	       NULL;
}

static int is_plain_escape(char c)
{
	return c && strchr("^$\\.*+?()[]{}|/-\"", c);
}

static int put_class_char(struct pattern *r, char c)
{
	if (c == '"' || c == '\\' || (unsigned char)c < 0x20)
		return bad(r, "a quote or backslash in a class");
	if (strchr("[]-^", c))
		schema_text_add(r->out, "\\%c", c);
	else
		schema_text_add(r->out, "%c", c);
	return 0;
}

/* Behind the opening bracket. */
static int put_class(struct pattern *r)
{
	int negated = *r->p == '^', ret = 0;

	r->p += negated;
	if (*r->p == ']')
		return bad(r, "an empty class");
	schema_text_add(r->out, negated ? "[^\"\\\\\\x00-\\x1f\\x7f" : "[");
	while (!ret && *r->p && *r->p != ']') {
		char c = *r->p++;

		if (c == '\\') {
			c = *r->p++;
			if (shorthand(c))
				schema_text_add(r->out, "%s", shorthand(c));
			else
				ret = is_plain_escape(c) ?
					put_class_char(r, c) :
					bad(r, "an escape of this kind");
		} else if (c == '-' && r->p[0] != ']' && r->p[-2] != '[' &&
			   r->p[-2] != '^') {
			schema_text_add(r->out, "-");
		} else {
			ret = put_class_char(r, c);
		}
	}
	if (!ret && *r->p++ != ']')
		ret = bad(r, "a class that does not end");
	schema_text_add(r->out, "]");
	return ret;
}

static int put_escape(struct pattern *r)
{
	char c = *r->p ? *r->p++ : 0;

	if (shorthand(c)) {
		schema_text_add(r->out, "[%s]", shorthand(c));
		return 0;
	}
	return is_plain_escape(c) ? put_char(r, c) :
				    bad(r, "an escape of this kind");
}

static int put_alternatives(struct pattern *r);

static int put_group(struct pattern *r)
{
	int ret;

	if (r->p[0] == '?') {
		if (r->p[1] != ':')
			return bad(r, "a group of this kind");
		r->p += 2;
	}
	if (++r->depth > 50)
		return bad(r, "so many brackets");
	schema_text_add(r->out, "(");
	ret = put_alternatives(r);
	schema_text_add(r->out, ")");
	r->depth--;
	if (!ret && *r->p++ != ')')
		ret = bad(r, "a bracket that does not close");
	return ret;
}

static int put_quantifier(struct pattern *r)
{
	char c = *r->p;

	if (c == '*' || c == '+' || c == '?') {
		schema_text_add(r->out, "%c", c);
		r->p++;
	} else if (c == '{') {
		do
			schema_text_add(r->out, "%c", *r->p);
		while (*r->p && *r->p++ != '}');
	} else {
		return 0;
	}
	return *r->p && strchr("*+?{", *r->p) ?
	       bad(r, "a quantifier of this kind") : 0;
}

static int put_piece(struct pattern *r)
{
	char c = *r->p++;
	int ret = 0;

	schema_text_add(r->out, " ");
	if (c == '[')
		ret = put_class(r);
	else if (c == '(')
		ret = put_group(r);
	else if (c == '\\')
		ret = put_escape(r);
	else if (c == '.')	/* no end of line */
		schema_text_add(r->out, "dot");
	else if (c == '^' || c == '$')
		ret = bad(r, "an anchor inside");
	else if (strchr("*+?{}]", c))
		ret = bad(r, "a character out of place");
	else if ((unsigned char)c < 0x80)
		ret = put_char(r, c);
	else {	/* the bytes of a character stay together */
		const char *from = r->p - 1;

		while (((unsigned char)*r->p & 0xc0) == 0x80)
			r->p++;
		schema_text_literal(r->out, from, (size_t)(r->p - from));
	}
	return ret ? ret : put_quantifier(r);
}

static int put_alternatives(struct pattern *r)
{
	int ret = 0, some = 0;

	while (!ret && *r->p && *r->p != ')' &&
	       !(*r->p == '$' && !r->p[1] && !r->depth)) {
		if (*r->p == '|') {
			schema_text_add(r->out, some ? " |" : " \"\" |");
			r->p++;
			some = 0;
			continue;
		}
		ret = put_piece(r);
		some = 1;
	}
	if (!some)
		schema_text_add(r->out, " \"\"");
	return ret;
}

int schema_pattern(struct schema *s, struct text *body, const char *regex)
{
	struct pattern r = { .s = s, .out = body, .p = regex };
	int ret;

	if (*r.p == '^')
		r.p++;
	else
		schema_text_add(body, "char* ");
	schema_text_add(body, "(");
	ret = put_alternatives(&r);
	schema_text_add(body, ")");
	if (ret)
		return ret;
	if (!*r.p)
		schema_text_add(body, " char*");
	else if (r.p[0] != '$' || r.p[1])
		return bad(&r, "a bracket that was not open");
	return 0;
}
