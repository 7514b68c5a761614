// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where strips go: through the blocks of memory in the order of a pass. What
 * stays in memory comes first, then the two buffers of streamed layers, which
 * each of them fills from the start, or the slots of experts, then what readers
 * read into.
 */
#include "experts.h"
#include "fetch.h"
#include "stream.h"

struct cursor {
	struct lx_model *m;
	struct lx_block *blocks;	/* from the first to be filled; or NULL */
	u32 block;		/* index of the block being filled */
	u64 offset;		/* of the first one, that others have filled */
	u64 used;		/* bytes of it */
	bool place;		/* blocks are there: set strip pointers */
};

static void put_strip(struct cursor *c, struct lx_mat *mat, u32 i)
{
	u64 size = lx_max((u64)c->m->host->block_size, (u64)mat->strip_bytes);

	if (c->used && c->used + mat->strip_bytes > size) {
		c->block++;
		c->used = 0;
	}
	if (c->place)
		mat->strips[i] = (u8 *)c->blocks[c->block].addr + c->offset +
				 c->used;
	c->used += mat->strip_bytes;
	if (!c->place && c->blocks) {
		struct lx_block *b = &c->blocks[c->block];

		b->size = lx_max(b->size, lx_align_up(c->used, 4096ul));
	}
}

/*
 * The other matrix of a gated product: one tile takes a strip of each, so
 * they alternate in memory and a worker still reads one stream.
 */
static struct lx_mat *mate_of(struct lx_model *m, const struct lx_mat *mat,
			      bool *second)
{
	for (u32 l = 0; l < m->hp.n_layer; l++) {
		struct lx_layer *y = &m->layers[l];

		*second = mat == &y->up;
		if (mat == &y->gate || *second)
			return *second ? &y->gate : &y->up;
	}
	return NULL;
}

static void put_item(struct cursor *c, const struct lx_item *it)
{
	struct lx_mat *mate;
	u32 n, first;
	bool second;

	mate = mate_of(c->m, it->mat, &second);
	if (mate && second && mate->n_strips)
		return;		/* placed beside the first */
	n = it->mat->n_strips * it->n_expert;
	first = it->mat->n_strips * it->expert;
	for (u32 s = 0; s < n; s++) {
		put_strip(c, it->mat, first + s);
		if (mate && mate->n_strips)
			put_strip(c, mate, first + s);
	}
}

u32 lx_item_layer(const struct lx_model *m, const struct lx_item *it)
{
	size_t base = (size_t)m->layers;
	size_t at = (it->mat ? (size_t)it->mat : (size_t)it->vec) - base;

	return (u32)lx_min(at / sizeof(*m->layers), (size_t)m->hp.n_layer);
}

bool lx_item_streamed(const struct lx_model *m, const struct lx_item *it)
{
	u32 layer = lx_item_layer(m, it);
	const struct lx_layer *y = &m->layers[layer];

	if (!it->mat || layer == m->hp.n_layer)
		return false;
	return m->n_slots ? it->mat == &y->gate || it->mat == &y->up ||
			    it->mat == &y->down : layer >= m->n_kept;
}

/* All strips that stay; how many blocks they take. */
static u32 walk_kept(struct lx_model *m, struct lx_block *blocks, bool place)
{
	struct cursor c = { .m = m, .blocks = blocks, .place = place };

	for (u32 i = 0; i < m->n_items; i++)
		if (m->items[i].mat && !lx_item_streamed(m, &m->items[i]))
			put_item(&c, &m->items[i]);
	return c.used ? c.block + 1 : c.block;
}

/* The same of one layer's. Items are in the order of layers. */
static u32 walk_layer(struct lx_model *m, u32 layer, struct lx_block *blocks,
		      bool place)
{
	struct cursor c = { .m = m, .blocks = blocks, .place = place };

	for (u32 i = m->layers[layer].item0; i < m->n_items &&
	     lx_item_layer(m, &m->items[i]) == layer; i++)
		if (m->items[i].mat)
			put_item(&c, &m->items[i]);
	return c.used ? c.block + 1 : c.block;
}

/* The same of an expert, all of which are alike in a layer. */
static u32 walk_expert(struct cursor *c, u32 layer, u32 expert)
{
	struct lx_layer *y = &c->m->layers[layer];

	for (u32 s = 0; s < y->gate.n_strips; s++) {
		put_strip(c, &y->gate, expert * y->gate.n_strips + s);
		put_strip(c, &y->up, expert * y->up.n_strips + s);
	}
	for (u32 s = 0; s < y->down.n_strips; s++)
		put_strip(c, &y->down, expert * y->down.n_strips + s);
	return c->used ? c->block + 1 : c->block;
}

static void find_layers(struct lx_model *m)
{
	for (u32 i = m->n_items; i--;) {
		u32 layer = lx_item_layer(m, &m->items[i]);

		if (layer < m->hp.n_layer)
			m->layers[layer].item0 = i;
	}
}

void lx_layout_place(struct lx_model *m)
{
	walk_kept(m, m->blocks, true);
}

void lx_layout_place_layer(struct lx_model *m, u32 layer, u32 buffer)
{
	walk_layer(m, layer, m->blocks + m->n_kept_blocks +
		   buffer * m->n_buffer_blocks, true);
}

/* Small slots share a block. */
static u32 first_block(const struct lx_model *m, u32 slot)
{
	return m->n_kept_blocks + slot / m->block_slots * m->n_slot_blocks;
}

void lx_layout_place_expert(struct lx_model *m, u32 layer, u32 expert,
			    u32 slot)
{
	struct cursor c = {
		.m = m, .blocks = m->blocks + first_block(m, slot),
		.offset = slot % m->block_slots * m->slot_bytes, .place = true,
	};

	walk_expert(&c, layer, expert);
}

/* What a slot takes, for the largest of all layers' experts. */
static void size_slot(struct lx_model *m)
{
	struct lx_block one = { 0 };

	m->n_slot_blocks = 0;
	for (u32 l = 0; l < m->hp.n_layer; l++) {
		struct cursor c = { .m = m };

		m->n_slot_blocks = lx_max(m->n_slot_blocks,
					  walk_expert(&c, l, 0));
	}
	m->block_slots = 1;
	if (m->n_slot_blocks > 1)
		return;
	for (u32 l = 0; l < m->hp.n_layer; l++) {
		struct cursor c = { .m = m, .blocks = &one };

		walk_expert(&c, l, 0);
	}
	m->slot_bytes = one.size;
	m->block_slots = (u32)lx_max(m->host->block_size / m->slot_bytes,
				     (u64)1);
}

static u32 n_blocks_of_slots(struct lx_model *m)
{
	u32 all = m->hp.n_layer * m->hp.n_expert;

	if (!m->n_slots)
		return 0;
	/* A layer's experts must be there together. */
	m->n_slots = lx_max(m->n_slots, m->hp.n_expert);
	if (m->n_slots >= all) {
		m->n_slots = 0;
		m->n_kept = m->hp.n_layer;
		return 0;
	}
	size_slot(m);
	return lx_div_up(m->n_slots, m->block_slots) * m->n_slot_blocks;
}

static void measure_slots(struct lx_model *m, struct lx_block *blocks)
{
	u32 n = m->n_slot_blocks;

	for (u32 l = 0; n > 1 && l < m->hp.n_layer; l++) {
		struct cursor c = { .m = m, .blocks = blocks };

		walk_expert(&c, l, 0);
	}
	for (u32 i = 0; i < m->n_slots; i += m->block_slots)
		for (u32 k = 0; k < n; k++)
			blocks[i / m->block_slots * n + k].size = n > 1 ?
				blocks[k].size : m->slot_bytes *
				lx_min(m->block_slots, m->n_slots - i);
}

/* How big each block is. The second buffer is as the first. */
static void measure(struct lx_model *m)
{
	struct lx_block *buffer = m->blocks + m->n_kept_blocks;
	u32 n = m->n_buffer_blocks;

	walk_kept(m, m->blocks, false);
	for (u32 l = m->n_kept; l < m->hp.n_layer; l++)
		walk_layer(m, l, buffer, false);
	for (u32 i = 0; i < n; i++)
		buffer[n + i].size = buffer[i].size;
	if (m->n_slots)
		measure_slots(m, buffer);
	for (u32 i = 0; i < LX_FETCH_READERS && (n || m->n_slots); i++)
		m->blocks[m->n_blocks - 1 - i].size = lx_fetch_stage_bytes(m);
}

/* What a token reads of layers, or at most of experts. */
static u64 bytes_of_step(const struct lx_model *m)
{
	u64 n = lx_stream_bytes(m);

	return m->n_slots ? n / m->hp.n_expert * m->hp.n_expert_used : n;
}

int lx_model_layout(struct lx_model *m)
{
	u32 n_slot_blocks;

	lx_model_release(m, m->blocks, m->n_blocks, sizeof(*m->blocks));
	find_layers(m);
	n_slot_blocks = n_blocks_of_slots(m);
	/* Layer by layer needs two to alternate. */
	if (m->n_slots || m->n_kept + 2 > m->hp.n_layer)
		m->n_kept = m->hp.n_layer;
	m->n_buffer_blocks = 0;
	for (u32 l = m->n_kept; l < m->hp.n_layer; l++)
		m->n_buffer_blocks = lx_max(m->n_buffer_blocks,
					    walk_layer(m, l, NULL, false));
	m->n_kept_blocks = walk_kept(m, NULL, false);
	m->n_blocks = m->n_kept_blocks + 2 * m->n_buffer_blocks + n_slot_blocks;
	if (m->n_blocks > m->n_kept_blocks)
		m->n_blocks += LX_FETCH_READERS;
	m->blocks = lx_model_alloc(m, m->n_blocks, sizeof(*m->blocks));
	if (!m->blocks)
		return -LX_ENOMEM;
	measure(m);
	m->weight_bytes = 0;
	for (u32 i = 0; i < m->n_blocks; i++)
		m->weight_bytes += m->blocks[i].size;
	m->info.weight_bytes = m->weight_bytes;
	m->info.n_streamed = m->n_slots ? m->hp.n_layer :
					  m->hp.n_layer - m->n_kept;
	m->info.n_slots = m->n_slots;
	m->info.stream_bytes = bytes_of_step(m);
	return 0;
}

u64 lx_vec_bytes(const struct lx_vec *v)
{
	return (u64)v->rows * lx_align_up(v->n, LX_STRIP) * 4;
}

u64 lx_freq_bytes(const struct lx_model *m)
{
	return ((u64)m->hp.n_rot / 2 + 1) * 8;
}

u64 lx_model_table_bytes(const struct lx_model *m)
{
	u64 n = lx_stream_table_bytes(m);

	for (u32 t = 0; t < LX_ROPE_TABLES; t++)
		if (lx_model_has_rope(m, t))
			n += lx_freq_bytes(m);
	for (u32 i = 0; i < m->n_items; i++) {
		const struct lx_item *it = &m->items[i];

		if (it->vec)
			n += lx_vec_bytes(it->vec);
		else if (!it->expert)
			n += (u64)it->mat->n_strips * it->mat->n_expert *
			     sizeof(u8 *);
	}
	return n;
}
