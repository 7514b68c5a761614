/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The KV cache's layout: writing a position, loading lanes. K is lane =
 * position, V lane = channel. A head in a page of LX_PAGE positions:
 *
 *	F16 F32	K [LX_PAGE / 16][hd][16 positions]	V [LX_PAGE][hdv]
 *
 * Quantized, in blocks of 32 channels of one position as the GGUF types of
 * those names (hd and hdv padded to whole blocks, c a channel of a block):
 *
 *	K [LX_PAGE / 16][blocks]: f16 d[16], then
 *		Q8_0 s8 [32][16], Q4_0 u8 [16][16]: c low, c + 16 high
 *	V [LX_PAGE][blocks]: Q8_0 s8 [32], Q4_0 u8 [16]: c low, c + 16 high;
 *		then f16 d[blocks][LX_PAGE]
 */
#ifndef LX_FP_KV_H
#define LX_FP_KV_H

#define KV_BLOCK 32

INL bool kv_quantized(u32 kv)
{
	return kv == LX_KV_Q8_0 || kv == LX_KV_Q4_0;
}

/* Where a position's K and V of one head lie. */
static inline u8 *kv_head(const struct lx_attn_shape *s, void *const *pages,
			  u32 pos, u32 head)
{
	return (u8 *)pages[pos / LX_PAGE] + s->layer_off +
	       head * s->head_bytes;
}

INL u32 kv_bits(u32 kv)
{
	return kv == LX_KV_F32 ? 32 : kv == LX_KV_F16 ? 16 :
	       kv == LX_KV_Q8_0 ? 8 : 4;
}

/* Bytes of a block of 32 channels of 16 positions of K, scales included. */
INL u32 k_block_bytes(u32 kv)
{
	return 2 * LX_STRIP + LX_STRIP * (kv == LX_KV_Q8_0 ? 32 : 16);
}

/* Lanes h.. of 16 positions' channel @c of a block at @p with scales @d. */
INL vf k_load(const u8 *p, u32 c, u32 h, vf d, u32 kv)
{
	vi q;

	switch (kv) {
	case LX_KV_F32:
		return vf_load((const float *)p + LX_STRIP * c + h);
	case LX_KV_F16:
		return vf_load_f16((const u16 *)p + LX_STRIP * c + h);
	case LX_KV_Q8_0:
		q = vi_load_s8((const s8 *)p + 32 + LX_STRIP * c + h);
		break;
	default:
		q = vi_load_u8(p + 32 + LX_STRIP * (c % 16) + h);
		q = c < 16 ? vi_and(q, vi_set1(15)) : vi_srl(q, 4);
		q = vi_add(q, vi_set1(-8));
	}
	return vf_mul(vf_from_vi(q), d);
}

/* Lanes c.. of position @i of a page of V; @d: its scales, by position. */
INL vf v_load(const u8 *p, u32 i, u32 c, u32 hdv, const float *d, u32 kv)
{
	u32 row = lx_align_up(hdv, KV_BLOCK);
	vi q;

	switch (kv) {
	case LX_KV_F32:
		return vf_load((const float *)p + i * hdv + c);
	case LX_KV_F16:
		return vf_load_f16((const u16 *)p + i * hdv + c);
	case LX_KV_Q8_0:
		q = vi_load_s8((const s8 *)p + i * row + c);
		break;
	default:
		q = vi_load_u8(p + i * row / 2 + c / 32 * 16 + c % 16);
		q = c % 32 < 16 ? vi_and(q, vi_set1(15)) : vi_srl(q, 4);
		q = vi_add(q, vi_set1(-8));
	}
	return vf_mul(vf_from_vi(q), vf_set1(d[i]));
}

/* The scales of block @b of a page of V. */
INL void v_scales(const u8 *p, u32 b, u32 hdv, float *d, u32 kv)
{
	u32 row = lx_align_up(hdv, KV_BLOCK) / (kv == LX_KV_Q8_0 ? 1 : 2);
	const u16 *s = (const u16 *)(p + (size_t)LX_PAGE * row) + b * LX_PAGE;

	for (u32 i = 0; i < LX_PAGE; i += VL)
		vf_store(d + i, vf_load_f16(s + i));
}

/* ---- writing ---- */

static u16 to_f16(float x)
{
	u16 half[VL];

	vf_store_f16(half, vf_set1(x));
	return half[0];
}

/*
 * @n floats, 32 at most, as a block of Q8_0 (q from -127 to 127) or Q4_0
 * (-8 to 7), the rest zero; returns its scale.
 */
static u16 quantize_kv(const float *x, u32 n, s8 *q, u32 kv)
{
	float v[KV_BLOCK] = { 0.0f }, top = 0.0f, d, id;
	const vf low = vf_set1(-8.0f), high = vf_set1(7.0f);

	for (u32 i = 0; i < n; i++) {
		float a = x[i] < 0.0f ? -x[i] : x[i];

		v[i] = x[i];
		if (a > (top < 0.0f ? -top : top))
			top = x[i];
	}
	/* Q4_0's range is lopsided: what is largest takes the longer side. */
	if (kv == LX_KV_Q8_0)
		d = (top < 0.0f ? -top : top) / 127.0f;
	else
		d = top / -8.0f;
	id = d > 0x1p-120f || d < -0x1p-120f ? 1.0f / d : 0.0f;
	for (u32 i = 0; i < KV_BLOCK; i += VL) {
		vf y = vf_mul(vf_load(v + i), vf_set1(id));

		if (kv == LX_KV_Q4_0)
			y = vf_min(vf_max(y, low), high);
		vi_store_s8(q + i, vi_round(y));
	}
	return to_f16(id == 0.0f ? 0.0f : d);
}

INL u8 kv_pair(const s8 *q, u32 c)
{
	return (u8)((q[c] + 8) | (q[c + 16] + 8) << 4);
}

static void store_k(u8 *p, const float *k, u32 hd, u32 pos, u32 kv)
{
	u32 strip = pos % LX_PAGE / LX_STRIP, lane = pos % LX_STRIP;
	u32 blocks = lx_div_up(hd, KV_BLOCK);
	s8 q[KV_BLOCK];

	for (u32 i = 0; !kv_quantized(kv) && i < hd; i++) {
		u32 at = (strip * hd + i) * LX_STRIP + lane;

		if (kv == LX_KV_F32)
			((float *)p)[at] = k[i];
		else
			((u16 *)p)[at] = to_f16(k[i]);
	}
	p += strip * blocks * k_block_bytes(kv);
	for (u32 b = 0; kv_quantized(kv) && b < blocks; b++) {
		u32 n = lx_min(hd - b * KV_BLOCK, (u32)KV_BLOCK);

		((u16 *)p)[lane] = quantize_kv(k + b * KV_BLOCK, n, q, kv);
		for (u32 c = 0; kv == LX_KV_Q8_0 && c < KV_BLOCK; c++)
			p[32 + LX_STRIP * c + lane] = (u8)q[c];
		for (u32 c = 0; kv == LX_KV_Q4_0 && c < KV_BLOCK / 2; c++)
			p[32 + LX_STRIP * c + lane] = kv_pair(q, c);
		p += k_block_bytes(kv);
	}
}

static void store_v_floats(u8 *p, const float *v, const struct lx_attn_shape *s,
			   u32 pos)
{
	u32 at = pos % LX_PAGE * s->hdv;
	float tmp[VL];

	for (u32 i = 0; i < s->hdv; i += VL) {
		for (u32 j = 0; j < VL; j++)
			tmp[j] = i + j < s->hdv_real ? v[i + j] : 0.0f;
		if (s->kv_type == LX_KV_F32)
			vf_store((float *)p + at + i, vf_load(tmp));
		else
			vf_store_f16((u16 *)p + at + i, vf_load(tmp));
	}
}

static void store_v(u8 *p, const float *v, const struct lx_attn_shape *s,
		    u32 pos)
{
	u32 kv = s->kv_type, blocks = lx_div_up(s->hdv, KV_BLOCK);
	u32 bytes = kv == LX_KV_Q8_0 ? KV_BLOCK : KV_BLOCK / 2;
	u8 *scales = p + LX_PAGE * blocks * bytes;
	s8 q[KV_BLOCK];

	if (!kv_quantized(kv)) {
		store_v_floats(p, v, s, pos);
		return;
	}
	pos %= LX_PAGE;
	p += pos * blocks * bytes;
	for (u32 b = 0; b < blocks; b++, p += bytes) {
		u32 n = lx_min(s->hdv_real - b * KV_BLOCK, (u32)KV_BLOCK);

		((u16 *)scales)[b * LX_PAGE + pos] =
			quantize_kv(v + b * KV_BLOCK, n, q, kv);
		for (u32 c = 0; c < bytes; c++)
			p[c] = kv == LX_KV_Q8_0 ? (u8)q[c] : kv_pair(q, c);
	}
}

#endif
