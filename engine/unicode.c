// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "unicode.h"

/* Length by the lead byte, 0 for bytes that cannot lead. */
static u32 lead_length(u8 c)
{
	if (c < 0x80)
		return 1;
	if (c < 0xc2)
		return 0;
	if (c < 0xe0)
		return 2;
	if (c < 0xf0)
		return 3;
	return c < 0xf5 ? 4 : 0;
}

/* Overlong forms, surrogates and what is beyond U+10FFFF show here. */
static bool second_ok(u8 lead, u8 c)
{
	switch (lead) {
	case 0xe0:
		return c >= 0xa0 && c <= 0xbf;
	case 0xed:
		return c >= 0x80 && c <= 0x9f;
	case 0xf0:
		return c >= 0x90 && c <= 0xbf;
	case 0xf4:
		return c >= 0x80 && c <= 0x8f;
	}
	return c >= 0x80 && c <= 0xbf;
}

int lx_utf8_check(const u8 *p, size_t n)
{
	u32 len = lead_length(p[0]);

	if (len == 1)
		return 1;
	if (!len)
		return -1;
	if (n > 1 && !second_ok(p[0], p[1]))
		return -1;
	for (u32 i = 2; i < len && i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return -(int)i;
	return n < len ? 0 : (int)len;
}

u32 lx_utf8_decode(const u8 *p, size_t n, u32 *cp)
{
	int len;

	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	len = lx_utf8_check(p, n);
	switch (len) {
	case 2:
		*cp = (u32)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
		return 2;
	case 3:
		*cp = (u32)(p[0] & 0x0f) << 12 | (u32)(p[1] & 0x3f) << 6 |
		      (p[2] & 0x3f);
		return 3;
	case 4:
		*cp = (u32)(p[0] & 0x07) << 18 | (u32)(p[1] & 0x3f) << 12 |
		      (u32)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
		return 4;
	}
	*cp = LX_REPLACEMENT;
	return 1;
}

u32 lx_utf8_encode(u32 cp, u8 *out)
{
	if (cp < 0x80) {
		out[0] = (u8)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (u8)(0xc0 | cp >> 6);
		out[1] = (u8)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (u8)(0xe0 | cp >> 12);
		out[1] = (u8)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (u8)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (u8)(0xf0 | cp >> 18);
	out[1] = (u8)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (u8)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (u8)(0x80 | (cp & 0x3f));
	return 4;
}

/*
 * Bytes that stand for themselves: 21..7e, a1..ac, ae..ff. The rest, in
 * order, are 00..20 (U+0100..0120), 7f..a0 (U+0121..0142) and ad (U+0143).
 */
u32 lx_byte_to_char(u8 b)
{
	if (b <= 0x20)
		return 0x100 + b;
	if (b >= 0x7f && b <= 0xa0)
		return 0x121 + b - 0x7f;
	return b == 0xad ? 0x143 : b;
}

int lx_char_to_byte(u32 cp)
{
	if (cp >= 0x100 && cp <= 0x120)
		return (int)(cp - 0x100);
	if (cp >= 0x121 && cp <= 0x142)
		return (int)(cp - 0x121 + 0x7f);
	if (cp == 0x143)
		return 0xad;
	if (cp > 0xff || lx_byte_to_char((u8)cp) != cp)
		return -1;
	return (int)cp;
}
