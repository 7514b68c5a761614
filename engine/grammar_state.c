// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The states of a grammar: closures, and keeping each once. */
#include "grammar.h"

#define ITEM(node, stack) ((u32)(node) << 16 | (stack))
#define NODE(item) ((item) >> 16)
#define STACK(item) ((item) & 0xffff)

static u32 mix(u32 x)
{
	x ^= x >> 16;
	x *= 0x7feb352du;
	x ^= x >> 15;
	x *= 0x846ca68bu;
	return x ^ x >> 16;
}

/* ---- stacks ---- */

/* @ret on top of @parent. */
static int push_stack(struct lx_grammar *g, u32 ret, u32 parent, u32 *out)
{
	u16 *head = &g->stack_hash[mix(ITEM(ret, parent)) % G_STACKS];
	struct lx_gstack *t;

	for (u32 i = *head; i != G_NONE; i = g->stacks[i].next) {
		if (g->stacks[i].ret == ret && g->stacks[i].parent == parent) {
			*out = i;
			return 0;
		}
	}
	if (g->n_stacks == G_STACKS || g->stacks[parent].depth == G_DEPTH)
		return -LX_E2BIG;
	t = &g->stacks[g->n_stacks];
	t->ret = (u16)ret;
	t->parent = (u16)parent;
	t->depth = g->stacks[parent].depth + 1;
	t->next = *head;
	*head = (u16)g->n_stacks;
	*out = g->n_stacks++;
	return 0;
}

/* ---- closures ---- */

static void begin(struct lx_grammar *g)
{
	/* Marks of earlier closures are stale; 0 is never one. */
	if (!++g->mark) {
		lx_memset(g->seen_mark, 0, sizeof(g->seen_mark));
		g->mark = 1;
	}
	g->n_work = 0;
	g->n_seen = 0;
	g->n_set = 0;
	g->accept = false;
}

static int add(struct lx_grammar *g, u32 item)
{
	u32 h = mix(item) % G_SEEN;

	while (g->seen_mark[h] == g->mark) {
		if (g->seen[h] == item)
			return 0;
		h = (h + 1) % G_SEEN;
	}
	if (g->n_seen == G_WORK || !g->budget)
		return -LX_E2BIG;
	g->budget--;
	g->n_seen++;
	g->seen_mark[h] = g->mark;
	g->seen[h] = item;
	g->work[g->n_work++] = item;
	return 0;
}

static int call(struct lx_grammar *g, const struct lx_gnode *n, u32 stack)
{
	int r;

	/* What only returns need not be come back to. */
	if (g->nodes[n->b].op != LX_G_RET) {
		r = push_stack(g, n->b, stack, &stack);
		if (r)
			return r;
	}
	return add(g, ITEM(n->a, stack));
}

/* Follow what takes no byte; what takes one is the set. */
static int follow(struct lx_grammar *g)
{
	int r = 0;

	while (!r && g->n_work) {
		u32 item = g->work[--g->n_work], stack = STACK(item);
		const struct lx_gnode *n = &g->nodes[NODE(item)];

		switch (n->op) {
		case LX_G_BYTE:
		case LX_G_SET:
			if (g->n_set == G_CONFIGS)
				return -LX_E2BIG;
			g->set[g->n_set++] = item;
			break;
		case LX_G_SPLIT:
			r = add(g, ITEM(n->a, stack));
			if (!r)
				r = add(g, ITEM(n->b, stack));
			break;
		case LX_G_CALL:
			r = call(g, n, stack);
			break;
		default:
			if (!stack)
				g->accept = true;
			else
				r = add(g, ITEM(g->stacks[stack].ret,
						g->stacks[stack].parent));
		}
	}
	return r;
}

static void sort_set(u32 *v, u32 n)
{
	for (u32 i = 1; i < n; i++) {
		u32 x = v[i], j = i;

		for (; j && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

/* The state that has this set: an old one or a new one. */
static int intern(struct lx_grammar *g, u16 *out)
{
	u32 h = g->accept, bytes = g->n_set * sizeof(*g->set);
	struct lx_gstate *s;

	sort_set(g->set, g->n_set);
	for (u32 i = 0; i < g->n_set; i++)
		h = mix(h ^ g->set[i]);
	h %= G_STATES;
	for (u32 i = g->state_hash[h]; i != G_NONE; i = s->next) {
		s = &g->states[i];
		if (s->n == g->n_set && s->accept == g->accept &&
		    !lx_memcmp(g->configs + s->off, g->set, bytes)) {
			*out = (u16)i;
			return 0;
		}
	}
	if (g->n_states == g->max_states || g->n_configs + g->n_set > G_ARENA)
		return -LX_E2BIG;
	s = &g->states[g->n_states];
	*s = (struct lx_gstate){
		.off = g->n_configs, .n = (u16)g->n_set, .mask = G_NONE,
		.accept = g->accept, .next = g->state_hash[h],
	};
	lx_memcpy(g->configs + s->off, g->set, bytes);
	g->n_configs += g->n_set;
	lx_memset(g->trans + (u64)g->n_states * g->n_classes, 0xff,
		  g->n_classes * sizeof(*g->trans));
	g->state_hash[h] = (u16)g->n_states;
	*out = (u16)g->n_states++;
	return 0;
}

int lx_gstate_start(struct lx_grammar *g, u16 *state)
{
	int r;

	begin(g);
	r = add(g, ITEM(g->start, 0));
	if (!r)
		r = follow(g);
	return r ? r : intern(g, state);
}

/* ---- bytes ---- */

static bool takes(const struct lx_grammar *g, const struct lx_gnode *n, u8 b)
{
	if (n->op == LX_G_BYTE)
		return b >= n->lo && b <= n->hi;
	return g->sets[n->a][b / 8] >> (b & 7) & 1;
}

int lx_gstate_step(struct lx_grammar *g, u32 state, u32 c, u16 *next)
{
	u16 *known = &g->trans[(u64)state * g->n_classes + c];
	const struct lx_gstate *s = &g->states[state];
	int r = 0;

	if (*known != G_UNKNOWN) {
		*next = *known;
		return 0;
	}
	begin(g);
	for (u32 i = 0; !r && i < s->n; i++) {
		u32 item = g->configs[s->off + i];
		const struct lx_gnode *n = &g->nodes[NODE(item)];

		if (takes(g, n, g->byte_of[c]))
			r = add(g, ITEM(n->op == LX_G_BYTE ? n->a : n->b,
					STACK(item)));
	}
	if (!r)
		r = follow(g);
	*next = G_DEAD;
	if (!r && (g->n_set || g->accept))
		r = intern(g, next);
	if (!r)
		*known = *next;
	return r;
}

/* ---- room ---- */

bool lx_gstate_crowded(const struct lx_grammar *g)
{
	return g->n_states > g->max_states / 2 || g->n_stacks > G_STACKS / 2 ||
	       g->n_configs > G_ARENA / 2;
}

/* The stack that was number @old, from its bottom up. */
static int move_stack(struct lx_grammar *g, u32 old, u32 *out)
{
	u16 path[G_DEPTH];
	u32 n = 0;
	int r = 0;

	for (; old; old = g->old_stacks[old].parent)
		path[n++] = g->old_stacks[old].ret;
	for (*out = 0; !r && n; n--)
		r = push_stack(g, path[n - 1], *out, out);
	return r;
}

int lx_gstate_flush(struct lx_grammar *g)
{
	struct lx_gstack *t = g->stacks;
	const struct lx_gstate *s = &g->states[g->state];
	u32 stack;
	int r = 0;

	g->n_set = s->n;
	g->accept = s->accept;
	lx_memcpy(g->set, g->configs + s->off, s->n * sizeof(*g->set));
	g->stacks = g->old_stacks;
	g->old_stacks = t;
	lx_memset(g->stack_hash, 0xff, G_STACKS * sizeof(*g->stack_hash));
	lx_memset(g->state_hash, 0xff, G_STATES * sizeof(*g->state_hash));
	lx_memset(&g->stacks[0], 0, sizeof(g->stacks[0]));
	g->n_stacks = 1;
	g->n_states = 0;
	g->n_configs = 0;
	for (u32 i = 0; i < g->n_masks; i++)
		g->masks[i].state = G_NONE;
	for (u32 i = 0; !r && i < g->n_set; i++) {
		r = move_stack(g, STACK(g->set[i]), &stack);
		g->set[i] = ITEM(NODE(g->set[i]), stack);
	}
	return r ? r : intern(g, &g->state);
}
