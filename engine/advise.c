// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What would fit where a plan does not: a shorter context, smaller weights. */
#include "lx/lx.h"

#define SHORTEST_CTX 256

/* Bits of 256 weights. */
static const struct {
	const char *name;
	u32 bits;
} types[] = {
	{ "Q8_0", 2176 }, { "Q6_K", 1680 }, { "Q5_K", 1408 },
	{ "Q4_K", 1152 }, { "Q3_K", 880 }, { "Q2_K", 672 },
};

static void advise_type(const struct lx_plan *p, u64 available,
			struct lx_advice *a)
{
	u64 rest = p->total - p->weights;

	for (u32 i = 0; i < LX_ARRAY_SIZE(types); i++) {
		u64 weights = p->info.n_params / 256 * types[i].bits / 8;

		if (weights < p->weights && rest < available &&
		    weights < available - rest) {
			a->type = types[i].name;
			return;
		}
	}
}

int lx_advise(struct lx_host *host, const struct lx_source *src, u32 n_src,
	      const struct lx_model_params *mp,
	      const struct lx_engine_params *ep, const struct lx_plan *plan,
	      u64 available, struct lx_advice *a)
{
	struct lx_engine_params shorter = { 0 };
	struct lx_plan *p;
	int r = 0;

	*a = (struct lx_advice){ 0 };
	if (plan->total <= available)
		return 0;
	a->missing = plan->total - available;
	advise_type(plan, available, a);
	p = host->ops->alloc(host, sizeof(*p), LX_MEM_CONTROL);
	if (!p)
		return -LX_ENOMEM;
	if (ep)
		shorter = *ep;
	for (u32 n = plan->n_ctx / 2; n >= SHORTEST_CTX && !a->n_ctx && !r;
	     n /= 2) {
		shorter.n_ctx = n;
		r = lx_plan(host, src, n_src, mp, &shorter, p, NULL);
		if (!r && p->total <= available)
			a->n_ctx = n;
	}
	host->ops->free(host, p, sizeof(*p), LX_MEM_CONTROL);
	return r;
}
