// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/*
 * From rules to the automaton over bytes. A piece is written behind what
 * follows it: emit() returns the node where it begins, given the node where
 * it goes on. Characters become the byte sequences of UTF-8.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gbnf.h"

#define NONE UINT32_MAX
#define MAX_NESTING 700	/* of calls of emit(): three for each bracket */

enum { OP_RET, OP_BYTE, OP_SET, OP_SPLIT, OP_CALL };

struct node {
	uint8_t op, lo, hi, zero;
	uint16_t a, b;
};

struct emitter {
	struct gbnf *g;
	struct node nodes[GBNF_MAX_NODES];
	uint32_t n_nodes;
	uint8_t sets[GBNF_MAX_SETS][32];
	uint32_t n_sets;
	uint32_t *entry;	/* [n_rules], or NONE: not written yet */
	uint32_t *shared;	/* [n_nodes of g] entry of a repeated piece */
	uint32_t *fix;		/* nodes whose a is a rule, not a node */
	uint32_t depth;
};

static int too_large(struct emitter *e)
{
	return gbnf_fail(e->g, -E2BIG, "the grammar is too large");
}

static int put(struct emitter *e, struct node n, uint32_t *out)
{
	if (e->n_nodes == GBNF_MAX_NODES)
		return too_large(e);
	e->nodes[e->n_nodes] = n;
	*out = e->n_nodes++;
	return 0;
}

static int put_split(struct emitter *e, uint32_t a, uint32_t b, uint32_t *out)
{
	struct node n = { .op = OP_SPLIT, .a = (uint16_t)a, .b = (uint16_t)b };

	return put(e, n, out);
}

static int put_call(struct emitter *e, uint32_t entry, uint32_t next,
		    uint32_t *out)
{
	struct node n = { .op = OP_CALL, .a = (uint16_t)entry,
			  .b = (uint16_t)next };

	return put(e, n, out);
}

/* ---- characters ---- */

static int put_byte(struct emitter *e, uint32_t lo, uint32_t hi, uint32_t next,
		    uint32_t *out)
{
	struct node n = { .op = OP_BYTE, .lo = (uint8_t)lo, .hi = (uint8_t)hi,
			  .a = (uint16_t)next };

	return put(e, n, out);
}

/* Another way to begin beside *@out (NONE: the first one). */
static int either(struct emitter *e, uint32_t way, uint32_t *out)
{
	if (*out == NONE) {
		*out = way;
		return 0;
	}
	return put_split(e, way, *out, out);
}

static int encode(uint32_t cp, uint8_t *p)
{
	int n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	for (int i = n - 1; i; i--, cp >>= 6)
		p[i] = (uint8_t)(0x80 | (cp & 0x3f));
	p[0] = n == 1 ? (uint8_t)cp : (uint8_t)(0xf00 >> n | cp);
	return n;
}

/*
 * The code points [lo, hi], all of one length: cut until every byte but the
 * last ones that run freely has one value.
 */
static int put_range(struct emitter *e, uint32_t lo, uint32_t hi,
		     uint32_t next, uint32_t *out)
{
	uint8_t a[4], b[4];
	int n, ret = 0;

	for (int i = 1; i < 4; i++) {
		uint32_t m = (1u << 6 * i) - 1;

		if ((lo & ~m) == (hi & ~m))
			break;
		if (lo & m) {
			ret = put_range(e, lo, lo | m, next, out);
			return ret ? ret :
			       put_range(e, (lo | m) + 1, hi, next, out);
		}
		if ((hi & m) != m) {
			ret = put_range(e, lo, (hi & ~m) - 1, next, out);
			return ret ? ret :
			       put_range(e, hi & ~m, hi, next, out);
		}
	}
	n = encode(lo, a);
	encode(hi, b);
	while (!ret && n--)
		ret = put_byte(e, a[n], b[n], next, &next);
	return ret ? ret : either(e, next, out);
}

/* Of one range, the parts of each length; surrogates are none. */
static int put_lengths(struct emitter *e, struct gbnf_range x, uint32_t next,
		       uint32_t *out)
{
	static const struct gbnf_range parts[] = {
		{ 0x80, 0x7ff }, { 0x800, 0xd7ff }, { 0xe000, 0xffff },
		{ 0x10000, 0x10ffff },
	};
	int ret = 0;

	for (int i = 0; !ret && i < 4; i++) {
		uint32_t lo = x.lo > parts[i].lo ? x.lo : parts[i].lo;
		uint32_t hi = x.hi < parts[i].hi ? x.hi : parts[i].hi;

		if (lo <= hi)
			ret = put_range(e, lo, hi, next, out);
	}
	return ret;
}

static int put_set(struct emitter *e, const uint8_t set[32], uint32_t next,
		   uint32_t *out)
{
	struct node n = { .op = OP_SET, .b = (uint16_t)next };
	uint32_t i = 0;

	while (i < e->n_sets && memcmp(e->sets[i], set, 32))
		i++;
	if (i == GBNF_MAX_SETS)
		return too_large(e);
	if (i == e->n_sets)
		memcpy(e->sets[e->n_sets++], set, 32);
	n.a = (uint16_t)i;
	return put(e, n, out);
}

/* ASCII as one node, the rest by sequences. */
static int put_chars(struct emitter *e, const struct gbnf_node *c,
		     uint32_t next, uint32_t *out)
{
	const struct gbnf_range *v = e->g->ranges + c->a;
	uint32_t n = 0, last = 0, way = 0;
	uint8_t set[32] = { 0 };
	int ret = 0;

	*out = NONE;
	for (uint32_t i = 0; !ret && i < c->b; i++) {
		for (uint32_t b = v[i].lo; b <= v[i].hi && b < 0x80; b++) {
			set[b / 8] |= (uint8_t)(1u << (b & 7));
			last = b;
			n++;
		}
		ret = put_lengths(e, v[i], next, out);
	}
	if (!ret && n) {
		ret = n == 1 ? put_byte(e, last, last, next, &way) :
			       put_set(e, set, next, &way);
		if (!ret)
			ret = either(e, way, out);
	}
	return !ret && *out == NONE ?
	       gbnf_fail(e->g, -EINVAL, "a class of surrogates only") : ret;
}

/* ---- pieces ---- */

static int emit(struct emitter *e, uint32_t piece, uint32_t next,
		uint32_t *out);

/* A piece of its own that returns, written once. */
static int emit_shared(struct emitter *e, uint32_t piece, uint32_t *entry)
{
	int ret = 0;

	if (e->shared[piece] == NONE) {
		ret = emit(e, piece, 0, entry);
		e->shared[piece] = ret ? NONE : *entry;
	}
	*entry = e->shared[piece];
	return ret;
}

/* Small pieces are copied, others are called. */
static int emit_copy(struct emitter *e, uint32_t piece, uint32_t copies,
		     uint32_t next, uint32_t *out)
{
	const struct gbnf_node *n = &e->g->nodes[piece];
	uint32_t entry;
	int ret;

	if (copies < 2 || n->kind == GBNF_REF || n->kind == GBNF_EMPTY ||
	    (n->kind == GBNF_CHARS && n->b == 1 &&
	     e->g->ranges[n->a].hi < 0x80))
		return emit(e, piece, next, out);
	ret = emit_shared(e, piece, &entry);
	return ret ? ret : put_call(e, entry, next, out);
}

static int emit_loop(struct emitter *e, uint32_t piece, uint32_t copies,
		     uint32_t next, uint32_t *out)
{
	uint32_t loop = 0, body;
	int ret = put_split(e, 0, next, &loop);

	if (!ret)
		ret = emit_copy(e, piece, copies, loop, &body);
	if (!ret)
		e->nodes[loop].a = (uint16_t)body;
	*out = loop;
	return ret;
}

static int emit_repeat(struct emitter *e, const struct gbnf_node *n,
		       uint32_t next, uint32_t *out)
{
	uint32_t copies = n->max == NONE ? n->min + 1 : n->max, at = next;
	int ret = 0;

	if (e->g->nodes[n->a].kind == GBNF_EMPTY) {	/* however often */
		*out = next;
		return 0;
	}
	if (n->max == NONE)
		ret = emit_loop(e, n->a, copies, next, &at);
	for (uint32_t i = n->min; !ret && n->max != NONE && i < n->max; i++) {
		ret = emit_copy(e, n->a, copies, at, &at);
		if (!ret)
			ret = put_split(e, at, next, &at);
	}
	for (uint32_t i = 0; !ret && i < n->min; i++)
		ret = emit_copy(e, n->a, copies, at, &at);
	*out = at;
	return ret;
}

static int emit_call(struct emitter *e, uint32_t rule, uint32_t next,
		     uint32_t *out)
{
	int ret = put_call(e, 0, next, out);

	if (!ret)
		e->fix[*out] = rule;	/* its entry is not known yet */
	return ret;
}

/* Left-leaning chains of SEQ and ALT are long: no recursion along them. */
static int emit_chain(struct emitter *e, uint32_t piece, uint32_t next,
		      uint32_t *out)
{
	uint32_t kind = e->g->nodes[piece].kind, way, at = next;
	int ret = 0;

	*out = NONE;
	for (;;) {
		const struct gbnf_node *n = &e->g->nodes[piece];
		uint32_t part = n->kind == kind ? n->b : piece;

		ret = emit(e, part, at, &way);
		if (!ret && kind == GBNF_ALT)
			ret = either(e, way, out);
		else
			at = way;
		if (ret || n->kind != kind)
			break;
		piece = n->a;
	}
	if (kind == GBNF_SEQ)
		*out = at;
	return ret;
}

static int emit(struct emitter *e, uint32_t piece, uint32_t next,
		uint32_t *out)
{
	const struct gbnf_node *n = &e->g->nodes[piece];
	int ret;

	if (++e->depth > MAX_NESTING)
		return gbnf_fail(e->g, -EINVAL, "the grammar is nested too deep");
	switch (n->kind) {
	case GBNF_EMPTY:
		*out = next;
		ret = 0;
		break;
	case GBNF_CHARS:
		ret = put_chars(e, n, next, out);
		break;
	case GBNF_REF:
		ret = emit_call(e, n->a, next, out);
		break;
	case GBNF_REPEAT:
		ret = emit_repeat(e, n, next, out);
		break;
	default:
		ret = emit_chain(e, piece, next, out);
	}
	e->depth--;
	return ret;
}

/* ---- left recursion ---- */

struct left {
	struct gbnf *g;
	uint8_t *nullable;	/* [n_nodes] a piece that can be empty */
	uint8_t *state;		/* [n_rules] 1 being looked at, 2 done */
	uint32_t *todo;		/* [n_todo] pieces, and rules to be left */
	size_t n_todo;
};

#define LEAVE (1u << 31)	/* in todo: all that may stand first was seen */

/* Whether the piece can be empty, as far as that of its parts is known. */
static int is_nullable(const struct left *l, const struct gbnf_node *n)
{
	switch (n->kind) {
	case GBNF_EMPTY:
		return 1;
	case GBNF_CHARS:
		return 0;
	case GBNF_REF:
		return l->g->rules[n->a].nullable;
	case GBNF_REPEAT:
		return !n->min || l->nullable[n->a];
	case GBNF_SEQ:
		return l->nullable[n->a] && l->nullable[n->b];
	default:
		return l->nullable[n->a] || l->nullable[n->b];
	}
}

/*
 * Parts stand before the pieces that they are of, so that one way through them
 * all is enough; but for rules that are used before they are defined.
 */
static void find_nullable(struct left *l)
{
	struct gbnf *g = l->g;
	uint32_t *whose = l->todo;	/* [n_nodes] rule + 1 of a body, or 0 */
	int more = 1;

	memset(whose, 0, g->n_nodes * sizeof(*whose));
	for (size_t i = 0; i < g->n_rules; i++)
		whose[g->rules[i].body] = (uint32_t)i + 1;
	while (more) {
		more = 0;
		for (size_t i = 0; i < g->n_nodes; i++) {
			struct gbnf_rule *r = whose[i] ? &g->rules[whose[i] - 1] : NULL;

			l->nullable[i] = (uint8_t)is_nullable(l, &g->nodes[i]);
			if (r && l->nullable[i] && !r->nullable)
				more = r->nullable = 1;
		}
	}
}

static int enter_rule(struct left *l, uint32_t rule)
{
	const struct gbnf_rule *r = &l->g->rules[rule];

	if (l->state[rule] == 2)
		return 0;
	if (l->state[rule])
		return gbnf_fail(l->g, -EINVAL,
				 "grammar, line %u: rule '%.*s' begins with itself (left recursion)",
				 r->line, gbnf_name_len(r), r->name);
	l->state[rule] = 1;
	l->todo[l->n_todo++] = LEAVE | rule;
	l->todo[l->n_todo++] = r->body;
	return 0;
}

/* What may stand first in the piece is to be looked at, the left part first. */
static int look(struct left *l, uint32_t piece)
{
	const struct gbnf_node *n = &l->g->nodes[piece];

	switch (n->kind) {
	case GBNF_REF:
		return enter_rule(l, n->a);
	case GBNF_REPEAT:
		l->todo[l->n_todo++] = n->a;
		break;
	case GBNF_SEQ:
		if (l->nullable[n->a])
			l->todo[l->n_todo++] = n->b;
		l->todo[l->n_todo++] = n->a;
		break;
	case GBNF_ALT:
		l->todo[l->n_todo++] = n->b;
		l->todo[l->n_todo++] = n->a;
	}
	return 0;
}

/*
 * The rules that stand below what is being looked at are those that it is the
 * first part of. A list, not a recursion: sequences, and rules that begin with
 * one another, are as long as a client likes.
 */
static int look_all(struct left *l)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < l->g->n_rules; i++) {
		ret = enter_rule(l, (uint32_t)i);
		while (!ret && l->n_todo) {
			uint32_t next = l->todo[--l->n_todo];

			if (next & LEAVE)
				l->state[next & ~LEAVE] = 2;
			else
				ret = look(l, next);
		}
	}
	return ret;
}

static int check_left(struct gbnf *g)
{
	/* A piece is looked at once, in its rule: there is room for all. */
	struct left l = {
		.g = g,
		.nullable = malloc(g->n_nodes),
		.state = calloc(g->n_rules, 1),
		.todo = malloc((g->n_nodes + g->n_rules) * sizeof(*l.todo)),
	};
	int ret = 0;

	if (l.nullable && l.state && l.todo) {
		find_nullable(&l);
		ret = look_all(&l);
	} else {
		ret = gbnf_fail(g, -ENOMEM, "%s", strerror(ENOMEM));
	}
	free(l.nullable);
	free(l.state);
	free(l.todo);
	return ret;
}

/* ---- the whole ---- */

static uint8_t *put16(uint8_t *p, uint32_t v)
{
	*p++ = (uint8_t)v;
	*p++ = (uint8_t)(v >> 8);
	return p;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v), v >> 16);
}

static int write_blob(const struct emitter *e, uint32_t start, void **blob,
		      size_t *size)
{
	uint8_t *p;

	*size = 16 + 8 * (size_t)e->n_nodes + 32 * (size_t)e->n_sets;
	*blob = p = malloc(*size);
	if (!p)
		return gbnf_fail(e->g, -ENOMEM, "%s", strerror(ENOMEM));
	p = put32(put32(p, 0x3147584c), e->n_nodes);
	p = put32(put32(p, e->n_sets), start);
	for (uint32_t i = 0; i < e->n_nodes; i++) {
		const struct node *n = &e->nodes[i];

		*p++ = n->op;
		*p++ = n->lo;
		*p++ = n->hi;
		*p++ = 0;
		p = put16(put16(p, n->a), n->b);
	}
	memcpy(p, e->sets, 32 * (size_t)e->n_sets);
	return 0;
}

static int emit_rules(struct emitter *e)
{
	uint32_t ret_node = 0;
	int ret = put(e, (struct node){ .op = OP_RET }, &ret_node);

	for (size_t i = 0; !ret && i < e->g->n_rules; i++)
		ret = emit(e, e->g->rules[i].body, ret_node, &e->entry[i]);
	for (uint32_t i = 0; !ret && i < e->n_nodes; i++)
		if (e->fix[i] != NONE)
			e->nodes[i].a = (uint16_t)e->entry[e->fix[i]];
	return ret;
}

static int find_root(struct gbnf *g, size_t *root)
{
	for (*root = 0; *root < g->n_rules; ++*root)
		if (g->rules[*root].len == 4 &&
		    !memcmp(g->rules[*root].name, "root", 4))
			return 0;
	return gbnf_fail(g, -EINVAL, "the grammar has no rule 'root'");
}

int gbnf_emit(struct gbnf *g, void **blob, size_t *n)
{
	struct emitter *e;
	size_t root;
	int ret = find_root(g, &root);

	if (!ret)
		ret = check_left(g);
	if (ret)
		return ret;
	e = calloc(1, sizeof(*e));
	if (!e)
		return gbnf_fail(g, -ENOMEM, "%s", strerror(ENOMEM));
	e->g = g;
	e->entry = malloc(g->n_rules * sizeof(*e->entry));
	e->shared = malloc(g->n_nodes * sizeof(*e->shared));
	e->fix = malloc(GBNF_MAX_NODES * sizeof(*e->fix));
	ret = -ENOMEM;
	if (e->entry && e->shared && e->fix) {
		memset(e->shared, 0xff, g->n_nodes * sizeof(*e->shared));
		memset(e->fix, 0xff, GBNF_MAX_NODES * sizeof(*e->fix));
		ret = emit_rules(e);
		if (!ret)
			ret = write_blob(e, e->entry[root], blob, n);
	}
	free(e->entry);
	free(e->shared);
	free(e->fix);
	free(e);
	return ret;
}

int gbnf_compile(const char *text, size_t n, void **blob, size_t *size,
		 struct llamux_message *msg)
{
	struct gbnf g;
	int ret = gbnf_parse(&g, text, n, msg);

	if (!ret)
		ret = gbnf_emit(&g, blob, size);
	gbnf_free(&g);
	return ret;
}
