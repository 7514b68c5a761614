// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Which tokens fit a grammar: reading and checking it, and masks. A mask is
 * found by one walk over the vocabulary in order of its bytes, and kept with
 * the state.
 */
#include "grammar.h"
#include "kv.h"

/* ---- reading ---- */

static u32 get32(const u8 *p)
{
	return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

struct header {
	u32 n_nodes, n_sets, start;
};

static int read_header(const u8 *p, size_t n, struct header *h,
		       struct lx_error *err)
{
	if (n < 16 || get32(p) != LX_GRAMMAR_MAGIC)
		return lx_fail(err, -LX_EINVAL, "not a grammar");
	h->n_nodes = get32(p + 4);
	h->n_sets = get32(p + 8);
	h->start = get32(p + 12);
	if (!h->n_nodes || h->n_nodes > LX_GRAMMAR_MAX_NODES ||
	    h->n_sets > LX_GRAMMAR_MAX_SETS || h->start >= h->n_nodes)
		return lx_fail(err, -LX_EINVAL,
			       "a grammar of %u nodes and %u sets",
			       h->n_nodes, h->n_sets);
	if (n != 16 + 8 * (size_t)h->n_nodes + 32 * (size_t)h->n_sets)
		return lx_fail(err, -LX_EINVAL, "a grammar of %llu bytes",
			       (u64)n);
	return 0;
}

static bool node_ok(const struct lx_gnode *x, const struct header *h)
{
	bool a = x->a < h->n_nodes, b = x->b < h->n_nodes;

	if (x->zero || (x->op != LX_G_BYTE && (x->lo || x->hi)))
		return false;
	switch (x->op) {
	case LX_G_RET:
		return !x->a && !x->b;
	case LX_G_BYTE:
		return x->lo <= x->hi && a && !x->b;
	case LX_G_SET:
		return x->a < h->n_sets && b;
	case LX_G_SPLIT:
	case LX_G_CALL:
		return a && b;
	default:
		return false;
	}
}

static int read_nodes(struct lx_grammar *g, const u8 *p,
		      const struct header *h, struct lx_error *err)
{
	for (u32 i = 0; i < h->n_nodes; i++, p += 8) {
		struct lx_gnode *x = &g->nodes[i];

		*x = (struct lx_gnode){
			.op = p[0], .lo = p[1], .hi = p[2], .zero = p[3],
			.a = (u16)(p[4] | p[5] << 8),
			.b = (u16)(p[6] | p[7] << 8),
		};
		if (!node_ok(x, h))
			return lx_fail(err, -LX_EINVAL,
				       "node %u of the grammar is wrong", i);
	}
	lx_memcpy(g->sets, p, 32 * (size_t)h->n_sets);
	return 0;
}

/*
 * Bytes that no node tells apart are of one class. Classes are runs of
 * bytes: a new one begins wherever some node's answer changes.
 */
static void find_classes(struct lx_grammar *g)
{
	u8 edge[257] = { 0 };
	u32 c = 0;

	for (u32 i = 0; i < g->n_nodes; i++) {
		if (g->nodes[i].op == LX_G_BYTE) {
			edge[g->nodes[i].lo] = 1;
			edge[g->nodes[i].hi + 1] = 1;
		}
	}
	for (u32 i = 0; i < g->n_sets; i++)
		for (u32 b = 1; b < 256; b++)
			edge[b] |= (g->sets[i][b / 8] >> (b & 7) & 1) !=
				   (g->sets[i][(b - 1) / 8] >>
				    ((b - 1) & 7) & 1);
	for (u32 b = 0; b < 256; b++) {
		if (b && edge[b])
			c++;
		g->class_of[b] = (u8)c;
		g->byte_of[c] = (u8)b;
	}
	g->n_classes = c + 1;
}

/* ---- memory: one piece ---- */

static u32 mask_words(const struct lx_lexicon *x)
{
	return lx_div_up(x->n_vocab, 32u);
}

static u32 count_masks(const struct lx_lexicon *x)
{
	u32 n = G_MASK_BYTES / (4 * lx_max(mask_words(x), 1u));

	return lx_min(lx_max(n, 8u), (u32)G_MASKS);
}

static void *carve(u8 *base, size_t *at, size_t n)
{
	void *p = base ? base + *at : NULL;

	*at += lx_align_up(n, (size_t)8);
	return p;
}

/* Everything whose size is known before the classes are. */
static size_t lay_out(struct lx_grammar *g, u8 *base, const struct header *h)
{
	size_t at = lx_align_up(sizeof(*g), (size_t)8);

	g->nodes = carve(base, &at, h->n_nodes * sizeof(*g->nodes));
	g->sets = carve(base, &at, 32 * (size_t)h->n_sets);
	g->stacks = carve(base, &at, G_STACKS * sizeof(*g->stacks));
	g->old_stacks = carve(base, &at, G_STACKS * sizeof(*g->stacks));
	g->stack_hash = carve(base, &at, G_STACKS * sizeof(u16));
	g->configs = carve(base, &at, G_ARENA * sizeof(*g->configs));
	g->states = carve(base, &at, G_STATES * sizeof(*g->states));
	g->state_hash = carve(base, &at, G_STATES * sizeof(u16));
	g->trans = carve(base, &at, G_TRANS * sizeof(*g->trans));
	g->path = carve(base, &at, (g->lexicon->max_len + 1) *
			sizeof(*g->path));
	for (u32 i = 0; i < g->n_masks; i++)
		g->masks[i].bits = carve(base, &at,
					 4 * mask_words(g->lexicon));
	return at;
}

/* Bytes of a grammar; 0: no memory to find out. */
static size_t measure(struct lx_host *host, const struct lx_lexicon *x,
		      const struct header *h)
{
	struct lx_grammar *g = host->ops->alloc(host, sizeof(*g),
						LX_MEM_CONTROL);
	size_t bytes;

	if (!g)
		return 0;
	g->lexicon = x;
	g->n_masks = count_masks(x);
	bytes = lay_out(g, NULL, h);
	host->ops->free(host, g, sizeof(*g), LX_MEM_CONTROL);
	return bytes;
}

u64 lx_grammar_most(struct lx_host *host, u32 n_vocab, u32 max_len)
{
	const struct header h = { .n_nodes = LX_GRAMMAR_MAX_NODES,
				  .n_sets = LX_GRAMMAR_MAX_SETS };
	const struct lx_lexicon x = { .n_vocab = n_vocab, .max_len = max_len };

	return measure(host, &x, &h);
}

u64 lx_grammar_memory(const struct lx_grammar *g)
{
	return g->block.size;
}

static int allocate(struct lx_host *host, size_t bytes, void *account,
		    struct lx_grammar **out)
{
	struct lx_block b;
	int r = lx_charged_block(host, &b, bytes, LX_MEM_CONTROL, account);

	if (r)
		return r;
	*out = b.addr;
	(*out)->host = host;
	(*out)->block = b;
	return 0;
}

int lx_grammar_copy(const struct lx_grammar *g, void *account,
		    struct lx_grammar **out)
{
	const struct header h = { .n_nodes = g->n_nodes, .n_sets = g->n_sets };
	struct lx_grammar *c;
	struct lx_block b;
	int r = allocate(g->host, g->block.size, account, &c);

	if (r)
		return r;
	b = c->block;
	lx_memcpy(c, g, g->block.size);
	c->block = b;
	lay_out(c, (u8 *)c, &h);
	/* A flush has them change places. */
	if (g->stacks > g->old_stacks) {
		struct lx_gstack *t = c->stacks;

		c->stacks = c->old_stacks;
		c->old_stacks = t;
	}
	*out = c;
	return 0;
}

int lx_grammar_new(struct lx_host *host, const struct lx_lexicon *x,
		   void *account, const void *blob, size_t n,
		   struct lx_grammar **out, struct lx_error *err)
{
	struct lx_grammar *g;
	struct header h;
	size_t bytes;
	int r = read_header(blob, n, &h, err);

	if (r)
		return r;
	bytes = measure(host, x, &h);
	r = bytes ? allocate(host, bytes, account, &g) : -LX_ENOMEM;
	if (r)
		return lx_fail(err, r, "no memory for a grammar");
	g->lexicon = x;
	g->n_masks = count_masks(x);
	lay_out(g, (u8 *)g, &h);
	g->n_nodes = h.n_nodes;
	g->n_sets = h.n_sets;
	g->start = h.start;
	r = read_nodes(g, (const u8 *)blob + 16, &h, err);
	if (!r) {
		find_classes(g);
		g->max_states = lx_min(G_TRANS / g->n_classes, (u32)G_STATES);
		r = lx_grammar_reset(g, true);
		if (r)
			lx_fail(err, r, "the grammar is too ambiguous or too deep");
	}
	if (r) {
		lx_grammar_free(g);
		return r;
	}
	*out = g;
	return 0;
}

void lx_grammar_free(struct lx_grammar *g)
{
	struct lx_block b;

	if (!g)
		return;
	b = g->block;
	g->host->ops->block_free(g->host, &b, LX_MEM_CONTROL);
}

/* ---- sentences ---- */

/* From nothing: no state is known. */
static int clear(struct lx_grammar *g)
{
	lx_memset(g->stack_hash, 0xff, G_STACKS * sizeof(u16));
	lx_memset(g->state_hash, 0xff, G_STATES * sizeof(u16));
	lx_memset(&g->stacks[0], 0, sizeof(g->stacks[0]));
	for (u32 i = 0; i < g->n_masks; i++)
		g->masks[i].state = G_NONE;
	g->n_stacks = 1;
	g->n_states = 0;
	g->n_configs = 0;
	return lx_gstate_start(g, &g->state);
}

int lx_grammar_reset(struct lx_grammar *g, bool eog)
{
	g->budget = G_BUDGET;
	/* What is known of states holds for the next sentence, too. */
	if (g->n_states && g->eog == eog && !lx_gstate_crowded(g))
		return lx_gstate_start(g, &g->state);
	g->eog = eog;
	return clear(g);
}

bool lx_grammar_accepts(const struct lx_grammar *g)
{
	return g->states[g->state].accept;
}

bool lx_grammar_done(const struct lx_grammar *g)
{
	return lx_grammar_accepts(g) && !g->states[g->state].n;
}

int lx_grammar_accept(struct lx_grammar *g, s32 id)
{
	const struct lx_lexicon *x = g->lexicon;
	u32 n = lx_lexicon_len(x, (u32)id);
	u16 state = g->state;
	int r;

	g->budget = G_BUDGET;
	for (u32 i = 0; i < n; i++) {
		r = lx_gstate_step(g, state,
				   g->class_of[x->bytes[x->off[id] + i]],
				   &state);
		if (r)
			return r;
		if (state == G_DEAD)
			return -LX_EINVAL;
	}
	g->state = state;
	return n ? 0 : -LX_EINVAL;
}

/* ---- masks ---- */

/* All tokens, each begin once: path[k] is the state behind k bytes. */
static int walk(struct lx_grammar *g, u32 *bits)
{
	const struct lx_lexicon *x = g->lexicon;
	u32 fail = ~0u;		/* bytes that fitted before one did not */

	g->path[0] = g->state;
	for (u32 i = 0; i < x->n; i++) {
		u32 id = x->id[i], n = lx_lexicon_len(x, id), k = x->lcp[i];
		const u8 *p = x->bytes + x->off[id];

		if (k > fail)
			continue;
		for (fail = ~0u; k < n; k++) {
			int r = lx_gstate_step(g, g->path[k], g->class_of[p[k]],
					       &g->path[k + 1]);

			if (r)
				return r;
			if (g->path[k + 1] == G_DEAD) {
				fail = k;
				break;
			}
		}
		if (k == n)
			bits[id / 32] |= 1u << id % 32;
	}
	return 0;
}

static int make_mask(struct lx_grammar *g, struct lx_gmask *m)
{
	u32 words = mask_words(g->lexicon);
	int r;

	lx_memset(m->bits, 0, 4 * (size_t)words);
	r = walk(g, m->bits);
	if (r)
		return r;
	if (g->eog && lx_grammar_accepts(g))
		for (u32 i = 0; i < words; i++)
			m->bits[i] |= g->lexicon->eog[i];
	m->state = g->state;
	return 0;
}

int lx_grammar_mask(struct lx_grammar *g, const u32 **mask)
{
	struct lx_gmask *m;
	int r = 0;

	if (g->states[g->state].mask == G_NONE) {
		g->budget = G_BUDGET;
		if (lx_gstate_crowded(g))
			r = lx_gstate_flush(g);
		m = &g->masks[g->next_mask];
		if (m->state != G_NONE)
			g->states[m->state].mask = G_NONE;
		m->state = G_NONE;
		if (!r)
			r = make_mask(g, m);
		if (r)
			return r;
		g->states[g->state].mask = (u16)g->next_mask;
		g->next_mask = (g->next_mask + 1) % g->n_masks;
	}
	*mask = g->masks[g->states[g->state].mask].bits;
	return 0;
}
