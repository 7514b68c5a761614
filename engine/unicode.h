/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What tokenizers need of Unicode: UTF-8 and the classes of code points. The
 * tables are generated (scripts/gen-unicode.py).
 */
#ifndef LX_UNICODE_H
#define LX_UNICODE_H

#include "lx/deps.h"

/* The order is that of BITS in the generator. */
#define LX_UC_LU (1u << 0)	/* letters: upper case */
#define LX_UC_LL (1u << 1)	/* lower case */
#define LX_UC_LT (1u << 2)	/* title case */
#define LX_UC_LM (1u << 3)	/* modifier */
#define LX_UC_LO (1u << 4)	/* other */
#define LX_UC_N (1u << 5)	/* numbers */
#define LX_UC_M (1u << 6)	/* marks */
#define LX_UC_P (1u << 7)	/* punctuation */
#define LX_UC_S (1u << 8)	/* symbols */
#define LX_UC_WHITE (1u << 9)	/* White_Space: \s */
#define LX_UC_CASED (1u << 10)	/* the list of deepseek-llm */
#define LX_UC_REST (1u << 11)	/* none of the above: controls, unassigned */
#define LX_UC_L (LX_UC_LU | LX_UC_LL | LX_UC_LT | LX_UC_LM | LX_UC_LO)
/* [^\s\p{L}\p{N}] */
#define LX_UC_OTHER (LX_UC_M | LX_UC_P | LX_UC_S | LX_UC_REST)

#define LX_REPLACEMENT 0xfffd

extern const u16 lx_unicode_kinds[];
extern const u8 lx_unicode_index[];
extern const u8 lx_unicode_blocks[];

/* @cp is below 0x110000. */
static inline u32 lx_unicode_class(u32 cp)
{
	u32 block = lx_unicode_index[cp >> 7];

	return lx_unicode_kinds[lx_unicode_blocks[block << 7 | (cp & 127)]];
}

/*
 * Decode the character at @p, @n >= 1 bytes there: returns its length. A byte
 * that begins no valid character (overlong, surrogate, beyond U+10FFFF,
 * truncated) is a character of its own, U+FFFD.
 */
u32 lx_utf8_decode(const u8 *p, size_t n, u32 *cp);
/* Encode into @out (4 bytes of room); returns the length. */
u32 lx_utf8_encode(u32 cp, u8 *out);
/*
 * How much of the sequence that starts with @p[0] can be told from @n bytes:
 * its length when it is whole, 0 when more bytes are needed, or minus the
 * number of bytes that are an invalid (sub)sequence.
 */
int lx_utf8_check(const u8 *p, size_t n);

/*
 * The byte-to-character map of byte-level BPE (GPT-2): printable bytes stand
 * for themselves, the others for U+0100 and on.
 */
u32 lx_byte_to_char(u8 byte);
/* -1 when @cp stands for no byte. */
int lx_char_to_byte(u32 cp);

#endif
