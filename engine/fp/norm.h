/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * RMS norm (Zhang and Sennrich, 2019) fused with the quantization of its
 * result, and rotary position embedding (Su et al., 2021) fused with per-head
 * norms and the write into the KV cache.
 */
#ifndef LX_FP_NORM_H
#define LX_FP_NORM_H

#include "act.h"
#include "kv.h"

static const struct lx_run *run_of(const struct lx_run *runs, u32 n, u32 slot)
{
	while (n > 1 && slot >= runs->slot0 + runs->n) {
		runs++;
		n--;
	}
	return runs;
}

/* Quantize (and where there is a weight, first normalise) one row. */
static void tile_norm(const struct lx_op *op, u32 slot, void *scratch)
{
	const struct lx_act *a = &op->norm.act;
	u32 row = op->norm.rows ? op->norm.rows[slot] : slot;
	const float *x = (const float *)op->norm.x +
			 (size_t)row * op->norm.ld_x;
	float *y = (float *)a->f + (size_t)slot * a->ld;

	if (op->norm.weight) {
		const float *w = op->norm.weight;
		vf s = vf_set1(rms_scale(x, a->cols, a->ld,
					 f32_of(op->norm.eps_bits)));

		for (u32 i = 0; i < a->ld; i += VL)
			vf_store(y + i, vf_mul(vf_mul(vf_load(x + i), s),
					       vf_load(w + i)));
	} else if (x != y) {
		lx_memcpy(y, x, a->ld * sizeof(*y));
	}
	if (a->q)
		quantize_row(y, a->cols, a->kp,
			     act_place(a, run_of(op->norm.runs, op->norm.n_runs,
						 slot),
				       op->norm.t_max, slot));
	(void)scratch;
}

/* Tile: slot. What a layer computed is normalised before it is added. */
static void tile_residual(const struct lx_op *op, u32 slot, void *scratch)
{
	u32 ld = op->residual.ld;
	float *x = (float *)op->residual.x + (size_t)slot * ld;
	const float *y = (const float *)op->residual.y + (size_t)slot * ld;
	const float *w = op->residual.weight;
	vf s = vf_set1(rms_scale(y, op->residual.n, ld,
				 f32_of(op->residual.eps_bits)));

	for (u32 i = 0; i < ld; i += VL)
		vf_store(x + i, vf_add(vf_load(x + i),
				       vf_mul(vf_mul(vf_load(y + i), s),
					      vf_load(w + i))));
	(void)scratch;
}

/* @n floats, a multiple of 16 */
static void soft_cap(float *x, u32 n, u32 cap_bits)
{
	vf cap = vf_set1(f32_of(cap_bits));

	for (u32 i = 0; i < n; i += VL)
		vf_store(x + i, vf_mul(v_tanh(vf_div(vf_load(x + i), cap)),
				       cap));
}

/* Tile: row x chunk of its logits. */
static void tile_cap(const struct lx_op *op, u32 tile, void *scratch)
{
	u32 row = tile / op->cap.n_chunks, chunk = tile % op->cap.n_chunks;
	u32 i = chunk * LX_SAMPLE_CHUNK;
	float *x = (float *)op->cap.x + (size_t)row * op->cap.ld + i;

	soft_cap(x, lx_min(lx_align_up(op->cap.n, LX_STRIP) - i,
			   (u32)LX_SAMPLE_CHUNK), op->cap.cap_bits);
	(void)scratch;
}

/* cos and sin of pos * inv_freq, times the magnitude scale of YaRN */
static void tile_angles(const struct lx_op *op, u32 slot, void *scratch)
{
	u32 half = op->angles.n_rot / 2;
	float *cs = (float *)op->angles.sin_cos + (size_t)slot * 2 * half;
	const double *f = op->angles.inv_freq;
	double pos = (double)op->angles.pos[slot];
	double mscale = f[half];

	for (u32 i = 0; i < half; i++) {
		double s, c;

		d_sincos(pos * f[i], &s, &c);
		cs[i] = (float)(c * mscale);
		cs[half + i] = (float)(s * mscale);
	}
	(void)scratch;
}

/* Halves rotate against each other: weights were permuted at load if the
 * architecture pairs neighbours.
 */
static void rope_head(float *x, const float *cs, u32 half)
{
	u32 i = 0;

	for (; i + VL <= half; i += VL) {
		vf a = vf_load(x + i), b = vf_load(x + half + i);
		vf c = vf_load(cs + i), s = vf_load(cs + half + i);

		vf_store(x + i, vf_sub(vf_mul(a, c), vf_mul(b, s)));
		vf_store(x + half + i, vf_add(vf_mul(a, s), vf_mul(b, c)));
	}
	for (; i < half; i++) {
		float a = x[i], b = x[half + i];

		x[i] = a * cs[i] - b * cs[half + i];
		x[half + i] = a * cs[half + i] + b * cs[i];
	}
}

/* Norm of one head, of @hd floats: the sum runs over 16 lanes as elsewhere. */
static void head_norm(float *x, const float *w, u32 hd, float eps)
{
	float lanes[LX_STRIP] = { 0.0f }, s;

	if (!w)
		return;
	for (u32 i = 0; i < hd; i++)
		lanes[i % LX_STRIP] += x[i] * x[i];
	s = 1.0f / __builtin_sqrtf(sum_lanes(lanes) / (float)hd + eps);
	for (u32 i = 0; i < hd; i++)
		x[i] = x[i] * s * w[i];
}

static void tile_rope(const struct lx_op *op, u32 slot, void *scratch)
{
	const struct lx_attn_shape *s = op->rope.shape;
	const struct lx_attn_item *it = op->rope.item_of[slot];
	u32 pos = it->pos0 + (slot - it->slot0), half = op->rope.n_rot / 2;
	float *q = (float *)op->rope.qkv + (size_t)slot * op->rope.ld;
	float *k = q + op->rope.k_off, *v = q + op->rope.v_off;
	const float *cs = (const float *)op->rope.sin_cos +
			  (size_t)slot * 2 * half;
	float eps = f32_of(op->rope.eps_bits);

	for (u32 h = 0; h < s->n_head; h++) {
		head_norm(q + h * s->hd, op->rope.norm_q, s->hd, eps);
		rope_head(q + h * s->hd, cs, half);
	}
	for (u32 h = 0; h < s->n_head_kv; h++) {
		u8 *p = kv_head(s, it->pages, pos, h);

		head_norm(k + h * s->hd, op->rope.norm_k, s->hd, eps);
		rope_head(k + h * s->hd, cs, half);
		store_k(p, k + h * s->hd, s->hd, pos, s->kv_type);
		store_v(p + s->v_offset, v + h * s->hdv_real, s, pos);
	}
	(void)scratch;
}

static double yarn_dim(double n_rot, double orig, double beta, double base)
{
	return n_rot * d_log(orig / (beta * 6.28318530717958647692)) /
	       (2.0 * d_log(base));
}

/* The range of dimensions over which YaRN blends, as the reference rounds it */
static void yarn_range(const struct lx_op *op, double base, double *lo,
		       double *hi)
{
	double n = (double)op->freqs.n_rot, orig = (double)op->freqs.orig_ctx;
	double f;

	*lo = yarn_dim(n, orig, (double)f32_of(op->freqs.beta_fast_bits), base);
	*hi = yarn_dim(n, orig, (double)f32_of(op->freqs.beta_slow_bits), base);
	*lo = *lo > 0.0 ? (double)(s64)*lo : 0.0;
	f = *hi > 0.0 ? (double)(s64)*hi : 0.0;
	*hi = *hi > f ? f + 1.0 : f;
	*hi = *hi < n - 1.0 ? *hi : n - 1.0;
}

/*
 * A table of frequencies base^(-2i/n), f64, divided by the file's factors,
 * interpolated linearly or by YaRN (Peng et al., 2023).
 */
static void tile_freqs(const struct lx_op *op, u32 tile, void *scratch)
{
	double base = (double)f32_of(op->freqs.base_bits);
	double factor = (double)f32_of(op->freqs.factor_bits);
	double n = (double)op->freqs.n_rot, lo = 0.0, hi = 0.0;
	double *out = op->freqs.inv_freq;
	double mscale = (double)f32_of(op->freqs.attn_factor_bits);
	const float *factors = op->freqs.factors;
	u32 i;

	if (op->freqs.yarn)
		yarn_range(op, base, &lo, &hi);
	for (i = 0; i < op->freqs.n_rot / 2; i++) {
		double f = d_pow(base, -2.0 * (double)i / n), mix = 0.0;

		if (factors)
			f = f / (double)factors[i];
		if (op->freqs.yarn) {
			double w = hi - lo > 0.001 ? hi - lo : 0.001;

			mix = ((double)i - lo) / w;
			mix = mix < 0.0 ? 0.0 : mix > 1.0 ? 1.0 : mix;
			mix = (1.0 - mix) *
			      (double)f32_of(op->freqs.ext_bits);
		}
		out[i] = f / factor * (1.0 - mix) + f * mix;
	}
	if (op->freqs.yarn && factor > 1.0)
		mscale = mscale * (1.0 + 0.1 * d_log(factor));
	out[i] = mscale;
	(void)tile;
	(void)scratch;
}

/* Factors of attention scores and of embeddings. */
static void tile_scales(const struct lx_op *op, u32 tile, void *scratch)
{
	float score = (float)op->scales.score_dim;
	float embd = (float)op->scales.embd_dim;

	*op->scales.score_bits = bits_of(1.0f / __builtin_sqrtf(score));
	*op->scales.embd_bits = bits_of(__builtin_sqrtf(embd));
	(void)tile;
	(void)scratch;
}

#endif
