// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Hyper-parameters: keys of the header, checked before anything uses them. */
#include "model.h"
#include "hparams.h"

#define F32_ONE 0x3f800000u
#define MAX_LAYERS 1024
#define MAX_DIM (1u << 20)
#define MAX_CTX (1u << 27)
#define MAX_HEADS 4096

struct keys {
	struct lx_model *m;
	struct lx_error *err;
	int ret;		/* the first error */
	char key[96];
};

static const char *key_of(struct keys *k, const char *name)
{
	lx_format(k->key, sizeof(k->key), "%s.%s", k->m->arch->name, name);
	return k->key;
}

/* An integer. @def: when absent, < 0: an error; @min..@max what is accepted. */
static u32 get_u32(struct keys *k, const char *name, s64 def, u32 min, u32 max)
{
	const char *key = key_of(k, name);
	u32 v = (u32)def;
	int r;

	if (k->ret)
		return 0;
	r = lx_gguf_get_u32(&k->m->gguf, key, &v, k->err);
	if (!r && def < 0)
		r = lx_fail(k->err, -LX_EBADMSG, "key %s is missing", key);
	else if (r > 0 && (v < min || v > max))
		r = lx_fail(k->err, -LX_EBADMSG,
			    "key %s: %u is out of range (%u to %u)", key, v,
			    min, max);
	if (r < 0)
		k->ret = r;
	return v;
}

static bool is_array(struct keys *k, const char *name)
{
	const struct lx_gguf_kv *kv = lx_gguf_find(&k->m->gguf,
						   key_of(k, name));

	return kv && kv->type == LX_GGUF_ARRAY;
}

/* The same for layer @l: one integer for all, or an array of one for each. */
static u32 get_layer(struct keys *k, const char *name, u32 l, s64 def, u32 min,
		     u32 max)
{
	const struct lx_gguf_kv *kv;
	u32 v;

	if (k->ret || !is_array(k, name))
		return get_u32(k, name, def, min, max);
	kv = lx_gguf_find(&k->m->gguf, key_of(k, name));
	if (kv->elem_type != LX_GGUF_U32 && kv->elem_type != LX_GGUF_I32)
		k->ret = lx_fail(k->err, -LX_EBADMSG,
				 "key %s: an array of the wrong type", k->key);
	else if (kv->count != k->m->hp.n_layer)
		k->ret = lx_fail(k->err, -LX_EBADMSG,
				 "key %s: %llu values for %u layers", k->key,
				 kv->count, k->m->hp.n_layer);
	if (k->ret)
		return 0;
	v = (u32)lx_gguf_elem(kv, l);
	if (v < min || v > max)
		k->ret = lx_fail(k->err, -LX_EBADMSG,
				 "key %s: %d of layer %u is out of range (%u to %u)",
				 k->key, (s32)v, l, min, max);
	return v;
}

/* f32 bits; must be a finite number, not negative, and not 0 unless @zero. */
static u32 get_f32(struct keys *k, const char *name, u32 def, bool need,
		   bool zero)
{
	const char *key = key_of(k, name);
	u32 v = def;
	int r;

	if (k->ret)
		return 0;
	r = lx_gguf_get_f32(&k->m->gguf, key, &v, k->err);
	if (!r && need)
		r = lx_fail(k->err, -LX_EBADMSG, "key %s is missing", key);
	else if (r > 0 && (v >= 0x7f800000 || (!zero && v < 0x00800000)))
		r = lx_fail(k->err, -LX_EBADMSG,
			    "key %s: not a positive number", key);
	if (r < 0)
		k->ret = r;
	return v;
}

static void read_rope_type(struct keys *k, struct lx_hparams *hp)
{
	struct lx_str type = { "", 0 };
	int r = lx_gguf_get_str(&k->m->gguf, key_of(k, "rope.scaling.type"),
				&type, k->err);

	if (r < 0)
		k->ret = r;
	else if (lx_str_eq(type, "yarn"))
		hp->rope_yarn = true;
	else if (lx_str_eq(type, "none"))
		hp->rope_factor = F32_ONE;
	else if (type.n && !lx_str_eq(type, "linear") &&
		 !(k->m->arch->longrope && lx_str_eq(type, "longrope")))
		k->ret = lx_fail(k->err, -LX_ENOPKG,
				 "key %s: '%.*s' is not supported", k->key,
				 (int)lx_min(type.n, 32u), type.p);
}

static void read_rope(struct keys *k, struct lx_hparams *hp)
{
	const struct lx_gguf *g = &k->m->gguf;
	u32 local = k->m->arch->local_base;

	hp->n_rot = get_u32(k, "rope.dimension_count", hp->hd, 2, hp->hd);
	hp->rope_base = get_f32(k, "rope.freq_base", 0x461c4000, false, false);
	hp->rope_factor = get_f32(k, "rope.scaling.factor", F32_ONE, false,
				  true);
	if (!hp->rope_factor)
		hp->rope_factor = F32_ONE;
	if (!lx_gguf_find(g, key_of(k, "rope.scaling.factor")))
		hp->rope_factor = get_f32(k, "rope.scale_linear", F32_ONE,
					  false, false);
	hp->rope_attn_factor = get_f32(k, "rope.scaling.attn_factor", F32_ONE,
				       false, false);
	hp->rope_orig_ctx = get_u32(k, "rope.scaling.original_context_length",
				    hp->n_ctx_train, 1, MAX_CTX);
	hp->rope_ext = get_f32(k, "rope.scaling.yarn_ext_factor", F32_ONE,
			       false, true);
	hp->rope_beta_fast = get_f32(k, "rope.scaling.yarn_beta_fast",
				     0x42000000, false, false);
	hp->rope_beta_slow = get_f32(k, "rope.scaling.yarn_beta_slow", F32_ONE,
				     false, false);
	if (k->ret)
		return;
	read_rope_type(k, hp);
	hp->local_base = get_f32(k, "rope.freq_base_swa",
				 local ? local : hp->rope_base, false, false);
	hp->local_factor = local ? F32_ONE : hp->rope_factor;
	if (!k->ret && (hp->n_rot & 1))
		k->ret = lx_fail(k->err, -LX_EBADMSG,
				 "key %s: %u is odd",
				 key_of(k, "rope.dimension_count"), hp->n_rot);
}

static void read_experts(struct keys *k, struct lx_hparams *hp)
{
	u32 experts = k->m->arch->experts;

	hp->n_expert = get_u32(k, "expert_count",
			       experts == LX_EXPERTS_MUST ? -1 : 0,
			       experts == LX_EXPERTS_MUST, 1024);
	hp->n_expert_used = get_u32(k, "expert_used_count", 0, 0,
				    lx_max(hp->n_expert, 1u));
	if (k->ret)
		return;
	if (hp->n_expert && experts == LX_EXPERTS_NONE)
		k->ret = lx_fail(k->err, -LX_ENOPKG,
				 "key %s: this architecture has no experts",
				 key_of(k, "expert_count"));
	else if (hp->n_expert && !hp->n_expert_used)
		k->ret = lx_fail(k->err, -LX_EBADMSG, "key %s is 0",
				 key_of(k, "expert_used_count"));
	if (!hp->n_expert)
		hp->n_expert_used = 0;
}

/* What all layers share; that of the first where sizes follow from heads. */
static void read_attention(struct keys *k, struct lx_hparams *hp)
{
	const struct lx_arch *a = k->m->arch;
	u32 v = get_layer(k, "attention.head_count", 0, -1, 1, MAX_HEADS);

	if (k->ret)
		return;
	v = hp->n_embd / v;
	hp->hd = get_u32(k, "attention.key_length", v, 2, 4096);
	if (!k->ret && (hp->hd & 1 || hp->hd < 2))
		k->ret = lx_fail(k->err, -LX_EBADMSG,
				 "key %s: heads of %u channels make no sense",
				 key_of(k, "attention.key_length"), hp->hd);
	hp->hdv = get_u32(k, "attention.value_length", v, 1, 4096);
	hp->eps_bits = get_f32(k, "attention.layer_norm_rms_epsilon", 0, true,
			       true);
	hp->window = a->windows ? get_u32(k, "attention.sliding_window",
					  a->window, 0, MAX_CTX) : 0;
	hp->cap = a->cap ? get_f32(k, "attn_logit_softcapping", a->cap, false,
				   true) : 0;
	hp->final_cap = a->caps ? get_f32(k, "final_logit_softcapping",
					  a->final_cap, false, true) : 0;
	hp->score_dim = a->wide_layers == hp->n_layer ? v : hp->hd;
}

/* Which layers have a window, and how they rotate. */
static void read_windows(struct keys *k)
{
	struct lx_model *m = k->m;
	const struct lx_hparams *hp = &m->hp;
	const char *name = "attention.sliding_window_pattern";
	const struct lx_gguf_kv *kv = NULL;
	u32 pattern = m->arch->pattern;

	if (!is_array(k, name))
		pattern = get_u32(k, name, pattern, 0, MAX_LAYERS);
	else
		kv = lx_gguf_find(&m->gguf, key_of(k, name));
	if (kv && ((kv->elem_type != LX_GGUF_BOOL &&
		    kv->elem_type != LX_GGUF_U32 &&
		    kv->elem_type != LX_GGUF_I32) || kv->count != hp->n_layer))
		k->ret = lx_fail(k->err, -LX_EBADMSG,
				 "key %s: not a bool for each layer", k->key);
	for (u32 l = 0; !k->ret && l < hp->n_layer; l++) {
		struct lx_layer *y = &m->layers[l];
		bool local = kv ? lx_gguf_elem(kv, l) != 0 :
			     !pattern || l % pattern < pattern - 1;

		if (!local || !hp->window)
			continue;
		y->window = hp->window;
		if (hp->local_base != hp->rope_base ||
		    hp->local_factor != hp->rope_factor)
			y->rope = LX_ROPE_LOCAL;
	}
}

static void read_layer(struct keys *k, u32 l)
{
	struct lx_hparams *hp = &k->m->hp;
	struct lx_layer *y = &k->m->layers[l];
	bool must = k->m->arch->experts == LX_EXPERTS_MUST;
	const char *exps = "expert_feed_forward_length";
	const char *ff = "feed_forward_length";

	y->n_head = get_layer(k, "attention.head_count", l, -1, 1, MAX_HEADS);
	y->n_head_kv = get_layer(k, "attention.head_count_kv", l, y->n_head, 1,
				 y->n_head);
	y->n_ff = get_layer(k, ff, l, must ? 0 : -1, 0, MAX_DIM);
	if (hp->n_expert && lx_gguf_find(&k->m->gguf, key_of(k, exps))) {
		ff = exps;
		y->n_ff = get_layer(k, ff, l, -1, 0, MAX_DIM);
	}
	if (k->ret)
		return;
	if (y->n_head % y->n_head_kv)
		k->ret = lx_fail(k->err, -LX_EBADMSG,
				 "key %s: %u heads of layer %u are no multiple of %u",
				 key_of(k, "attention.head_count_kv"),
				 y->n_head, l, y->n_head_kv);
	else if (!y->n_ff)
		k->ret = lx_fail(k->err, -LX_EBADMSG,
				 "key %s: 0 of layer %u makes no sense",
				 key_of(k, ff), l);
	hp->n_head = lx_max(hp->n_head, y->n_head);
	hp->n_head_kv = lx_max(hp->n_head_kv, y->n_head_kv);
	hp->n_ff = lx_max(hp->n_ff, y->n_ff);
}

int lx_hparams_layers(struct lx_model *m, struct lx_error *err)
{
	struct keys k = { .m = m, .err = err };

	for (u32 l = 0; !k.ret && l < m->hp.n_layer; l++)
		read_layer(&k, l);
	read_windows(&k);
	return k.ret;
}

int lx_hparams_read(struct lx_model *m, struct lx_error *err)
{
	struct lx_hparams *hp = &m->hp;
	struct keys k = { .m = m, .err = err };

	hp->n_layer = get_u32(&k, "block_count", -1, 1, MAX_LAYERS);
	hp->n_ctx_train = get_u32(&k, "context_length", -1, 1, MAX_CTX);
	hp->n_embd = get_u32(&k, "embedding_length", -1, 1, MAX_DIM);
	read_experts(&k, hp);
	read_attention(&k, hp);
	read_rope(&k, hp);
	return k.ret;
}
