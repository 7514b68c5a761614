/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * From packed strips to unsigned bytes in registers. A block is 32 columns of
 * VL rows: q[j] holds columns 4j..4j+3, four bytes a lane. @h is the first
 * lane of the strip's 16 that this vector covers. Layouts: pack.c.
 */
#ifndef LX_FP_UNPACK_H
#define LX_FP_UNPACK_H

struct blk {
	vb q[8];
};

/* 256 bytes: low nibbles are columns 0..15, high nibbles 16..31 */
INL struct blk unpack4(const u8 *p, u32 h)
{
	const vb mask = vb_set1(0x0f);
	struct blk b;

	UNROLL
	for (u32 i = 0; i < 4; i++) {
		vb v = vb_load(p + 64 * i + 4 * h);

		b.q[i] = vb_and(v, mask);
		b.q[i + 4] = vb_and(vb_srl(v, 4), mask);
	}
	return b;
}

/* The same, through a table of 16 bytes */
INL struct blk unpack4_lut(const u8 *p, u32 h, const u8 *table)
{
	struct blk b = unpack4(p, h);

	UNROLL
	for (u32 i = 0; i < 8; i++)
		b.q[i] = vb_lut(table, b.q[i]);
	return b;
}

/* 256 + 64 bytes: bit j of the plane belongs to q[j] */
INL struct blk unpack5(const u8 *p, u32 h)
{
	const vb m = vb_set1(0x10);
	struct blk b = unpack4(p, h);
	vb v = vb_load(p + 256 + 4 * h);

	b.q[0] = vb_or(b.q[0], vb_and(vb_sll(v, 4), m));
	b.q[1] = vb_or(b.q[1], vb_and(vb_sll(v, 3), m));
	b.q[2] = vb_or(b.q[2], vb_and(vb_sll(v, 2), m));
	b.q[3] = vb_or(b.q[3], vb_and(vb_sll(v, 1), m));
	b.q[4] = vb_or(b.q[4], vb_and(v, m));
	b.q[5] = vb_or(b.q[5], vb_and(vb_srl(v, 1), m));
	b.q[6] = vb_or(b.q[6], vb_and(vb_srl(v, 2), m));
	b.q[7] = vb_or(b.q[7], vb_and(vb_srl(v, 3), m));
	return b;
}

/* 256 + 128 bytes: field f of plane i belongs to q[4 * i + f] */
INL struct blk unpack6(const u8 *p, u32 h)
{
	const vb m = vb_set1(0x30);
	struct blk b = unpack4(p, h);

	UNROLL
	for (u32 i = 0; i < 2; i++) {
		vb v = vb_load(p + 256 + 64 * i + 4 * h);
		vb *q = b.q + 4 * i;

		q[0] = vb_or(q[0], vb_and(vb_sll(v, 4), m));
		q[1] = vb_or(q[1], vb_and(vb_sll(v, 2), m));
		q[2] = vb_or(q[2], vb_and(v, m));
		q[3] = vb_or(q[3], vb_and(vb_srl(v, 2), m));
	}
	return b;
}

/* 128 bytes: field f of plane i is q[4 * i + f] */
INL struct blk unpack2(const u8 *p, u32 h)
{
	const vb m = vb_set1(3);
	struct blk b;

	UNROLL
	for (u32 i = 0; i < 2; i++) {
		vb v = vb_load(p + 64 * i + 4 * h);
		vb *q = b.q + 4 * i;

		q[0] = vb_and(v, m);
		q[1] = vb_and(vb_srl(v, 2), m);
		q[2] = vb_and(vb_srl(v, 4), m);
		q[3] = vb_and(vb_srl(v, 6), m);
	}
	return b;
}

/* 128 + 64 bytes: two bits as unpack2, the third as in unpack5 */
INL struct blk unpack3(const u8 *p, u32 h)
{
	const vb m = vb_set1(4);
	struct blk b = unpack2(p, h);
	vb v = vb_load(p + 128 + 4 * h);

	b.q[0] = vb_or(b.q[0], vb_and(vb_sll(v, 2), m));
	b.q[1] = vb_or(b.q[1], vb_and(vb_sll(v, 1), m));
	b.q[2] = vb_or(b.q[2], vb_and(v, m));
	b.q[3] = vb_or(b.q[3], vb_and(vb_srl(v, 1), m));
	b.q[4] = vb_or(b.q[4], vb_and(vb_srl(v, 2), m));
	b.q[5] = vb_or(b.q[5], vb_and(vb_srl(v, 3), m));
	b.q[6] = vb_or(b.q[6], vb_and(vb_srl(v, 4), m));
	b.q[7] = vb_or(b.q[7], vb_and(vb_srl(v, 5), m));
	return b;
}

INL struct blk unpack8(const u8 *p, u32 h)
{
	struct blk b;

	UNROLL
	for (u32 i = 0; i < 8; i++)
		b.q[i] = vb_load(p + 64 * i + 4 * h);
	return b;
}

/* Non-linear 4-bit values of IQ4_NL and IQ4_XS, plus 128 */
static const u8 table_iq4[16] = {
	1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241
};

/* FP4 E2M1 in halves (OCP Microscaling, 2023), plus 16 */
static const u8 table_fp4[16] = {
	16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4
};

#endif
