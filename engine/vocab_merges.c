// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The merge rules of byte-level BPE: "left right" in order of rank, as a map
 * from pairs of token ids to rank and result.
 */
#include "vocab_priv.h"

#define KEY "tokenizer.ggml.merges"
#define MERGES_MAX (1u << 24)

static u32 pair_hash(u32 left, u32 right)
{
	u64 h = ((u64)left << 32 | right) * 0x9e3779b97f4a7c15ull;

	return (u32)(h >> 32);
}

const struct lx_merge_rule *lx_vocab_rule(const struct lx_vocab *v, u32 left,
					  u32 right)
{
	u32 i = pair_hash(left, right) & v->rule_mask;
	const struct lx_merge_rule *r = &v->rule[i];

	if (left == LX_NO_TOKEN)	/* it would find an empty slot */
		return NULL;
	while (r->left != left || r->right != right) {
		if (r->left == LX_NO_TOKEN)
			return NULL;
		i = (i + 1) & v->rule_mask;
		r = &v->rule[i];
	}
	return r;
}

/* The first rule for a pair counts. */
static void insert(struct lx_vocab *v, const struct lx_merge_rule *rule)
{
	u32 i = pair_hash(rule->left, rule->right) & v->rule_mask;

	for (; v->rule[i].left != LX_NO_TOKEN; i = (i + 1) & v->rule_mask)
		if (v->rule[i].left == rule->left &&
		    v->rule[i].right == rule->right)
			return;
	v->rule[i] = *rule;
}

/* Bytes before the space that parts the two, 0 when there is none. */
static u32 find_space(struct lx_str s)
{
	for (u32 i = 1; i + 1 < s.n; i++)
		if (s.p[i] == ' ')
			return i;
	return 0;
}

/* @joined has room for the text; false when a part or the whole is no token. */
static bool resolve(const struct lx_vocab *v, struct lx_str s, u32 left_n,
		    u8 *joined, struct lx_merge_rule *rule)
{
	const u8 *p = (const u8 *)s.p;

	lx_memcpy(joined, p, left_n);
	lx_memcpy(joined + left_n, p + left_n + 1, s.n - left_n - 1);
	rule->left = lx_vocab_lookup(v, p, left_n);
	rule->right = lx_vocab_lookup(v, p + left_n + 1, s.n - left_n - 1);
	rule->result = lx_vocab_lookup(v, joined, s.n - 1);
	return rule->left != LX_NO_TOKEN && rule->right != LX_NO_TOKEN &&
	       rule->result != LX_NO_TOKEN;
}

static int build(struct lx_vocab *v, const struct lx_gguf_kv *kv, u8 *joined,
		 struct lx_error *err)
{
	u32 strange = 0, n = (u32)kv->count;
	struct lx_merge_rule rule;
	u64 pos = 0;

	for (rule.rank = 0; rule.rank < n; rule.rank++) {
		struct lx_str s = lx_gguf_next_str(kv, &pos);
		u32 left_n = find_space(s);

		if (!left_n)
			return lx_fail(err, -LX_EBADMSG,
				       "key '" KEY "': rule %u ('%.*s') is not two texts",
				       rule.rank, (int)lx_min(s.n, 64u), s.p);
		if (resolve(v, s, left_n, joined, &rule))
			insert(v, &rule);
		else
			strange++;
	}
	/*
	 * A rule about texts that are no tokens cannot make one. Converters
	 * that rewrote an added token's text leave a few; a table that is
	 * mostly so belongs to another vocabulary.
	 */
	if (strange > n / 16 + 16)
		return lx_fail(err, -LX_EBADMSG,
			       "key '" KEY "': %u of %u rules are about texts that are no tokens",
			       strange, n);
	return 0;
}

static u32 longest(const struct lx_gguf_kv *kv)
{
	u32 max = 1;
	u64 pos = 0;

	for (u64 i = 0; i < kv->count; i++) {
		struct lx_str s = lx_gguf_next_str(kv, &pos);

		max = lx_max(max, s.n);
	}
	return max;
}

static int check(const struct lx_gguf_kv *kv, struct lx_error *err)
{
	if (!kv)
		return lx_fail(err, -LX_EBADMSG, "key '" KEY "' is missing");
	if (kv->type != LX_GGUF_ARRAY || kv->elem_type != LX_GGUF_STRING)
		return lx_fail(err, -LX_EBADMSG,
			       "key '" KEY "' is not an array of strings");
	if (kv->count > MERGES_MAX)
		return lx_fail(err, -LX_EBADMSG, "key '" KEY "' has %llu rules",
			       kv->count);
	if (longest(kv) > 2 * 65535 + 1)
		return lx_fail(err, -LX_EBADMSG,
			       "key '" KEY "' has a rule of %u bytes",
			       longest(kv));
	return 0;
}

int lx_vocab_load_merges(struct lx_vocab *v, const struct lx_gguf *g,
			 struct lx_error *err)
{
	const struct lx_gguf_kv *kv = lx_gguf_find(g, KEY);
	u32 size = 16, max;
	u8 *joined;
	int ret = check(kv, err);

	if (ret)
		return ret;
	while (size < kv->count + kv->count / 2)
		size *= 2;
	v->rule = lx_vocab_alloc(v, (u64)size * sizeof(*v->rule), err);
	if (!v->rule)
		return -LX_ENOMEM;
	v->rule_mask = size - 1;
	for (u32 i = 0; i < size; i++)
		v->rule[i].left = LX_NO_TOKEN;
	max = longest(kv);
	joined = v->host->ops->alloc(v->host, max, LX_MEM_CONTROL);
	if (!joined)
		return lx_fail(err, -LX_ENOMEM, "no memory to read merges");
	ret = build(v, kv, joined, err);
	v->host->ops->free(v->host, joined, max, LX_MEM_CONTROL);
	return ret;
}
