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
	u64 bytes = lx_pack_bytes(t->type, cols);

	if (!bytes || bytes > 1u << 30) {
		f->ret = lx_fail(f->err, -LX_ENOPKG,
				 "tensor %s: type %s is not supported", f->name,
				 lx_type_name(t->type));
		return false;
	}
	mat->type = t->type;
	mat->rows = rows;
	mat->cols = cols;
	mat->n_strips = lx_div_up(rows, LX_STRIP);
	mat->n_expert = n_expert;
	mat->strip_bytes = (u32)bytes;
	f->m->info.n_params += (u64)rows * cols * n_expert;
	return true;
}

/* A matrix of @rows outputs and @cols inputs; f->name is its tensor. */
static struct lx_item *want_mat(struct finder *f, struct lx_mat *mat, u32 rows,
				u32 cols, bool optional)
{
	const struct lx_gguf_tensor *t = find(f, optional);
	struct lx_item *i;

	if (!t || !shape_is(f, t, cols, rows, 1) ||
	    !set_mat(f, mat, t, rows, cols, 1))
		return NULL;
	i = add_item(f, t);
	i->mat = mat;
	return i;
}

static struct lx_item *want_vec(struct finder *f, struct lx_vec *vec, u32 n,
				bool optional)
{
	const struct lx_gguf_tensor *t = find(f, optional);
	struct lx_item *i;

	if (!t || !shape_is(f, t, n, 1, 1))
		return NULL;
	if (t->type != LX_TYPE_F32) {
		f->ret = lx_fail(f->err, -LX_ENOPKG,
				 "tensor %s: type %s, where only F32 is supported",
				 f->name, lx_type_name(t->type));
		return NULL;
	}
	vec->n = n;
	f->m->info.n_params += n;
	i = add_item(f, t);
	i->vec = vec;
	return i;
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

static void find_attention(struct finder *f, u32 l, struct lx_layer *y)
{
	const struct lx_hparams *hp = &f->m->hp;
	bool bias = f->m->arch->qkv_bias, norm = f->m->arch->qk_norm;
	u32 nq = hp->n_head * hp->hd, nk = hp->n_head_kv * hp->hd;
	u32 nv = hp->n_head_kv * hp->hdv;

	name(f, l, "attn_norm.weight");
	want_vec(f, &y->attn_norm, hp->n_embd, false);
	name(f, l, "attn_q.weight");
	reorder(f, want_mat(f, &y->q, nq, hp->n_embd, false));
	name(f, l, "attn_k.weight");
	reorder(f, want_mat(f, &y->k, nk, hp->n_embd, false));
	name(f, l, "attn_v.weight");
	want_mat(f, &y->v, nv, hp->n_embd, false);
	name(f, l, "attn_output.weight");
	want_mat(f, &y->o, hp->n_embd, hp->n_head * hp->hdv, false);
	name(f, l, "attn_q.bias");
	reorder(f, want_vec(f, &y->bias_q, nq, !bias));
	name(f, l, "attn_k.bias");
	reorder(f, want_vec(f, &y->bias_k, nk, !bias));
	name(f, l, "attn_v.bias");
	want_vec(f, &y->bias_v, nv, !bias);
	if (!norm)
		return;
	name(f, l, "attn_q_norm.weight");
	want_vec(f, &y->norm_q, hp->hd, false);
	name(f, l, "attn_k_norm.weight");
	want_vec(f, &y->norm_k, hp->hd, false);
}

/* Experts: one tensor of three dimensions, or (older files) one each. */
static void find_experts(struct finder *f, u32 l, const char *what,
			 struct lx_mat *mat, u32 rows, u32 cols)
{
	u32 n = f->m->hp.n_expert;
	const struct lx_gguf_tensor *t;
	struct lx_item *i;

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
		t = find(f, false);
		if (!t || !shape_is(f, t, cols, rows, 1))
			return;
		if (!e && !set_mat(f, mat, t, rows, cols, n))
			return;
		if (t->type != mat->type) {
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

static void find_ffn(struct finder *f, u32 l, struct lx_layer *y)
{
	const struct lx_hparams *hp = &f->m->hp;

	name(f, l, "ffn_norm.weight");
	want_vec(f, &y->ffn_norm, hp->n_embd, false);
	if (hp->n_expert) {
		name(f, l, "ffn_gate_inp.weight");
		want_mat(f, &y->router, hp->n_expert, hp->n_embd, false);
		find_experts(f, l, "gate", &y->gate, hp->n_ff, hp->n_embd);
		find_experts(f, l, "up", &y->up, hp->n_ff, hp->n_embd);
		find_experts(f, l, "down", &y->down, hp->n_embd, hp->n_ff);
		return;
	}
	name(f, l, "ffn_gate.weight");
	want_mat(f, &y->gate, hp->n_ff, hp->n_embd, false);
	name(f, l, "ffn_up.weight");
	want_mat(f, &y->up, hp->n_ff, hp->n_embd, false);
	name(f, l, "ffn_down.weight");
	want_mat(f, &y->down, hp->n_embd, hp->n_ff, false);
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
	set_name(&f, "rope_freqs.weight");
	want_vec(&f, &m->rope_factors, hp->n_rot / 2, true);
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

/* The type that most bytes of the file have. */
static void most_common_type(struct lx_model *m)
{
	u64 bytes[LX_TYPE_COUNT] = { 0 };
	u32 best = 0;

	for (u64 i = 0; i < m->gguf.n_tensors; i++)
		bytes[m->gguf.tensors[i].type] += m->gguf.tensors[i].size;
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
	i->vocab = lx_vocab_kind(m->vocab);
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
