// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What would fit where a plan does not: a shorter context, smaller weights,
 * layers that are streamed.
 */
#include "lx/lx.h"

#define SHORTEST_CTX 256

/* From the largest to the smallest */
static const char *const types[] = {
	"Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K",
};

struct question {
	struct lx_host *host;
	const struct lx_source *src;
	u32 n_src;
	u64 available;
	struct lx_model_params mp;
	struct lx_engine_params ep;
	struct lx_plan *plan;		/* the answer */
};

u64 lx_plan_missing(const struct lx_plan *plan, u64 available)
{
	u64 needed = plan->total, missing = 0;

	if (plan->reserved) {
		needed -= plan->weights;
		if (plan->weights > plan->reserved)
			missing = plan->weights - plan->reserved;
	}
	return missing + (needed > available ? needed - available : 0);
}

static bool fits(struct question *q)
{
	return !lx_plan(q->host, q->src, q->n_src, &q->mp, &q->ep, q->plan,
			NULL) && !lx_plan_missing(q->plan, q->available);
}

static void advise_ctx(struct question q, const struct lx_plan *plan,
		       struct lx_advice *a)
{
	for (u32 n = plan->n_ctx / 2; n >= SHORTEST_CTX && !a->n_ctx; n /= 2) {
		q.ep.n_ctx = n;
		if (fits(&q))
			a->n_ctx = n;
	}
}

/* With the context as it is. */
static void advise_type(struct question q, const struct lx_plan *plan,
			struct lx_advice *a)
{
	q.ep.n_ctx = plan->n_ctx;
	for (u32 i = 0; i < LX_ARRAY_SIZE(types) && !a->type; i++) {
		q.mp.as = types[i];
		if (fits(&q) && q.plan->weights < plan->weights)
			a->type = types[i];
	}
}

static void advise_stream(struct question q, const struct lx_plan *plan,
			  struct lx_advice *a)
{
	q.ep.n_ctx = plan->n_ctx;
	q.mp.as = NULL;
	q.mp.reserved = 0;
	q.mp.stream = true;
	if (fits(&q) && q.plan->info.n_streamed)
		a->stream = q.plan->total;
}

int lx_advise(struct lx_host *host, const struct lx_source *src, u32 n_src,
	      const struct lx_model_params *mp,
	      const struct lx_engine_params *ep, const struct lx_plan *plan,
	      u64 available, struct lx_advice *a)
{
	struct question q = { host, src, n_src, available, { 0 }, { 0 }, NULL };

	*a = (struct lx_advice){ 0 };
	a->missing = lx_plan_missing(plan, available);
	if (!a->missing)
		return 0;
	if (mp)
		q.mp = *mp;
	if (ep)
		q.ep = *ep;
	q.plan = host->ops->alloc(host, sizeof(*q.plan), LX_MEM_CONTROL);
	if (!q.plan)
		return -LX_ENOMEM;
	advise_ctx(q, plan, a);
	if (!q.mp.stream) {
		advise_type(q, plan, a);
		advise_stream(q, plan, a);
	}
	host->ops->free(host, q.plan, sizeof(*q.plan), LX_MEM_CONTROL);
	return 0;
}
