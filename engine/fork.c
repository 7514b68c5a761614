// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Sessions made from others, and prompts computed before they are needed. */
#include "session.h"

static int copy_prompt(struct lx_session *to, const struct lx_session *from)
{
	struct lx_engine *e = to->e;

	if (!from->n_msgs)
		return 0;
	to->text = lx_engine_alloc(e, from->text_len + 1, 1);
	to->msgs = lx_engine_alloc(e, from->n_msgs, sizeof(*to->msgs));
	to->text_cap = to->text ? from->text_len + 1 : 0;
	to->cap_msgs = to->msgs ? from->n_msgs : 0;
	if (!to->text || !to->msgs)
		return -LX_ENOMEM;
	lx_memcpy(to->text, from->text, from->text_len);
	lx_memcpy(to->msgs, from->msgs, from->n_msgs * sizeof(*to->msgs));
	to->text_len = from->text_len;
	to->n_msgs = from->n_msgs;
	return 0;
}

static int copy_sampling(struct lx_session *to, const struct lx_session *from)
{
	struct lx_engine *e = to->e;

	if (from->stops) {
		to->stops = lx_engine_alloc(e, 1, sizeof(*to->stops));
		if (!to->stops)
			return -LX_ENOMEM;
		*to->stops = *from->stops;
	}
	if (from->n_bias) {
		int r = lx_session_set_bias(to, from->bias, from->n_bias);

		if (r)
			return r;
	}
	return lx_constrain_fork(to, from);
}

static int copy_timeline(struct lx_session *to, const struct lx_session *from)
{
	if (from->n_tokens) {
		if (lx_session_grow_tokens(to, from->n_tokens))
			return -LX_ENOMEM;
		lx_memcpy(to->tokens, from->tokens,
			  from->n_tokens * sizeof(*to->tokens));
	}
	to->n_tokens = from->n_tokens;
	to->turn_start = from->n_tokens;
	to->gen_start = from->n_tokens;
	to->n_shifted = from->n_shifted;
	to->n_messages = from->n_messages;
	to->has_system = from->has_system;
	to->answered = from->answered;
	return lx_kv_share(to, from);
}

int lx_session_fork(struct lx_session *s, void *account,
		    struct lx_session **out)
{
	struct lx_session *c;
	int r;

	if (s->state == LX_SESSION_RUNNING || s->in_batch)
		return -LX_EBUSY;
	r = lx_session_open(s->e, &s->p, &c);
	if (r)
		return r;
	lx_sched_leave(c);
	lx_sched_enter(c, s->place.user);
	lx_session_schedule(c, s->place.weight, s->place.urgent);
	c->realm = s->realm;
	c->account = account;
	c->shares = s->shares;
	r = copy_timeline(c, s);
	if (!r)
		r = copy_prompt(c, s);
	if (!r)
		r = copy_sampling(c, s);
	if (r) {
		lx_session_close(c);
		return r;
	}
	c->state = s->state == LX_SESSION_PENDING ? LX_SESSION_PENDING :
						    LX_SESSION_IDLE;
	*out = c;
	return 0;
}

int lx_session_prefill(struct lx_session *s, struct lx_error *err)
{
	int r;

	s->prefill = true;
	r = lx_session_start(s, err);
	s->prefill = false;
	if (r)
		return r;
	s->eval = true;
	s->eval_out = NULL;
	return 0;
}
