// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The pre-tokenizers that tokenizer.ggml.pre names, as hand-written cutters.
 * Above each stands the regular expression it replaces. Where the stages'
 * expressions leave text unmatched, the gap up to the next match is a piece.
 */
#include "pretokenizer.h"
#include "unicode.h"

#define L LX_UC_L
#define N LX_UC_N
#define M LX_UC_M
#define P LX_UC_P
#define S LX_UC_S
#define WHITE LX_UC_WHITE
/* Letters that may stand in the upper and in the lower part of a word. */
#define BOTH (LX_UC_LM | LX_UC_LO | M)
#define UPPER (LX_UC_LU | LX_UC_LT | BOTH)
#define LOWER (LX_UC_LL | BOTH)

/* One character: no class and no length beyond the end. */
struct ch {
	u32 cp;
	u32 len;
	u32 cls;
};

static inline struct ch at(const u8 *p, size_t i, size_t end)
{
	struct ch c = { ~0u, 0, 0 };

	if (i < end) {
		c.len = lx_utf8_decode(p + i, end - i, &c.cp);
		c.cls = lx_unicode_class(c.cp);
	}
	return c;
}

static inline bool is_break(u32 cp)
{
	return cp == '\r' || cp == '\n';
}

/* Behind the run of characters of @mask, at most @max of them. */
static size_t run_max(const u8 *p, size_t i, size_t end, u32 mask, u32 max)
{
	struct ch c = at(p, i, end);

	for (; max && (c.cls & mask); max--) {
		i += c.len;
		c = at(p, i, end);
	}
	return i;
}

static size_t run(const u8 *p, size_t i, size_t end, u32 mask)
{
	struct ch c = at(p, i, end);

	while (c.cls & mask) {
		i += c.len;
		c = at(p, i, end);
	}
	return i;
}

static u8 lower(u8 c, bool fold)
{
	return fold && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* 's|'t|'re|'ve|'m|'ll|'d : bytes matched at @i, or 0. */
static u32 contraction(const u8 *p, size_t i, size_t end, bool fold)
{
	u8 a, b;

	if (end - i < 2 || p[i] != '\'')
		return 0;
	a = lower(p[i + 1], fold);
	if (a == 's' || a == 't' || a == 'm' || a == 'd')
		return 2;
	if (end - i < 3)
		return 0;
	b = lower(p[i + 2], fold);
	if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') ||
	    (a == 'l' && b == 'l'))
		return 3;
	return 0;
}

/*
 * \s+(?!\S)|\s+ and with @breaks first \s*[\r\n]+ : of a run of white space
 * up to its last line break; else all but the last character when text
 * follows; else all. Any other character is a piece of its own.
 */
static size_t spaces(const u8 *p, size_t i, size_t end, bool breaks)
{
	size_t j = i, last = i, line = 0;
	struct ch c = at(p, i, end);

	if (!(c.cls & WHITE))
		return i + c.len;
	while (c.cls & WHITE) {
		last = j;
		j += c.len;
		if (is_break(c.cp))
			line = j;
		c = at(p, j, end);
	}
	if (breaks && line)
		return line;
	return j < end && last > i ? last : j;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t cut_gpt2(const u8 *p, size_t i, size_t end, u32 arg)
{
	struct ch c = at(p, i, end);
	u32 k = contraction(p, i, end, false);
	size_t j = i;

	(void)arg;
	if (k)
		return i + k;
	if (c.cp == ' ')
		c = at(p, ++j, end);
	if (c.cls & L)
		return run(p, j, end, L);
	if (c.cls & N)
		return run(p, j, end, N);
	if (c.cls & LX_UC_OTHER)
		return run(p, j, end, LX_UC_OTHER);
	return spaces(p, i, end, false);
}

/* Variants of the GPT-4 expression. */
#define NO_CONTRACTIONS (1u << 0)
#define MARKS (1u << 1)		/* marks are letters */
#define DIGITS_3 (1u << 2)	/* \p{N}{1,3}, otherwise \p{N} */
#define DIGITS_ALL (1u << 3)	/* \p{N}+ */
#define SLASH (1u << 4)		/* [\r\n/]* behind punctuation */
#define NO_TAIL (1u << 5)	/* no line breaks behind punctuation */
#define ONE_BREAK (1u << 6)	/* \s*[\r\n], not +: the same, see spaces() */

/* \p{N}, \p{N}{1,3} or \p{N}+ */
static size_t digits(const u8 *p, size_t i, size_t end, u32 arg)
{
	if (arg & DIGITS_ALL)
		return run(p, i, end, N);
	return run_max(p, i, end, N, arg & DIGITS_3 ? 3 : 1);
}

/* The end of  ?[^\s\p{L}\p{N}]+[\r\n]* at @i, or @i. */
static size_t symbols(const u8 *p, size_t i, size_t end, u32 mask, u32 arg)
{
	size_t j = i + (p[i] == ' '), k = run(p, j, end, mask);

	if (k == j)
		return i;
	while (k < end && !(arg & NO_TAIL) &&
	       (is_break(p[k]) || ((arg & SLASH) && p[k] == '/')))
		k++;
	return k;
}

/*
 * (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
 *  ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 */
static size_t cut_gpt4(const u8 *p, size_t i, size_t end, u32 arg)
{
	u32 letters = arg & MARKS ? L | M : L;
	struct ch c = at(p, i, end);
	size_t j;
	u32 k = arg & NO_CONTRACTIONS ? 0 : contraction(p, i, end, true);

	if (k)
		return i + k;
	if (c.cls & letters)
		return run(p, i, end, letters);
	if (c.cls & N)
		return digits(p, i, end, arg);
	if (!is_break(c.cp) && (at(p, i + c.len, end).cls & letters))
		return run(p, i + c.len, end, letters);
	j = symbols(p, i, end, LX_UC_OTHER & ~letters, arg);
	return j > i ? j : spaces(p, i, end, true);
}

/* [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+ or @i */
static size_t title_word(const u8 *p, size_t i, size_t end)
{
	size_t j = i, back = i;
	struct ch c = at(p, i, end);

	for (; c.cls & UPPER; c = at(p, j, end)) {
		j += c.len;
		if (c.cls & BOTH)
			back = j;
	}
	if (c.cls & LOWER)
		return run(p, j, end, LOWER);
	/* Give back to the last letter that is lower, too; it ends there. */
	return back;
}

/* [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]* or @i */
static size_t upper_word(const u8 *p, size_t i, size_t end)
{
	size_t j = run(p, i, end, UPPER);

	return j > i ? run(p, j, end, LOWER) : i;
}

/* Both with [^\r\n\p{L}\p{N}]? before and contractions behind, or @i. */
static size_t cased_word(const u8 *p, size_t i, size_t end, u32 arg,
			 size_t (*word)(const u8 *, size_t, size_t))
{
	struct ch c = at(p, i, end);
	size_t from = i, j = i;

	if (!is_break(c.cp) && !(c.cls & (L | N))) {
		from = i + c.len;
		j = word(p, from, end);
	}
	if (j == i || j == from) {
		from = i;
		j = word(p, i, end);
	}
	if (j == from)
		return i;
	if (j < end && !(arg & NO_CONTRACTIONS))
		j += contraction(p, j, end, true);
	return j;
}

/* o200k (GPT-4o) and, with one digit and no contractions, tekken. */
static size_t cut_o200k(const u8 *p, size_t i, size_t end, u32 arg)
{
	size_t j = cased_word(p, i, end, arg, title_word);

	if (j == i)
		j = cased_word(p, i, end, arg, upper_word);
	if (j > i)
		return j;
	if (at(p, i, end).cls & N)
		return digits(p, i, end, arg);
	j = symbols(p, i, end, LX_UC_OTHER, arg);
	return j > i ? j : spaces(p, i, end, true);
}

static bool is_ascii_letter(u32 c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_ascii_punct(u32 c)
{
	return c > ' ' && c < 0x7f && !is_ascii_letter(c) &&
	       !(c >= '0' && c <= '9');
}

/*
 * One of
 *   [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+
 *   [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
 *    ?[\p{P}\p{S}]+[\r\n]*
 *   \s*[\r\n]+|\s+(?!\S)|\s+
 * at @i, or @i.
 */
static size_t match_deepseek3(const u8 *p, size_t i, size_t end)
{
	struct ch c = at(p, i, end);
	struct ch d = at(p, i + c.len, end);
	size_t j;

	if (is_ascii_punct(c.cp) && is_ascii_letter(d.cp)) {
		for (j = i + 1; j < end && is_ascii_letter(p[j]);)
			j++;
		return j;
	}
	if (c.cls & (L | M))
		return run(p, i, end, L | M);
	if (!is_break(c.cp) && !(c.cls & (P | S)) && (d.cls & (L | M)))
		return run(p, i + c.len, end, L | M);
	j = symbols(p, i, end, P | S, 0);
	if (j > i)
		return j;
	return c.cls & WHITE ? spaces(p, i, end, true) : i;
}

static size_t cut_deepseek3(const u8 *p, size_t i, size_t end, u32 arg)
{
	size_t j = match_deepseek3(p, i, end);

	(void)arg;
	if (j > i)
		return j;
	while (i < end && match_deepseek3(p, i, end) == i)
		i += at(p, i, end).len;
	return i;
}

/* \p{N}{1,arg}, or \p{N}+ when it is 0 */
static size_t cut_digits(const u8 *p, size_t i, size_t end, u32 arg)
{
	struct ch c = at(p, i, end);

	if (c.cls & N)
		return arg ? run_max(p, i, end, N, arg) : run(p, i, end, N);
	while (c.len && !(c.cls & N)) {
		i += c.len;
		c = at(p, i, end);
	}
	return i;
}

static bool three_digits(const u8 *p, size_t i, size_t end)
{
	for (u32 k = 0; k < 3; k++)
		if (i + k >= end || p[i + k] < '0' || p[i + k] > '9')
			return false;
	return true;
}

/* [0-9][0-9][0-9] */
static size_t cut_thousands(const u8 *p, size_t i, size_t end, u32 arg)
{
	(void)arg;
	if (three_digits(p, i, end))
		return i + 3;
	while (i < end && !three_digits(p, i, end))
		i++;
	return i;
}

/* [\r\n] */
static size_t cut_breaks(const u8 *p, size_t i, size_t end, u32 arg)
{
	(void)arg;
	if (is_break(p[i]))
		return i + 1;
	while (i < end && !is_break(p[i]))
		i++;
	return i;
}

/* Sets of characters that stages look for. */
enum set {
	SET_PUNCT,		/* [\p{P}\$\+<=>\^~\|] */
	SET_PUNCT_TICK,		/* ... and ` */
	SET_CJK,		/* the ideographs, syllables and more of deepseek */
	SET_CJK_KANA,		/* ideographs and kana */
	SET_LETTER, SET_ALL_PUNCT, SET_CASED, SET_MARKS
};

static bool in(u32 x, u32 first, u32 last)
{
	return x >= first && x <= last;
}

/* [!-/:-~], their full-width twins, quotation marks and CJK stops */
static bool is_deepseek_mark(u32 c)
{
	return in(c, '!', '/') || in(c, ':', '~') || in(c, 0xff01, 0xff0f) ||
	       in(c, 0xff1a, 0xff5e) || in(c, 0x2018, 0x201f) ||
	       in(c, 0x3000, 0x3002);
}

static bool in_set(struct ch c, u32 set)
{
	switch (set) {
	case SET_PUNCT_TICK:
		if (c.cp == '`')
			return true;
		__attribute__((__fallthrough__));
	case SET_PUNCT:
		return (c.cls & P) || c.cp == '$' || c.cp == '+' ||
		       in(c.cp, '<', '>') || c.cp == '^' || c.cp == '~' ||
		       c.cp == '|';
	case SET_CJK:
		return in(c.cp, 0x800, 0x9fa5) || in(c.cp, 0xac00, 0xd7ff);
	case SET_CJK_KANA:
		return in(c.cp, 0x4e00, 0x9fa5) || in(c.cp, 0x3040, 0x30ff);
	case SET_LETTER:
		return c.cls & L;
	case SET_ALL_PUNCT:
		return c.cls & P;
	case SET_CASED:
		return c.cls & LX_UC_CASED;
	}
	return is_deepseek_mark(c.cp);
}

static size_t run_set(const u8 *p, size_t i, size_t end, u32 set)
{
	struct ch c = at(p, i, end);

	while (c.len && in_set(c, set)) {
		i += c.len;
		c = at(p, i, end);
	}
	return i;
}

/* [set]+ */
static size_t cut_set(const u8 *p, size_t i, size_t end, u32 set)
{
	struct ch c = at(p, i, end);

	if (in_set(c, set))
		return run_set(p, i, end, set);
	while (c.len && !in_set(c, set)) {
		i += c.len;
		c = at(p, i, end);
	}
	return i;
}

/* True when \s?[set]+ matches at @i; *@from is where the set begins. */
static bool begins_spaced(const u8 *p, size_t i, size_t end, u32 set,
			  size_t *from)
{
	struct ch c = at(p, i, end);

	*from = i + c.len;
	if ((c.cls & WHITE) && *from < end && in_set(at(p, *from, end), set))
		return true;
	*from = i;
	return c.len && in_set(c, set);
}

/* \s?[set]+ */
static size_t cut_spaced(const u8 *p, size_t i, size_t end, u32 set)
{
	size_t from;

	if (begins_spaced(p, i, end, set, &from))
		return run_set(p, from, end, set);
	while (i < end && !begins_spaced(p, i, end, set, &from))
		i += at(p, i, end).len;
	return i;
}

/* \s+$ */
static size_t cut_trailing(const u8 *p, size_t i, size_t end, u32 arg)
{
	size_t j = end;

	(void)arg;
	while (j > i) {
		size_t k = j - 1;

		while (k > i && (p[k] & 0xc0) == 0x80)
			k--;
		if (!(at(p, k, end).cls & WHITE))
			break;
		j = k;
	}
	return j > i ? j : end;
}

#define GPT2 { cut_gpt2, 0 }
#define DIGIT_GPT2 { { cut_digits, 1 }, GPT2 }
#define GPT4(arg) { { cut_gpt4, arg } }
#define DEEPSEEK3 { { cut_digits, 3 }, { cut_set, SET_CJK_KANA }, \
		    { cut_deepseek3, 0 } }

/* What the names mean, as in the reference. */
static const struct lx_pre table[] = {
	{ .name = "default", .stage = { { cut_set, SET_PUNCT }, GPT2,
					{ cut_digits, 0 },
					{ cut_thousands, 0 } } },
	{ .name = "llama-bpe", .stage = GPT4(DIGITS_3), .ignore_merges = true,
	  .add_bos = true },
	{ .name = "gpt-2", .stage = { GPT2 } },
	{ .name = "qwen2", .stage = GPT4(0) },
	{ .name = "qwen35", .stage = GPT4(MARKS) },
	{ .name = "smollm", .stage = DIGIT_GPT2 },
	{ .name = "starcoder", .stage = DIGIT_GPT2 },
	{ .name = "refact", .stage = DIGIT_GPT2 },
	{ .name = "command-r", .stage = DIGIT_GPT2 },
	{ .name = "codeshell", .stage = DIGIT_GPT2 },
	{ .name = "exaone", .stage = DIGIT_GPT2 },
	{ .name = "minerva-7b", .stage = DIGIT_GPT2 },
	{ .name = "deepseek-llm", .stage = { { cut_breaks, 0 },
					     { cut_spaced, SET_CASED },
					     { cut_spaced, SET_MARKS },
					     { cut_trailing, 0 },
					     { cut_set, SET_CJK },
					     { cut_digits, 0 } } },
	{ .name = "deepseek-coder", .stage = { { cut_breaks, 0 },
					       { cut_spaced, SET_LETTER },
					       { cut_spaced, SET_ALL_PUNCT },
					       { cut_set, SET_CJK },
					       { cut_digits, 1 } } },
	{ .name = "deepseek-v3", .stage = DEEPSEEK3 },
	{ .name = "hunyuan-dense", .stage = DEEPSEEK3 },
	{ .name = "falcon", .stage = { { cut_set, SET_PUNCT_TICK }, GPT2,
				       { cut_thousands, 0 } } },
	{ .name = "mpt", .stage = { GPT2 } },
	{ .name = "olmo", .stage = { GPT2 } },
	{ .name = "jais", .stage = { GPT2 } },
	{ .name = "trillion", .stage = { GPT2 } },
	{ .name = "granite-docling", .stage = { GPT2 } },
	{ .name = "tekken", .stage = { { cut_o200k, NO_CONTRACTIONS | SLASH } },
	  .ignore_merges = true, .add_bos = true },
	{ .name = "gpt-4o", .stage = { { cut_o200k, DIGITS_3 | SLASH } } },
	{ .name = "stablelm2", .stage = GPT4(0) },
	{ .name = "hunyuan", .stage = GPT4(0) },
	{ .name = "grok-2", .stage = GPT4(0) },
	{ .name = "dbrx", .stage = GPT4(DIGITS_3) },
	{ .name = "smaug-bpe", .stage = GPT4(DIGITS_3) },
	{ .name = "chatglm-bpe", .stage = GPT4(DIGITS_3), .no_bos = true },
	{ .name = "seed-coder", .stage = GPT4(NO_TAIL) },
};

static const struct {
	const char *name;
	const char *like;
} alias[] = {
	{ "llama3", "llama-bpe" }, { "llama-v3", "llama-bpe" },
	{ "falcon3", "llama-bpe" }, { "falcon-h1", "llama-bpe" },
	{ "pixtral", "llama-bpe" }, { "lfm2", "llama-bpe" },
	{ "phi-2", "gpt-2" }, { "gigachat", "gpt-2" }, { "mellum", "gpt-2" },
	{ "exaone4", "gpt-2" }, { "a.x-4.0", "gpt-2" },
	{ "deepseek-r1-qwen", "qwen2" }, { "megrez", "qwen2" },
	{ "glm4", "chatglm-bpe" }, { "llama4", "gpt-4o" },
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
