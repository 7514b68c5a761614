// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Words as the expressions of GPT-2, GPT-4, GPT-4o and DeepSeek cut them. */
#include "cut.h"

#define L LX_UC_L
#define N LX_UC_N
#define M LX_UC_M
#define P LX_UC_P
#define S LX_UC_S
#define WHITE LX_UC_WHITE

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
size_t lx_cut_gpt2(const u8 *p, size_t i, size_t end, u32 arg)
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

/* \p{N}, \p{N}{1,3} or \p{N}+ */
static size_t digits(const u8 *p, size_t i, size_t end, u32 arg)
{
	if (arg & LX_CUT_DIGITS_ALL)
		return run(p, i, end, N);
	return run_max(p, i, end, N, arg & LX_CUT_DIGITS_3 ? 3 : 1);
}

/* The end of  ?[^\s\p{L}\p{N}]+[\r\n]* at @i, or @i. */
static size_t symbols(const u8 *p, size_t i, size_t end, u32 mask, u32 arg)
{
	size_t j = i + (p[i] == ' '), k = run(p, j, end, mask);

	if (k == j)
		return i;
	while (k < end && !(arg & LX_CUT_NO_TAIL) &&
	       (is_break(p[k]) || ((arg & LX_CUT_SLASH) && p[k] == '/')))
		k++;
	return k;
}

/*
 * (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
 *  ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 */
size_t lx_cut_gpt4(const u8 *p, size_t i, size_t end, u32 arg)
{
	u32 letters = arg & LX_CUT_MARKS ? L | M : L;
	struct ch c = at(p, i, end);
	size_t j;
	u32 k = arg & LX_CUT_NO_CONTRACTIONS ? 0 : contraction(p, i, end, true);

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

/*
 * The parts of a word by case. The models' own expressions have \p{Lu}\p{Lt}
 * \p{Lm}\p{Lo}\p{M} for the upper and \p{Ll}\p{Lm}\p{Lo}\p{M} for the lower
 * part; the reference knows the case of ASCII letters only, takes any other
 * letter for both and no mark for a letter, and its tokens are what counts.
 */
static bool is_upper(struct ch c)
{
	return c.cls & (c.cp < 0x80 ? LX_UC_LU : L);
}

static bool is_lower(struct ch c)
{
	return c.cls & (c.cp < 0x80 ? LX_UC_LL : L);
}

static size_t run_case(const u8 *p, size_t i, size_t end,
		       bool (*is)(struct ch c))
{
	struct ch c = at(p, i, end);

	while (is(c)) {
		i += c.len;
		c = at(p, i, end);
	}
	return i;
}

/* upper*lower+ or @i */
static size_t title_word(const u8 *p, size_t i, size_t end)
{
	size_t j = i, back = i;
	struct ch c = at(p, i, end);

	for (; is_upper(c); c = at(p, j, end)) {
		j += c.len;
		if (is_lower(c))
			back = j;
	}
	if (is_lower(c))
		return run_case(p, j, end, is_lower);
	/* Give back to the last letter that is lower, too; it ends there. */
	return back;
}

/* upper+lower* or @i */
static size_t upper_word(const u8 *p, size_t i, size_t end)
{
	size_t j = run_case(p, i, end, is_upper);

	return j > i ? run_case(p, j, end, is_lower) : i;
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
	if (j < end && !(arg & LX_CUT_NO_CONTRACTIONS))
		j += contraction(p, j, end, true);
	return j;
}

/* o200k (GPT-4o) and, with one digit and no contractions, tekken. */
size_t lx_cut_o200k(const u8 *p, size_t i, size_t end, u32 arg)
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

size_t lx_cut_deepseek3(const u8 *p, size_t i, size_t end, u32 arg)
{
	size_t j = match_deepseek3(p, i, end);

	(void)arg;
	if (j > i)
		return j;
	while (i < end && match_deepseek3(p, i, end) == i)
		i += at(p, i, end).len;
	return i;
}
