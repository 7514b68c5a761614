// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Pieces of one kind: digits, line breaks, sets of characters. */
#include "cut.h"

#define L LX_UC_L
#define N LX_UC_N
#define P LX_UC_P
#define WHITE LX_UC_WHITE

/* \p{N}{1,arg}, or \p{N}+ when it is 0 */
size_t lx_cut_digits(const u8 *p, size_t i, size_t end, u32 arg)
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
size_t lx_cut_thousands(const u8 *p, size_t i, size_t end, u32 arg)
{
	(void)arg;
	if (three_digits(p, i, end))
		return i + 3;
	while (i < end && !three_digits(p, i, end))
		i++;
	return i;
}

/* [\r\n] */
size_t lx_cut_breaks(const u8 *p, size_t i, size_t end, u32 arg)
{
	(void)arg;
	if (is_break(p[i]))
		return i + 1;
	while (i < end && !is_break(p[i]))
		i++;
	return i;
}

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

/* To the reference, white space is in no set that is given by code points. */
static bool in_set(struct ch c, u32 set)
{
	switch (set) {
	case LX_SET_PUNCT_TICK:
		if (c.cp == '`')
			return true;
		__attribute__((__fallthrough__));
	case LX_SET_PUNCT:
		return (c.cls & P) || c.cp == '$' || c.cp == '+' ||
		       in(c.cp, '<', '>') || c.cp == '^' || c.cp == '~' ||
		       c.cp == '|';
	case LX_SET_CJK:
		return (in(c.cp, 0x800, 0x9fa5) || in(c.cp, 0xac00, 0xd7ff)) &&
		       !(c.cls & WHITE);
	case LX_SET_CJK_KANA:
		return in(c.cp, 0x4e00, 0x9fa5) || in(c.cp, 0x3040, 0x30ff);
	case LX_SET_LETTER:
		return c.cls & L;
	case LX_SET_ALL_PUNCT:
		return c.cls & P;
	case LX_SET_CASED:
		return c.cls & LX_UC_CASED;
	}
	return is_deepseek_mark(c.cp) && !(c.cls & WHITE);
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
size_t lx_cut_set(const u8 *p, size_t i, size_t end, u32 set)
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
size_t lx_cut_spaced(const u8 *p, size_t i, size_t end, u32 set)
{
	size_t from;

	if (begins_spaced(p, i, end, set, &from))
		return run_set(p, from, end, set);
	while (i < end && !begins_spaced(p, i, end, set, &from))
		i += at(p, i, end).len;
	return i;
}

/* [(\s|.,!?…。，、।۔،)], brackets and bar included */
static bool is_stop(struct ch c)
{
	static const u16 stop[] = { '(', '|', '.', ',', '!', '?', ')', 0x2026,
				    0x3002, 0xff0c, 0x3001, 0x964, 0x6d4, 0x60c };

	for (u32 i = 0; i < LX_ARRAY_SIZE(stop); i++)
		if (c.cp == stop[i])
			return true;
	return c.cls & WHITE;
}

/*  ?[^(\s|.,!?…。，、।۔،)]+ */
size_t lx_cut_stops(const u8 *p, size_t i, size_t end, u32 arg)
{
	size_t j = i + (p[i] == ' ' && i + 1 < end &&
			!is_stop(at(p, i + 1, end)));
	struct ch c = at(p, j, end);
	bool stop = is_stop(c);

	(void)arg;
	while (c.len && is_stop(c) == stop) {
		/* A space before a word is the word's. */
		if (stop && c.cp == ' ' && j > i && j + 1 < end &&
		    !is_stop(at(p, j + 1, end)))
			break;
		j += c.len;
		c = at(p, j, end);
	}
	return j;
}

/* \s+$ */
size_t lx_cut_trailing(const u8 *p, size_t i, size_t end, u32 arg)
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
