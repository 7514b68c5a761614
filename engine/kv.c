// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * KV pages: LX_PAGE positions of every layer. A session takes them as it
 * grows, before a step; freed ones are kept up to the plan and zeroed before
 * they change hands. Layout of a head in a page: fp/kv.h.
 */
#include "session.h"

/* K or V of one head, @n channels, in a page. */
static u64 page_bytes(u32 kv_type, u64 n)
{
	u64 blocks = LX_PAGE * lx_div_up(n, 32);

	switch (kv_type) {
	case LX_KV_Q8_0:
		return blocks * (2 + 32);
	case LX_KV_Q4_0:
		return blocks * (2 + 16);
	default:
		return LX_PAGE * n * (kv_type == LX_KV_F32 ? 4 : 2);
	}
}

void lx_kv_shape(struct lx_engine *e)
{
	const struct lx_hparams *hp = &e->model->hp;
	struct lx_attn_shape *s = &e->shape;

	s->n_head = hp->n_head;
	s->n_head_kv = hp->n_head_kv;
	s->group = hp->n_head / hp->n_head_kv;
	s->hd = hp->hd;
	s->hdv_real = hp->hdv;
	s->hdv = lx_align_up(hp->hdv, LX_STRIP);
	s->kv_type = e->kv_type;
	s->scale_bits = e->model->score_bits;
	s->cap_bits = hp->cap;
	s->v_offset = lx_align_up(page_bytes(e->kv_type, s->hd), 64ull);
	s->head_bytes = s->v_offset +
			lx_align_up(page_bytes(e->kv_type, s->hdv), 64ull);
	s->layer_bytes = s->head_bytes * s->n_head_kv;
	e->page_bytes = lx_align_up(s->layer_bytes * hp->n_layer, 4096ull);
}

static int take_page(struct lx_engine *e, struct lx_block *b)
{
	if (e->n_free) {
		*b = e->free[--e->n_free];
		lx_memset(b->addr, 0, e->page_bytes);
		return 0;
	}
	if (e->host->ops->block_alloc(e->host, b, e->page_bytes, LX_MEM_KV))
		return -LX_ENOMEM;
	b->size = e->page_bytes;
	e->n_pages++;
	return 0;
}

static void give_page(struct lx_engine *e, struct lx_block *b)
{
	if (e->n_free < e->max_free && e->n_pages <= e->max_free) {
		e->free[e->n_free++] = *b;
		return;
	}
	e->host->ops->block_free(e->host, b, LX_MEM_KV);
	e->n_pages--;
}

static int grow_tables(struct lx_session *s, u32 want)
{
	struct lx_engine *e = s->e;
	u32 cap = lx_max(want, lx_max(s->cap_pages * 2, 4u));
	struct lx_block *blocks = lx_engine_alloc(e, cap, sizeof(*blocks));
	void **pages = lx_engine_alloc(e, cap, sizeof(*pages));

	if (!blocks || !pages) {
		lx_engine_release(e, blocks, cap, sizeof(*blocks));
		lx_engine_release(e, pages, cap, sizeof(*pages));
		return -LX_ENOMEM;
	}
	if (s->n_pages) {
		lx_memcpy(blocks, s->page_blocks, s->n_pages * sizeof(*blocks));
		lx_memcpy(pages, s->pages, s->n_pages * sizeof(*pages));
	}
	lx_engine_release(e, s->page_blocks, s->cap_pages, sizeof(*blocks));
	lx_engine_release(e, s->pages, s->cap_pages, sizeof(*pages));
	s->page_blocks = blocks;
	s->pages = pages;
	s->cap_pages = cap;
	return 0;
}

int lx_kv_reserve(struct lx_session *s, u32 n)
{
	u32 want = lx_div_up(n, LX_PAGE);

	if (want > s->cap_pages && grow_tables(s, want))
		return -LX_ENOMEM;
	while (s->n_pages < want) {
		if (take_page(s->e, &s->page_blocks[s->n_pages]))
			return -LX_ENOMEM;
		s->pages[s->n_pages] = s->page_blocks[s->n_pages].addr;
		s->n_pages++;
	}
	return 0;
}

void lx_kv_drop(struct lx_session *s)
{
	while (s->n_pages)
		give_page(s->e, &s->page_blocks[--s->n_pages]);
	lx_engine_release(s->e, s->page_blocks, s->cap_pages,
			  sizeof(*s->page_blocks));
	lx_engine_release(s->e, s->pages, s->cap_pages, sizeof(*s->pages));
	s->page_blocks = NULL;
	s->pages = NULL;
	s->cap_pages = 0;
	s->n_past = 0;
}

void lx_kv_close(struct lx_engine *e)
{
	while (e->n_free) {
		e->host->ops->block_free(e->host, &e->free[--e->n_free],
					 LX_MEM_KV);
		e->n_pages--;
	}
}
