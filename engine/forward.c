// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The forward pass of a step as a list of operations. One pass serves every
 * architecture of arch.c: what a model does not have is absent from its
 * layers.
 */
#include "session.h"

#define MM_SLOTS 64	/* most tokens of a matmul tile */

struct lx_op *lx_forward_add(struct lx_engine *e, lx_tile_fn tile, u32 n_tiles)
{
	struct lx_op *op = &e->ops[e->n_ops++];

	lx_memset(op, 0, sizeof(*op));
	op->tile = tile;
	op->n_tiles = n_tiles;
	return op;
}

static bool is_float(u32 type)
{
	return type == LX_TYPE_F32 || type == LX_TYPE_F16 ||
	       type == LX_TYPE_BF16;
}

/* ---- matmul: how it is cut ---- */

static void cut_matmul(struct lx_engine *e, struct lx_op *op, u32 n, u32 runs)
{
	const struct lx_ops *k = e->model->ops;
	u32 mats = op->mm.mode >= LX_MM_SWIGLU ? 2 : 1, bytes = 0, strips = 0;
	u32 n_seg = op->mm.mode >= LX_MM_SWIGLU ? 1 : op->mm.n_seg;
	u32 unit = op->mm.mid.q ? 2 : 1;	/* strips kept together */
	u64 cols = op->mm.act.cols, macs = k->mac_tile, per;
	u32 slots = lx_min(lx_align_up(n, k->t_max), (u32)MM_SLOTS);

	for (u32 i = 0; i < n_seg; i++) {
		const struct lx_mat *m = op->mm.seg[i].mat;

		bytes = lx_max(bytes, m->strip_bytes * mats * unit);
		strips += m->n_strips;
		if (is_float(m->type))
			macs = k->mac_tile_f;
	}
	cols *= LX_STRIP * mats * unit;
	while (slots > k->t_max && cols * slots > macs)
		slots -= k->t_max;
	per = lx_min(macs / (cols * lx_min(slots, n)), k->byte_tile / bytes);
	/* Some tiles for every worker, whatever the size. */
	per = lx_min(per, (u64)strips / unit * runs *
		     lx_div_up(n, slots) / (4 * e->host->n_workers));
	op->mm.strips = (u32)lx_max(per, (u64)1) * unit;
	op->mm.slots = slots;
	op->mm.slot_tiles = lx_div_up(n, slots);
	op->mm.strip_tiles = 0;
	for (u32 i = 0; i < n_seg; i++)
		op->mm.strip_tiles += lx_div_up(op->mm.seg[i].mat->n_strips,
						op->mm.strips);
	op->n_tiles = op->mm.slot_tiles * op->mm.strip_tiles * runs;
}

/* Products of @act with up to three matrices, for one run of @n slots. */
static struct lx_op *add_matmul(struct lx_engine *e, const struct lx_act *act,
				const struct lx_run *run, u32 mode)
{
	struct lx_op *op = lx_forward_add(e, e->model->ops->matmul, 0);

	op->mm.act = *act;
	op->mm.runs = run;
	op->mm.n_runs = &e->one;
	op->mm.mode = mode;
	op->mm.t_max = e->model->ops->t_max;
	return op;
}

static void add_seg(struct lx_op *op, const struct lx_mat *mat,
		    const struct lx_vec *bias, void *out, u32 ld)
{
	struct lx_seg *s = &op->mm.seg[op->mm.n_seg++];

	s->mat = mat;
	s->bias = bias && bias->n ? bias : NULL;
	s->out = out;
	s->ld = ld;
}

/*
 * A product that is added to the residual stream, with a norm of its own
 * before that where the architecture has one.
 */
static void add_output(struct lx_engine *e, const struct lx_act *act,
		       const struct lx_mat *mat, const struct lx_vec *bias,
		       const struct lx_vec *norm)
{
	u32 mode = norm->n ? LX_MM_STORE : LX_MM_ADD;
	struct lx_op *op = add_matmul(e, act, &e->run, mode);

	add_seg(op, mat, bias, norm->n ? e->y : e->x, e->ld_embd);
	cut_matmul(e, op, e->n_tokens, 1);
	if (!norm->n)
		return;
	op = lx_forward_add(e, e->model->ops->residual, e->n_tokens);
	op->residual.x = e->x;
	op->residual.y = e->y;
	op->residual.weight = norm->p;
	op->residual.n = e->model->hp.n_embd;
	op->residual.ld = e->ld_embd;
	op->residual.eps_bits = e->model->hp.eps_bits;
}

/* ---- norm and quantization ---- */

static struct lx_op *add_norm(struct lx_engine *e, const void *x, u32 ld_x,
			      const struct lx_vec *weight,
			      const struct lx_act *act,
			      const struct lx_run *run, u32 n)
{
	struct lx_op *op = lx_forward_add(e, e->model->ops->norm, n);

	op->norm.x = x;
	op->norm.ld_x = ld_x;
	op->norm.runs = run;
	op->norm.n_runs = 1;
	op->norm.weight = weight ? weight->p : NULL;
	op->norm.eps_bits = e->model->hp.eps_bits;
	op->norm.act = *act;
	op->norm.t_max = e->model->ops->t_max;
	return op;
}

/* Whether a product with @m reads the quantized form of its input. */
static struct lx_act act_for(struct lx_act a, const struct lx_mat *m,
			     const struct lx_mat *m2, const struct lx_mat *m3)
{
	if (is_float(m->type) && (!m2 || is_float(m2->type)) &&
	    (!m3 || is_float(m3->type)))
		a.q = NULL;
	return a;
}

/* ---- attention ---- */

static void add_rope(struct lx_engine *e, const struct lx_layer *y,
		     const struct lx_attn_shape *shape)
{
	struct lx_op *op = lx_forward_add(e, e->model->ops->rope, e->n_tokens);

	op->rope.qkv = e->qkv;
	op->rope.ld = e->ld_qkv;
	op->rope.k_off = e->k_off;
	op->rope.v_off = e->v_off;
	op->rope.shape = shape;
	op->rope.sin_cos = e->sin_cos[y->rope];
	op->rope.n_rot = e->model->hp.n_rot;
	op->rope.norm_q = y->norm_q.p;
	op->rope.norm_k = y->norm_k.p;
	op->rope.eps_bits = e->model->hp.eps_bits;
	op->rope.item_of = e->item_of;
}

static u32 chunks_of_step(const struct lx_engine *e)
{
	u32 last = 0;

	for (u32 i = 0; i < e->n_tokens; i++)
		last = lx_max(last, e->pos[i]);
	return last / LX_CHUNK + 1;
}

/* The first chunk that any token sees through a window. */
static u32 first_chunk(const struct lx_engine *e, u32 window)
{
	u32 first = LX_NONE;

	if (!window)
		return 0;
	for (u32 i = 0; i < e->n_tokens; i++)
		first = lx_min(first, e->pos[i]);
	return first >= window ? (first - window + 1) / LX_CHUNK : 0;
}

/* The input of a product with @cols columns, in memory for the most. */
static struct lx_act act_of(struct lx_act a, u32 cols)
{
	a.cols = cols;
	a.ld = lx_align_up(cols, LX_STRIP);
	a.kp = lx_align_up(cols, 64u);
	return a;
}

static struct lx_act attn_out(const struct lx_engine *e,
			      const struct lx_layer *y)
{
	return act_for(act_of(e->act_attn, y->o.cols), &y->o, NULL, NULL);
}

static void add_attention(struct lx_engine *e, const struct lx_layer *y,
			  struct lx_attn_shape *shape)
{
	const struct lx_ops *k = e->model->ops;
	u32 chunks = chunks_of_step(e), first = first_chunk(e, y->window);
	u64 row = (u64)shape->n_head * (shape->hdv + LX_STRIP);

	/* A round: as many as the memory for partial results holds. */
	shape->n_slots = (u32)lx_min(e->part_floats / (row * e->n_tokens),
				     (u64)chunks);
	for (u32 c = first; c < chunks; c += shape->n_slots) {
		u32 n = lx_min(shape->n_slots, chunks - c);
		struct lx_op *op = lx_forward_add(e, k->attn, n * e->n_items *
						  shape->n_head_kv);

		op->attn.shape = shape;
		op->attn.items = e->items;
		op->attn.n_items = e->n_items;
		op->attn.n_chunks = n;
		op->attn.chunk0 = c;
		op->attn.q = e->qkv;
		op->attn.ld_q = e->ld_qkv;
		op->attn.part = e->attn_part;
		op->attn.window = y->window;
		op = lx_forward_add(e, k->merge, e->n_tokens);
		op->merge.shape = shape;
		op->merge.part = e->attn_part;
		op->merge.state = e->state;
		op->merge.n_chunks = n;
		op->merge.first = c == first;
		op->merge.last = c + n == chunks;
		op->merge.sinks = y->sinks.p;
		op->merge.run = e->run;
		op->merge.act = attn_out(e, y);
		op->merge.t_max = k->t_max;
	}
}

static void attention(struct lx_engine *e, const struct lx_layer *y,
		      struct lx_attn_shape *shape)
{
	struct lx_act in = act_for(e->act_embd, &y->q, &y->k, &y->v);
	struct lx_op *op;

	add_norm(e, e->x, e->ld_embd, &y->attn_norm, &in, &e->run,
		 e->n_tokens);
	op = add_matmul(e, &in, &e->run, LX_MM_STORE);
	add_seg(op, &y->q, &y->bias_q, e->qkv, e->ld_qkv);
	add_seg(op, &y->k, &y->bias_k, (u32 *)e->qkv + e->k_off, e->ld_qkv);
	add_seg(op, &y->v, &y->bias_v, (u32 *)e->qkv + e->v_off, e->ld_qkv);
	cut_matmul(e, op, e->n_tokens, 1);
	add_rope(e, y, shape);
	add_attention(e, y, shape);
	in = attn_out(e, y);
	add_output(e, &in, &y->o, &y->bias_o, &y->attn_post_norm);
}

/* ---- feed-forward ---- */

/* act -> gated unit -> act_ff (and @mid, quantized), over the slots of @runs */
static void gated(struct lx_engine *e, const struct lx_layer *y,
		  const struct lx_act *in, const struct lx_act *mid,
		  const struct lx_run *runs,
		  const u32 *n_runs, u32 max_runs, u32 n)
{
	u32 gate = e->model->arch->gate;
	struct lx_op *op = add_matmul(e, in, runs, gate ? gate : LX_MM_SWIGLU);

	op->mm.n_runs = n_runs;
	op->mm.mid = *mid;
	add_seg(op, &y->gate, &y->bias_gate, mid->f, mid->ld);
	add_seg(op, &y->up, &y->bias_up, mid->f, mid->ld);
	cut_matmul(e, op, n, max_runs);
}

static struct lx_act ff_out(const struct lx_engine *e, const struct lx_layer *y)
{
	return act_for(act_of(e->act_ff, y->n_ff), &y->down, NULL, NULL);
}

static void dense_ffn(struct lx_engine *e, const struct lx_layer *y)
{
	struct lx_act in = act_for(e->act_embd, &y->gate, &y->up, NULL);
	struct lx_act mid = ff_out(e, y);

	add_norm(e, e->x, e->ld_embd, &y->ffn_norm, &in, &e->run, e->n_tokens);
	gated(e, y, &in, &mid, &e->run, &e->one, 1, e->n_tokens);
	add_output(e, &mid, &y->down, &y->bias_down, &y->ffn_post_norm);
}

static void add_router(struct lx_engine *e, const struct lx_layer *y)
{
	const struct lx_ops *k = e->model->ops;
	const struct lx_hparams *hp = &e->model->hp;
	struct lx_act in = act_for(e->act_embd, &y->router, NULL, NULL);
	struct lx_op *op;

	add_norm(e, e->x, e->ld_embd, &y->ffn_norm, &in, &e->run, e->n_tokens);
	op = add_matmul(e, &in, &e->run, LX_MM_STORE);
	add_seg(op, &y->router, &y->bias_router, e->route_logits, e->ld_expert);
	cut_matmul(e, op, e->n_tokens, 1);
	op = lx_forward_add(e, k->route, e->n_tokens);
	op->route.logits = e->route_logits;
	op->route.ld = e->ld_expert;
	op->route.n_expert = hp->n_expert;
	op->route.n_used = hp->n_expert_used;
	op->route.choice = e->choice;
	op->route.weight = e->route_weight;
	op = lx_forward_add(e, k->gather, 1);
	op->gather.choice = e->choice;
	op->gather.n_expert = hp->n_expert;
	op->gather.n_used = hp->n_expert_used;
	op->gather.n_tokens = e->n_tokens;
	op->gather.runs = e->runs;
	op->gather.n_runs = e->n_runs;
	op->gather.slot_of = e->slot_of;
	op->gather.rows = e->rows;
}

static void expert_ffn(struct lx_engine *e, const struct lx_layer *y)
{
	const struct lx_hparams *hp = &e->model->hp;
	u32 slots = e->n_tokens * hp->n_expert_used;
	u32 runs = lx_min(slots, hp->n_expert), n = e->n_tokens;
	struct lx_act in = act_for(e->act_expert, &y->gate, &y->up, NULL);
	struct lx_act mid = ff_out(e, y);
	struct lx_op *op;

	add_router(e, y);
	if (e->model->n_slots)
		e->marks[y - e->model->layers] = e->n_ops;
	/* The normalised rows again, in the order of the experts. */
	op = add_norm(e, e->act_embd.f, e->act_embd.ld, NULL, &in, e->runs,
		      slots);
	op->norm.rows = e->rows;
	op->norm.n_runs = runs;
	gated(e, y, &in, &mid, e->runs, e->n_runs, runs, n);
	op = add_matmul(e, &mid, e->runs, LX_MM_STORE);
	op->mm.n_runs = e->n_runs;
	add_seg(op, &y->down, &y->bias_down, e->out, e->ld_embd);
	cut_matmul(e, op, n, runs);
	op = lx_forward_add(e, e->model->ops->combine, e->n_tokens);
	op->combine.x = e->x;
	op->combine.ld_x = e->ld_embd;
	op->combine.out = e->out;
	op->combine.ld = e->ld_embd;
	op->combine.n = e->ld_embd;
	op->combine.slot_of = e->slot_of;
	op->combine.weight = e->route_weight;
	op->combine.n_used = hp->n_expert_used;
}

/* ---- the whole ---- */

static void add_angles(struct lx_engine *e, u32 table, void *sin_cos)
{
	struct lx_model *m = e->model;
	struct lx_op *op = lx_forward_add(e, m->ops->angles, e->n_tokens);

	op->angles.sin_cos = sin_cos;
	op->angles.inv_freq = m->inv_freq[table];
	op->angles.pos = e->pos;
	op->angles.n_rot = m->hp.n_rot;
}

void lx_forward_layers(struct lx_engine *e)
{
	struct lx_model *m = e->model;
	struct lx_op *op = lx_forward_add(e, m->ops->embed, e->n_tokens);

	op->embed.scale_bits = m->embd_bits;
	op->embed.mat = &m->embd;
	op->embed.tokens = e->tokens;
	op->embed.x = e->x;
	op->embed.ld = e->ld_embd;
	add_angles(e, e->main_rope, e->sin_cos[LX_ROPE_MAIN]);
	if (e->sin_cos[LX_ROPE_LOCAL])
		add_angles(e, LX_ROPE_LOCAL, e->sin_cos[LX_ROPE_LOCAL]);
	for (u32 l = 0; l < m->hp.n_layer; l++) {
		if (l >= m->n_kept && !m->n_slots)
			e->marks[l - m->n_kept] = e->n_ops;
		attention(e, &m->layers[l], &e->shapes[l]);
		if (m->hp.n_expert)
			expert_ffn(e, &m->layers[l]);
		else
			dense_ffn(e, &m->layers[l]);
	}
	if (!m->n_slots)
		e->marks[m->hp.n_layer - m->n_kept] = e->n_ops;
}

void lx_forward_norm(struct lx_engine *e)
{
	struct lx_act out = e->act_embd;

	out.q = NULL;
	add_norm(e, e->x, e->ld_embd, &e->model->output_norm, &out, &e->run,
		 e->n_tokens);
}

void lx_forward_logits(struct lx_engine *e, u32 first, u32 n)
{
	const struct lx_mat *out = lx_model_output(e->model);
	struct lx_act in = act_for(e->act_row, out, NULL, NULL);
	struct lx_run *run = &e->row_runs[first / LX_MAX_ROWS];
	struct lx_op *op;

	run->slot0 = 0;
	run->n = n;
	run->expert = 0;
	op = add_norm(e, e->x, e->ld_embd, &e->model->output_norm, &in, run,
		      n);
	op->norm.rows = e->row_slot + first;
	op = add_matmul(e, &in, run, LX_MM_STORE);
	add_seg(op, out, NULL, e->logits, e->ld_vocab);
	cut_matmul(e, op, n, 1);
	if (!e->model->hp.final_cap)
		return;
	op = lx_forward_add(e, e->model->ops->cap, 0);
	op->cap.x = e->logits;
	op->cap.ld = e->ld_vocab;
	op->cap.n = e->model->hp.n_vocab;
	op->cap.n_chunks = lx_div_up(op->cap.n, LX_SAMPLE_CHUNK);
	op->cap.cap_bits = e->model->hp.final_cap;
	op->n_tiles = n * op->cap.n_chunks;
}

u32 lx_forward_max_ops(const struct lx_engine *e)
{
	u32 chunks = lx_div_up(e->n_ctx, LX_CHUNK);
	u32 slots = lx_min(lx_max(lx_div_up(chunks, 16u), 2u), chunks);
	u32 layer = 16 + 2 * lx_div_up(chunks, slots);

	return 3 + e->model->hp.n_layer * layer + LX_SAMPLE_OPS +
	       4 * lx_div_up(e->n_batch, LX_MAX_ROWS) + LX_MAX_ROWS +
	       1 + 2 * LX_MAX_EMBED;
}
