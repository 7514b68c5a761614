/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Packing by vectors, for the types that models mostly have: the same bytes as
 * pack.c writes, VL rows at a time. vb_rows() turns 16 bytes of each row into
 * vectors with a row a lane, and the rest is what pack.c does to words.
 *
 * @dst is the strip, moved by @h rows where a row has 4 bytes; @row[VL] are
 * rows h and on of the file. Loads stay within a block.
 */
#ifndef LX_ARCH_PACK_H
#define LX_ARCH_PACK_H

#include "op.h"

/* f16 scales of VL rows, in the low or high half of lanes */
INL void put_scales(u8 *dst, vb v, u32 *bad)
{
	const u64 e = 0x7c007c007c007c00ull, one = 0x0001000100010001ull;

	vb_store_low(dst, v);
	for (u32 i = 0; i < VL / 4; i++) {
		u64 x;

		lx_memcpy(&x, dst + 8 * i, 8);
		/* An exponent of all ones becomes 0, and borrows. */
		if ((((x & e) ^ e) - one) & (one << 15))
			*bad = 1;
	}
}

INL void rows32(vb v[8], const u8 *const *row, u64 off)
{
	vb_rows(v, row, off);
	vb_rows(v + 4, row, off + 16);
}

INL void store4(u8 *dst, const vb v[4])
{
	UNROLL
	for (u32 i = 0; i < 4; i++)
		vb_store(dst + 64 * i, v[i]);
}

/* Low nibbles of 32 columns; high ones. */
INL void put_low(u8 *dst, const vb v[8])
{
	const vb m = vb_set1(0x0f);

	UNROLL
	for (u32 i = 0; i < 4; i++)
		vb_store(dst + 64 * i, vb_or(vb_and(v[i], m),
				vb_sll(vb_and(v[4 + i], m), 4)));
}

INL void put_high(u8 *dst, const vb v[8])
{
	const vb m = vb_set1(0x0f), n = vb_set1(0xf0);

	UNROLL
	for (u32 i = 0; i < 4; i++)
		vb_store(dst + 64 * i, vb_or(vb_and(vb_srl(v[i], 4), m),
					     vb_and(v[4 + i], n)));
}

INL void put_plane(u8 *dst, const vb v[8], u32 shift)
{
	const vb m = vb_set1(1);
	vb p = vb_and(vb_srlv(v[0], shift), m);

	p = vb_or(p, vb_sll(vb_and(vb_srlv(v[1], shift), m), 1));
	p = vb_or(p, vb_sll(vb_and(vb_srlv(v[2], shift), m), 2));
	p = vb_or(p, vb_sll(vb_and(vb_srlv(v[3], shift), m), 3));
	p = vb_or(p, vb_sll(vb_and(vb_srlv(v[4], shift), m), 4));
	p = vb_or(p, vb_sll(vb_and(vb_srlv(v[5], shift), m), 5));
	p = vb_or(p, vb_sll(vb_and(vb_srlv(v[6], shift), m), 6));
	p = vb_or(p, vb_sll(vb_and(vb_srlv(v[7], shift), m), 7));
	vb_store(dst, p);
}

INL void put_pairs(u8 *dst, const vb v[8], u32 shift)
{
	const vb m = vb_set1(3);

	UNROLL
	for (u32 i = 0; i < 8; i += 4) {
		vb p = vb_and(vb_srlv(v[i], shift), m);

		p = vb_or(p, vb_sll(vb_and(vb_srlv(v[i + 1], shift), m), 2));
		p = vb_or(p, vb_sll(vb_and(vb_srlv(v[i + 2], shift), m), 4));
		p = vb_or(p, vb_sll(vb_and(vb_srlv(v[i + 3], shift), m), 6));
		vb_store(dst + 16 * i, p);
	}
}

static void strip_f32(u8 *dst, const u8 *const *row, u32 cols)
{
	for (u32 k = 0; k < cols; k += 4) {
		vb v[4];

		vb_rows(v, row, 4 * (u64)k);
		store4(dst + 64 * (u64)k, v);
	}
}

static void strip_f16(u8 *dst, const u8 *const *row, u32 cols)
{
	for (u32 k = 0; k < cols; k += 8) {
		u8 *u = dst + 32 * (u64)k;
		vb v[4];

		vb_rows(v, row, 2 * (u64)k);
		UNROLL
		for (u32 i = 0; i < 4; i++) {
			vb_store_low(u + 64 * i, v[i]);
			vb_store_low(u + 64 * i + 32, vb_high(v[i]));
		}
	}
}

static void strip_q8_0(u8 *dst, const u8 *const *row, u32 h, u32 cols, u32 *bad)
{
	const vb sign = vb_set1(0x80);

	for (u32 b = 0; b < cols / 32; b++) {
		u8 *u = dst + b / 2 * (64 + 2 * 512);
		vb v[8], d[4];

		vb_rows(d, row, 34 * (u64)b);
		put_scales(u + 32 * (b & 1) + 2 * h, d[0], bad);
		rows32(v, row, 34 * (u64)b + 2);
		UNROLL
		for (u32 i = 0; i < 8; i++)
			v[i] = vb_xor(v[i], sign);
		u += 64 + 512 * (b & 1) + 4 * h;
		store4(u, v);
		store4(u + 256, v + 4);
	}
}

static void strip_q4_0(u8 *dst, const u8 *const *row, u32 h, u32 cols, u32 *bad)
{
	for (u32 b = 0; b < cols / 32; b++) {
		u8 *u = dst + b / 2 * (64 + 2 * 256);
		vb v[4], d[4];

		vb_rows(d, row, 18 * (u64)b);
		put_scales(u + 32 * (b & 1) + 2 * h, d[0], bad);
		vb_rows(v, row, 18 * (u64)b + 2);
		store4(u + 64 + 256 * (b & 1) + 4 * h, v);
	}
}

static void strip_q4_1(u8 *dst, const u8 *const *row, u32 h, u32 cols, u32 *bad)
{
	for (u32 b = 0; b < cols / 32; b++) {
		u8 *u = dst + b * 320;
		vb v[4], d[4];

		vb_rows(d, row, 20 * (u64)b);
		put_scales(u + 2 * h, d[0], bad);
		put_scales(u + 32 + 2 * h, vb_high(d[0]), bad);
		vb_rows(v, row, 20 * (u64)b + 4);
		store4(u + 64 + 4 * h, v);
	}
}

/* 6-bit scales and minimums of eight blocks: pack.c, k4_scale() */
INL void put_k4_scales(u8 *dst, const vb w[4])
{
	const vb six = vb_set1(0x3f), four = vb_set1(0x0f), two = vb_set1(0x30);

	vb_store_bytes(dst, vb_and(w[1], six));
	vb_store_bytes(dst + 64, vb_or(vb_and(w[3], four),
				       vb_and(vb_srl(w[1], 2), two)));
	vb_store_bytes(dst + 128, vb_and(w[2], six));
	vb_store_bytes(dst + 192, vb_or(vb_and(vb_srl(w[3], 4), four),
					vb_and(vb_srl(w[2], 2), two)));
}

INL void strip_k45(bool five, u8 *dst, const u8 *const *row, u32 h, u32 cols,
		   u32 *bad)
{
	u32 bytes = five ? 320 : 256;

	for (u32 k = 0; k < cols / 256; k++) {
		u8 *u = dst + (u64)k * (320 + 8 * bytes);
		u64 s = (u64)k * (five ? 176 : 144);
		vb w[4], v[8], high[8];

		vb_rows(w, row, s);
		put_scales(u + 2 * h, w[0], bad);
		put_scales(u + 32 + 2 * h, vb_high(w[0]), bad);
		put_k4_scales(u + 64 + h, w);
		if (five)
			rows32(high, row, s + 16);
		for (u32 j = 0; j < 8; j += 2) {
			u8 *q = u + 320 + j * bytes + 4 * h;

			rows32(v, row, s + (five ? 48 : 16) + 16 * j);
			put_low(q, v);
			put_high(q + bytes, v);
			if (five) {
				put_plane(q + 256, high, j);
				put_plane(q + bytes + 256, high, j + 1);
			}
		}
	}
}

static void strip_q4_k(u8 *dst, const u8 *const *row, u32 h, u32 cols, u32 *bad)
{
	strip_k45(false, dst, row, h, cols, bad);
}

static void strip_q5_k(u8 *dst, const u8 *const *row, u32 h, u32 cols, u32 *bad)
{
	strip_k45(true, dst, row, h, cols, bad);
}

static void strip_q6_k(u8 *dst, const u8 *const *row, u32 h, u32 cols, u32 *bad)
{
	for (u32 k = 0; k < cols / 256; k++) {
		u8 *u = dst + (u64)k * (320 + 8 * 384);
		u64 s = 210 * (u64)k;
		vb w[4], v[8], high[8];

		vb_rows(w, row, s + 194);
		put_scales(u + 2 * h, vb_high(w[3]), bad);
		vb_rows(w, row, s + 192);
		UNROLL
		for (u32 i = 0; i < 4; i++)
			vb_store_bytes(u + 64 + 64 * i + h, w[i]);
		for (u32 j = 0; j < 8; j += 4) {
			u8 *q = u + 320 + j * 384 + 4 * h;

			rows32(high, row, s + 128 + 8 * j);
			for (u32 i = 0; i < 2; i++) {
				rows32(v, row, s + 16 * j + 32 * i);
				put_low(q + i * 384, v);
				put_high(q + (i + 2) * 384, v);
			}
			for (u32 i = 0; i < 4; i++)
				put_pairs(q + i * 384 + 256, high, 2 * i);
		}
	}
}

/* Scales less 32, from 0 to 63, as signed bytes */
INL vb less_32(vb v)
{
	vb s;

	v = vb_xor(v, vb_set1(0x20));
	s = vb_and(v, vb_set1(0x20));
	return vb_or(v, vb_or(vb_sll(s, 1), vb_sll(s, 2)));
}

INL void put_q3_scales(u8 *dst, vb a, vb b, vb c)
{
	const vb four = vb_set1(0x0f), two = vb_set1(0x30);

	vb_store_bytes(dst, less_32(vb_or(vb_and(a, four),
			vb_and(vb_sll(c, 4), two))));
	vb_store_bytes(dst + 64, less_32(vb_or(vb_and(b, four),
			vb_and(vb_sll(c, 2), two))));
	vb_store_bytes(dst + 128, less_32(vb_or(vb_and(vb_srl(a, 4), four),
			vb_and(c, two))));
	vb_store_bytes(dst + 192, less_32(vb_or(vb_and(vb_srl(b, 4), four),
			vb_and(vb_srl(c, 2), two))));
}

static void strip_q3_k(u8 *dst, const u8 *const *row, u32 h, u32 cols, u32 *bad)
{
	for (u32 k = 0; k < cols / 256; k++) {
		u8 *u = dst + (u64)k * (320 + 8 * 192);
		u64 s = 110 * (u64)k;
		vb w[4], v[8], high[8];

		vb_rows(w, row, s + 94);
		put_scales(u + 2 * h, vb_high(w[3]), bad);
		vb_rows(w, row, s + 92);
		put_q3_scales(u + 64 + h, w[1], w[2], w[3]);
		rows32(high, row, s);
		for (u32 j = 0; j < 8; j += 4) {
			u8 *q = u + 320 + j * 192 + 4 * h;

			rows32(v, row, s + 32 + 8 * j);
			for (u32 i = 0; i < 4; i++) {
				put_pairs(q + i * 192, v, 2 * i);
				put_plane(q + i * 192 + 128, high, j + i);
			}
		}
	}
}

static void strip_q2_k(u8 *dst, const u8 *const *row, u32 h, u32 cols, u32 *bad)
{
	for (u32 k = 0; k < cols / 256; k++) {
		u8 *u = dst + (u64)k * (320 + 8 * 128);
		u64 s = 84 * (u64)k;
		vb w[4], v[8];

		vb_rows(w, row, s + 68);
		put_scales(u + 2 * h, w[3], bad);
		put_scales(u + 32 + 2 * h, vb_high(w[3]), bad);
		vb_rows(w, row, s);
		UNROLL
		for (u32 i = 0; i < 4; i++)
			vb_store_bytes(u + 64 + 64 * i + h, w[i]);
		for (u32 j = 0; j < 8; j += 4) {
			u8 *q = u + 320 + j * 128 + 4 * h;

			rows32(v, row, s + 16 + 8 * j);
			for (u32 i = 0; i < 4; i++)
				put_pairs(q + i * 128, v, 2 * i);
		}
	}
}

/* VL rows of a strip, or false: pack.c has to. */
static bool pack_rows(u32 type, u8 *dst, const u8 *const *row, u32 h, u32 cols,
		      u32 *bad)
{
	switch (type) {
	case LX_TYPE_F32:
		if (cols % 4)
			return false;
		strip_f32(dst + 4 * h, row, cols);
		break;
	case LX_TYPE_F16: case LX_TYPE_BF16:
		if (cols % 8)
			return false;
		strip_f16(dst + 2 * h, row, cols);
		break;
	case LX_TYPE_Q8_0: strip_q8_0(dst, row, h, cols, bad); break;
	case LX_TYPE_Q4_0: case LX_TYPE_IQ4_NL:
		strip_q4_0(dst, row, h, cols, bad);
		break;
	case LX_TYPE_Q4_1: strip_q4_1(dst, row, h, cols, bad); break;
	case LX_TYPE_Q4_K: strip_q4_k(dst, row, h, cols, bad); break;
	case LX_TYPE_Q5_K: strip_q5_k(dst, row, h, cols, bad); break;
	case LX_TYPE_Q6_K: strip_q6_k(dst, row, h, cols, bad); break;
	case LX_TYPE_Q3_K: strip_q3_k(dst, row, h, cols, bad); break;
	case LX_TYPE_Q2_K: strip_q2_k(dst, row, h, cols, bad); break;
	default: return false;
	}
	return true;
}

static bool pack_whole(const struct lx_op *op, u32 strip)
{
	const struct lx_mat *m = op->pack.mat;
	const u8 *row[VL];

	for (u32 h = 0; h < LX_STRIP; h += VL) {
		for (u32 i = 0; i < VL; i++)
			row[i] = lx_pack_row(op, strip * LX_STRIP + h + i);
		if (!pack_rows(m->type, m->strips[op->pack.strip0 + strip],
			       row, h, m->cols, op->pack.bad))
			return false;
	}
	return true;
}

static void tile_pack(const struct lx_op *op, u32 tile, void *scratch)
{
	struct lx_strips s = lx_pack_strips(op, tile);

	for (u32 i = s.first; i < s.end; i++)
		if ((i + 1) * LX_STRIP > s.end_row || !pack_whole(op, i))
			lx_pack_strip(op, i, s.end_row);
	(void)scratch;
}

#endif
