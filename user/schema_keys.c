// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/*
 * Keys other than those given: a tree of the given ones, with a rule for each
 * of its nodes. Keys are sorted once; what goes on from a node is a range of
 * them. Their length and their number are the client's, so that nothing here
 * recurses along them or looks at all of them for each.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

/* Keys lo .. hi, which have @len bytes in common: what follows those. */
struct branch {
	size_t lo, hi, len, rule;
};

struct keys {
	struct schema *s;
	char **key;		/* [n] as the grammar writes them, sorted */
	size_t n;
	struct branch *todo;	/* [n_todo] apart from each other: at most n */
	size_t n_todo;
};

/* Of a key from @p on: one character, or an escape. */
static size_t unit_len(const char *p)
{
	size_t n = 1;

	if (*p == '\\')
		return p[1] == 'u' ? 6 : 2;
	while (((unsigned char)p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* What may follow the bytes that the keys of a node have in common. */
struct ways {
	struct text plain, escapes;	/* characters, and names of escapes */
	int wide;		/* a character beyond ASCII is among them */
	int ends;		/* a key ends here */
};

static void note_way(struct ways *w, const char *at, size_t unit)
{
	if (*at == '\\')
		schema_text_add(&w->escapes, "%c", at[1]);
	else if (strchr("[]-^", *at))
		schema_text_add(&w->plain, "\\%c", *at);
	else
		schema_text_add(&w->plain, "%.*s", (int)unit, at);
	w->wide |= (unsigned char)*at >= 0x80;
}

/* Any other way on: "wide" and "escape" are shared by all nodes. */
static void put_others(const struct ways *w, struct text *body)
{
	schema_text_add(body, "([^\"\\\\\\x00-\\x1f\\x7f%s%s]%s",
			w->wide ? "" : "-\\U0010ffff",
			w->plain.n ? w->plain.p : "", w->wide ? "" : " | wide");
	if (!w->escapes.n)
		schema_text_add(body, " | escape");
	for (const char *c = "\"\\bfnrt"; w->escapes.n && *c; c++)
		if (!memchr(w->escapes.p, *c, w->escapes.n))
			schema_text_add(body, " | \"\\\\%s%c\"",
					*c == '"' || *c == '\\' ? "\\" : "", *c);
	schema_text_add(body, ") char*%s", w->ends ? "" : " | \"\"");
}

/* The rule of a node, its children being left to do. */
static int put_node(struct keys *k, const struct branch *b)
{
	struct ways w = { .ends = 0 };
	struct text body = { 0 };
	size_t i = b->lo, to;
	int ret = 0;

	for (; i < b->hi && !k->key[i][b->len]; i++)
		w.ends = 1;
	for (; !ret && i < b->hi; i = to) {
		const char *at = k->key[i] + b->len;
		size_t unit = unit_len(at), rule;

		for (to = i + 1; to < b->hi; to++)
			if (strncmp(k->key[to] + b->len, at, unit))
				break;
		ret = schema_new_rule(k->s, &rule);
		if (ret)
			break;
		k->todo[k->n_todo++] = (struct branch){ i, to, b->len + unit,
							rule };
		schema_text_literal(&body, at, unit);
		schema_text_add(&body, " r%zu | ", rule);
		note_way(&w, at, unit);
	}
	body.failed |= w.plain.failed | w.escapes.failed;
	if (!body.failed)
		put_others(&w, &body);
	free(w.plain.p);
	free(w.escapes.p);
	if (!ret)
		return schema_put_rule(k->s, b->rule, &body);
	free(body.p);
	return ret;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int put_tree(struct keys *k, size_t *rule)
{
	int ret = schema_new_rule(k->s, rule);

	qsort(k->key, k->n, sizeof(*k->key), by_text);
	if (!ret)
		k->todo[k->n_todo++] = (struct branch){ 0, k->n, 0, *rule };
	while (!ret && k->n_todo) {
		struct branch next = k->todo[--k->n_todo];

		ret = put_node(k, &next);
	}
	return ret;
}

int schema_other_key(struct schema *s, const struct json_value *object,
		     size_t *rule)
{
	const struct json_value *m = object ? object->first : NULL;
	size_t max = object ? object->n + 1 : 1;
	struct keys k = { .s = s, .key = calloc(max, sizeof(*k.key)),
			  .todo = calloc(max, sizeof(*k.todo)) };
	int ret = k.key && k.todo ? 0 : -ENOMEM;

	for (; !ret && m; m = m->next) {
		struct text t = { 0 };

		schema_text_add(&t, "%s", "");
		for (const char *c = m->key; *c; c++)
			schema_text_char(&t, *c);
		if (t.failed)
			ret = -ENOMEM;
		else
			k.key[k.n++] = t.p;
	}
	ret = ret ? schema_fail(s, ret, "%s", strerror(ENOMEM)) :
		    put_tree(&k, rule);
	while (k.n)
		free(k.key[--k.n]);
	free(k.key);
	free(k.todo);
	return ret;
}
