// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Superblocks of the IQ and ternary types to integers. ib is a part of 32
 * columns, l one of its 4 groups of 8; bytes in the order of the file:
 *
 *	IQ2_XXS	d, per ib: 4 B of points, u32 of 4 x 7 signs, 4 bits of scale
 *	IQ2_XS	d, u16 per l: 9 bits of point, 7 of signs; 4-bit scales per 16
 *	IQ2_S	d, 32 B of points, 32 B of signs, 2 high bits of the points per
 *		l, 4-bit scales per 16
 *	IQ3_XXS	d, 64 B of points (of 4 columns), per ib u32 as IQ2_XXS
 *	IQ3_S	d, 64 B of points, their ninth bits, 32 B of signs, 4-bit scales
 *		per ib
 *	IQ1_S	d, 32 B of points, u16 per ib: 4 x 3 high bits of the points,
 *		3 bits of scale, 1 of shift
 *	IQ1_M	32 B of points, per l 3 high bits and 1 of shift, 4 x u16 of
 *		four 3-bit scales per 16; their upper nibbles together are d
 *	TQ	quant.c
 *
 * 7 signs mean 8, an even number of them set. Scales s of IQ stand for 2 s + 1.
 * IQ1 values are those of the point plus or minus an eighth: kept eightfold.
 */
#include "codebook.h"

static u16 get16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}

static u32 get32(const u8 *p)
{
	return get16(p) | (u32)get16(p + 2) << 16;
}

static s8 odd(u32 s)
{
	return (s8)(2 * s + 1);
}

/* Eight signs of seven: the last one makes their number even. */
static u32 signs8(u32 s)
{
	u32 n = (s ^ s >> 4) & 15;

	return s | (0x6996 >> n & 1) << 7;	/* parities of 0 .. 15 */
}

/* Eight columns of a point of IQ2 */
static void put_iq2(s8 *v, u32 point, u32 signs)
{
	static const s8 values[4] = { 8, 25, 43, 0 };

	for (u32 k = 0; k < 8; k++) {
		s8 x = values[point >> 2 * k & 3];

		v[k] = signs >> k & 1 ? (s8)-x : x;
	}
}

/* Four columns of a point of IQ3; @signs in its low bits */
static void put_iq3(s8 *v, u32 type, u32 point, u32 signs)
{
	for (u32 k = 0; k < 4; k++) {
		u32 n = point >> 3 * k & 7;
		s8 x = type == LX_TYPE_IQ3_S ? odd(n) :
		       (s8)(n == 7 ? 62 : 8 * n + 4);

		v[k] = signs >> k & 1 ? (s8)-x : x;
	}
}

static void put_iq1(s8 *v, u32 point, bool minus)
{
	for (u32 k = 0; k < 8; k++)
		v[k] = (s8)(8 * (s32)(point >> 2 * k & 3) - 8 +
			    (minus ? -1 : 1));
}

static void iq2_xxs(const u8 *p, struct lx_codes *c)
{
	for (u32 ib = 0; ib < 8; ib++) {
		const u8 *q = p + 2 + 8 * ib;
		u32 w = get32(q + 4);

		c->s[2 * ib] = c->s[2 * ib + 1] = odd(w >> 28);
		for (u32 l = 0; l < 4; l++)
			put_iq2(c->v + 32 * ib + 8 * l, lx_points_iq2_xxs[q[l]],
				signs8(w >> 7 * l & 127));
	}
}

static void iq2_xs(const u8 *p, struct lx_codes *c)
{
	for (u32 i = 0; i < 32; i++) {
		u32 w = get16(p + 2 + 2 * i);

		put_iq2(c->v + 8 * i, lx_points_iq2_xs[w & 511],
			signs8(w >> 9));
	}
	for (u32 i = 0; i < 16; i++)
		c->s[i] = odd(p[66 + i / 2] >> 4 * (i & 1) & 15);
}

static void iq2_s(const u8 *p, struct lx_codes *c)
{
	for (u32 i = 0; i < 32; i++) {
		u32 high = p[66 + i / 4] >> 2 * (i % 4) & 3;

		put_iq2(c->v + 8 * i, lx_points_iq2_s[p[2 + i] | high << 8],
			p[34 + i]);
	}
	for (u32 i = 0; i < 16; i++)
		c->s[i] = odd(p[74 + i / 2] >> 4 * (i & 1) & 15);
}

static void iq3_xxs(const u8 *p, struct lx_codes *c)
{
	for (u32 ib = 0; ib < 8; ib++) {
		u32 w = get32(p + 66 + 4 * ib);

		c->s[2 * ib] = c->s[2 * ib + 1] = odd(w >> 28);
		for (u32 l = 0; l < 8; l++)
			put_iq3(c->v + 32 * ib + 4 * l, LX_TYPE_IQ3_XXS,
				lx_points_iq3_xxs[p[2 + 8 * ib + l]],
				signs8(w >> 7 * (l / 2) & 127) >> 4 * (l & 1));
	}
}

static void iq3_s(const u8 *p, struct lx_codes *c)
{
	for (u32 i = 0; i < 64; i++) {
		u32 high = p[66 + i / 8] >> i % 8 & 1;

		put_iq3(c->v + 4 * i, LX_TYPE_IQ3_S,
			lx_points_iq3_s[p[2 + i] | high << 8],
			p[74 + i / 2] >> 4 * (i & 1));
	}
	for (u32 i = 0; i < 16; i++)
		c->s[i] = odd(p[106 + i / 4] >> 4 * (i / 2 & 1) & 15);
}

static void iq1_s(const u8 *p, struct lx_codes *c)
{
	for (u32 ib = 0; ib < 8; ib++) {
		u32 w = get16(p + 34 + 2 * ib);

		c->s[2 * ib] = c->s[2 * ib + 1] = odd(w >> 12 & 7);
		for (u32 l = 0; l < 4; l++)
			put_iq1(c->v + 32 * ib + 8 * l, lx_points_iq1[
				p[2 + 4 * ib + l] | (w >> 3 * l & 7) << 8],
				w >> 15);
	}
}

static void iq1_m(const u8 *p, struct lx_codes *c)
{
	const u8 *sc = p + 48;
	u32 d = 0;

	for (u32 i = 0; i < 4; i++)
		d |= (u32)(get16(sc + 2 * i) >> 12) << 4 * i;
	c->d = (u16)d;
	for (u32 i = 0; i < 16; i++)
		c->s[i] = odd(get16(sc + i / 4 * 2) >> 3 * (i % 4) & 7);
	for (u32 i = 0; i < 32; i++) {
		u32 h = p[32 + i / 2] >> 4 * (i & 1);

		put_iq1(c->v + 8 * i, lx_points_iq1[p[i] | (h & 7) << 8],
			h & 8);
	}
}

/* Digit @n of a byte of base-3 digits, which is a fraction of 256 */
static s8 digit3(u32 byte, u32 n)
{
	static const u8 pow3[5] = { 1, 3, 9, 27, 81 };

	return (s8)((s32)((byte * pow3[n] & 255) * 3 >> 8) - 1);
}

static void tq1_0(const u8 *p, struct lx_codes *c)
{
	s8 *v = c->v;

	for (u32 i = 0; i < 160; i++)
		*v++ = digit3(p[i % 32], i / 32);
	for (u32 i = 0; i < 80; i++)
		*v++ = digit3(p[32 + i % 16], i / 16);
	for (u32 i = 0; i < 16; i++)
		*v++ = digit3(p[48 + i % 4], i / 4);
	c->d = get16(p + 52);
	lx_memset(c->s, 1, sizeof(c->s));
}

static void tq2_0(const u8 *p, struct lx_codes *c)
{
	for (u32 i = 0; i < 256; i++)
		c->v[i] = (s8)((s32)(p[i / 128 * 32 + i % 32] >>
				     2 * (i / 32 % 4) & 3) - 1);
	c->d = get16(p + 64);
	lx_memset(c->s, 1, sizeof(c->s));
}

void lx_code_block(u32 type, const u8 *p, struct lx_codes *c)
{
	c->d = get16(p);
	switch (type) {
	case LX_TYPE_IQ2_XXS: iq2_xxs(p, c); break;
	case LX_TYPE_IQ2_XS: iq2_xs(p, c); break;
	case LX_TYPE_IQ2_S: iq2_s(p, c); break;
	case LX_TYPE_IQ3_XXS: iq3_xxs(p, c); break;
	case LX_TYPE_IQ3_S: iq3_s(p, c); break;
	case LX_TYPE_IQ1_S: iq1_s(p, c); break;
	case LX_TYPE_IQ1_M: iq1_m(p, c); break;
	case LX_TYPE_TQ1_0: tq1_0(p, c); break;
	case LX_TYPE_TQ2_0: tq2_0(p, c); break;
	}
}
