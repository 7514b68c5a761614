/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Single rows out of packed strips, for the embedding table: scalar, the
 * values of the file's own dequantization.
 */
#ifndef LX_FP_ROWS_H
#define LX_FP_ROWS_H

static inline float row_f16(const u8 *p, u32 i)
{
	float t[VL];

	/* One lane of a vector load: the conversion is the arch's own. */
	vf_store(t, vf_load_f16((const u16 *)p + (i & ~(VL - 1u))));
	return t[i & (VL - 1)];
}

static inline float row_bf16(const u8 *p, u32 i)
{
	return f32_of((u32)((const u16 *)p)[i] << 16);
}

/* Column c (0..31) of @lane in a block of nibbles and its upper planes. */
static inline u32 row_q4(const u8 *p, u32 lane, u32 c)
{
	u32 j = c / 4;

	return p[64 * (j & 3) + 4 * lane + c % 4] >> (j & 4) & 15;
}

static inline u32 row_bit(const u8 *p, u32 lane, u32 c)
{
	return p[4 * lane + c % 4] >> (c / 4) & 1;
}

static inline u32 row_2bit(const u8 *p, u32 lane, u32 c)
{
	u32 j = c / 4;

	return p[64 * (j / 4) + 4 * lane + c % 4] >> 2 * (j & 3) & 3;
}

/* The same of a type of codebook.h */
static void row_code_block(u32 type, const u8 *s, u32 lane, u32 b, float *y)
{
	u32 bits = lx_code_bits(type);
	const u8 *p = s + b / 8 * (320 + 8 * 64 * bits);
	const u8 *q = p + 320 + b % 8 * 64 * bits;
	const u8 *sc = p + 64 + b % 8 * 32 + lane;
	float d = row_f16(p, lane) * code_factor(type);

	for (u32 c = 0; c < 32; c++) {
		u32 n = bits == 4 ? row_q4(q, lane, c) : row_2bit(q, lane, c);

		if (bits == 3)
			n |= row_bit(q + 128, lane, c) << 2;
		y[c] = d * (float)(s8)sc[c / 16 * 16] *
		       (float)(lx_code_table(type)[n] - LX_CODE_ZERO);
	}
}

static void row_nvfp4(const u8 *s, u32 lane, u32 b, float *y)
{
	const u8 *p = s + b / 2 * (128 + 2 * 256);

	for (u32 c = 0; c < 32; c++)
		y[c] = row_f16(p, 32 * (b & 1) + c / 16 * 16 + lane) *
		       (float)(table_fp4[row_q4(p + 128 + 256 * (b & 1), lane,
						c)] - 16);
}

/* 32 columns, block @b of a lane */
static void row_block(u32 type, const u8 *s, u32 lane, u32 b, float *y)
{
	const u8 *p, *q, *sc;
	float d, m = 0.0f, d1, m1 = 0.0f;
	u32 bytes;

	switch (type) {
	case LX_TYPE_Q4_0: case LX_TYPE_IQ4_NL: case LX_TYPE_MXFP4:
	case LX_TYPE_Q1_0: case LX_TYPE_Q2_0:
	case LX_TYPE_Q5_0: case LX_TYPE_Q8_0:
		bytes = type == LX_TYPE_Q8_0 ? 512 :
			type == LX_TYPE_Q5_0 ? 320 : 256;
		p = s + b / 2 * (64 + 2 * bytes);
		q = p + 64 + (b & 1) * bytes;
		d = type == LX_TYPE_MXFP4 ? row_bf16(p, 16 * (b & 1) + lane) :
					    row_f16(p, 16 * (b & 1) + lane);
		for (u32 c = 0; c < 32; c++) {
			s32 v;

			if (type == LX_TYPE_Q8_0)
				v = q[64 * (c / 4) + 4 * lane + c % 4] - 128;
			else if (type == LX_TYPE_Q5_0)
				v = (s32)(row_q4(q, lane, c) |
					  row_bit(q + 256, lane, c) << 4) - 16;
			else if (type == LX_TYPE_Q4_0 ||
				 type == LX_TYPE_Q1_0 || type == LX_TYPE_Q2_0)
				v = (s32)row_q4(q, lane, c) - 8;
			else if (type == LX_TYPE_IQ4_NL)
				v = table_iq4[row_q4(q, lane, c)] - 128;
			else
				v = table_fp4[row_q4(q, lane, c)] - 16;
			y[c] = d * (float)v;
		}
		break;
	case LX_TYPE_Q4_1: case LX_TYPE_Q5_1:
		p = s + b * (type == LX_TYPE_Q5_1 ? 384 : 320);
		d = row_f16(p, lane);
		m = row_f16(p, 16 + lane);
		for (u32 c = 0; c < 32; c++) {
			u32 v = row_q4(p + 64, lane, c);

			if (type == LX_TYPE_Q5_1)
				v |= row_bit(p + 320, lane, c) << 4;
			y[c] = d * (float)v + m;
		}
		break;
	case LX_TYPE_Q4_K: case LX_TYPE_Q5_K:
		bytes = type == LX_TYPE_Q5_K ? 320 : 256;
		p = s + b / 8 * (320 + 8 * bytes);
		q = p + 320 + b % 8 * bytes;
		sc = p + 64 + b % 8 * 16 + lane;
		d = row_f16(p, lane) * (float)sc[0];
		m = row_f16(p, 16 + lane) * (float)sc[128];
		for (u32 c = 0; c < 32; c++) {
			u32 v = row_q4(q, lane, c);

			if (type == LX_TYPE_Q5_K)
				v |= row_bit(q + 256, lane, c) << 4;
			y[c] = d * (float)v - m;
		}
		break;
	case LX_TYPE_Q6_K: case LX_TYPE_Q3_K: case LX_TYPE_Q2_K:
		bytes = type == LX_TYPE_Q6_K ? 384 :
			type == LX_TYPE_Q3_K ? 192 : 128;
		p = s + b / 8 * (320 + 8 * bytes);
		q = p + 320 + b % 8 * bytes;
		sc = p + 64 + b % 8 * 32 + lane;
		d = row_f16(p, lane);
		if (type == LX_TYPE_Q2_K) {
			m = row_f16(p, 16 + lane) * (float)(sc[0] >> 4);
			m1 = row_f16(p, 16 + lane) * (float)(sc[16] >> 4);
			d1 = d * (float)(sc[16] & 15);
			d *= (float)(sc[0] & 15);
		} else {
			d1 = d * (float)(s8)sc[16];
			d *= (float)(s8)sc[0];
		}
		for (u32 c = 0; c < 32; c++) {
			s32 v;

			if (type == LX_TYPE_Q6_K)
				v = (s32)(row_q4(q, lane, c) |
					  row_2bit(q + 256, lane, c) << 4) - 32;
			else if (type == LX_TYPE_Q3_K)
				v = (s32)(row_2bit(q, lane, c) |
					  row_bit(q + 128, lane, c) << 2) - 4;
			else
				v = (s32)row_2bit(q, lane, c);
			y[c] = (c < 16 ? d : d1) * (float)v - (c < 16 ? m : m1);
		}
		break;
	case LX_TYPE_IQ4_XS:
		p = s + b / 8 * 2240;
		d = row_f16(p, lane) *
		    (float)(s8)p[64 + b % 8 * 16 + lane];
		for (u32 c = 0; c < 32; c++)
			y[c] = d * (float)(table_iq4[row_q4(p + 192 +
					b % 8 * 256, lane, c)] - 128);
		break;
	case LX_TYPE_NVFP4: row_nvfp4(s, lane, b, y); break;
	default: row_code_block(type, s, lane, b, y);
	}
}

/* Row @row of @m to @y (padded with zeros to 16 columns by the caller). */
static void mat_row(const struct lx_mat *m, u32 row, float *y)
{
	const u8 *s = m->strips[row / LX_STRIP];
	u32 lane = row % LX_STRIP;

	switch (m->type) {
	case LX_TYPE_F32:
		for (u32 k = 0; k < m->cols; k++)
			y[k] = ((const float *)s)[16 * k + lane];
		break;
	case LX_TYPE_F16:
		for (u32 k = 0; k < m->cols; k++)
			y[k] = row_f16(s, 16 * k + lane);
		break;
	case LX_TYPE_BF16:
		for (u32 k = 0; k < m->cols; k++)
			y[k] = row_bf16(s, 16 * k + lane);
		break;
	default:
		for (u32 b = 0; b < m->cols / 32; b++)
			row_block(m->type, s, lane, b, y + 32 * b);
	}
}

static void tile_embed(const struct lx_op *op, u32 tile, void *scratch)
{
	const struct lx_mat *m = op->embed.mat;
	float *y = (float *)op->embed.x + (size_t)tile * op->embed.ld;

	mat_row(m, (u32)op->embed.tokens[tile], y);
	for (u32 k = m->cols; k < op->embed.ld; k++)
		y[k] = 0.0f;
	if (op->embed.scale_bits) {
		float f = f32_of(op->embed.scale_bits);

		for (u32 k = 0; k < m->cols; k++)
			y[k] *= f;
	}
	(void)scratch;
}

#endif
