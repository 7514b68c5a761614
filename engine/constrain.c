// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Answers that follow a grammar. The mask of a step is found while no lock is
 * held (lx_engine_run()): a session in the batch is left alone by its clients.
 */
#include "lexicon.h"
#include "session.h"

bool lx_engine_has_lexicon(const struct lx_engine *e)
{
	return e->lexicon;
}

void lx_engine_give_lexicon(struct lx_engine *e, struct lx_lexicon *x)
{
	if (e->lexicon)
		lx_lexicon_free(x);
	else
		e->lexicon = x;
}

void lx_constrain_drop(struct lx_session *s)
{
	lx_grammar_free(s->grammar);
	s->grammar = NULL;
}

/* A copy of @from's, or one of @blob. */
static int make(struct lx_session *s, const struct lx_session *from,
		const void *blob, size_t n, struct lx_grammar **out,
		struct lx_error *err)
{
	return from ? lx_grammar_copy(from->grammar, s->account, out) :
		      lx_grammar_new(s->e->host, s->e->lexicon, s->account,
				     blob, n, out, err);
}

/* Idle KV goes for it when there is no memory. */
static int make_room(struct lx_session *s, const struct lx_session *from,
		     const void *blob, size_t n, struct lx_grammar **out,
		     struct lx_error *err)
{
	u32 max_len = s->e->lexicon->max_len;
	int r = make(s, from, blob, n, out, err);
	u64 bytes;

	if (r != -LX_ENOMEM && !lx_kv_own(r))
		return r;
	bytes = lx_grammar_most(s->e->host, s->e->model->hp.n_vocab, max_len);
	if (lx_kv_yield(s->e, bytes, s->account, r))
		r = make(s, from, blob, n, out, err);
	return lx_kv_error(r);
}

int lx_constrain_fork(struct lx_session *to, const struct lx_session *from)
{
	return from->grammar ?
	       make_room(to, from, NULL, 0, &to->grammar, NULL) : 0;
}

int lx_session_set_grammar(struct lx_session *s, const void *blob, size_t n,
			   struct lx_error *err)
{
	struct lx_grammar *g = NULL;
	int r;

	if (s->in_batch || s->state == LX_SESSION_RUNNING)
		return -LX_EBUSY;
	if (n) {
		if (!s->e->lexicon)
			return lx_fail(err, -LX_EINVAL, "no lexicon");
		r = make_room(s, NULL, blob, n, &g, err);
		if (r)
			return r;
	}
	lx_constrain_drop(s);
	s->grammar = g;
	return 0;
}

int lx_constrain_begin(struct lx_session *s)
{
	if (!s->grammar)
		return 0;
	return lx_grammar_reset(s->grammar,
				!(s->p.flags & LX_SESSION_IGNORE_EOG));
}

/* Without a mask nothing is drawn: the turn ends with the error. */
void lx_constrain_masks(struct lx_engine *e)
{
	for (u32 i = 0; i < e->n_entries; i++) {
		const struct lx_entry *en = &e->entries[i];
		struct lx_sample_slot *sl;

		if (en->sample == LX_NONE || !en->s->grammar)
			continue;
		sl = &e->sample[en->sample];
		en->s->grammar_error = lx_grammar_mask(en->s->grammar,
						       &sl->mask);
		if (en->s->grammar_error) {
			sl->mask = NULL;
			sl->draw = false;
			sl->token = -1;
		}
	}
}

int lx_constrain_push(struct lx_session *s, s32 token)
{
	int r = s->grammar ? lx_grammar_accept(s->grammar, token) : 0;

	return r ? -LX_EIO : 0;
}

bool lx_constrain_done(const struct lx_session *s)
{
	return s->grammar && lx_grammar_done(s->grammar);
}
