// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Hyper-parameters: keys of the header, checked before anything uses them. */
#include "model.h"
#include "hparams.h"

#define F32_ONE 0x3f800000u
#define MAX_LAYERS 1024
#define MAX_DIM (1u << 20)
#define MAX_CTX (1u << 27)

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

/*
 * An integer, or an array of one value repeated. @def: when absent;
 * @min..@max what is accepted.
 */
static u32 get_u32(struct keys *k, const char *name, s64 def, u32 min, u32 max)
{
	const char *key = key_of(k, name);
	const struct lx_gguf_kv *kv = lx_gguf_find(&k->m->gguf, key);
	u32 v = (u32)def;
	int r = 1;

	if (k->ret)
		return 0;
	if (!kv && def < 0) {
		k->ret = lx_fail(k->err, -LX_EBADMSG, "key %s is missing", key);
		return 0;
	}
	if (kv && kv->type == LX_GGUF_ARRAY) {
		if (!kv->count || (kv->elem_type != LX_GGUF_U32 &&
				   kv->elem_type != LX_GGUF_I32))
			r = lx_fail(k->err, -LX_EBADMSG,
				    "key %s: an array of the wrong type", key);
		else
			v = (u32)lx_gguf_elem(kv, 0);
		for (u64 i = 1; r > 0 && i < kv->count; i++)
			if ((u32)lx_gguf_elem(kv, i) != v)
				r = lx_fail(k->err, -LX_ENOPKG,
					    "key %s: values per layer are not supported",
					    key);
	} else if (kv) {
		r = lx_gguf_get_u32(&k->m->gguf, key, &v, k->err);
	}
	if (r >= 0 && (v < min || v > max) && (kv || v != (u32)def))
		r = lx_fail(k->err, -LX_EBADMSG,
			    "key %s: %u is out of range (%u to %u)", key, v,
			    min, max);
	if (r < 0)
		k->ret = r;
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

static void read_attention(struct keys *k, struct lx_hparams *hp)
{
	const struct lx_arch *a = k->m->arch;
	u32 v = hp->n_embd / hp->n_head;

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

int lx_hparams_layers(struct lx_model *m, struct lx_error *err)
{
	const struct lx_hparams *hp = &m->hp;
	struct keys k = { .m = m, .err = err };
	const char *key = key_of(&k, "attention.sliding_window_pattern");
	const struct lx_gguf_kv *kv = lx_gguf_find(&m->gguf, key);
	u32 pattern = m->arch->pattern;

	if (kv && kv->type == LX_GGUF_ARRAY) {
		if ((kv->elem_type != LX_GGUF_BOOL &&
		     kv->elem_type != LX_GGUF_U32 &&
		     kv->elem_type != LX_GGUF_I32) || kv->count < hp->n_layer)
			return lx_fail(err, -LX_EBADMSG,
				       "key %s: not a bool for each layer", key);
	} else if (kv) {
		pattern = get_u32(&k, "attention.sliding_window_pattern", 0, 0,
				  MAX_LAYERS);
		kv = NULL;
	}
	for (u32 l = 0; l < hp->n_layer; l++) {
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
	return k.ret;
}

int lx_hparams_read(struct lx_model *m, struct lx_error *err)
{
	struct lx_hparams *hp = &m->hp;
	struct keys k = { .m = m, .err = err };

	hp->n_layer = get_u32(&k, "block_count", -1, 1, MAX_LAYERS);
	hp->n_ctx_train = get_u32(&k, "context_length", -1, 1, MAX_CTX);
	hp->n_embd = get_u32(&k, "embedding_length", -1, 1, MAX_DIM);
	hp->n_head = get_u32(&k, "attention.head_count", -1, 1, 4096);
	if (k.ret)
		return k.ret;
	hp->n_head_kv = get_u32(&k, "attention.head_count_kv", hp->n_head, 1,
				hp->n_head);
	read_experts(&k, hp);
	hp->n_ff = get_u32(&k, "feed_forward_length", m->arch->experts ==
			   LX_EXPERTS_MUST ? 0 : -1, 0, MAX_DIM);
	if (hp->n_expert)
		hp->n_ff = get_u32(&k, "expert_feed_forward_length", hp->n_ff,
				   0, MAX_DIM);
	read_attention(&k, hp);
	read_rope(&k, hp);
	if (k.ret)
		return k.ret;
	if (hp->n_head % hp->n_head_kv)
		return lx_fail(err, -LX_EBADMSG,
			       "key %s: %u heads are no multiple of %u",
			       key_of(&k, "attention.head_count_kv"),
			       hp->n_head, hp->n_head_kv);
	if (!hp->hdv || !hp->n_ff)
		return lx_fail(err, -LX_EBADMSG,
			       "value length %u or feed-forward length %u makes no sense",
			       hp->hdv, hp->n_ff);
	return 0;
}
