// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/*
 * Reading GBNF: rules "name ::= ...", literals, classes, groups, repetitions,
 * alternatives, comments. A rule ends with its line, unless a bracket is open
 * or the next line begins with a bar.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gbnf.h"

#define NONE UINT32_MAX

struct reader {
	struct gbnf *g;
	const char *p, *end;
	uint32_t line, depth;
};

int gbnf_fail(struct gbnf *g, int code, const char *fmt, ...)
{
	va_list ap;

	if (g->msg) {
		va_start(ap, fmt);
		vsnprintf(g->msg->text, sizeof(g->msg->text), fmt, ap);
		va_end(ap);
	}
	return code;
}

static int bad(struct reader *r, const char *what)
{
	return gbnf_fail(r->g, -EINVAL, "grammar, line %u: %s", r->line, what);
}

/* ---- arrays ---- */

static int grow(void *array, size_t *cap, size_t n, size_t size)
{
	size_t want = *cap ? *cap * 2 : 64;
	void *p;

	if (n < *cap)
		return 0;
	p = realloc(*(void **)array, want * size);
	if (!p)
		return -ENOMEM;
	*(void **)array = p;
	*cap = want;
	return 0;
}

static int add_node(struct gbnf *g, uint32_t kind, uint32_t a, uint32_t b,
		    uint32_t *out)
{
	if (g->n_nodes == GBNF_MAX_PIECES)
		return gbnf_fail(g, -E2BIG, "the grammar is too large");
	if (grow(&g->nodes, &g->cap_nodes, g->n_nodes, sizeof(*g->nodes)))
		return gbnf_fail(g, -ENOMEM, "%s", strerror(ENOMEM));
	g->nodes[g->n_nodes] = (struct gbnf_node){ .kind = kind, .a = a,
						   .b = b };
	*out = (uint32_t)g->n_nodes++;
	return 0;
}

static int add_range(struct gbnf *g, uint32_t lo, uint32_t hi)
{
	if (grow(&g->ranges, &g->cap_ranges, g->n_ranges, sizeof(*g->ranges)))
		return gbnf_fail(g, -ENOMEM, "%s", strerror(ENOMEM));
	g->ranges[g->n_ranges++] = (struct gbnf_range){ lo, hi };
	return 0;
}

/* Where the rule of that name is, or would be: FNV-1a, then one by one. */
static uint32_t *slot_of(const struct gbnf *g, const char *name, size_t len)
{
	uint32_t hash = 2166136261u;
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	for (i = hash % g->n_slots; g->slots[i]; i = (i + 1) % g->n_slots) {
		const struct gbnf_rule *rule = &g->rules[g->slots[i] - 1];

		if (rule->len == len && !memcmp(rule->name, name, len))
			break;
	}
	return &g->slots[i];
}

/* At most half of them are taken. */
static int grow_slots(struct gbnf *g)
{
	size_t n = g->n_slots ? 2 * g->n_slots : 256;
	uint32_t *slots;

	if (2 * g->n_rules < g->n_slots)
		return 0;
	slots = calloc(n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(g->slots);
	g->slots = slots;
	g->n_slots = n;
	for (size_t i = 0; i < g->n_rules; i++)
		*slot_of(g, g->rules[i].name, g->rules[i].len) = (uint32_t)i + 1;
	return 0;
}

static int find_rule(struct reader *r, const char *name, size_t len,
		     uint32_t *out)
{
	struct gbnf *g = r->g;
	uint32_t *slot;

	if (grow_slots(g))
		return gbnf_fail(g, -ENOMEM, "%s", strerror(ENOMEM));
	slot = slot_of(g, name, len);
	if (*slot) {
		*out = *slot - 1;
		return 0;
	}
	if (grow(&g->rules, &g->cap_rules, g->n_rules, sizeof(*g->rules)))
		return gbnf_fail(g, -ENOMEM, "%s", strerror(ENOMEM));
	g->rules[g->n_rules] = (struct gbnf_rule){ .name = name, .len = len,
						   .body = NONE,
						   .line = r->line };
	*out = (uint32_t)g->n_rules++;
	*slot = (uint32_t)g->n_rules;
	return 0;
}

/* ---- characters ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int read_hex(struct reader *r, int digits, uint32_t *cp)
{
	*cp = 0;
	while (digits--) {
		int d = r->p < r->end ? hex(*r->p) : -1;

		if (d < 0)
			return bad(r, "an escape needs hexadecimal digits");
		*cp = *cp << 4 | (uint32_t)d;
		r->p++;
	}
	if (*cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
		return bad(r, "an escape that is no character");
	return 0;
}

static int read_escape(struct reader *r, uint32_t *cp)
{
	static const char names[] = "nrt\\\"[]-^/", values[] = "\n\r\t\\\"[]-^/";
	const char *at;
	char c;

	if (r->p == r->end)
		return bad(r, "it ends in an escape");
	c = *r->p++;
	if (c == 'x')
		return read_hex(r, 2, cp);
	if (c == 'u')
		return read_hex(r, 4, cp);
	if (c == 'U')
		return read_hex(r, 8, cp);
	at = c ? strchr(names, c) : NULL;
	if (!at)
		return bad(r, "an unknown escape");
	*cp = (unsigned char)values[at - names];
	return 0;
}

static int read_utf8(struct reader *r, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)*r->p;
	int n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 :
		c < 0xf5 ? 4 : 0;

	if (!n || r->end - r->p < n)
		return bad(r, "text that is no UTF-8");
	*cp = n == 1 ? c : c & (0x7f >> n);
	for (int i = 1; i < n; i++) {
		if ((r->p[i] & 0xc0) != 0x80)
			return bad(r, "text that is no UTF-8");
		*cp = *cp << 6 | (r->p[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
		return bad(r, "text that is no UTF-8");
	r->p += n;
	return 0;
}

/* A character of a literal or a class. */
static int read_char(struct reader *r, uint32_t *cp)
{
	if (*r->p == '\\') {
		r->p++;
		return read_escape(r, cp);
	}
	if (*r->p == '\n')
		return bad(r, "a literal or class does not end in its line");
	return read_utf8(r, cp);
}

/* White space and comments; other lines too where @lines. */
static void skip_space(struct reader *r, int lines)
{
	for (; r->p < r->end; r->p++) {
		if (*r->p == '#') {
			while (r->p < r->end && *r->p != '\n')
				r->p++;
			if (r->p == r->end)
				return;
		}
		if (*r->p == '\n') {
			if (!lines)
				return;
			r->line++;
		} else if (*r->p != ' ' && *r->p != '\t' && *r->p != '\r') {
			return;
		}
	}
}

static int is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static size_t word_len(const struct reader *r)
{
	size_t n = 0;

	while (r->p + n < r->end && is_word(r->p[n]))
		n++;
	return n;
}

/* ---- classes ---- */

static int by_lo(const void *a, const void *b)
{
	const struct gbnf_range *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* Sort and join the ranges from @first on; what surrogates are is cut out. */
static int join_ranges(struct gbnf *g, size_t first, int negated)
{
	size_t n = g->n_ranges - first, out = 0;
	/* Of an empty class there may be no array at all. */
	struct gbnf_range *v = n ? g->ranges + first : NULL;
	uint32_t at = 0;

	if (n)
		qsort(v, n, sizeof(*v), by_lo);
	for (size_t i = 0; i < n; i++) {
		if (out && v[i].lo <= v[out - 1].hi + 1) {
			if (v[i].hi > v[out - 1].hi)
				v[out - 1].hi = v[i].hi;
		} else {
			v[out++] = v[i];
		}
	}
	if (!negated) {
		g->n_ranges = first + out;
		return 0;
	}
	/* What is between them, behind them. */
	for (size_t i = 0; i < out; i++) {
		struct gbnf_range x = g->ranges[first + i];

		if (x.lo > at && add_range(g, at, x.lo - 1))
			return -ENOMEM;
		at = x.hi + 1;
	}
	if (at <= 0x10ffff && add_range(g, at, 0x10ffff))
		return -ENOMEM;
	/* The negated ones were added behind all @n old entries. */
	memmove(g->ranges + first, g->ranges + first + n,
		(g->n_ranges - first - n) * sizeof(*v));
	g->n_ranges -= n;
	return 0;
}

static int make_chars(struct reader *r, size_t first, int negated,
		      uint32_t *out)
{
	struct gbnf *g = r->g;
	int ret = join_ranges(g, first, negated);

	if (ret)
		return ret;
	if (g->n_ranges == first)
		return bad(r, "a class that no character is in");
	return add_node(g, GBNF_CHARS, (uint32_t)first,
			(uint32_t)(g->n_ranges - first), out);
}

/* Behind the opening bracket. */
static int read_class(struct reader *r, uint32_t *out)
{
	size_t first = r->g->n_ranges;
	int negated = r->p < r->end && *r->p == '^', ret;
	uint32_t lo, hi;

	r->p += negated;
	for (;;) {
		if (r->p == r->end)
			return bad(r, "a class does not end");
		if (*r->p == ']')
			break;
		ret = read_char(r, &lo);
		hi = lo;
		if (!ret && r->end - r->p > 1 && *r->p == '-' &&
		    r->p[1] != ']') {
			r->p++;
			ret = read_char(r, &hi);
		}
		if (!ret && hi < lo)
			ret = bad(r, "a range that ends before it begins");
		if (!ret)
			ret = add_range(r->g, lo, hi);
		if (ret)
			return ret;
	}
	r->p++;
	return make_chars(r, first, negated, out);
}

static int any_char(struct reader *r, uint32_t *out)
{
	size_t first = r->g->n_ranges;
	int ret = add_range(r->g, 0, 0x10ffff);

	return ret ? ret : make_chars(r, first, 0, out);
}

/* Behind the opening quote. */
static int read_literal(struct reader *r, uint32_t *out)
{
	struct gbnf *g = r->g;
	int ret = add_node(g, GBNF_EMPTY, 0, 0, out), some = 0;
	uint32_t cp, chars;

	while (!ret) {
		size_t first = g->n_ranges;

		if (r->p == r->end)
			return bad(r, "a literal does not end");
		if (*r->p == '"')
			break;
		ret = read_char(r, &cp);
		if (!ret)
			ret = add_range(g, cp, cp);
		if (!ret)
			ret = make_chars(r, first, 0, &chars);
		if (!ret && some)
			ret = add_node(g, GBNF_SEQ, *out, chars, out);
		else if (!ret)
			*out = chars;
		some = 1;
	}
	r->p++;
	return ret;
}

/* ---- rules ---- */

static int read_alternatives(struct reader *r, uint32_t *out);

static int read_number(struct reader *r, uint32_t *v)
{
	if (r->p == r->end || *r->p < '0' || *r->p > '9')
		return bad(r, "a repetition needs numbers");
	for (*v = 0; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++) {
		*v = *v * 10 + (uint32_t)(*r->p - '0');
		if (*v > GBNF_MAX_REPEAT)
			return bad(r, "a repetition of more than 10000");
	}
	skip_space(r, 0);
	return 0;
}

/* {m} {m,} {m,n} {,n}, behind the opening brace. */
static int read_braces(struct reader *r, uint32_t *min, uint32_t *max)
{
	int ret = 0;

	skip_space(r, 0);
	*min = 0;
	if (r->p < r->end && *r->p != ',')
		ret = read_number(r, min);
	*max = *min;
	if (!ret && r->p < r->end && *r->p == ',') {
		r->p++;
		skip_space(r, 0);
		*max = NONE;
		if (r->p < r->end && *r->p != '}')
			ret = read_number(r, max);
	}
	if (!ret && (r->p == r->end || *r->p++ != '}'))
		ret = bad(r, "a repetition does not end");
	if (!ret && *max < *min)
		ret = bad(r, "a repetition that ends before it begins");
	return ret;
}

/* What follows a piece: * + ? {m,n} */
static int read_repeat(struct reader *r, uint32_t *node)
{
	uint32_t min, max;
	int ret = 0;

	while (!ret && r->p < r->end) {
		char c = *r->p;

		if (c != '*' && c != '+' && c != '?' && c != '{')
			return 0;
		r->p++;
		min = c == '+';
		max = c == '?' ? 1 : NONE;
		if (c == '{')
			ret = read_braces(r, &min, &max);
		if (!ret)
			ret = add_node(r->g, GBNF_REPEAT, *node, 0, node);
		if (!ret) {
			r->g->nodes[*node].min = min;
			r->g->nodes[*node].max = max;
		}
		skip_space(r, r->depth != 0);
	}
	return ret;
}

static int read_group(struct reader *r, uint32_t *out)
{
	int ret;

	if (++r->depth > GBNF_MAX_DEPTH)
		return bad(r, "brackets are nested too deep");
	skip_space(r, 1);
	ret = read_alternatives(r, out);
	if (!ret && (r->p == r->end || *r->p++ != ')'))
		ret = bad(r, "a bracket does not close");
	r->depth--;
	return ret;
}

static int read_name(struct reader *r, uint32_t *out)
{
	size_t len = word_len(r);
	uint32_t rule;
	int ret = find_rule(r, r->p, len, &rule);

	r->p += len;
	return ret ? ret : add_node(r->g, GBNF_REF, rule, 0, out);
}

/* One piece with its repetition, or none: *@out is then NONE. */
static int read_piece(struct reader *r, uint32_t *out)
{
	int ret;

	*out = NONE;
	if (r->p == r->end || *r->p == '|' || *r->p == ')' || *r->p == '\n')
		return 0;
	if (is_word(*r->p)) {
		ret = read_name(r, out);
	} else {
		char c = *r->p++;

		ret = c == '"' ? read_literal(r, out) :
		      c == '[' ? read_class(r, out) :
		      c == '(' ? read_group(r, out) :
		      c == '.' ? any_char(r, out) :
		      c == '<' ? bad(r, "tokens in a grammar are not supported") :
				 bad(r, "a character that has no meaning here");
	}
	if (ret)
		return ret;
	skip_space(r, r->depth != 0);
	return read_repeat(r, out);
}

static int read_sequence(struct reader *r, uint32_t *out)
{
	int ret = add_node(r->g, GBNF_EMPTY, 0, 0, out), some = 0;
	uint32_t piece;

	while (!ret) {
		ret = read_piece(r, &piece);
		if (ret || piece == NONE)
			break;
		if (some)
			ret = add_node(r->g, GBNF_SEQ, *out, piece, out);
		else
			*out = piece;
		some = 1;
	}
	return ret;
}

/* Whether the next line that has something begins with a bar: go there. */
static void skip_to_bar(struct reader *r)
{
	struct reader ahead = *r;

	skip_space(&ahead, 1);
	if (ahead.p < ahead.end && *ahead.p == '|')
		*r = ahead;
}

static int read_alternatives(struct reader *r, uint32_t *out)
{
	int ret = read_sequence(r, out);
	uint32_t more;

	for (;;) {
		if (!ret)
			skip_to_bar(r);
		if (ret || r->p == r->end || *r->p != '|')
			return ret;
		r->p++;
		skip_space(r, 1);
		ret = read_sequence(r, &more);
		if (!ret)
			ret = add_node(r->g, GBNF_ALT, *out, more, out);
	}
}

static int read_rule(struct reader *r)
{
	size_t len = word_len(r);
	uint32_t rule, body;
	int ret;

	if (!len)
		return bad(r, "a rule needs a name");
	ret = find_rule(r, r->p, len, &rule);
	if (ret)
		return ret;
	r->p += len;
	skip_space(r, 0);
	if (r->end - r->p < 3 || memcmp(r->p, "::=", 3))
		return bad(r, "::= is missing");
	r->p += 3;
	skip_space(r, 1);
	if (r->g->rules[rule].body != NONE)
		return bad(r, "a rule is defined twice");
	ret = read_alternatives(r, &body);
	if (ret)
		return ret;
	if (r->p < r->end && *r->p != '\n')
		return bad(r, "a bracket closes that was not open");
	r->g->rules[rule].body = body;
	return 0;
}

int gbnf_parse(struct gbnf *g, const char *text, size_t n,
	       struct llamux_message *msg)
{
	struct reader r = { .g = g, .p = text, .end = text + n, .line = 1 };
	int ret = 0;

	memset(g, 0, sizeof(*g));
	g->msg = msg;
	if (n > GBNF_MAX_TEXT)
		return bad(&r, "the grammar is too long");
	skip_space(&r, 1);
	while (!ret && r.p < r.end) {
		ret = read_rule(&r);
		skip_space(&r, 1);
	}
	for (size_t i = 0; !ret && i < g->n_rules; i++)
		if (g->rules[i].body == NONE)
			ret = gbnf_fail(g, -EINVAL,
					"grammar, line %u: rule '%.*s' is not defined",
					g->rules[i].line,
					gbnf_name_len(&g->rules[i]),
					g->rules[i].name);
	return ret;
}

void gbnf_free(struct gbnf *g)
{
	free(g->nodes);
	free(g->ranges);
	free(g->rules);
	free(g->slots);
}
