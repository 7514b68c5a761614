// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Chat formats: one table row each, and recognition of templates by what they
 * contain, in the order of the reference (the first match counts).
 */
#include "lx/chat.h"
#include "lx/vocab.h"

#define BAR "\xef\xbd\x9c"	/* U+FF5C, in DeepSeek's tokens */
#define DS_USER "<" BAR "User" BAR ">"
#define DS_ASSISTANT "<" BAR "Assistant" BAR ">"
#define DS_END "<" BAR "end\xe2\x96\x81of\xe2\x96\x81sentence" BAR ">"
#define L3(role) "<|start_header_id|>" role "<|end_header_id|>\n\n"
#define TRIM_ALL 7
#define TRIM_ANSWERS (1 << LX_ROLE_ASSISTANT)
#define HARMONY(role) "<|start|>" role "<|message|>"

struct format {
	const char *name;
	struct {
		const char *before, *after;
	} part[LX_ROLES];	/* system, user, assistant */
	const char *open;	/* before an answer */
	/* Instead of part[USER].before, when there is one: */
	const char *folded;	/* right behind the system message */
	const char *again;	/* in later turns */
	u32 trims;		/* 1 << role */
};

#define CHATML_LIKE(sep, end, ...) {					\
	.part = { { "<|im_start|>system" sep, end },			\
		  { "<|im_start|>user" sep, end },			\
		  { "<|im_start|>assistant" sep, end } },		\
	.open = "<|im_start|>assistant" sep, __VA_ARGS__ }

#define BAR_ROLES(end, ...) {						\
	.part = { { "<|system|>\n", end }, { "<|user|>\n", end },	\
		  { "<|assistant|>\n", end } },				\
	.open = "<|assistant|>\n", __VA_ARGS__ }

/* [INST] with its spaces: before and behind the bracket, before the answer. */
#define INST(lead, in, system, out, answer, ...) {			\
	.part = { { lead "[INST]" in, system },				\
		  { lead "[INST]" in, out "[/INST]" },			\
		  { answer, "</s>" } },					\
	.open = "", .folded = "", __VA_ARGS__ }

#define LLAMA2_SYS(later, ...) {					\
	.part = { { "[INST] <<SYS>>\n", "\n<</SYS>>\n\n" },		\
		  { "[INST] ", " [/INST]" }, { "", "</s>" } },		\
	.open = "", .folded = "", .again = later, __VA_ARGS__ }

#define MISTRAL_V7(sp, ...) {						\
	.part = { { "[SYSTEM_PROMPT]" sp, "[/SYSTEM_PROMPT]" },		\
		  { "[INST]" sp, "[/INST]" }, { sp, "</s>" } },		\
	.open = "", __VA_ARGS__ }

static const struct format formats[LX_CHAT_KINDS] = {
	[LX_CHAT_NONE] = { .name = "none" },
	[LX_CHAT_UNKNOWN] = { .name = "unknown" },
	[LX_CHAT_LLAMA2] = {
		.name = "llama2",
		.part = { { "[INST] <<SYS>>\n", "\n<</SYS>>\n\n" },
			  { "[INST] ", " [/INST]" }, { " ", " </s>" } },
		.open = "", .folded = "", .again = "<s>[INST] ",
		.trims = TRIM_ALL },
	[LX_CHAT_LLAMA2_SYS] = LLAMA2_SYS("[INST] ", .name = "llama2-sys"),
	[LX_CHAT_LLAMA2_SYS_BOS] = LLAMA2_SYS("<s>[INST] ",
					      .name = "llama2-sys-bos"),
	[LX_CHAT_LLAMA3] = {
		.name = "llama3",
		.part = { { L3("system"), "<|eot_id|>" },
			  { L3("user"), "<|eot_id|>" },
			  { L3("assistant"), "<|eot_id|>" } },
		.open = L3("assistant"), .trims = TRIM_ALL },
	[LX_CHAT_CHATML] = CHATML_LIKE("\n", "<|im_end|>\n",
				       .name = "chatml"),
	[LX_CHAT_PHI4] = CHATML_LIKE("<|im_sep|>", "<|im_end|>",
				     .name = "phi4"),
	[LX_CHAT_ZEPHYR] = BAR_ROLES("</s>\n", .name = "zephyr"),
	[LX_CHAT_ZEPHYR_ENDOFTEXT] = BAR_ROLES("<|endoftext|>\n",
					       .name = "zephyr-endoftext"),
	[LX_CHAT_PHI3] = BAR_ROLES("<|end|>\n", .name = "phi3"),
	[LX_CHAT_INST] = INST("", " ", "\n", " ", "", .name = "inst"),
	[LX_CHAT_MISTRAL_V1] = INST(" ", " ", "\n\n", " ", " ",
				    .name = "mistral-v1"),
	[LX_CHAT_MISTRAL_V3] = INST("", " ", "\n\n", "", " ",
				    .name = "mistral-v3",
				    .trims = TRIM_ANSWERS),
	[LX_CHAT_MISTRAL_V3_TEKKEN] = INST("", "", "\n\n", "", "",
					   .name = "mistral-v3-tekken"),
	[LX_CHAT_MISTRAL_V7] = MISTRAL_V7(" ", .name = "mistral-v7"),
	[LX_CHAT_MISTRAL_V7_TEKKEN] = MISTRAL_V7("",
						 .name = "mistral-v7-tekken"),
	[LX_CHAT_GEMMA] = {
		.name = "gemma",
		.part = { { "<start_of_turn>user\n", "\n\n" },
			  { "<start_of_turn>user\n", "<end_of_turn>\n" },
			  { "<start_of_turn>model\n", "<end_of_turn>\n" } },
		.open = "<start_of_turn>model\n", .folded = "",
		.trims = TRIM_ALL },
	[LX_CHAT_VICUNA] = {
		.name = "vicuna",
		.part = { { "", "\n\n" }, { "USER: ", "\n" },
			  { "ASSISTANT: ", "</s>\n" } },
		.open = "ASSISTANT:" },
	[LX_CHAT_VICUNA_ORCA] = {
		.name = "vicuna-orca",
		.part = { { "SYSTEM: ", "\n" }, { "USER: ", "\n" },
			  { "ASSISTANT: ", "</s>\n" } },
		.open = "ASSISTANT:" },
	[LX_CHAT_ALPACA] = {
		.name = "alpaca",
		.part = { { "", "\n\n" }, { "### Instruction:\n", "\n\n" },
			  { "### Response:\n", "\n\n" } },
		.open = "### Response:\n" },
	[LX_CHAT_DEEPSEEK] = {
		.name = "deepseek",
		.part = { { "", "\n\n" }, { DS_USER, "" },
			  { DS_ASSISTANT, DS_END } },
		.open = DS_ASSISTANT },
	[LX_CHAT_DEEPSEEK_V2] = {
		.name = "deepseek-v2",
		.part = { { "", "\n\n" }, { "User: ", "\n\n" },
			  { "Assistant: ", DS_END } },
		.open = "Assistant:" },
	[LX_CHAT_DEEPSEEK_CODER] = {
		.name = "deepseek-coder",
		.part = { { "", "" }, { "### Instruction:\n", "\n" },
			  { "### Response:\n", "\n<|EOT|>\n" } },
		.open = "### Response:\n" },
	[LX_CHAT_OPENCHAT] = {
		.name = "openchat",
		.part = { { "", "<|end_of_turn|>" },
			  { "GPT4 Correct User: ", "<|end_of_turn|>" },
			  { "GPT4 Correct Assistant: ", "<|end_of_turn|>" } },
		.open = "GPT4 Correct Assistant:" },
	[LX_CHAT_FALCON3] = {
		.name = "falcon3",
		.part = { { "<|system|>\n", "\n" }, { "<|user|>\n", "\n" },
			  { "<|assistant|>\n", "<|endoftext|>\n" } },
		.open = "<|assistant|>\n" },
	[LX_CHAT_HARMONY] = {
		.name = "harmony",
		.part = { { HARMONY("system"), "<|end|>" },
			  { HARMONY("user"), "<|end|>" },
			  { "<|start|>assistant<|channel|>final<|message|>",
			    "<|end|>" } },
		.open = "<|start|>assistant" },
};

static bool is_kind(enum lx_chat_kind kind)
{
	return (u32)kind < LX_CHAT_KINDS;
}

static struct lx_str str(const char *z)
{
	struct lx_str s = { z ? z : "", z ? (u32)lx_strlen(z) : 0 };

	return s;
}

/* Where @z stands in @s from @from on, or -1. */
static s64 find(struct lx_str s, u32 from, const char *z)
{
	u32 n = (u32)lx_strlen(z);

	for (u64 i = from; i + n <= s.n; i++)
		if (s.p[i] == z[0] && !lx_memcmp(s.p + i, z, n))
			return (s64)i;
	return -1;
}

static bool has(struct lx_str s, const char *z)
{
	return find(s, 0, z) >= 0;
}

static enum lx_chat_kind recognise_inst(struct lx_str t)
{
	if (has(t, "[SYSTEM_PROMPT]"))
		return has(t, "[SYSTEM_PROMPT] ") ? LX_CHAT_MISTRAL_V7 :
						    LX_CHAT_MISTRAL_V7_TEKKEN;
	if (has(t, "' [INST] ' + system_message") ||
	    has(t, "[AVAILABLE_TOOLS]")) {
		if (has(t, " [INST]"))
			return LX_CHAT_MISTRAL_V1;
		return has(t, "\"[INST]\"") ? LX_CHAT_MISTRAL_V3_TEKKEN :
					      LX_CHAT_MISTRAL_V3;
	}
	if (has(t, "content.strip()") || has(t, "content | trim"))
		return LX_CHAT_LLAMA2;
	if (has(t, "bos_token + '[INST]"))
		return LX_CHAT_LLAMA2_SYS_BOS;
	return has(t, "<<SYS>>") ? LX_CHAT_LLAMA2_SYS : LX_CHAT_INST;
}

/* What ends a user's message: the first of these behind <|user|>. */
static enum lx_chat_kind recognise_bars(struct lx_str t)
{
	s64 at = find(t, 0, "<|user|>");
	struct lx_str rest;

	if (at < 0)
		return LX_CHAT_UNKNOWN;
	rest.p = t.p + at;
	rest.n = lx_min(t.n - (u32)at, 64u);
	if (has(rest, "<|endoftext|>"))
		return LX_CHAT_ZEPHYR_ENDOFTEXT;
	if (has(rest, "eos_token") || has(rest, "</s>"))
		return LX_CHAT_ZEPHYR;
	if (has(rest, "message['content'] + '\\n'"))
		return LX_CHAT_FALCON3;
	return LX_CHAT_UNKNOWN;
}

/* Formats that a later test would take for another one. */
static bool is_other(struct lx_str t)
{
	return has(t, "[gMASK]") || has(t, "<|START_OF_TURN_TOKEN|>") ||
	       has(t, "<|start_of_role|>") || has(t, "<end_of_utterance>");
}

static enum lx_chat_kind recognise_plain(struct lx_str t)
{
	if (has(t, "GPT4 Correct "))
		return LX_CHAT_OPENCHAT;
	if (has(t, "USER: ") && has(t, "ASSISTANT: "))
		return has(t, "SYSTEM: ") ? LX_CHAT_VICUNA_ORCA :
					    LX_CHAT_VICUNA;
	if (has(t, "### Instruction:") && has(t, "<|EOT|>"))
		return LX_CHAT_DEEPSEEK_CODER;
	if (has(t, "### Instruction:") && has(t, "### Response:"))
		return LX_CHAT_ALPACA;
	if (has(t, "<|start_header_id|>") && has(t, "<|end_header_id|>"))
		return LX_CHAT_LLAMA3;
	if (has(t, "'Assistant: ' + message['content'] + eos_token"))
		return LX_CHAT_DEEPSEEK_V2;
	if (has(t, DS_ASSISTANT) && has(t, DS_USER))
		return LX_CHAT_DEEPSEEK;
	return LX_CHAT_UNKNOWN;
}

enum lx_chat_kind lx_chat_recognise(struct lx_str t)
{
	if (!t.n)
		return LX_CHAT_NONE;
	if (is_other(t))
		return LX_CHAT_UNKNOWN;
	if (has(t, "<|im_start|>"))
		return has(t, "<|im_sep|>") ? LX_CHAT_PHI4 : LX_CHAT_CHATML;
	if (has(t, "[INST]"))
		return recognise_inst(t);
	if (has(t, "<|start|>") && has(t, "<|channel|>"))
		return LX_CHAT_HARMONY;
	if (has(t, "<|assistant|>") && has(t, "<|end|>"))
		return LX_CHAT_PHI3;
	if (has(t, "<|user|>"))
		return recognise_bars(t);
	if (has(t, "<start_of_turn>"))
		return LX_CHAT_GEMMA;
	return recognise_plain(t);
}

enum lx_chat_kind lx_chat_fit(enum lx_chat_kind kind, const struct lx_vocab *v)
{
	if (kind == LX_CHAT_ZEPHYR && lx_token_find(v, "</s>", 4) < 0 &&
	    lx_token_find(v, "<|endoftext|>", 13) >= 0)
		return LX_CHAT_ZEPHYR_ENDOFTEXT;
	return kind;
}

const char *lx_chat_name(enum lx_chat_kind kind)
{
	return is_kind(kind) ? formats[kind].name : "unknown";
}

bool lx_chat_trims(enum lx_chat_kind kind, enum lx_role role)
{
	return is_kind(kind) && (u32)role < LX_ROLES &&
	       (formats[kind].trims >> role & 1);
}

struct lx_str lx_chat_before(enum lx_chat_kind kind, enum lx_role role,
			     u32 index, bool system)
{
	const struct format *f;

	if (!is_kind(kind) || (u32)role >= LX_ROLES)
		return str(NULL);
	f = &formats[kind];
	if (role == LX_ROLE_USER && index == 1 && system && f->folded)
		return str(f->folded);
	if (role == LX_ROLE_USER && index && f->again)
		return str(f->again);
	return str(f->part[role].before);
}

struct lx_str lx_chat_after(enum lx_chat_kind kind, enum lx_role role,
			    u32 index, bool system)
{
	(void)index;
	(void)system;
	if (!is_kind(kind) || (u32)role >= LX_ROLES)
		return str(NULL);
	return str(formats[kind].part[role].after);
}

struct lx_str lx_chat_open(enum lx_chat_kind kind)
{
	return str(is_kind(kind) ? formats[kind].open : NULL);
}

/* A line break in a template is one, or Jinja's escape for it. */
static bool opens_thinking(struct lx_str t)
{
	return has(t, "<|im_start|>assistant\\n<think>") ||
	       has(t, "<|im_start|>assistant\n<think>") ||
	       has(t, DS_ASSISTANT "<think>");
}

struct lx_str lx_chat_think(enum lx_chat_kind kind, struct lx_str tmpl,
			    bool off)
{
	bool opens = opens_thinking(tmpl);

	if (kind == LX_CHAT_HARMONY)
		return str(off ? "<|channel|>final<|message|>" : "");
	if (kind == LX_CHAT_NONE || kind == LX_CHAT_UNKNOWN)
		return str(NULL);
	if (off && (opens || (has(tmpl, "enable_thinking") &&
			      has(tmpl, "<think>"))))
		return str("<think>\n\n</think>\n\n");
	return str(!off && opens ? "<think>\n" : "");
}

/* Text, not an expression of the template or around one. */
static bool is_plain(struct lx_str s)
{
	for (u32 i = 0; i < s.n; i++)
		if (s.p[i] == '\'' || s.p[i] == '"' || s.p[i] == '\\' ||
		    s.p[i] == '{' || s.p[i] == '}')
			return false;
	return true;
}

struct lx_str lx_chat_default_system(enum lx_chat_kind kind,
				     struct lx_str tmpl)
{
	static const char before[] = "<|im_start|>system\\n";
	struct lx_str s = { "", 0 };
	s64 at = 0, end;

	if (kind != LX_CHAT_CHATML)
		return str(NULL);
	while ((at = find(tmpl, (u32)at, before)) >= 0) {
		at += (s64)sizeof(before) - 1;
		end = find(tmpl, (u32)at, "<|im_end|>");
		if (end < 0)
			break;
		s.p = tmpl.p + at;
		s.n = (u32)(end - at);
		if (s.n && is_plain(s))
			return s;
	}
	return str(NULL);
}
