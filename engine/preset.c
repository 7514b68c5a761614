// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Mixtures of types. That some matrices deserve more bits than others is what
 * the reference found by trying; the rules here give its types (0.7.0).
 */
#include "lx/preset.h"
#include "lx/convert.h"

/* general.file_type, numbers of llama.h */
enum {
	ALL_F32 = 0, MOSTLY_F16 = 1, MOSTLY_Q4_0 = 2, MOSTLY_Q4_1 = 3,
	MOSTLY_Q8_0 = 7, MOSTLY_Q5_0 = 8, MOSTLY_Q5_1 = 9, MOSTLY_Q2_K = 10,
	Q3_K_S = 11, Q3_K_M = 12, Q3_K_L = 13, Q4_K_S = 14, Q4_K_M = 15,
	Q5_K_S = 16, Q5_K_M = 17, MOSTLY_Q6_K = 18, Q2_K_S = 21,
	MOSTLY_IQ4_NL = 25, MOSTLY_IQ4_XS = 30, MOSTLY_BF16 = 32,
	MXFP4_MOE = 38
};

static const struct lx_preset presets[] = {
	{ "F32", LX_TYPE_F32, ALL_F32 },
	{ "F16", LX_TYPE_F16, MOSTLY_F16 },
	{ "BF16", LX_TYPE_BF16, MOSTLY_BF16 },
	{ "Q8_0", LX_TYPE_Q8_0, MOSTLY_Q8_0 },
	{ "Q6_K", LX_TYPE_Q6_K, MOSTLY_Q6_K },
	{ "Q5_K_M", LX_TYPE_Q5_K, Q5_K_M },
	{ "Q5_K_S", LX_TYPE_Q5_K, Q5_K_S },
	{ "Q5_1", LX_TYPE_Q5_1, MOSTLY_Q5_1 },
	{ "Q5_0", LX_TYPE_Q5_0, MOSTLY_Q5_0 },
	{ "Q4_K_M", LX_TYPE_Q4_K, Q4_K_M },
	{ "Q4_K_S", LX_TYPE_Q4_K, Q4_K_S },
	{ "Q4_1", LX_TYPE_Q4_1, MOSTLY_Q4_1 },
	{ "Q4_0", LX_TYPE_Q4_0, MOSTLY_Q4_0 },
	{ "IQ4_NL", LX_TYPE_IQ4_NL, MOSTLY_IQ4_NL },
	{ "IQ4_XS", LX_TYPE_IQ4_XS, MOSTLY_IQ4_XS },
	{ "MXFP4_MOE", LX_TYPE_MXFP4, MXFP4_MOE },
	{ "Q3_K_L", LX_TYPE_Q3_K, Q3_K_L },
	{ "Q3_K_M", LX_TYPE_Q3_K, Q3_K_M },
	{ "Q3_K_S", LX_TYPE_Q3_K, Q3_K_S },
	{ "Q2_K", LX_TYPE_Q2_K, MOSTLY_Q2_K },
	{ "Q2_K_S", LX_TYPE_Q2_K, Q2_K_S },
};

const struct lx_preset *lx_preset_at(u32 n)
{
	return n < LX_ARRAY_SIZE(presets) ? &presets[n] : NULL;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* @rest: what may follow in @want, or "" */
static bool name_is(const char *name, const char *want, const char *rest)
{
	while (*name && upper(*name) == *want) {
		name++;
		want++;
	}
	if (*name)
		return false;
	while (*want && *want == *rest) {
		want++;
		rest++;
	}
	return !*want && !*rest;
}

const struct lx_preset *lx_preset_find(const char *name)
{
	for (u32 i = 0; i < LX_ARRAY_SIZE(presets); i++)
		if (name_is(name, presets[i].name, "") ||
		    name_is(name, presets[i].name, "_M"))
			return &presets[i];
	return NULL;
}

/* ---- the model ---- */

/* A key of the architecture, or the first of an array of them. */
static int arch_u32(const struct lx_gguf *g, struct lx_str arch,
		    const char *what, u32 def, u32 *v, struct lx_error *err)
{
	const struct lx_gguf_kv *kv;
	char key[96];

	lx_format(key, sizeof(key), "%.*s.%s", (int)lx_min(arch.n, 48u), arch.p,
		  what);
	*v = def;
	kv = lx_gguf_find(g, key);
	if (kv && kv->type == LX_GGUF_ARRAY && kv->count &&
	    (kv->elem_type == LX_GGUF_U32 || kv->elem_type == LX_GGUF_I32)) {
		*v = (u32)lx_gguf_elem(kv, 0);
		return 0;
	}
	return lx_min(lx_gguf_get_u32(g, key, v, err), 0);
}

int lx_preset_model(struct lx_preset_model *m, const struct lx_gguf *g,
		    struct lx_error *err)
{
	struct lx_str arch = { "", 0 };
	u32 heads, kv_heads;
	int r = lx_gguf_get_str(g, "general.architecture", &arch, err);

	if (!r)
		r = lx_fail(err, -LX_EBADMSG,
			    "key general.architecture is missing");
	if (r > 0)
		r = arch_u32(g, arch, "block_count", 0, &m->n_layer, err);
	if (!r)
		r = arch_u32(g, arch, "expert_count", 0, &m->n_expert, err);
	if (!r)
		r = arch_u32(g, arch, "attention.head_count", 1, &heads, err);
	if (!r)
		r = arch_u32(g, arch, "attention.head_count_kv", heads,
			     &kv_heads, err);
	if (r)
		return r;
	m->gqa = kv_heads ? heads / kv_heads : 0;
	m->tied = !lx_gguf_tensor(g, "output.weight");
	return 0;
}

/* ---- names of tensors ---- */

static bool ends(struct lx_str s, const char *end)
{
	size_t n = lx_strlen(end);

	return s.n >= n && !lx_memcmp(s.p + s.n - n, end, n);
}

static bool has(struct lx_str s, const char *part)
{
	u32 n = (u32)lx_strlen(part);

	for (u32 i = 0; i + n <= s.n; i++)
		if (!lx_memcmp(s.p + i, part, n))
			return true;
	return false;
}

/* N of "blk.N." */
static u32 layer_of(struct lx_str s)
{
	u32 v = 0;

	if (s.n < 4 || lx_memcmp(s.p, "blk.", 4))
		return 0;
	for (u32 i = 4; i < s.n && i < 10 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		v = v * 10 + (u32)(s.p[i] - '0');
	return v;
}

/* Matrices whose noise is not worth the bytes saved, or no matrices at all */
static bool left_alone(const struct lx_gguf_tensor *t)
{
	static const char *const parts[] = {
		"_norm.weight", "ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight",
		"pos_embd.weight", "position_embd.weight", "token_types.weight",
		"attn_rot_embd", "rope_freqs", "ssm_conv1d", "shortconv.conv.weight",
	};

	if (!ends(t->name, "weight") || t->ne[1] * t->ne[2] * t->ne[3] == 1)
		return true;
	for (u32 i = 0; i < LX_ARRAY_SIZE(parts); i++)
		if (has(t->name, parts[i]))
			return true;
	return !lx_type_can_read(t->type);
}

/* ---- mixtures ---- */

/* The first and last eighth of the layers, and every third between. */
static bool more_bits(u32 i, u32 n)
{
	return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

static u32 type_of_output(u32 type, u32 ftype, const struct lx_gguf_tensor *t)
{
	if (ftype == MXFP4_MOE || t->ne[0] % 256)
		return LX_TYPE_Q8_0;
	return type == LX_TYPE_Q8_0 ? type : LX_TYPE_Q6_K;
}

static u32 type_of_v(u32 type, u32 ftype, const struct lx_preset_model *m,
		     u32 layer)
{
	if (m->n_expert == 8)
		return LX_TYPE_Q8_0;
	switch (ftype) {
	case MOSTLY_Q2_K:
		type = m->gqa >= 4 ? LX_TYPE_Q4_K : LX_TYPE_Q3_K;
		break;
	case Q2_K_S:
		if (m->gqa >= 4)
			type = LX_TYPE_Q4_K;
		break;
	case Q3_K_M: type = layer < 2 ? LX_TYPE_Q5_K : LX_TYPE_Q4_K; break;
	case Q3_K_L: type = LX_TYPE_Q5_K; break;
	case MOSTLY_IQ4_NL: case MOSTLY_IQ4_XS:
		if (m->gqa >= 4)
			type = LX_TYPE_Q5_K;
		break;
	case Q4_K_M: case Q5_K_M:
		if (more_bits(layer, m->n_layer))
			type = LX_TYPE_Q6_K;
		break;
	case Q4_K_S:
		if (layer < 4)
			type = LX_TYPE_Q5_K;
		break;
	}
	/* 70B models share K and V among eight heads */
	if (m->n_layer == 80 && (type == LX_TYPE_Q3_K || type == LX_TYPE_Q4_K))
		type = LX_TYPE_Q5_K;
	return type;
}

static u32 type_of_down(u32 type, u32 ftype, u32 layer, u32 n)
{
	bool early = layer < n / 8;

	switch (ftype) {
	case MOSTLY_Q2_K: return LX_TYPE_Q3_K;
	case Q2_K_S: return early ? LX_TYPE_Q4_K : type;
	case Q3_K_M: return layer < n / 16 ? LX_TYPE_Q5_K : LX_TYPE_Q4_K;
	case Q3_K_L: return LX_TYPE_Q5_K;
	case Q4_K_M: case Q5_K_M:
		return more_bits(layer, n) ? LX_TYPE_Q6_K : type;
	case Q4_K_S: case MOSTLY_IQ4_NL: case MOSTLY_IQ4_XS:
		return early ? LX_TYPE_Q5_K : type;
	}
	return type;
}

static u32 type_of_o(u32 type, u32 ftype, u32 n_expert)
{
	if (n_expert == 8) {
		switch (ftype) {
		case MOSTLY_Q2_K: case Q3_K_S: case Q3_K_M: case Q4_K_S:
		case Q4_K_M: case MOSTLY_IQ4_NL: case MOSTLY_IQ4_XS:
			return LX_TYPE_Q5_K;
		}
		return type;
	}
	switch (ftype) {
	case MOSTLY_Q2_K: return LX_TYPE_Q3_K;
	case Q3_K_M: return LX_TYPE_Q4_K;
	case Q3_K_L: return LX_TYPE_Q5_K;
	}
	return type;
}

/* Fused Q, K and V */
static u32 type_of_qkv(u32 type, u32 ftype)
{
	switch (ftype) {
	case Q3_K_M: case Q3_K_L: return LX_TYPE_Q4_K;
	case Q4_K_M: return LX_TYPE_Q5_K;
	case Q5_K_M: return LX_TYPE_Q6_K;
	}
	return type;
}

static u32 mixed(const struct lx_preset *p, const struct lx_preset_model *m,
		 const struct lx_gguf_tensor *t)
{
	u32 layer = layer_of(t->name);

	if (ends(t->name, "output.weight") && !has(t->name, "attn_output"))
		return type_of_output(p->type, p->file_type, t);
	if (m->tied && ends(t->name, "token_embd.weight"))
		return type_of_output(p->type, p->file_type, t);
	if (p->file_type == MXFP4_MOE)
		return t->ne[2] > 1 ? LX_TYPE_MXFP4 : LX_TYPE_Q8_0;
	if (has(t->name, "attn_v.weight"))
		return type_of_v(p->type, p->file_type, m, layer);
	if (has(t->name, "attn_k.weight"))
		return m->n_expert == 8 ? LX_TYPE_Q8_0 : p->type;
	if (has(t->name, "ffn_down"))
		return type_of_down(p->type, p->file_type, layer, m->n_layer);
	if (has(t->name, "attn_output.weight"))
		return type_of_o(p->type, p->file_type, m->n_expert);
	if (has(t->name, "attn_qkv.weight"))
		return type_of_qkv(p->type, p->file_type);
	return p->type;
}

/* For rows that are no whole superblocks, or no whole blocks. */
static u32 fitting(u32 type, u64 cols)
{
	if (!(cols % lx_type_info(type)->block))
		return type;
	if (cols % 32)
		return LX_TYPE_F16;
	switch (type) {
	case LX_TYPE_Q6_K: return LX_TYPE_Q8_0;
	case LX_TYPE_Q5_K: return LX_TYPE_Q5_1;
	case LX_TYPE_Q4_K: return LX_TYPE_Q5_0;
	case LX_TYPE_IQ4_XS: return LX_TYPE_IQ4_NL;
	default: return LX_TYPE_Q4_0;
	}
}

u32 lx_preset_type(const struct lx_preset *p, const struct lx_preset_model *m,
		   const struct lx_gguf_tensor *t, bool pure, u32 *wanted)
{
	bool plain = pure || p->type == LX_TYPE_F32 || p->type == LX_TYPE_F16 ||
		     p->type == LX_TYPE_BF16;

	*wanted = t->type;
	if (left_alone(t))
		return t->type;
	*wanted = plain ? p->type : mixed(p, m, t);
	return fitting(*wanted, t->ne[0]);
}
