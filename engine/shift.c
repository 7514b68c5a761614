// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Going on when the context is full: the first tokens are kept, the older
 * half of the others is dropped, and the rest is computed again at its new
 * place, so that a session that was shifted is one that began with those
 * tokens.
 */
#include "session.h"

void lx_session_rewind(struct lx_session *s, u32 n)
{
	s->n_tokens = n;
	s->n_past = lx_min(s->n_past, n);
	if (!s->eval)
		s->n_lp = lx_min(s->n_lp,
				 n > s->gen_start ? n - s->gen_start : 0);
}

/* Where index @i is after [keep, keep + drop) went. */
static u32 moved(u32 i, u32 keep, u32 drop)
{
	return i <= keep ? i : i - lx_min(drop, i - keep);
}

static void drop_tokens(struct lx_session *s, u32 keep, u32 drop)
{
	u32 gen = moved(s->gen_start, keep, drop);
	u32 gone = s->n_tokens - s->gen_start - (s->n_tokens - drop - gen);
	size_t lp = s->lp_stride * sizeof(*s->lp);

	/* Log-probabilities stay beside the tokens of the answer. */
	gone = lx_min(gone, s->n_lp);
	if (gone)
		lx_memmove(s->lp, s->lp + gone * s->lp_stride,
			   (s->n_lp - gone) * lp);
	s->n_lp -= gone;
	lx_memmove(s->tokens + keep, s->tokens + keep + drop,
		   (s->n_tokens - keep - drop) * sizeof(*s->tokens));
	s->n_tokens -= drop;
	s->turn_start = moved(s->turn_start, keep, drop);
	s->gen_start = gen;
	s->n_past = lx_min(s->n_past, keep);
	s->n_shifted += drop;
}

bool lx_session_shift(struct lx_session *s, u32 end, u32 need)
{
	const struct lx_vocab *v = s->e->model->vocab;
	u32 keep = s->p.n_keep, drop, over;

	if (!(s->p.flags & LX_SESSION_SHIFT) || !end)
		return false;
	if (!keep && s->tokens[0] == lx_token_bos(v))
		keep = 1;
	if (keep >= end)
		return false;
	over = s->n_tokens + need - lx_min(s->n_tokens + need, s->e->n_ctx);
	drop = lx_max((end - keep) / 2, over);
	if (!drop || drop > end - keep)
		return false;
	drop_tokens(s, keep, drop);
	return true;
}
