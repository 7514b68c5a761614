// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Log-probabilities of an answer's tokens: a record each, the token itself
 * and then the likeliest ones.
 */
#include "session.h"

void lx_logprobs_drop(struct lx_session *s)
{
	struct lx_host *h = s->e->host;

	if (s->lp)
		h->ops->block_free(h, &s->lp_block, LX_MEM_CONTROL);
	s->lp = NULL;
	s->n_lp = 0;
	s->cap_lp = 0;
	s->lp_stride = s->p.n_logprobs ? s->p.n_logprobs + 1 : 0;
}

static int grow(struct lx_session *s)
{
	u32 cap = lx_max(s->cap_lp * 2, 64u), n = s->n_lp;
	size_t record = s->lp_stride * sizeof(*s->lp);
	struct lx_block b = { 0 };
	int r = lx_charged_block(s->e->host, &b, cap * record, LX_MEM_CONTROL,
				 s->account);

	if (r)
		return lx_kv_error(r);
	if (n)
		lx_memcpy(b.addr, s->lp, n * record);
	lx_logprobs_drop(s);
	s->lp_block = b;
	s->lp = b.addr;
	s->n_lp = n;
	s->cap_lp = cap;
	return 0;
}

int lx_logprobs_add(struct lx_session *s, const struct lx_sample_slot *sl)
{
	struct lx_logprob *p;
	int r;

	if (!s->lp_stride)
		return 0;
	r = s->n_lp == s->cap_lp ? grow(s) : 0;
	if (r)
		return r;
	p = s->lp + (u64)s->n_lp++ * s->lp_stride;
	p->id = sl->token;
	p->lp_u = sl->token_lp_u;
	lx_memcpy(p + 1, sl->top, (s->lp_stride - 1) * sizeof(*p));
	return 0;
}

u32 lx_session_logprobs(const struct lx_session *s, u32 first,
			struct lx_logprob *out, u32 max, u32 *stride)
{
	*stride = s->lp_stride;
	if (first < s->n_lp && max)
		lx_memcpy(out, s->lp + (u64)first * s->lp_stride,
			  (size_t)lx_min(max, s->n_lp - first) *
			  s->lp_stride * sizeof(*out));
	return s->n_lp;
}
