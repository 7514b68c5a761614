// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * From a parsed header to the list of what has to be loaded: every tensor the
 * architecture wants, of the shape it wants, and no other.
 */
#include "model.h"
#include "hparams.h"

#define ITEMS_PER_TENSOR 3	/* fused tensors are cut into three at most */

void *lx_model_alloc(struct lx_model *m, u64 n, size_t size)
{
	u64 bytes;
	void *p;

	if (lx_mul_overflow(n, size, &bytes) || bytes > (u64)1 << 40)
		return NULL;
	p = m->host->ops->alloc(m->host, bytes, LX_MEM_CONTROL);
	if (p)
		m->control_bytes += bytes;
	return p;
}

void lx_model_release(struct lx_model *m, void *p, u64 n, size_t size)
{
	if (!p)
		return;
	m->host->ops->free(m->host, p, n * size, LX_MEM_CONTROL);
	m->control_bytes -= n * size;
}

u32 lx_model_type(const struct lx_model *m, const struct lx_gguf_tensor *t)
{
	u32 wanted;

	return m->as ? lx_preset_type(m->as, &m->as_model, t, false, &wanted) :
		       t->type;
}

/* ---- finding tensors ---- */

struct finder {
	struct lx_model *m;
	struct lx_error *err;
	u8 *used;		/* per tensor */
	int ret;
	char name[LX_GGUF_MAX_NAME + 1];
};

static const struct lx_gguf_tensor *find(struct finder *f, bool optional)
{
	const struct lx_gguf_tensor *t;

	if (f->ret)
		return NULL;
	t = lx_gguf_tensor(&f->m->gguf, f->name);
	if (!t && !optional)
		f->ret = lx_fail(f->err, -LX_EBADMSG, "tensor %s is missing",
				 f->name);
	if (t)
		f->used[t - f->m->gguf.tensors] = 1;
	return t;
}

static bool shape_is(struct finder *f, const struct lx_gguf_tensor *t, u64 cols,
		     u64 rows, u64 depth)
{
	if (t->ne[0] == cols && t->ne[1] == rows && t->ne[2] == depth &&
	    t->ne[3] == 1)
		return true;
	f->ret = lx_fail(f->err, -LX_EBADMSG,
			 "tensor %s has shape %llu x %llu x %llu x %llu, not %llu x %llu x %llu",
			 f->name, t->ne[0], t->ne[1], t->ne[2], t->ne[3], cols,
			 rows, depth);
	return false;
}

static struct lx_item *add_item(struct finder *f,
				const struct lx_gguf_tensor *t)
{
	struct lx_item *i = &f->m->items[f->m->n_items++];

	i->t = t;
	i->offset = t->offset;
	i->n_expert = 1;
	return i;
}

/* Prepare @mat for tensor @t; the same type is needed for all its parts. */
static bool set_mat(struct finder *f, struct lx_mat *mat,
		    const struct lx_gguf_tensor *t, u32 rows, u32 cols,
		    u32 n_expert)
{
	u32 type = lx_model_type(f->m, t);
	u64 bytes = lx_pack_bytes(type, cols);

	if (!bytes || bytes > 1u << 30) {
		f->ret = lx_fail(f->err, -LX_ENOPKG,
				 "tensor %s: type %s is not supported", f->name,
				 lx_type_name(type));
		return false;
	}
	mat->type = type;
	mat->rows = rows;
	mat->cols = cols;
	mat->n_strips = lx_div_up(rows, LX_STRIP);
	mat->n_expert = n_expert;
	mat->strip_bytes = (u32)bytes;
	f->m->info.n_params += (u64)rows * cols * n_expert;
	return true;
}

/* Rows @row0.. of tensor @t, which has the type's shape, become @mat. */
static struct lx_item *cut_mat(struct finder *f, struct lx_mat *mat,
			       const struct lx_gguf_tensor *t, u32 row0,
			       u32 rows, u32 cols)
{
	const struct lx_type_info *ti = lx_type_info(t->type);
	struct lx_item *i;

	if (!set_mat(f, mat, t, rows, cols, 1))
		return NULL;
	i = add_item(f, t);
	i->mat = mat;
	i->offset += (u64)row0 * (cols / ti->block * ti->bytes);
	return i;
}

/* A matrix of @rows outputs and @cols inputs; f->name is its tensor. */
static struct lx_item *want_mat(struct finder *f, struct lx_mat *mat, u32 rows,
				u32 cols, bool optional)
{
	const struct lx_gguf_tensor *t = find(f, optional);

	if (!t || !shape_is(f, t, cols, rows, 1))
		return NULL;
	return cut_mat(f, mat, t, 0, rows, cols);
}

/* @n floats from the @first on, of each of @rows rows. */
static struct lx_item *cut_vec(struct finder *f, struct lx_vec *vec,
			       const struct lx_gguf_tensor *t, u32 first, u32 n,
			       u32 rows)
{
	struct lx_item *i;

	if (t->type != LX_TYPE_F32) {
		f->ret = lx_fail(f->err, -LX_ENOPKG,
				 "tensor %s: type %s, where only F32 is supported",
				 f->name, lx_type_name(t->type));
		return NULL;
	}
	vec->n = n;
	vec->rows = rows;
	f->m->info.n_params += (u64)n * rows;
	i = add_item(f, t);
	i->vec = vec;
	i->offset += (u64)first * 4;
	return i;
}

static struct lx_item *want_vec(struct finder *f, struct lx_vec *vec, u32 n,
				bool optional)
{
	const struct lx_gguf_tensor *t = find(f, optional);

	if (!t || !shape_is(f, t, n, 1, 1))
		return NULL;
	return cut_vec(f, vec, t, 0, n, 1);
}

static void name(struct finder *f, u32 layer, const char *what)
{
	lx_format(f->name, sizeof(f->name), "blk.%u.%s", layer, what);
}

/* Rows in pairs are reordered so that halves rotate: pack.c. */
static void reorder(struct finder *f, struct lx_item *i)
{
	if (!i || !f->m->arch->pairs)
		return;
	i->head = f->m->hp.hd;
	i->rot = f->m->hp.n_rot;
}

/* One fused tensor, cut, or three. */
static void find_qkv(struct finder *f, u32 l, struct lx_layer *y, u32 nq,
		     u32 nk, u32 nv)
{
	u32 n = f->m->hp.n_embd;
	const struct lx_gguf_tensor *t;

	name(f, l, "attn_qkv.weight");
	t = find(f, true);
	if (!t) {
		name(f, l, "attn_q.weight");
		reorder(f, want_mat(f, &y->q, nq, n, false));
		name(f, l, "attn_k.weight");
		reorder(f, want_mat(f, &y->k, nk, n, false));
		name(f, l, "attn_v.weight");
		want_mat(f, &y->v, nv, n, false);
	} else if (shape_is(f, t, n, nq + nk + nv, 1)) {
		reorder(f, cut_mat(f, &y->q, t, 0, nq, n));
		reorder(f, cut_mat(f, &y->k, t, nq, nk, n));
		cut_mat(f, &y->v, t, nq + nk, nv, n);
	}
}

static void find_qkv_bias(struct finder *f, u32 l, struct lx_layer *y, u32 nq,
			  u32 nk, u32 nv)
{
	bool need = f->m->arch->qkv_bias;
	const struct lx_gguf_tensor *t;

	name(f, l, "attn_qkv.bias");
	t = find(f, true);
	if (!t) {
		name(f, l, "attn_q.bias");
		reorder(f, want_vec(f, &y->bias_q, nq, !need));
		name(f, l, "attn_k.bias");
		reorder(f, want_vec(f, &y->bias_k, nk, !need));
		name(f, l, "attn_v.bias");
		want_vec(f, &y->bias_v, nv, !need);
	} else if (shape_is(f, t, nq + nk + nv, 1, 1)) {
		reorder(f, cut_vec(f, &y->bias_q, t, 0, nq, 1));
		reorder(f, cut_vec(f, &y->bias_k, t, nq, nk, 1));
		cut_vec(f, &y->bias_v, t, nq + nk, nv, 1);
	}
}

static void find_attention(struct finder *f, u32 l, struct lx_layer *y)
{
	const struct lx_hparams *hp = &f->m->hp;
	const struct lx_arch *a = f->m->arch;
	u32 nq = y->n_head * hp->hd, nk = y->n_head_kv * hp->hd;
	u32 nv = y->n_head_kv * hp->hdv;

	name(f, l, "attn_norm.weight");
	want_vec(f, &y->attn_norm, hp->n_embd, false);
	find_qkv(f, l, y, nq, nk, nv);
	name(f, l, "attn_output.weight");
	want_mat(f, &y->o, hp->n_embd, y->n_head * hp->hdv, false);
	find_qkv_bias(f, l, y, nq, nk, nv);
	name(f, l, "attn_output.bias");
	want_vec(f, &y->bias_o, hp->n_embd, !a->all_bias);
	if (a->qk_norm) {
		name(f, l, "attn_q_norm.weight");
		want_vec(f, &y->norm_q, hp->hd, false);
		name(f, l, "attn_k_norm.weight");
		want_vec(f, &y->norm_k, hp->hd, false);
	}
	if (a->sinks) {
		name(f, l, "attn_sinks.weight");
		want_vec(f, &y->sinks, y->n_head, false);
	}
	if (!a->post_norms)
		return;
	name(f, l, "post_attention_norm.weight");
	want_vec(f, &y->attn_post_norm, hp->n_embd, false);
	name(f, l, "post_ffw_norm.weight");
	want_vec(f, &y->ffn_post_norm, hp->n_embd, false);
}

/* Experts: one tensor of three dimensions, or (older files) one each. */
static void find_experts(struct finder *f, u32 l, const char *what,
			 struct lx_mat *mat, struct lx_vec *bias, u32 rows,
			 u32 cols)
{
	u32 n = f->m->hp.n_expert;
	const struct lx_gguf_tensor *t;
	struct lx_item *i;

	lx_format(f->name, sizeof(f->name), "blk.%u.ffn_%s_exps.bias", l, what);
	t = find(f, !f->m->arch->all_bias);
	if (t && shape_is(f, t, rows, n, 1))
		cut_vec(f, bias, t, 0, rows, n);
	lx_format(f->name, sizeof(f->name), "blk.%u.ffn_%s_exps.weight", l,
		  what);
	t = find(f, true);
	if (t) {
		if (!shape_is(f, t, cols, rows, n) ||
		    !set_mat(f, mat, t, rows, cols, n))
			return;
		i = add_item(f, t);
		i->mat = mat;
		i->n_expert = n;
		return;
	}
	for (u32 e = 0; e < n; e++) {
		lx_format(f->name, sizeof(f->name), "blk.%u.ffn_%s.%u.weight",
			  l, what, e);
		t = find(f, !e);
		if (!t && !f->ret)
			f->ret = lx_fail(f->err, -LX_EBADMSG,
					 "tensor blk.%u.ffn_%s_exps.weight (or %s) is missing",
					 l, what, f->name);
		if (!t || !shape_is(f, t, cols, rows, 1))
			return;
		if (!e && !set_mat(f, mat, t, rows, cols, n))
			return;
		if (lx_model_type(f->m, t) != mat->type) {
			f->ret = lx_fail(f->err, -LX_ENOPKG,
					 "tensor %s: experts of different types",
					 f->name);
			return;
		}
		i = add_item(f, t);
		i->mat = mat;
		i->expert = e;
	}
}

static void find_moe(struct finder *f, u32 l, struct lx_layer *y)
{
	const struct lx_hparams *hp = &f->m->hp;

	name(f, l, "ffn_gate_inp.weight");
	want_mat(f, &y->router, hp->n_expert, hp->n_embd, false);
	name(f, l, "ffn_gate_inp.bias");
	want_vec(f, &y->bias_router, hp->n_expert, !f->m->arch->all_bias);
	find_experts(f, l, "gate", &y->gate, &y->bias_gate, y->n_ff,
		     hp->n_embd);
	find_experts(f, l, "up", &y->up, &y->bias_up, y->n_ff, hp->n_embd);
	find_experts(f, l, "down", &y->down, &y->bias_down, hp->n_embd,
		     y->n_ff);
}

/* Gate and up, or one tensor of both, the gate's rows first. */
static void find_gate_up(struct finder *f, u32 l, struct lx_layer *y)
{
	u32 n = y->n_ff, cols = f->m->hp.n_embd;
	const struct lx_gguf_tensor *t;

	name(f, l, "ffn_up.weight");
	t = find(f, false);
	if (t && t->ne[1] == 2 * (u64)n) {
		if (!shape_is(f, t, cols, 2 * n, 1))
			return;
		cut_mat(f, &y->gate, t, 0, n, cols);
		cut_mat(f, &y->up, t, n, n, cols);
		return;
	}
	want_mat(f, &y->up, n, cols, false);
	name(f, l, "ffn_up.bias");
	want_vec(f, &y->bias_up, n, true);
	name(f, l, "ffn_gate.weight");
	want_mat(f, &y->gate, n, cols, false);
	name(f, l, "ffn_gate.bias");
	want_vec(f, &y->bias_gate, n, true);
}

static void find_ffn(struct finder *f, u32 l, struct lx_layer *y)
{
	const struct lx_hparams *hp = &f->m->hp;
	const char *norm = f->m->arch->ffn_norm;

	name(f, l, norm ? norm : "ffn_norm.weight");
	want_vec(f, &y->ffn_norm, hp->n_embd, false);
	if (hp->n_expert) {
		find_moe(f, l, y);
		return;
	}
	find_gate_up(f, l, y);
	name(f, l, "ffn_down.weight");
	want_mat(f, &y->down, hp->n_embd, y->n_ff, false);
	name(f, l, "ffn_down.bias");
	want_vec(f, &y->bias_down, hp->n_embd, true);
}

static bool name_ends(struct lx_str s, const char *end)
{
	size_t n = lx_strlen(end);

	return s.n >= n && !lx_memcmp(s.p + s.n - n, end, n);
}

/* A tensor nobody asked for would change what the model computes. */
static void refuse_unused(struct finder *f)
{
	const struct lx_gguf *g = &f->m->gguf;

	for (u64 i = 0; i < g->n_tensors && !f->ret; i++) {
		struct lx_str s = g->tensors[i].name;

		if (f->used[i] || name_ends(s, "rope_freqs.weight") ||
		    name_ends(s, "attn_rot_embd.weight"))
			continue;
		f->ret = lx_fail(f->err, -LX_ENOPKG,
				 "tensor %.*s is not one of architecture %s",
				 (int)s.n, s.p, f->m->arch->name);
	}
}

static void set_name(struct finder *f, const char *what)
{
	lx_format(f->name, sizeof(f->name), "%s", what);
}

/* What divides the rotary frequencies. */
static void find_rope(struct finder *f)
{
	struct lx_vec *v = f->m->rope_factors;
	u32 n = f->m->hp.n_rot / 2;

	set_name(f, "rope_freqs.weight");
	if (want_vec(f, &v[LX_ROPE_MAIN], n, true) || !f->m->arch->longrope)
		return;
	set_name(f, "rope_factors_short.weight");
	if (!want_vec(f, &v[LX_ROPE_MAIN], n, true))
		return;
	set_name(f, "rope_factors_long.weight");
	want_vec(f, &v[LX_ROPE_LONG], n, false);
}

static int find_tensors(struct lx_model *m, struct lx_error *err)
{
	struct finder f = { .m = m, .err = err };
	const struct lx_hparams *hp = &m->hp;

	f.used = lx_model_alloc(m, m->gguf.n_tensors, 1);
	if (!f.used)
		return lx_fail(err, -LX_ENOMEM, "no memory for tensor lists");
	set_name(&f, "token_embd.weight");
	want_mat(&f, &m->embd, hp->n_vocab, hp->n_embd, false);
	set_name(&f, "output_norm.weight");
	want_vec(&f, &m->output_norm, hp->n_embd, false);
	set_name(&f, "output.weight");
	want_mat(&f, &m->output, hp->n_vocab, hp->n_embd, true);
	find_rope(&f);
	for (u32 l = 0; l < hp->n_layer && !f.ret; l++) {
		find_attention(&f, l, &m->layers[l]);
		find_ffn(&f, l, &m->layers[l]);
	}
	refuse_unused(&f);
	lx_model_release(m, f.used, m->gguf.n_tensors, 1);
	return f.ret;
}

/* ---- describing ---- */

static void copy_str(char *dst, size_t size, struct lx_str s)
{
	lx_format(dst, size, "%.*s", (int)lx_min(s.n, (u32)size), s.p);
}

static int read_as(struct lx_model *m, const char *as, struct lx_error *err)
{
	if (!as)
		return 0;
	m->as = lx_preset_find(as);
	if (!m->as)
		return lx_fail(err, -LX_EINVAL, "there is no type '%s'", as);
	return lx_preset_model(&m->as_model, &m->gguf, err);
}

static int read_arch(struct lx_model *m, struct lx_error *err)
{
	struct lx_str s = { "", 0 };
	int r = lx_gguf_get_str(&m->gguf, "general.architecture", &s, err);

	if (r < 0)
		return r;
	if (!r)
		return lx_fail(err, -LX_EBADMSG,
			       "key general.architecture is missing");
	m->arch = lx_arch_find(s);
	if (!m->arch)
		return lx_fail(err, -LX_ENOPKG,
			       "architecture '%.*s' is not supported",
			       (int)lx_min(s.n, 48u), s.p);
	copy_str(m->info.arch, sizeof(m->info.arch), s);
	if (lx_gguf_get_str(&m->gguf, "general.name", &s, NULL) > 0)
		copy_str(m->info.name, sizeof(m->info.name), s);
	if (lx_gguf_get_str(&m->gguf, "tokenizer.chat_template", &m->tmpl,
			    err) < 0)
		return err ? err->code : -LX_EBADMSG;
	m->info.chat = lx_chat_recognise(m->tmpl);
	return 0;
}

/* The type that most bytes of the weights have. */
static void most_common_type(struct lx_model *m)
{
	u64 bytes[LX_TYPE_COUNT] = { 0 };
	u32 best = 0;

	for (u64 i = 0; i < m->gguf.n_tensors; i++) {
		const struct lx_gguf_tensor *t = &m->gguf.tensors[i];
		const struct lx_type_info *was = lx_type_info(t->type);
		u32 type = lx_model_type(m, t);
		const struct lx_type_info *is = lx_type_info(type);

		bytes[type] += t->size / was->bytes * was->block / is->block *
			       is->bytes;
	}
	for (u32 t = 1; t < LX_TYPE_COUNT; t++)
		if (bytes[t] > bytes[best])
			best = t;
	lx_format(m->info.type, sizeof(m->info.type), "%s",
		  lx_type_name(best));
}

static void fill_info(struct lx_model *m)
{
	struct lx_model_info *i = &m->info;
	const struct lx_hparams *hp = &m->hp;

	i->simd = m->ops->name;
	lx_format(i->vocab, sizeof(i->vocab), "%s", lx_vocab_kind(m->vocab));
	i->n_vocab = hp->n_vocab;
	i->n_ctx_train = hp->n_ctx_train;
	i->n_layer = hp->n_layer;
	i->n_embd = hp->n_embd;
	i->n_head = hp->n_head;
	i->n_head_kv = hp->n_head_kv;
	i->n_ff = hp->n_ff;
	i->n_expert = hp->n_expert;
	i->n_expert_used = hp->n_expert_used;
	i->file_bytes = m->gguf.data_size;
	most_common_type(m);
}

int lx_model_describe(struct lx_model *m, const struct lx_source *src,
		      u32 n_src, const struct lx_model_params *p,
		      struct lx_error *err)
{
	const struct lx_gguf_tensor *embd;
	int r;

	m->ops = lx_ops_find(p ? p->simd : NULL);
	if (!m->ops)
		return lx_fail(err, -LX_EINVAL,
			       "simd=%s: no such implementation, or this CPU lacks it",
			       p->simd);
	r = lx_gguf_open(&m->gguf, m->host, src, n_src, err);
	if (r)
		return r;
	r = read_arch(m, err);
	if (!r && p && p->stream && p->as)
		r = lx_fail(err, -LX_EINVAL,
			    "weights are streamed as they are in the file: quantize it first");
	if (!r)
		r = read_as(m, p ? p->as : NULL, err);
	if (r)
		return r;
	r = lx_vocab_load(m->host, &m->gguf, &m->vocab, err);
	if (r)
		return r;
	r = lx_hparams_read(m, err);
	if (r)
		return r;
	m->info.chat = lx_chat_fit(m->info.chat, m->vocab);
	m->hp.n_vocab = lx_vocab_n_tokens(m->vocab);
	m->n_kept = p && p->stream ? lx_min(p->n_kept, m->hp.n_layer) :
				     m->hp.n_layer;
	if (p && p->stream && m->hp.n_expert)
		m->n_slots = p->n_slots;
	embd = lx_gguf_tensor(&m->gguf, "token_embd.weight");
	if (embd && embd->ne[1] != m->hp.n_vocab)
		return lx_fail(err, -LX_EBADMSG,
			       "token_embd.weight has %llu rows, the vocabulary %u tokens",
			       embd->ne[1], m->hp.n_vocab);
	m->max_items = (u32)m->gguf.n_tensors * ITEMS_PER_TENSOR;
	m->items = lx_model_alloc(m, m->max_items, sizeof(*m->items));
	m->layers = lx_model_alloc(m, m->hp.n_layer, sizeof(*m->layers));
	if (!m->items || !m->layers)
		return lx_fail(err, -LX_ENOMEM, "no memory for tensor lists");
	r = lx_hparams_layers(m, err);
	if (!r)
		r = find_tensors(m, err);
	if (!r)
		fill_info(m);
	return r;
}

const struct lx_model_info *lx_model_info(const struct lx_model *m)
{
	return &m->info;
}

const struct lx_vocab *lx_model_vocab(const struct lx_model *m)
{
	return m->vocab;
}

struct lx_str lx_model_template(const struct lx_model *m)
{
	return m->tmpl;
}
