// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Opening and closing an engine: the sizes of everything a step needs follow
 * from the model and the parameters, are the same for the plan and for the
 * engine, and are taken once.
 */
#include "session.h"

void *lx_engine_alloc(struct lx_engine *e, u64 n, size_t size)
{
	void *p = e->host->ops->alloc(e->host, n * size, LX_MEM_CONTROL);

	if (p)
		e->control_bytes += n * size;
	return p;
}

void lx_engine_release(struct lx_engine *e, void *p, u64 n, size_t size)
{
	if (!p)
		return;
	e->host->ops->free(e->host, p, n * size, LX_MEM_CONTROL);
	e->control_bytes -= n * size;
}

/* ---- the scratch block ---- */

struct carver {
	u8 *base;		/* NULL: only count */
	u64 used;
};

static void *carve(struct carver *c, u64 bytes)
{
	u8 *p = c->base ? c->base + c->used : NULL;

	c->used += lx_align_up(bytes, (u64)LX_CACHELINE);
	return p;
}

static struct lx_act carve_act(struct carver *c, u32 slots, u32 cols)
{
	struct lx_act a = { .cols = cols };

	a.ld = lx_align_up(cols, LX_STRIP);
	a.kp = lx_align_up(cols, 64u);
	a.f = carve(c, (u64)slots * a.ld * 4);
	a.q = carve(c, slots * lx_act_bytes(a.kp));
	return a;
}

static u32 scratch_bytes(const struct lx_engine *e)
{
	u32 scores = 8 * LX_CHUNK * 4;
	u32 sample = LX_SAMPLE_CHUNK * 8 + 4096;
	u32 experts = lx_align_up(e->model->hp.n_expert, 16u) * 4;

	return lx_max(scores, lx_max(sample, experts));
}

/* Partial attention results of one token and chunk, floats, at most. */
static u64 part_row(const struct lx_engine *e)
{
	const struct lx_hparams *hp = &e->model->hp;

	return (u64)hp->n_head * (lx_align_up(hp->hdv, LX_STRIP) + LX_STRIP);
}

static u32 max_chunks(const struct lx_engine *e)
{
	return lx_div_up(e->n_ctx, LX_CHUNK);
}

/* Chunks of one round when the batch is full: rounds stay few. */
static u32 min_slots(const struct lx_engine *e)
{
	u32 n = lx_max(lx_div_up(max_chunks(e), 16u), 2u);

	return lx_min(n, max_chunks(e));
}

static void carve_experts(struct lx_engine *e, struct carver *c)
{
	const struct lx_hparams *hp = &e->model->hp;
	u32 slots = e->n_batch * hp->n_expert_used;

	if (!hp->n_expert)
		return;
	e->act_expert = carve_act(c, slots, hp->n_embd);
	e->out = carve(c, (u64)slots * e->ld_embd * 4);
	e->ld_expert = lx_align_up(hp->n_expert, LX_STRIP);
	e->route_logits = carve(c, (u64)e->n_batch * e->ld_expert * 4);
	e->route_weight = carve(c, (u64)slots * 4);
	e->choice = carve(c, (u64)slots * 4);
	e->slot_of = carve(c, (u64)slots * 4);
	e->rows = carve(c, (u64)slots * 4);
	e->runs = carve(c, (u64)hp->n_expert * sizeof(*e->runs));
	e->n_runs = carve(c, 4);
}

static void carve_sample(struct lx_engine *e, struct carver *c)
{
	u32 chunks = lx_div_up(e->model->hp.n_vocab, LX_SAMPLE_CHUNK);

	e->logits = carve(c, (u64)LX_MAX_ROWS * e->ld_vocab * 4);
	e->part = carve(c, (u64)LX_MAX_ROWS * chunks * sizeof(*e->part));
	e->lse = carve(c, (u64)LX_MAX_ROWS * chunks * sizeof(*e->lse));
	e->adj = carve(c, (u64)LX_MAX_ROWS * LX_MAX_ADJUST * sizeof(*e->adj));
	e->adj_hash = carve(c, LX_ADJUST_HASH * sizeof(*e->adj_hash));
	e->sample = carve(c, LX_MAX_ROWS * sizeof(*e->sample));
}

/* Everything of a step but operations; returns the bytes it takes. */
static u64 carve_all(struct lx_engine *e, void *base)
{
	const struct lx_hparams *hp = &e->model->hp;
	struct carver c = { .base = base };
	u32 b = e->n_batch, ff_slots = b * lx_max(hp->n_expert_used, 1u);
	u32 nq = lx_align_up(hp->n_head * hp->hd, LX_STRIP);
	u32 nk = lx_align_up(hp->n_head_kv * hp->hd, LX_STRIP);

	e->ld_embd = lx_align_up(hp->n_embd, LX_STRIP);
	e->ld_vocab = lx_align_up(hp->n_vocab, LX_STRIP);
	e->k_off = nq;
	e->v_off = nq + nk;
	e->ld_qkv = e->v_off + lx_align_up(hp->n_head_kv * hp->hdv, LX_STRIP);
	e->x = carve(&c, (u64)b * e->ld_embd * 4);
	e->act_embd = carve_act(&c, b, hp->n_embd);
	e->qkv = carve(&c, (u64)b * e->ld_qkv * 4);
	e->sin_cos[LX_ROPE_MAIN] = carve(&c, (u64)b * hp->n_rot * 4);
	if (lx_model_has_rope(e->model, LX_ROPE_LOCAL))
		e->sin_cos[LX_ROPE_LOCAL] = carve(&c, (u64)b * hp->n_rot * 4);
	if (e->model->arch->post_norms)
		e->y = carve(&c, (u64)b * e->ld_embd * 4);
	e->act_attn = carve_act(&c, b, hp->n_head * hp->hdv);
	e->state = carve(&c, b * part_row(e) * 4);
	e->part_floats = b * part_row(e) * min_slots(e);
	e->attn_part = carve(&c, e->part_floats * 4);
	e->act_ff = carve_act(&c, ff_slots, hp->n_ff);
	e->act_row = carve_act(&c, LX_MAX_ROWS, hp->n_embd);
	carve_experts(e, &c);
	carve_sample(e, &c);
	for (u32 i = 0; i < e->host->n_workers; i++) {
		void *p = carve(&c, scratch_bytes(e));

		if (base)
			e->worker_scratch[i] = p;
	}
	return lx_align_up(c.used, 4096ull);
}

/* ---- opening ---- */

static u64 kv_pages(const struct lx_engine *e)
{
	return (u64)e->n_planned * lx_div_up(e->n_ctx, LX_PAGE);
}

/*
 * What fits: lx_engine_params.n_ctx says how it is chosen. @room: bytes there
 * are, 0: what is available. @taken: those of them that weights need.
 */
static u32 default_ctx(struct lx_engine *e, u64 room, u64 taken)
{
	u64 half = room ? room : e->host->ops->available(e->host);

	half = half > taken ? (half - taken) / 2 : 0;
	e->n_ctx = lx_min(e->model->hp.n_ctx_train, (u32)LX_DEFAULT_CTX);
	if (lx_model_has_rope(e->model, LX_ROPE_LONG))
		e->n_ctx = lx_min(e->n_ctx, e->model->hp.rope_orig_ctx);
	while (e->n_ctx > LX_LEAST_CTX &&
	       kv_pages(e) * e->page_bytes + carve_all(e, NULL) > half)
		e->n_ctx = lx_max(e->n_ctx / 2, (u32)LX_LEAST_CTX);
	return e->n_ctx;
}

static int set_params(struct lx_engine *e, const struct lx_engine_params *p,
		      u64 room, u64 taken, struct lx_error *err)
{
	const struct lx_hparams *hp = &e->model->hp;

	e->n_ctx = p ? p->n_ctx : 0;
	if (e->n_ctx > 1u << 24)
		return lx_fail(err, -LX_EINVAL, "a context of %u is too long",
			       e->n_ctx);
	e->n_batch = p && p->n_batch ? p->n_batch : LX_DEFAULT_BATCH;
	e->n_batch = lx_min(e->n_batch, (u32)LX_MAX_BATCH);
	e->n_planned = p && p->n_sessions ? p->n_sessions : 1;
	if (e->n_planned > 65536)
		return lx_fail(err, -LX_EINVAL, "%u sessions are too many",
			       e->n_planned);
	e->kv_type = p ? p->kv_type : LX_KV_F16;
	if (e->kv_type >= LX_KV_TYPES)
		return lx_fail(err, -LX_EINVAL, "KV type %u is not known",
			       e->kv_type);
	lx_kv_layout(e);
	if (!e->n_ctx)
		e->n_ctx = default_ctx(e, room, taken);
	if (lx_model_has_rope(e->model, LX_ROPE_LONG) &&
	    e->n_ctx > hp->rope_orig_ctx)
		e->main_rope = LX_ROPE_LONG;
	e->kv.max = kv_pages(e);
	return 0;
}

static u64 n_marks(const struct lx_engine *e)
{
	const struct lx_model *m = e->model;

	return m->n_slots ? m->hp.n_layer : m->hp.n_layer - m->n_kept + 1;
}

/* The small tables of a step; freed by lx_engine_close(). */
static int alloc_control(struct lx_engine *e)
{
	u32 b = e->n_batch;

	e->shapes = lx_engine_alloc(e, e->model->hp.n_layer,
				    sizeof(*e->shapes));
	if (e->shapes)
		lx_kv_layout(e);
	e->max_ops = lx_forward_max_ops(e);
	e->entries = lx_engine_alloc(e, b, sizeof(*e->entries));
	e->tokens = lx_engine_alloc(e, b, sizeof(*e->tokens));
	e->pos = lx_engine_alloc(e, b, sizeof(*e->pos));
	e->items = lx_engine_alloc(e, b, sizeof(*e->items));
	e->item_of = lx_engine_alloc(e, b, sizeof(*e->item_of));
	e->row_slot = lx_engine_alloc(e, b, sizeof(*e->row_slot));
	e->marks = lx_engine_alloc(e, n_marks(e), sizeof(*e->marks));
	e->ops = lx_engine_alloc(e, e->max_ops, sizeof(*e->ops));
	e->worker_scratch = lx_engine_alloc(e, e->host->n_workers,
					    sizeof(*e->worker_scratch));
	return e->shapes && e->entries && e->tokens && e->pos && e->items &&
	       e->item_of && e->row_slot && e->marks && e->ops &&
	       e->worker_scratch && !lx_kv_open(e) ? 0 : -LX_ENOMEM;
}

int lx_engine_open(struct lx_model *m, const struct lx_engine_params *p,
		   struct lx_engine **out, struct lx_error *err)
{
	struct lx_host *h = m->host;
	struct lx_engine *e = h->ops->alloc(h, sizeof(*e), LX_MEM_CONTROL);
	u64 bytes;
	int r;

	if (!e)
		return lx_fail(err, -LX_ENOMEM, "no memory for an engine");
	e->model = m;
	e->host = h;
	e->one = 1;
	lx_sched_init(e);
	r = set_params(e, p, 0, 0, err);
	if (!r && alloc_control(e))
		r = lx_fail(err, -LX_ENOMEM, "no memory for an engine");
	if (!r) {
		bytes = carve_all(e, NULL);
		if (h->ops->block_alloc(h, &e->scratch, bytes, LX_MEM_SCRATCH)) {
			e->scratch.addr = NULL;
			r = lx_fail(err, -LX_ENOMEM,
				    "%llu MB of scratch memory are missing",
				    (bytes >> 20) + 1);
		} else {
			e->scratch.size = bytes;
			carve_all(e, e->scratch.addr);
		}
	}
	if (r) {
		lx_engine_close(e);
		return r;
	}
	*out = e;
	return 0;
}

void lx_engine_close(struct lx_engine *e)
{
	u32 b = e->n_batch;

	while (e->first)
		lx_session_close(e->first);
	lx_kv_close(e);
	lx_lexicon_free(e->lexicon);
	if (e->scratch.addr)
		e->host->ops->block_free(e->host, &e->scratch, LX_MEM_SCRATCH);
	lx_engine_release(e, e->shapes, e->model->hp.n_layer,
			  sizeof(*e->shapes));
	lx_engine_release(e, e->entries, b, sizeof(*e->entries));
	lx_engine_release(e, e->tokens, b, sizeof(*e->tokens));
	lx_engine_release(e, e->pos, b, sizeof(*e->pos));
	lx_engine_release(e, e->items, b, sizeof(*e->items));
	lx_engine_release(e, e->item_of, b, sizeof(*e->item_of));
	lx_engine_release(e, e->row_slot, b, sizeof(*e->row_slot));
	lx_engine_release(e, e->marks, n_marks(e), sizeof(*e->marks));
	lx_engine_release(e, e->ops, e->max_ops, sizeof(*e->ops));
	lx_engine_release(e, e->worker_scratch, e->host->n_workers,
			  sizeof(*e->worker_scratch));
	e->host->ops->free(e->host, e, sizeof(*e), LX_MEM_CONTROL);
}

void lx_engine_info(const struct lx_engine *e, struct lx_engine_info *i)
{
	*i = (struct lx_engine_info){
		.n_ctx = e->n_ctx,
		.n_batch = e->n_batch,
		.n_sessions_planned = e->n_planned,
		.kv_type = e->kv_type,
		.n_sessions = e->n_sessions,
		.kv_page_bytes = e->page_bytes,
		.kv_page_tokens = LX_PAGE,
		.kv_pages = e->kv.n_pages,
		.kv_pages_unused = e->kv.n_free + e->kv.n_unused,
		.n_shared_tokens = e->kv.n_shared,
		.n_drafted = e->n_drafted,
		.n_drafts_right = e->n_drafts_right,
		.kv_planned = e->kv.max * e->page_bytes,
		.scratch_bytes = e->scratch.size,
		.n_steps = e->n_steps,
		.n_prompt_tokens = e->n_prompt_tokens,
		.n_gen_tokens = e->n_gen_tokens,
	};
}

struct lx_model *lx_engine_model(struct lx_engine *e)
{
	return e->model;
}

/* ---- the plan ---- */

static u64 engine_control(const struct lx_engine *e)
{
	return sizeof(*e) + (u64)e->n_batch *
	       (sizeof(*e->entries) + sizeof(*e->tokens) + sizeof(*e->pos) +
		sizeof(*e->items) + sizeof(*e->item_of) +
		sizeof(*e->row_slot)) +
	       n_marks(e) * sizeof(*e->marks) +
	       (u64)lx_forward_max_ops(e) * sizeof(*e->ops) +
	       e->model->hp.n_layer * sizeof(*e->shapes) +
	       lx_kv_control(e->kv.max) +
	       e->host->n_workers * sizeof(*e->worker_scratch);
}

static u64 model_control(const struct lx_model *m)
{
	return m->control_bytes + lx_model_table_bytes(m) -
	       (u64)m->max_items * sizeof(*m->items) + m->gguf.memory +
	       lx_vocab_memory(m->vocab) + sizeof(*m);
}

/* Sizes as the model is laid out. */
static int plan_sizes(struct lx_engine *e, struct lx_plan *plan)
{
	struct lx_model *m = e->model;

	if (lx_model_layout(m))
		return -LX_ENOMEM;
	plan->scratch = carve_all(e, NULL);
	plan->kv = e->kv.max * e->page_bytes;
	plan->kv_per_token = e->page_bytes / LX_PAGE;
	plan->n_ctx = e->n_ctx;
	plan->n_sessions = e->n_planned;
	plan->n_kept = m->n_kept;
	plan->n_slots = m->n_slots;
	plan->weights = m->weight_bytes;
	plan->n_blocks = m->n_blocks;
	plan->block_bytes = 0;
	for (u32 i = 0; i < m->n_blocks; i++)
		plan->block_bytes = lx_max(plan->block_bytes,
					   (u64)m->blocks[i].size);
	plan->control = model_control(m) + engine_control(e);
	plan->total = plan->weights + plan->kv + plan->scratch + plan->control;
	return 0;
}

/* With @n layers in memory, or experts. */
static int plan_with(struct lx_engine *e, u32 n, bool experts,
		     struct lx_plan *plan)
{
	e->model->n_kept = experts ? e->model->hp.n_layer : n;
	e->model->n_slots = experts ? n : 0;
	return plan_sizes(e, plan);
}

/* From @low to @high, as many as fit into @memory, or @low. */
static int plan_most(struct lx_engine *e, u32 low, u32 high, bool experts,
		     u64 memory, struct lx_plan *plan)
{
	u32 mid;
	int r = 0;

	while (low < high && !r) {
		mid = low + (high - low + 1) / 2;
		r = plan_with(e, mid, experts, plan);
		if (plan->total <= memory)
			low = mid;
		else
			high = mid - 1;
	}
	return r ? r : plan_with(e, low, experts, plan);
}

/*
 * All of it in @memory, or as many experts of a mixture as fit, or layers, which
 * may be too little for none.
 */
static int plan_memory(struct lx_engine *e, u64 memory, struct lx_plan *plan)
{
	const struct lx_hparams *hp = &e->model->hp;
	u32 n = hp->n_layer;
	int r = plan_with(e, n, false, plan);

	if (!r && plan->total > memory && hp->n_expert && n > 1)
		r = plan_most(e, hp->n_expert, n * hp->n_expert - 1, true,
			      memory, plan);
	if (r || plan->total <= memory)
		return r;
	return plan_most(e, 0, n > 2 ? n - 2 : 0, false, memory, plan);
}

static int plan_model(struct lx_model *m, const struct lx_model_params *mp,
		      const struct lx_engine_params *ep, struct lx_plan *plan,
		      struct lx_error *err)
{
	u64 memory = mp && mp->stream ? mp->memory : 0;
	u64 reserved = mp ? mp->reserved : 0, beside;
	struct lx_engine *e;
	u32 max_len;
	int r;

	if (mp && mp->stream && m->hp.n_expert && !m->n_slots && !m->n_kept)
		m->n_slots = m->hp.n_expert;
	if (lx_model_layout(m))
		return lx_fail(err, -LX_ENOMEM, "no memory for block tables");
	e = m->host->ops->alloc(m->host, sizeof(*e), LX_MEM_CONTROL);
	if (!e)
		return lx_fail(err, -LX_ENOMEM, "no memory for a plan");
	e->model = m;
	e->host = m->host;
	beside = m->weight_bytes - lx_min(m->weight_bytes, reserved);
	plan->reserved = reserved;
	r = set_params(e, ep, memory, beside + model_control(m), err);
	if (!r) {
		r = memory ? plan_memory(e, memory, plan) :
			     plan_sizes(e, plan);
		if (r)
			lx_fail(err, r, "no memory for a plan");
	}
	plan->lexicon = lx_lexicon_memory(m->vocab, &max_len);
	plan->grammar = lx_grammar_most(m->host, m->hp.n_vocab, max_len);
	m->host->ops->free(m->host, e, sizeof(*e), LX_MEM_CONTROL);
	return r;
}

int lx_plan(struct lx_host *host, const struct lx_source *src, u32 n_src,
	    const struct lx_model_params *mp, const struct lx_engine_params *ep,
	    struct lx_plan *plan, struct lx_error *err)
{
	struct lx_model *m = host->ops->alloc(host, sizeof(*m),
					      LX_MEM_CONTROL);
	int r;

	if (!m)
		return lx_fail(err, -LX_ENOMEM, "no memory for a plan");
	m->host = host;
	*plan = (struct lx_plan){ 0 };
	for (u32 i = 0; i < n_src; i++)
		plan->file += src[i].size;
	r = lx_model_describe(m, src, n_src, mp, err);
	if (!r)
		r = plan_model(m, mp, ep, plan, err);
	if (!r)
		plan->info = m->info;
	lx_model_free(m);
	return r;
}
