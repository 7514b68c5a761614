// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The pre-tokenizers that tokenizer.ggml.pre names: lists of stages, and the
 * walk along the words of a text.
 */
#include "cut.h"
#include "pretokenizer.h"

#define GPT2 { lx_cut_gpt2, 0 }
#define DIGIT_GPT2 { { lx_cut_digits, 1 }, GPT2 }
#define GPT4(arg) { { lx_cut_gpt4, arg } }
#define STOPS { lx_cut_stops, 0 }
#define DEEPSEEK3 { { lx_cut_digits, 3 }, { lx_cut_set, LX_SET_CJK_KANA }, \
		    { lx_cut_deepseek3, 0 } }

/* What the names mean, as in the reference. */
static const struct lx_pre table[] = {
	{ .name = "default", .stage = { { lx_cut_set, LX_SET_PUNCT }, GPT2,
					{ lx_cut_digits, 0 },
					{ lx_cut_thousands, 0 } } },
	{ .name = "llama-bpe", .stage = GPT4(LX_CUT_DIGITS_3), .ignore_merges = true,
	  .add_bos = true },
	{ .name = "gpt-2", .stage = { GPT2 } },
	{ .name = "qwen2", .stage = GPT4(0) },
	{ .name = "qwen35", .stage = GPT4(LX_CUT_MARKS) },
	{ .name = "smollm", .stage = DIGIT_GPT2 },
	{ .name = "deepseek-llm", .stage = { { lx_cut_breaks, 0 },
					     { lx_cut_spaced, LX_SET_CASED },
					     { lx_cut_spaced, LX_SET_MARKS },
					     { lx_cut_trailing, 0 },
					     { lx_cut_set, LX_SET_CJK },
					     { lx_cut_digits, 0 } } },
	{ .name = "deepseek-coder", .stage = { { lx_cut_breaks, 0 },
					       { lx_cut_spaced, LX_SET_LETTER },
					       { lx_cut_spaced, LX_SET_ALL_PUNCT },
					       { lx_cut_set, LX_SET_CJK },
					       { lx_cut_digits, 1 } } },
	{ .name = "deepseek-v3", .stage = DEEPSEEK3 },
	{ .name = "falcon", .stage = { { lx_cut_set, LX_SET_PUNCT_TICK }, GPT2,
				       { lx_cut_thousands, 0 } } },
	{ .name = "tekken",
	  .stage = { { lx_cut_o200k, LX_CUT_NO_CONTRACTIONS | LX_CUT_SLASH } },
	  .ignore_merges = true, .add_bos = true },
	{ .name = "gpt-4o",
	  .stage = { { lx_cut_o200k, LX_CUT_DIGITS_3 | LX_CUT_SLASH } } },
	{ .name = "dbrx", .stage = GPT4(LX_CUT_DIGITS_3) },
	{ .name = "chatglm-bpe", .stage = GPT4(LX_CUT_DIGITS_3), .no_bos = true },
	{ .name = "glm4", .stage = GPT4(LX_CUT_DIGITS_3), .no_bos = true,
	  .ignore_merges = true },
	{ .name = "minicpm5", .stage = { { lx_cut_digits, 3 },
					 { lx_cut_gpt4, LX_CUT_DIGITS_ALL } },
	  .ignore_merges = true },
	{ .name = "bloom", .stage = { STOPS } },
	{ .name = "viking", .stage = { STOPS, { lx_cut_digits, 1 } } },
	{ .name = "seed-coder", .stage = GPT4(LX_CUT_NO_TAIL) },
};

static const struct {
	const char *name;
	const char *like;
} alias[] = {
	{ "llama3", "llama-bpe" }, { "llama-v3", "llama-bpe" },
	{ "falcon3", "llama-bpe" }, { "falcon-h1", "llama-bpe" },
	{ "pixtral", "llama-bpe" }, { "lfm2", "llama-bpe" },
	{ "midm-2.0", "llama-bpe" },
	{ "mpt", "gpt-2" }, { "olmo", "gpt-2" }, { "jais", "gpt-2" },
	{ "trillion", "gpt-2" }, { "granite-docling", "gpt-2" },
	{ "phi-2", "gpt-2" }, { "gigachat", "gpt-2" }, { "mellum", "gpt-2" },
	{ "exaone4", "gpt-2" }, { "a.x-4.0", "gpt-2" },
	{ "starcoder", "smollm" }, { "refact", "smollm" },
	{ "command-r", "smollm" }, { "codeshell", "smollm" },
	{ "exaone", "smollm" }, { "minerva-7b", "smollm" },
	{ "mellum2", "smollm" },
	{ "deepseek-r1-qwen", "qwen2" }, { "megrez", "qwen2" },
	{ "stablelm2", "qwen2" }, { "hunyuan", "qwen2" }, { "grok-2", "qwen2" },
	{ "kormo", "qwen2" }, { "solar-open", "qwen2" },
	{ "bailingmoe", "qwen2" }, { "bailingmoe2", "qwen2" },
	{ "llada-moe", "qwen2" },
	{ "hunyuan-dense", "deepseek-v3" }, { "joyai-llm", "deepseek-v3" },
	{ "llama4", "gpt-4o" }, { "kanana2", "gpt-4o" },
	{ "minimax-m2", "gpt-4o" },
	{ "smaug-bpe", "dbrx" },
	{ "glm5", "glm4" },
	{ "poro-chat", "bloom" }, { "gpt3-finnish", "bloom" },
};

static const struct lx_pre *find(struct lx_str name)
{
	for (u32 i = 0; i < LX_ARRAY_SIZE(table); i++)
		if (lx_str_eq(name, table[i].name))
			return &table[i];
	return NULL;
}

const struct lx_pre *lx_pre_find(struct lx_str name)
{
	for (u32 i = 0; i < LX_ARRAY_SIZE(alias); i++) {
		struct lx_str like = { alias[i].like,
				       (u32)lx_strlen(alias[i].like) };

		if (lx_str_eq(name, alias[i].name))
			return find(like);
	}
	return find(name);
}

void lx_pre_start(struct lx_pre_walk *w, const struct lx_pre *pre,
		  const u8 *p, size_t pos, size_t end)
{
	w->pre = pre;
	w->p = p;
	w->pos = pos;
	w->depth = 0;
	w->end[0] = end;
}

size_t lx_pre_next(struct lx_pre_walk *w)
{
	const struct lx_pre_stage *s = w->pre->stage;

	/* Leave the pieces that are done, then cut down to the last stage. */
	while (w->pos >= w->end[w->depth]) {
		if (!w->depth)
			return 0;
		w->depth--;
	}
	while (w->depth < LX_PRE_STAGES && s[w->depth].cut) {
		w->end[w->depth + 1] = s[w->depth].cut(w->p, w->pos,
						       w->end[w->depth],
						       s[w->depth].arg);
		w->depth++;
	}
	w->pos = w->end[w->depth];
	return w->pos;
}
