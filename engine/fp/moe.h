/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Mixture of experts (Shazeer et al., 2017; Jiang et al., 2024): the router's
 * choice, tokens gathered by expert, results summed in the router's order.
 */
#ifndef LX_FP_MOE_H
#define LX_FP_MOE_H

/*
 * Tile: token. The best n_used experts, lower id on ties, weighed by a softmax
 * over themselves, which is the softmax over all of them renormalised.
 */
static void tile_route(const struct lx_op *op, u32 token, void *scratch)
{
	u32 n = op->route.n_expert, k = op->route.n_used;
	const float *logit = (const float *)op->route.logits +
			     (size_t)token * op->route.ld;
	u32 *choice = op->route.choice + (size_t)token * k;
	float *weight = (float *)op->route.weight + (size_t)token * k;
	float *p = scratch, m = logit[0], sum = 0.0f;

	for (u32 i = 1; i < n; i++)
		m = logit[i] > m ? logit[i] : m;
	for (u32 i = 0; i < n; i++)
		p[i] = s_exp(logit[i] - m);
	for (u32 j = 0; j < k; j++) {
		u32 best = 0;

		for (u32 i = 1; i < n; i++)
			if (p[i] > p[best])
				best = i;
		choice[j] = best;
		weight[j] = p[best];
		sum += p[best];
		p[best] = -1.0f;
	}
	for (u32 j = 0; j < k; j++)
		weight[j] /= sum;
}

/* One tile: a stable counting sort of (token, rank) by expert. */
static void tile_gather(const struct lx_op *op, u32 tile, void *scratch)
{
	u32 n = op->gather.n_tokens * op->gather.n_used, slot = 0, runs = 0;

	for (u32 e = 0; e < op->gather.n_expert; e++) {
		u32 first = slot;

		for (u32 i = 0; i < n; i++) {
			if (op->gather.choice[i] != e)
				continue;
			op->gather.slot_of[i] = slot;
			op->gather.rows[slot++] = i / op->gather.n_used;
		}
		if (slot == first)
			continue;
		op->gather.runs[runs].slot0 = first;
		op->gather.runs[runs].n = slot - first;
		op->gather.runs[runs++].expert = e;
	}
	*op->gather.n_runs = runs;
	(void)tile;
	(void)scratch;
}

/* Tile: token. x += sum over ranks of weight * out */
static void tile_combine(const struct lx_op *op, u32 token, void *scratch)
{
	u32 k = op->combine.n_used;
	const u32 *slot = op->combine.slot_of + (size_t)token * k;
	const float *w = (const float *)op->combine.weight + (size_t)token * k;
	float *x = (float *)op->combine.x + (size_t)token * op->combine.ld_x;

	for (u32 i = 0; i < op->combine.n; i += VL) {
		vf acc = vf_zero();

		for (u32 j = 0; j < k; j++) {
			const float *o = (const float *)op->combine.out +
					 (size_t)slot[j] * op->combine.ld;

			acc = vf_fma(vf_load(o + i), vf_set1(w[j]), acc);
		}
		vf_store(x + i, vf_add(vf_load(x + i), acc));
	}
	(void)scratch;
}

#endif
