// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Loading: all memory first, then the weights (fill.c), then the tables that
 * are made from them.
 */
#include "fill.h"
#include "stream.h"

static int alloc_tables(struct lx_model *m)
{
	for (u32 i = 0; i < m->n_items; i++) {
		struct lx_item *it = &m->items[i];
		struct lx_mat *mat = it->mat;

		if (it->vec) {
			it->vec->p = lx_model_alloc(m, 1, lx_vec_bytes(it->vec));
			if (!it->vec->p)
				return -LX_ENOMEM;
		} else if (!it->expert) {
			mat->strips = lx_model_alloc(m, (u64)mat->n_strips *
						     mat->n_expert,
						     sizeof(u8 *));
			if (!mat->strips)
				return -LX_ENOMEM;
		}
	}
	for (u32 t = 0; t < LX_ROPE_TABLES; t++) {
		if (!lx_model_has_rope(m, t))
			continue;
		m->inv_freq[t] = lx_model_alloc(m, 1, lx_freq_bytes(m));
		if (!m->inv_freq[t])
			return -LX_ENOMEM;
	}
	return 0;
}

static int alloc_blocks(struct lx_model *m, struct lx_error *err)
{
	struct lx_host *h = m->host;
	u64 left = m->weight_bytes;

	for (u32 i = 0; i < m->n_blocks; i++) {
		size_t size = m->blocks[i].size;

		if (h->ops->block_alloc(h, &m->blocks[i], size, LX_MEM_WEIGHTS)) {
			m->blocks[i].addr = NULL;
			return lx_fail(err, -LX_ENOMEM,
				       "not enough memory: %llu MB of %llu MB for weights are missing",
				       (left >> 20) + 1,
				       (m->weight_bytes >> 20) + 1);
		}
		m->blocks[i].size = size;
		left -= size;
		if (h->ops->progress(h, 0, m->gguf.data_size))
			return lx_fail(err, -LX_EINTR, "interrupted");
	}
	return 0;
}

/* ---- running a few operations outside an engine ---- */

int lx_run_ops(struct lx_host *host, struct lx_op *ops, u32 n_ops,
	       size_t scratch)
{
	u32 n = host->n_workers;
	size_t each = lx_align_up(scratch, (size_t)LX_CACHELINE);
	size_t bytes = n * (sizeof(void *) + each) + LX_CACHELINE;
	u8 *mem = host->ops->alloc(host, bytes, LX_MEM_SCRATCH);
	void **table = (void **)(mem + n * each);
	struct lx_job job;
	int r;

	if (!mem)
		return -LX_ENOMEM;
	for (u32 i = 0; i < n; i++)
		table[i] = mem + i * each;
	lx_job_init(&job, ops, n_ops, table, n);
	r = host->ops->run(host, &job);
	host->ops->free(host, mem, bytes, LX_MEM_SCRATCH);
	return r;
}

bool lx_model_has_rope(const struct lx_model *m, u32 table)
{
	bool local = false;

	if (table == LX_ROPE_LOCAL)
		for (u32 l = 0; l < m->hp.n_layer && !local; l++)
			local = m->layers[l].rope == table;
	return table == LX_ROPE_MAIN || local ||
	       (table == LX_ROPE_LONG && m->rope_factors[table].n);
}

static int build_rope(struct lx_model *m, u32 table)
{
	const struct lx_hparams *hp = &m->hp;
	struct lx_op op = { .tile = m->ops->freqs, .n_tiles = 1 };
	bool local = table == LX_ROPE_LOCAL;

	op.freqs.inv_freq = m->inv_freq[table];
	op.freqs.factors = m->rope_factors[table].p;
	op.freqs.n_rot = hp->n_rot;
	op.freqs.orig_ctx = hp->rope_orig_ctx;
	op.freqs.yarn = hp->rope_yarn;
	op.freqs.base_bits = local ? hp->local_base : hp->rope_base;
	op.freqs.factor_bits = local ? hp->local_factor : hp->rope_factor;
	op.freqs.attn_factor_bits = hp->rope_attn_factor;
	op.freqs.ext_bits = hp->rope_ext;
	op.freqs.beta_fast_bits = hp->rope_beta_fast;
	op.freqs.beta_slow_bits = hp->rope_beta_slow;
	return lx_run_ops(m->host, &op, 1, 0);
}

static int build_tables(struct lx_model *m)
{
	struct lx_op op = { .tile = m->ops->scales, .n_tiles = 1 };
	int r = 0;

	for (u32 t = 0; !r && t < LX_ROPE_TABLES; t++)
		if (m->inv_freq[t])
			r = build_rope(m, t);
	op.scales.score_bits = &m->score_bits;
	op.scales.embd_bits = &m->embd_bits;
	op.scales.score_dim = m->hp.score_dim;
	op.scales.embd_dim = m->hp.n_embd;
	if (!r)
		r = lx_run_ops(m->host, &op, 1, 0);
	if (!m->arch->scale_embd)
		m->embd_bits = 0;
	return r;
}

int lx_model_fill(struct lx_model *m, const struct lx_source *src,
		  struct lx_error *err)
{
	int r;

	if (alloc_tables(m))
		return lx_fail(err, -LX_ENOMEM, "no memory for strip tables");
	r = alloc_blocks(m, err);
	if (r)
		return r;
	lx_layout_place(m);
	r = lx_fill(m, src, err);
	if (!r && build_tables(m))
		r = lx_fail(err, -LX_EINTR, "interrupted");
	return r;
}

int lx_model_load(struct lx_host *host, const struct lx_source *src, u32 n_src,
		  const struct lx_model_params *p, struct lx_model **out,
		  struct lx_error *err)
{
	struct lx_model *m;
	int r;

	m = host->ops->alloc(host, sizeof(*m), LX_MEM_CONTROL);
	if (!m)
		return lx_fail(err, -LX_ENOMEM, "no memory for a model");
	m->host = host;
	r = lx_model_describe(m, src, n_src, p, err);
	if (!r && lx_ops_any(p ? p->simd : NULL)) {
		m->ops = lx_ops_fastest(host);
		m->info.simd = m->ops->name;
	}
	if (!r && lx_model_layout(m))
		r = lx_fail(err, -LX_ENOMEM, "no memory for block tables");
	if (!r)
		r = lx_model_fill(m, src, err);
	if (!r)
		r = lx_stream_open(m, src, n_src, err);
	if (r) {
		lx_model_free(m);
		return r;
	}
	if (!lx_model_streamed(m)) {
		lx_model_release(m, m->items, m->max_items, sizeof(*m->items));
		m->items = NULL;
	}
	m->info.control_bytes = m->control_bytes + m->gguf.memory +
				lx_vocab_memory(m->vocab) + sizeof(*m);
	*out = m;
	return 0;
}

static void free_mat(struct lx_model *m, struct lx_mat *mat)
{
	lx_model_release(m, mat->strips, (u64)mat->n_strips * mat->n_expert,
			 sizeof(u8 *));
}

static void free_vec(struct lx_model *m, struct lx_vec *vec)
{
	lx_model_release(m, vec->p, 1, lx_vec_bytes(vec));
}

static void free_layer(struct lx_model *m, struct lx_layer *y)
{
	struct lx_mat *mats[] = { &y->q, &y->k, &y->v, &y->o, &y->gate, &y->up,
				  &y->down, &y->router };
	struct lx_vec *vecs[] = { &y->attn_norm, &y->ffn_norm,
				  &y->attn_post_norm, &y->ffn_post_norm,
				  &y->bias_q, &y->bias_k, &y->bias_v,
				  &y->bias_o, &y->bias_gate, &y->bias_up,
				  &y->bias_down, &y->bias_router, &y->norm_q,
				  &y->norm_k, &y->sinks };

	for (u32 i = 0; i < LX_ARRAY_SIZE(mats); i++)
		free_mat(m, mats[i]);
	for (u32 i = 0; i < LX_ARRAY_SIZE(vecs); i++)
		free_vec(m, vecs[i]);
}

void lx_model_free(struct lx_model *m)
{
	struct lx_host *h = m->host;

	lx_stream_close(m);
	for (u32 i = 0; m->layers && i < m->hp.n_layer; i++)
		free_layer(m, &m->layers[i]);
	free_mat(m, &m->embd);
	free_mat(m, &m->output);
	free_vec(m, &m->output_norm);
	for (u32 t = 0; t < LX_ROPE_TABLES; t++) {
		free_vec(m, &m->rope_factors[t]);
		lx_model_release(m, m->inv_freq[t], 1, lx_freq_bytes(m));
	}
	for (u32 i = 0; m->blocks && i < m->n_blocks; i++)
		if (m->blocks[i].addr)
			h->ops->block_free(h, &m->blocks[i], LX_MEM_WEIGHTS);
	lx_model_release(m, m->blocks, m->n_blocks, sizeof(*m->blocks));
	lx_model_release(m, m->items, m->max_items, sizeof(*m->items));
	lx_model_release(m, m->layers, m->hp.n_layer, sizeof(*m->layers));
	if (m->vocab)
		lx_vocab_free(m->vocab);
	lx_gguf_close(&m->gguf);
	h->ops->free(h, m, sizeof(*m), LX_MEM_CONTROL);
}
