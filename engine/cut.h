/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Stages of pre-tokenizers (struct lx_pre_stage): each finds the end of the
 * piece of @p that begins at @i, i < result <= @end. Above each stands the
 * regular expression it replaces; where that leaves text unmatched, the gap up
 * to the next match is a piece.
 */
#ifndef LX_CUT_H
#define LX_CUT_H

#include "unicode.h"

/* Variants of the GPT-4 expression. */
#define LX_CUT_NO_CONTRACTIONS (1u << 0)
#define LX_CUT_MARKS (1u << 1)		/* marks are letters */
#define LX_CUT_DIGITS_3 (1u << 2)	/* \p{N}{1,3}, otherwise \p{N} */
#define LX_CUT_DIGITS_ALL (1u << 3)	/* \p{N}+ */
#define LX_CUT_SLASH (1u << 4)		/* [\r\n/]* behind punctuation */
#define LX_CUT_NO_TAIL (1u << 5)	/* no line breaks behind punctuation */

/* Sets of characters that stages look for. */
enum lx_cut_set {
	LX_SET_PUNCT,		/* [\p{P}\$\+<=>\^~\|] */
	LX_SET_PUNCT_TICK,	/* ... and ` */
	LX_SET_CJK,		/* the ideographs, syllables and more of deepseek */
	LX_SET_CJK_KANA,	/* ideographs and kana */
	LX_SET_LETTER, LX_SET_ALL_PUNCT, LX_SET_CASED, LX_SET_MARKS
};

size_t lx_cut_gpt2(const u8 *p, size_t i, size_t end, u32 arg);
size_t lx_cut_gpt4(const u8 *p, size_t i, size_t end, u32 arg);
size_t lx_cut_o200k(const u8 *p, size_t i, size_t end, u32 arg);
size_t lx_cut_deepseek3(const u8 *p, size_t i, size_t end, u32 arg);
size_t lx_cut_digits(const u8 *p, size_t i, size_t end, u32 arg);
size_t lx_cut_thousands(const u8 *p, size_t i, size_t end, u32 arg);
size_t lx_cut_breaks(const u8 *p, size_t i, size_t end, u32 arg);
size_t lx_cut_set(const u8 *p, size_t i, size_t end, u32 arg);
size_t lx_cut_spaced(const u8 *p, size_t i, size_t end, u32 arg);
size_t lx_cut_stops(const u8 *p, size_t i, size_t end, u32 arg);
size_t lx_cut_trailing(const u8 *p, size_t i, size_t end, u32 arg);

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
static inline size_t run_max(const u8 *p, size_t i, size_t end, u32 mask,
			     u32 max)
{
	struct ch c = at(p, i, end);

	for (; max && (c.cls & mask); max--) {
		i += c.len;
		c = at(p, i, end);
	}
	return i;
}

static inline size_t run(const u8 *p, size_t i, size_t end, u32 mask)
{
	struct ch c = at(p, i, end);

	while (c.cls & mask) {
		i += c.len;
		c = at(p, i, end);
	}
	return i;
}

#endif
