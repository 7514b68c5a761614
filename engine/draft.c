// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Prompt lookup (after Saxena, 2023): an answer that repeats what was said
 * before goes on as that did. The tokens that followed the last occurrence of
 * the latest few are computed together with the one that is due, each with a
 * draw of its own. Those that were drawn as guessed are kept; a draw depends
 * on the tokens before it and on its position only, so that the answer is the
 * same bits as without. Guesses are made while they are right often enough.
 */
#include "session.h"

#define MATCH 3			/* tokens that must be the same */
#define LOOK_BACK 8192
#define PAUSE 32		/* tokens without guesses after too many wrong */

/* Guesses for @s as far as there is something to go by; at most @max. */
static u32 guess(const struct lx_session *s, s32 *out, u32 max)
{
	const s32 *t = s->tokens;
	u32 n = s->n_tokens, end;
	u32 low = n > LOOK_BACK ? n - LOOK_BACK : 0, k = 0;

	if (n < MATCH + 1)
		return 0;
	for (end = n - 1; end >= low + MATCH; end--)
		if (t[end - 1] == t[n - 1] && t[end - 2] == t[n - 2] &&
		    t[end - 3] == t[n - 3])
			break;
	if (end < low + MATCH)
		return 0;
	for (; k < max && end + k < n; k++)
		out[k] = t[end + k];
	return k;
}

u32 lx_draft_make(struct lx_session *s, u32 max)
{
	struct lx_draft *d = &s->draft;
	u32 room = lx_session_room(s), left;

	/* A grammar's mask is of one token: behind a guess it is not known. */
	if (s->p.flags & LX_SESSION_NO_LOOKUP || s->eval || s->grammar ||
	    room < 2)
		return 0;
	if (d->pause) {
		d->pause--;
		return 0;
	}
	left = s->e->n_ctx - s->n_tokens;
	max = lx_min(lx_min(max, room - 1), left ? left - 1 : 0);
	if (s->p.max_tokens)
		max = lx_min(max, s->p.max_tokens - s->n_gen - 1);
	max = lx_min(max, d->len ? d->len : LX_DRAFT_FIRST);
	if (!max || lx_session_grow_tokens(s, s->n_tokens + max))
		return 0;
	return guess(s, s->tokens + s->n_tokens, max);
}

void lx_draft_judge(struct lx_session *s, u32 made, u32 right)
{
	struct lx_draft *d = &s->draft;

	if (!made)
		return;
	s->e->n_drafted += made;
	s->e->n_drafts_right += right;
	if (!d->len)
		d->len = LX_DRAFT_FIRST;
	if (right == made)
		d->len = lx_min(d->len + 2, (u32)LX_DRAFT_MAX);
	else if (right * 2 < made)
		d->len /= 2;
	if (!d->len)
		d->pause = PAUSE;
}
