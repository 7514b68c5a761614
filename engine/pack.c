// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Repacking: from the blocks of a GGUF file to strips of 16 interleaved rows
 * that the kernels of fp/matmul.h stream through. Integer code: scales stay
 * as they are. A strip is a row of units; in a unit, r is the row, and a
 * vector is 64 bytes with the 4 bytes of row r at 4 * r:
 *
 *	F32		1 column:  f32[16]
 *	F16 BF16	1 column:  u16[16]
 *	Q4_0 IQ4_NL	64 columns: f16 d[2][16], then 2 blocks of nibbles
 *	MXFP4		the same, with bf16 d
 *	Q5_0		64 columns: f16 d[2][16], 2 x (nibbles, plane of bits)
 *	Q8_0		64 columns: f16 d[2][16], 2 x 8 vectors of w + 128
 *	Q4_1 Q5_1	32 columns: f16 d[16], f16 m[16], nibbles (, plane)
 *	Q4_K Q5_K	256 columns: f16 d[16], f16 dmin[16], u8 sc[8][16],
 *			u8 m[8][16], 8 x (nibbles (, plane))
 *	Q6_K Q3_K	256 columns: f16 d[16], 32 bytes unused, s8 sc[16][16],
 *			8 x (nibbles, pairs) or 8 x (pairs, plane)
 *	Q2_K		256 columns: f16 d[16], f16 dmin[16], u8 sc[16][16]
 *			(minimum in the high nibble), 8 x pairs
 *	Q1_0 Q2_0	as Q4_0
 *	NVFP4		64 columns: f16 d[4][16], 2 blocks of nibbles
 *	IQ1 TQ...	256 columns: f16 d[16], 32 bytes unused, s8 s[16][16],
 *			8 x pairs (TQ), 8 x (pairs, plane) (IQ1, IQ2) or 8 x
 *			nibbles (IQ3): numbers of values, codebook.h
 *	IQ4_XS		256 columns: f16 d[16], 32 bytes unused, s8 sc[8][16],
 *			8 x nibbles
 *
 * nibbles: 4 vectors; byte b of vector i: column 4i+b low, 16+4i+b high.
 * plane: 1 vector; bit j of byte b: column 4j+b.
 * pairs: 2 vectors; bits 2f.. of byte b of vector i: column 16i+4f+b.
 */
#include "op.h"
#include "codebook.h"

struct pack {
	u32 cols, bytes;	/* of a unit, of 16 rows */
};

static struct pack pack_of(u32 type)
{
	switch (type) {
	case LX_TYPE_F32: return (struct pack){ 1, 64 };
	case LX_TYPE_F16: case LX_TYPE_BF16: return (struct pack){ 1, 32 };
	case LX_TYPE_Q4_0: case LX_TYPE_IQ4_NL: case LX_TYPE_MXFP4:
	case LX_TYPE_Q1_0: case LX_TYPE_Q2_0:
		return (struct pack){ 64, 64 + 2 * 256 };
	case LX_TYPE_NVFP4: return (struct pack){ 64, 128 + 2 * 256 };
	case LX_TYPE_Q5_0: return (struct pack){ 64, 64 + 2 * 320 };
	case LX_TYPE_Q8_0: return (struct pack){ 64, 64 + 2 * 512 };
	case LX_TYPE_Q4_1: return (struct pack){ 32, 64 + 256 };
	case LX_TYPE_Q5_1: return (struct pack){ 32, 64 + 320 };
	case LX_TYPE_Q4_K: return (struct pack){ 256, 320 + 8 * 256 };
	case LX_TYPE_Q5_K: return (struct pack){ 256, 320 + 8 * 320 };
	case LX_TYPE_Q6_K: return (struct pack){ 256, 320 + 8 * 384 };
	case LX_TYPE_Q3_K: return (struct pack){ 256, 320 + 8 * 192 };
	case LX_TYPE_Q2_K: return (struct pack){ 256, 320 + 8 * 128 };
	case LX_TYPE_IQ4_XS: return (struct pack){ 256, 192 + 8 * 256 };
	}
	if (lx_code_bits(type))
		return (struct pack){ 256, 320 + 8 * 64 * lx_code_bits(type) };
	return (struct pack){ 0, 0 };
}

u64 lx_pack_bytes(u32 type, u64 cols)
{
	struct pack p = pack_of(type);

	/* Kernels of 32-column types walk an even number of blocks. */
	if (p.cols == 32)
		return lx_align_up(cols, 64) / 32 * p.bytes;
	return p.cols ? lx_align_up(lx_div_up(cols, p.cols) * p.bytes,
				    (u64)LX_CACHELINE) : 0;
}

bool lx_pack_padded(const struct lx_mat *mat)
{
	struct pack p = pack_of(mat->type);

	return (u64)mat->cols * p.bytes != (u64)mat->strip_bytes * p.cols;
}

static u32 get32(const u8 *p)
{
	u32 v;

	lx_memcpy(&v, p, 4);
	return v;
}

static void put32(u8 *p, u32 v)
{
	lx_memcpy(p, &v, 4);
}

static u16 get16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}

/* An f16 scale to its place; remembers infinities and NaNs. */
static void put_scale(u8 *dst, const u8 *src, u32 *bad)
{
	u16 v = get16(src);

	if ((v & 0x7c00) == 0x7c00)
		*bad = 1;
	lx_memcpy(dst, &v, 2);
}

/* @s: 16 bytes in the order of Q4_0 (low nibble: column j, high: 16 + j) */
static void put_nibbles(u8 *dst, u32 r, const u8 *s)
{
	for (u32 i = 0; i < 4; i++)
		put32(dst + 64 * i + 4 * r, get32(s + 4 * i));
}

/* @s: 32 bytes, a column each, at bits @shift .. @shift + 3 */
static void put_nibbles_of(u8 *dst, u32 r, const u8 *s, u32 shift)
{
	const u32 m = 0x0f0f0f0f;

	for (u32 i = 0; i < 4; i++)
		put32(dst + 64 * i + 4 * r,
		      (get32(s + 4 * i) >> shift & m) |
		      (get32(s + 16 + 4 * i) >> shift & m) << 4);
}

/* @s: 32 bytes, a column each, at bit @shift */
static void put_plane_of(u8 *dst, u32 r, const u8 *s, u32 shift)
{
	u32 v = 0;

	for (u32 j = 0; j < 8; j++)
		v |= (get32(s + 4 * j) >> shift & 0x01010101) << j;
	put32(dst + 4 * r, v);
}

/* @h: bit j is column j */
static void put_plane(u8 *dst, u32 r, u32 h)
{
	u32 v = 0;

	for (u32 j = 0; j < 8; j++) {
		u32 n = h >> 4 * j & 15;

		/* spread four bits over four bytes */
		v |= (n * 0x00204081 & 0x01010101) << j;
	}
	put32(dst + 4 * r, v);
}

/* @s: 32 bytes, a column each, at bits @shift, @shift + 1 */
static void put_pairs_of(u8 *dst, u32 r, const u8 *s, u32 shift)
{
	for (u32 i = 0; i < 2; i++) {
		u32 v = 0;

		for (u32 f = 0; f < 4; f++)
			v |= (get32(s + 16 * i + 4 * f) >> shift &
			      0x03030303) << 2 * f;
		put32(dst + 64 * i + 4 * r, v);
	}
}

static void pack_float(u8 *dst, u32 r, const u8 *s, u32 cols, u32 size)
{
	for (u32 k = 0; k < cols; k++)
		lx_memcpy(dst + (u64)16 * size * k + size * r,
			  s + (u64)size * k, size);
}

static void pack_simple(u32 type, u8 *dst, u32 r, const u8 *s, u32 cols,
			u32 *bad)
{
	for (u32 b = 0; b < cols / 32; b++) {
		u32 bytes = type == LX_TYPE_Q8_0 ? 512 :
			    type == LX_TYPE_Q5_0 ? 320 : 256;
		u8 *u = dst + b / 2 * (64 + 2 * bytes);
		u8 *q = u + 64 + (b & 1) * bytes;

		u += 32 * (b & 1) + 2 * r;
		switch (type) {
		case LX_TYPE_Q8_0:
			put_scale(u, s, bad);
			for (u32 i = 0; i < 8; i++)
				put32(q + 64 * i + 4 * r,
				      get32(s + 2 + 4 * i) ^ 0x80808080);
			s += 34;
			break;
		case LX_TYPE_Q5_0:
			put_scale(u, s, bad);
			put_nibbles(q, r, s + 6);
			put_plane(q + 256, r, get32(s + 2));
			s += 22;
			break;
		case LX_TYPE_MXFP4: {
			/* 2^(e - 128) as bf16, subnormal below e = 2 */
			u16 d = s[0] < 2 ? 0x20 << s[0] : (s[0] - 1) << 7;

			lx_memcpy(u, &d, 2);
			put_nibbles(q, r, s + 1);
			s += 17;
			break;
		}
		default:
			put_scale(u, s, bad);
			put_nibbles(q, r, s + 2);
			s += 18;
		}
	}
}

static void pack_affine(bool five, u8 *dst, u32 r, const u8 *s, u32 cols,
			u32 *bad)
{
	for (u32 b = 0; b < cols / 32; b++) {
		u8 *u = dst + b * (five ? 384 : 320);

		put_scale(u + 2 * r, s, bad);
		put_scale(u + 32 + 2 * r, s + 2, bad);
		if (five)
			put_plane(u + 320, r, get32(s + 4));
		put_nibbles(u + 64, r, s + (five ? 8 : 4));
		s += five ? 24 : 20;
	}
}

/* The 6-bit scale and minimum of block @j of Q4_K and Q5_K */
static void k4_scale(const u8 *q, u32 j, u8 *sc, u8 *m)
{
	if (j < 4) {
		*sc = q[j] & 63;
		*m = q[j + 4] & 63;
	} else {
		*sc = (u8)((q[j + 4] & 15) | q[j - 4] >> 6 << 4);
		*m = (u8)(q[j + 4] >> 4 | q[j] >> 6 << 4);
	}
}

static void pack_k45(bool five, u8 *dst, u32 r, const u8 *s, u32 cols,
		     u32 *bad)
{
	u32 bytes = five ? 320 : 256;

	for (u32 k = 0; k < cols / 256; k++) {
		u8 *u = dst + k * (320 + 8 * bytes);
		const u8 *qs = s + (five ? 48 : 16);

		put_scale(u + 2 * r, s, bad);
		put_scale(u + 32 + 2 * r, s + 2, bad);
		for (u32 j = 0; j < 8; j++) {
			u8 *q = u + 320 + j * bytes;

			k4_scale(s + 4, j, u + 64 + 16 * j + r,
				 u + 192 + 16 * j + r);
			put_nibbles_of(q, r, qs + j / 2 * 32, 4 * (j & 1));
			if (five)
				put_plane_of(q + 256, r, s + 16, j);
		}
		s += five ? 176 : 144;
	}
}

static void pack_q6_k(u8 *dst, u32 r, const u8 *s, u32 cols, u32 *bad)
{
	for (u32 k = 0; k < cols / 256; k++, s += 210) {
		u8 *u = dst + k * (320 + 8 * 384);

		put_scale(u + 2 * r, s + 208, bad);
		for (u32 i = 0; i < 16; i++)
			u[64 + 16 * i + r] = s[192 + i];
		for (u32 j = 0; j < 8; j++) {
			u8 *q = u + 320 + j * 384;

			put_nibbles_of(q, r, s + j / 4 * 64 + (j & 1) * 32,
				       j & 2 ? 4 : 0);
			put_pairs_of(q + 256, r, s + 128 + j / 4 * 32,
				     2 * (j & 3));
		}
	}
}

static void pack_q3_k(u8 *dst, u32 r, const u8 *s, u32 cols, u32 *bad)
{
	for (u32 k = 0; k < cols / 256; k++, s += 110) {
		u8 *u = dst + k * (320 + 8 * 192);
		const u8 *sc = s + 96;

		put_scale(u + 2 * r, s + 108, bad);
		for (u32 i = 0; i < 16; i++) {
			u32 lo = i < 8 ? sc[i] & 15 : sc[i - 8] >> 4;
			u32 hi = sc[8 + i % 4] >> 2 * (i / 4) & 3;

			u[64 + 16 * i + r] = (u8)((lo | hi << 4) - 32);
		}
		for (u32 j = 0; j < 8; j++) {
			u8 *q = u + 320 + j * 192;

			put_pairs_of(q, r, s + 32 + j / 4 * 32, 2 * (j & 3));
			put_plane_of(q + 128, r, s, j);
		}
	}
}

static void pack_q2_k(u8 *dst, u32 r, const u8 *s, u32 cols, u32 *bad)
{
	for (u32 k = 0; k < cols / 256; k++, s += 84) {
		u8 *u = dst + k * (320 + 8 * 128);

		put_scale(u + 2 * r, s + 80, bad);
		put_scale(u + 32 + 2 * r, s + 82, bad);
		for (u32 i = 0; i < 16; i++)
			u[64 + 16 * i + r] = s[i];
		for (u32 j = 0; j < 8; j++)
			put_pairs_of(u + 320 + j * 128, r,
				     s + 16 + j / 4 * 32, 2 * (j & 3));
	}
}

static void pack_iq4_xs(u8 *dst, u32 r, const u8 *s, u32 cols, u32 *bad)
{
	for (u32 k = 0; k < cols / 256; k++, s += 136) {
		u8 *u = dst + k * (192 + 8 * 256);
		u32 high = get16(s + 2);

		put_scale(u + 2 * r, s, bad);
		for (u32 j = 0; j < 8; j++) {
			u32 lo = s[4 + j / 2] >> 4 * (j & 1) & 15;

			u[64 + 16 * j + r] = (u8)((lo |
					(high >> 2 * j & 3) << 4) - 32);
			put_nibbles(u + 192 + j * 256, r, s + 8 + 16 * j);
		}
	}
}

/* Q1_0, Q2_0: blocks of 32 with the same scale, nibbles of q + 8 */
static void pack_bits(u32 type, u8 *dst, u32 r, const u8 *s, u32 cols,
		      u32 *bad)
{
	u32 block = lx_type_info(type)->block, bits = type == LX_TYPE_Q1_0 ? 1 : 2;
	const u8 *q;
	u8 v[32];

	for (u32 b = 0; b < cols / 32; b++) {
		u8 *u = dst + b / 2 * (64 + 2 * 256);
		u32 at = b * 32 % block * bits;

		if (!at && b)
			s += 18;
		q = s + 2 + at / 8;
		for (u32 i = 0; i < 32; i++) {
			u32 n = q[i * bits / 8] >> i * bits % 8 & (bits == 1 ? 1 : 3);

			v[i] = (u8)(bits == 1 ? 7 + 2 * n : 7 + n);
		}
		put_scale(u + 32 * (b & 1) + 2 * r, s, bad);
		put_nibbles_of(u + 64 + 256 * (b & 1), r, v, 0);
	}
}

/* Half of a UE4M3 number as f16: E2M1 values are kept doubled (unpack.h). */
static u16 half_of_e4m3(u8 e)
{
	u32 m = e & 7, x = e >> 3 & 15, n = m >> 2 ? 2 : m >> 1;

	if (e == 0x7f || !(m | x))	/* a NaN counts as 0 */
		return 0;
	if (x)
		return (u16)((x + 7) << 10 | m << 7);
	/* subnormal: m 2^-9 */
	return (u16)((n + 5) << 10 | (m << (3 - n) & 7) << 7);
}

/* 16 values a scale: low nibbles the first 8, high nibbles the others */
static void pack_nvfp4(u8 *dst, u32 r, const u8 *s, u32 cols)
{
	for (u32 k = 0; k < cols / 64; k++, s += 36) {
		u8 *u = dst + k * (128 + 2 * 256), v[32];

		for (u32 i = 0; i < 4; i++) {
			u16 d = half_of_e4m3(s[i]);

			lx_memcpy(u + 32 * i + 2 * r, &d, 2);
		}
		for (u32 b = 0; b < 2; b++) {
			for (u32 i = 0; i < 32; i++)
				v[i] = s[4 + 16 * b + i / 16 * 8 + i % 8] >>
				       (i & 8 ? 4 : 0) & 15;
			put_nibbles_of(u + 128 + 256 * b, r, v, 0);
		}
	}
}

/* IQ1 to IQ3, TQ: the numbers of the values, in as few bits as they have */
static void pack_codes(u32 type, u8 *dst, u32 r, const u8 *s, u32 cols,
		       u32 *bad)
{
	u32 bits = lx_code_bits(type);
	u8 number[128], v[32];
	struct lx_codes c;

	for (u32 i = 1u << bits; i--;)
		number[lx_code_table(type)[i]] = (u8)i;
	for (u32 k = 0; k < cols / 256; k++, s += lx_type_info(type)->bytes) {
		u8 *u = dst + k * (320 + 8 * 64 * bits);

		lx_code_block(type, s, &c);
		put_scale(u + 2 * r, (const u8 *)&c.d, bad);
		for (u32 i = 0; i < 16; i++)
			u[64 + 16 * i + r] = (u8)c.s[i];
		for (u32 j = 0; j < 8; j++) {
			u8 *q = u + 320 + j * 64 * bits;

			for (u32 i = 0; i < 32; i++)
				v[i] = number[c.v[32 * j + i] + LX_CODE_ZERO];
			if (bits == 4) {
				put_nibbles_of(q, r, v, 0);
				continue;
			}
			put_pairs_of(q, r, v, 0);
			if (bits == 3)
				put_plane_of(q + 128, r, v, 2);
		}
	}
}

static void pack_row(u32 type, u8 *dst, u32 r, const u8 *s, u32 cols, u32 *bad)
{
	switch (type) {
	case LX_TYPE_F32: pack_float(dst, r, s, cols, 4); break;
	case LX_TYPE_F16: case LX_TYPE_BF16:
		pack_float(dst, r, s, cols, 2);
		break;
	case LX_TYPE_Q4_1: pack_affine(false, dst, r, s, cols, bad); break;
	case LX_TYPE_Q5_1: pack_affine(true, dst, r, s, cols, bad); break;
	case LX_TYPE_Q4_K: pack_k45(false, dst, r, s, cols, bad); break;
	case LX_TYPE_Q5_K: pack_k45(true, dst, r, s, cols, bad); break;
	case LX_TYPE_Q6_K: pack_q6_k(dst, r, s, cols, bad); break;
	case LX_TYPE_Q3_K: pack_q3_k(dst, r, s, cols, bad); break;
	case LX_TYPE_Q2_K: pack_q2_k(dst, r, s, cols, bad); break;
	case LX_TYPE_IQ4_XS: pack_iq4_xs(dst, r, s, cols, bad); break;
	case LX_TYPE_Q1_0: case LX_TYPE_Q2_0:
		pack_bits(type, dst, r, s, cols, bad);
		break;
	case LX_TYPE_NVFP4: pack_nvfp4(dst, r, s, cols); break;
	case LX_TYPE_TQ1_0: case LX_TYPE_TQ2_0: case LX_TYPE_IQ1_S:
	case LX_TYPE_IQ1_M: case LX_TYPE_IQ2_XXS: case LX_TYPE_IQ2_XS:
	case LX_TYPE_IQ2_S: case LX_TYPE_IQ3_XXS: case LX_TYPE_IQ3_S:
		pack_codes(type, dst, r, s, cols, bad);
		break;
	default: pack_simple(type, dst, r, s, cols, bad);
	}
}

/*
 * Rotary embedding that rotates neighbours (2j, 2j+1) of a head's first @rot
 * channels becomes one that rotates halves (j, j + rot/2) when the rows are
 * reordered so.
 */
u32 lx_head_row(u32 head, u32 rot, u32 i)
{
	u32 half = rot / 2, j;

	if (!head)
		return i;
	j = i % head;
	if (j < half)
		return i - j + 2 * j;
	if (j < 2 * half)
		return i - j + 2 * (j - half) + 1;
	return i;
}

const u8 *lx_pack_row(const struct lx_op *op, u32 i)
{
	i = lx_head_row(op->pack.head, op->pack.rot, i);
	return op->pack.src + (i - op->pack.row0) * op->pack.row_bytes;
}

struct lx_strips lx_pack_strips(const struct lx_op *op, u32 tile)
{
	struct lx_strips s;

	s.end_row = op->pack.row0 + op->pack.n_rows;
	s.first = op->pack.row0 / LX_STRIP + tile * op->pack.strips;
	s.end = lx_min(s.first + op->pack.strips,
		       lx_div_up(s.end_row, LX_STRIP));
	return s;
}

/* Rows past the end of the matrix stay zero, as blocks come. */
void lx_pack_strip(const struct lx_op *op, u32 strip, u32 end_row)
{
	const struct lx_mat *m = op->pack.mat;

	for (u32 r = 0; r < LX_STRIP && strip * LX_STRIP + r < end_row; r++)
		pack_row(m->type, m->strips[op->pack.strip0 + strip], r,
			 lx_pack_row(op, strip * LX_STRIP + r), m->cols,
			 op->pack.bad);
}

void lx_tile_pack(const struct lx_op *op, u32 tile, void *scratch)
{
	struct lx_strips s = lx_pack_strips(op, tile);

	for (u32 i = s.first; i < s.end; i++)
		lx_pack_strip(op, i, s.end_row);
	(void)scratch;
}
