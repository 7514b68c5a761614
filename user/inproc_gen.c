// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * How answers are made, scores and embeddings, with the engine in this
 * process.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "inproc.h"

int inproc_set_stops(struct llamux *l, const char *text, size_t n)
{
	int ret = inproc_no_session(l);

	if (ret)
		return ret;
	inproc_lock(l);
	ret = lx_session_set_stops(to_inproc(l)->session, text, n);
	inproc_unlock(l);
	if (ret == -EINVAL)
		return llamux_fail(l, ret, "a stop string is no UTF-8");
	return ret ? llamux_fail(l, ret, "%s", llamux_strerror(ret)) : 0;
}

int inproc_set_bias(struct llamux *l, const struct llamux_bias *bias, size_t n)
{
	int ret = inproc_no_session(l);

	_Static_assert(sizeof(*bias) == sizeof(struct lx_bias), "same layout");
	if (ret)
		return ret;
	inproc_lock(l);
	ret = lx_session_set_bias(to_inproc(l)->session,
				  (const struct lx_bias *)bias, (u32)n);
	inproc_unlock(l);
	if (ret == -EINVAL)
		return llamux_fail(l, ret, "a biased token is out of range or "
				   "given twice");
	return ret ? llamux_fail(l, ret, "%s", llamux_strerror(ret)) : 0;
}

ssize_t inproc_logprobs(struct llamux *l, size_t first, uint32_t stride,
			struct llamux_logprob *records, size_t max)
{
	const struct lx_session *s = to_inproc(l)->session;
	u32 have, n;
	int ret = inproc_no_session(l);

	if (ret)
		return ret;
	inproc_lock(l);
	n = lx_session_logprobs(s, 0, NULL, 0, &have);
	if (max && have == stride)
		lx_session_logprobs(s, (u32)lx_min(first, (size_t)n),
				    (struct lx_logprob *)records,
				    (u32)lx_min(max, (size_t)n), &have);
	inproc_unlock(l);
	if (max && have != stride)
		return llamux_fail(l, -EINVAL, "%s", llamux_strerror(-EINVAL));
	return n;
}

/* Until the turn that was started is over; the engine is locked. */
static int run(struct llamux *l)
{
	struct lx_session_stats st;
	int ret = 0;

	do {
		ret = inproc_step(l);
		lx_session_stats(to_inproc(l)->session, &st);
	} while (!ret && st.state == LX_SESSION_RUNNING);
	return ret ? llamux_fail(l, ret, "%s", llamux_strerror(ret)) : 0;
}

/* What came of a turn that has ended: @ran of computing it, @end of ending. */
static int outcome(struct llamux *l, int ran, int end)
{
	if (ran || !end)
		return ran;
	return llamux_fail(l, end == -ECANCELED ? -EINTR : end, "%s",
			   llamux_strerror(end));
}

static int score(struct llamux *l, struct lx_choice *out)
{
	int ran = run(l);

	return outcome(l, ran, lx_session_score_end(to_inproc(l)->session, out));
}

static int embed(struct llamux *l)
{
	int ran = run(l);

	return outcome(l, ran, lx_session_embed_end(to_inproc(l)->session));
}

int inproc_score(struct llamux *l, const char *text, const uint32_t *ends,
		 size_t n, struct llamux_choice *choices)
{
	struct lx_session *s = to_inproc(l)->session;
	struct lx_choice *got = calloc(n, sizeof(*got));
	struct lx_error err = { 0 };
	int ret = inproc_no_session(l);

	if (!ret && !got)
		ret = llamux_fail(l, -ENOMEM, "%s", llamux_strerror(-ENOMEM));
	if (!ret) {
		lx_session_prepare(s, true, NULL);
		inproc_lock(l);
		ret = lx_session_score(s, text, ends, (u32)n, &err);
		if (ret)
			inproc_fail(l, ret, &err);
		else
			ret = score(l, got);
		inproc_unlock(l);
	}
	for (size_t i = 0; !ret && i < n; i++)
		choices[i] = (struct llamux_choice){
			.lp_u = got[i].lp_u,
			.n_tokens = got[i].n_tokens,
		};
	free(got);
	return ret;
}

ssize_t inproc_embed(struct llamux *l, const char *text, size_t n,
		     uint32_t pooling, float *out, size_t max)
{
	struct lx_session *s = to_inproc(l)->session;
	struct lx_error err = { 0 };
	int ret = inproc_no_session(l);
	u32 dim;

	if (ret)
		return ret;
	dim = lx_model_info(to_local(l)->model)->n_embd;
	if (max < dim)
		return dim;
	ret = lx_session_prepare_embed(s, text, n, &err);
	inproc_lock(l);
	if (!ret)
		ret = lx_session_embed(s, pooling, out, &err);
	if (ret)
		inproc_fail(l, ret, &err);
	else
		ret = embed(l);
	inproc_unlock(l);
	return ret ? ret : (ssize_t)dim;
}

/* Others may go on meanwhile; when one of them was faster, its own stays. */
static int need_lexicon(struct llamux *l)
{
	struct local *local = to_local(l);
	struct lx_lexicon *x;
	bool have;

	inproc_lock(l);
	have = lx_engine_has_lexicon(local->engine);
	inproc_unlock(l);
	if (have)
		return 0;
	x = lx_lexicon_new(local->host, lx_model_vocab(local->model));
	if (!x)
		return llamux_fail(l, -ENOMEM, "%s", llamux_strerror(-ENOMEM));
	inproc_lock(l);
	lx_engine_give_lexicon(local->engine, x);
	inproc_unlock(l);
	return 0;
}

int inproc_set_grammar(struct llamux *l, const void *blob, size_t n)
{
	struct lx_error err = { 0 };
	int ret = inproc_no_session(l);

	if (!ret && n)
		ret = need_lexicon(l);
	if (ret)
		return ret;
	inproc_lock(l);
	ret = lx_session_set_grammar(to_inproc(l)->session, blob, n, &err);
	inproc_unlock(l);
	return ret ? inproc_fail(l, ret, &err) : 0;
}
