// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Loading: all memory first, then one pass over the file in the order of its
 * tensors, repacked strip by strip on all workers.
 */
#include "model.h"
#include "lx/convert.h"
#include "stream.h"

#define STAGE_BYTES (4u << 20)	/* read at a time */
#define PACK_BYTES (64u << 10)	/* of the file, packed by one tile */

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

/* ---- reading ---- */

struct loader {
	struct lx_model *m;
	const struct lx_source *src;
	struct lx_error *err;
	u8 *stage, *made;	/* rows as read; as converted, if any are */
	u64 stage_bytes;	/* of each */
	u64 done, total;
	u32 bad;
};

static int read_at(struct loader *l, const struct lx_item *it, u64 off,
		   void *buf, size_t n)
{
	const struct lx_source *s = &l->src[it->t->source];
	int r = s->read(s->ctx, off, buf, n);

	if (r)
		return lx_fail(l->err, r == -LX_EINTR ? r : -LX_EIO,
			       "tensor %.*s: read error %d", (int)it->t->name.n,
			       it->t->name.p, -r);
	l->done += n;
	r = l->m->host->ops->progress(l->m->host, l->done, l->total);
	return r ? lx_fail(l->err, -LX_EINTR, "interrupted") : 0;
}

static u32 gcd(u32 a, u32 b)
{
	while (b) {
		u32 t = a % b;

		a = b;
		b = t;
	}
	return a;
}

u32 lx_item_row_unit(const struct lx_item *it)
{
	u32 h = it->head;

	return h ? LX_STRIP / gcd(LX_STRIP, h) * h : LX_STRIP;
}

static u64 row_bytes_of(const struct lx_item *it, u32 type)
{
	const struct lx_type_info *ti = lx_type_info(type);

	return it->t->ne[0] / ti->block * ti->bytes;
}

u64 lx_item_row_bytes(const struct lx_item *it)
{
	return row_bytes_of(it, it->t->type);
}

static bool is_converted(const struct lx_item *it)
{
	return it->mat && it->mat->type != it->t->type;
}

/* The longer of the rows read and the rows made */
static u64 stage_row(const struct lx_item *it)
{
	return is_converted(it) ? lx_max(lx_item_row_bytes(it),
					 row_bytes_of(it, it->mat->type)) :
				  lx_item_row_bytes(it);
}

void lx_item_pack(struct lx_op *op, const struct lx_item *it, u32 expert,
		  u64 row_bytes)
{
	op->pack.row_bytes = row_bytes;
	op->pack.head = it->head;
	op->pack.rot = it->rot;
	op->pack.mat = it->mat;
	op->pack.strip0 = (it->expert + expert) * it->mat->n_strips;
}

/* Pack the rows of @op, converting them first where the type is another. */
static int pack_rows(struct loader *l, const struct lx_item *it,
		     struct lx_op *op)
{
	struct lx_op ops[2] = { { 0 }, *op };
	u32 bad[2] = { 0, 0 };
	struct lx_rows rows = {
		.src = l->stage, .dst = l->made, .from = it->t->type,
		.to = it->mat->type, .rows = op->pack.n_rows,
		.cols = it->mat->cols,
	};
	int r;

	if (!is_converted(it))
		return lx_run_ops(l->m->host, op, 1, 0);
	lx_convert_op(&ops[0], l->m->ops, &rows, bad);
	ops[1].pack.src = l->made;
	r = lx_run_ops(l->m->host, ops, 2, LX_QUANT_SCRATCH);
	if (!r && (bad[0] || bad[1]))
		r = lx_fail(l->err, -LX_EBADMSG, "tensor %.*s: a weight is %s",
			    (int)it->t->name.n, it->t->name.p, bad[0] ?
			    "not a finite number" : "beyond what the type holds");
	return r;
}

static int load_expert(struct loader *l, const struct lx_item *it, u32 e)
{
	struct lx_mat *mat = it->mat;
	u64 rb = lx_item_row_bytes(it), per;
	u64 made = row_bytes_of(it, mat->type);
	u32 unit = lx_item_row_unit(it), rows;
	struct lx_op op = { .tile = lx_tile_pack };
	int r;

	per = l->stage_bytes / stage_row(it) / unit * unit;
	rows = (u32)lx_min(per, (u64)mat->rows);
	op.pack.src = l->stage;
	lx_item_pack(&op, it, e, made);
	op.pack.strips = (u32)lx_max((u64)1, PACK_BYTES / (made * LX_STRIP));
	op.pack.bad = &l->bad;
	for (u32 row = 0; row < mat->rows; row += rows) {
		u32 n = lx_min(rows, mat->rows - row);

		r = read_at(l, it, it->offset + ((u64)e * mat->rows + row) * rb,
			    l->stage, n * rb);
		if (r)
			return r;
		op.pack.row0 = row;
		op.pack.n_rows = n;
		op.n_tiles = lx_div_up(lx_div_up(n, LX_STRIP), op.pack.strips);
		r = pack_rows(l, it, &op);
		if (r)
			return lx_fail(l->err, r, "interrupted");
	}
	if (l->bad)
		return lx_fail(l->err, -LX_EBADMSG,
			       "tensor %.*s: a scale is not a finite number",
			       (int)it->t->name.n, it->t->name.p);
	return 0;
}

static int load_vec(struct loader *l, const struct lx_item *it)
{
	u32 *v = it->vec->p, n = it->vec->n;
	u32 half = it->rot / 2;
	int r = 0;

	for (u32 i = 0; !r && i < it->vec->rows; i++)
		r = read_at(l, it, it->offset + (u64)i * n * 4,
			    v + i * lx_align_up(n, LX_STRIP), (size_t)n * 4);
	if (r || !it->head)
		return r;
	/* The order of the rows it belongs to. */
	lx_memcpy(l->stage, v, (size_t)n * 4);
	for (u32 i = 0; i < n; i++) {
		u32 h = i / it->head * it->head, j = i % it->head;

		if (j < half)
			j = 2 * j;
		else if (j < 2 * half)
			j = 2 * (j - half) + 1;
		v[i] = ((u32 *)l->stage)[h + j];
	}
	return 0;
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

static int load_items(struct loader *l)
{
	int r = 0;

	for (u32 i = 0; i < l->m->n_items && !r; i++) {
		const struct lx_item *it = &l->m->items[i];

		if (it->vec) {
			r = load_vec(l, it);
			continue;
		}
		if (lx_item_streamed(l->m, it))
			continue;
		for (u32 e = 0; e < it->n_expert && !r; e++)
			r = load_expert(l, it, e);
	}
	return r;
}

int lx_model_fill(struct lx_model *m, const struct lx_source *src,
		  struct lx_error *err)
{
	struct loader l = {
		.m = m, .src = src, .err = err,
		.total = m->gguf.data_size - m->info.stream_bytes,
	};
	struct lx_host *h = m->host;
	int r;

	if (alloc_tables(m))
		return lx_fail(err, -LX_ENOMEM, "no memory for strip tables");
	r = alloc_blocks(m, err);
	if (r)
		return r;
	lx_layout_place(m);
	l.stage_bytes = STAGE_BYTES;
	for (u32 i = 0; i < m->n_items; i++) {
		const struct lx_item *it = &m->items[i];

		l.stage_bytes = lx_max(l.stage_bytes, it->vec ?
				       lx_vec_bytes(it->vec) :
				       stage_row(it) * lx_item_row_unit(it));
	}
	l.stage = h->ops->alloc(h, l.stage_bytes, LX_MEM_SCRATCH);
	if (l.stage && m->as)
		l.made = h->ops->alloc(h, l.stage_bytes, LX_MEM_SCRATCH);
	if (!l.stage || (m->as && !l.made))
		r = lx_fail(err, -LX_ENOMEM, "no memory to read into");
	else
		r = load_items(&l);
	if (!r && build_tables(m))
		r = lx_fail(err, -LX_EINTR, "interrupted");
	if (l.made)
		h->ops->free(h, l.made, l.stage_bytes, LX_MEM_SCRATCH);
	if (l.stage)
		h->ops->free(h, l.stage, l.stage_bytes, LX_MEM_SCRATCH);
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
	if (!m->stream) {
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
