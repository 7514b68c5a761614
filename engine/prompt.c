// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Prompts: text comes in as messages and becomes tokens when a turn starts, or
 * before that. Tokenizing takes a while, and needs nothing of the engine: a
 * prompt can be prepared while steps run, and its tokens wait for the turn.
 */
#include "session.h"
#include "render.h"
#include "scratch.h"

#define ANSWER_ROOM 64		/* tokens of an answer that need no more memory */
#define TEXT_PER_TOKEN 32	/* bytes of text a context could hold at most */

static size_t text_limit(const struct lx_session *s)
{
	return (size_t)s->e->n_ctx * TEXT_PER_TOKEN;
}

/* ---- writing ---- */

static int add_message(struct lx_session *s, u32 role, u32 flags)
{
	struct lx_message *m;
	u64 cap;

	if (s->n_msgs) {
		m = &s->msgs[s->n_msgs - 1];
		if (m->role == role && m->flags == flags)
			return 0;
	}
	if (s->n_msgs == s->cap_msgs) {
		m = lx_session_grow(s->e, s->msgs, s->n_msgs, s->cap_msgs, s->n_msgs + 4,
			 sizeof(*m), &cap);
		if (!m)
			return -LX_ENOMEM;
		s->msgs = m;
		s->cap_msgs = (u32)cap;
	}
	s->msgs[s->n_msgs++] = (struct lx_message){ .role = role,
		.flags = flags, .off = s->text_len };
	return 0;
}

int lx_session_write(struct lx_session *s, enum lx_role role,
		     const char *text, size_t n, u32 flags)
{
	size_t limit = text_limit(s);
	u64 cap;
	char *p;

	if ((u32)role >= LX_ROLES || flags & ~LX_WRITE_SPECIAL)
		return -LX_EINVAL;
	if (s->in_batch || s->state == LX_SESSION_RUNNING ||
	    (s->state == LX_SESSION_DONE && s->out_len))
		return -LX_EBUSY;
	if (n > limit || s->text_len > limit - n)
		return -LX_EMSGSIZE;
	if (s->text_len + n > s->text_cap) {
		p = lx_session_grow(s->e, s->text, s->text_len, s->text_cap,
			 s->text_len + n + 64, 1, &cap);
		if (!p)
			return -LX_ENOMEM;
		s->text = p;
		s->text_cap = cap;
	}
	if (add_message(s, role, flags))
		return -LX_ENOMEM;
	lx_prompt_unprepare(s);
	lx_memcpy(s->text + s->text_len, text, n);
	s->text_len += n;
	s->msgs[s->n_msgs - 1].len += n;
	if (s->state != LX_SESSION_PENDING)
		lx_session_end_turn(s);
	s->state = LX_SESSION_PENDING;
	return 0;
}

/* ---- tokens ---- */

void lx_prompt_unprepare(struct lx_session *s)
{
	lx_scratch_put(s->e->host, s->ready, s->cap_ready * sizeof(*s->ready));
	s->ready = NULL;
	s->n_ready = 0;
	s->cap_ready = 0;
	s->ready_error = 0;
}

/* What came of preparing. The prompt itself is not to be looked at again. */
static int outcome(const struct lx_session *s, struct lx_error *err)
{
	if (s->ready_error == -LX_EMSGSIZE && s->n_ready)
		return lx_fail(err, -LX_EMSGSIZE,
			       "the prompt has %lld tokens, the context %u",
			       s->n_ready, s->e->n_ctx);
	return s->ready_error ? lx_fail(err, s->ready_error,
					"the prompt could not be tokenized") : 0;
}

/* All that must not be counted by the engine, beside whose steps this runs. */
static int tokenize(struct lx_session *s, const char *text, size_t n,
		    const struct lx_span *spans, u32 n_spans, u32 flags,
		    enum lx_ready what, struct lx_error *err)
{
	/* A byte gives one token; as bytes of a space that is none, three. */
	u32 max = (u32)lx_min((u64)s->e->n_ctx, 4 * (u64)n + 8);
	s64 got;

	lx_prompt_unprepare(s);
	s->ready = lx_scratch_get(s->e->host, max * sizeof(*s->ready));
	if (!s->ready)
		return lx_fail(err, -LX_ENOMEM, "no memory for the prompt");
	s->cap_ready = max;
	s->ready_for = what;
	got = lx_tokenize_spans(s->e->model->vocab, text, n, spans, n_spans,
				flags, s->ready, max);
	s->n_ready = lx_max(got, (s64)0);
	if (got < 0 || got > (s64)max)
		s->ready_error = got < 0 ? (int)got : -LX_EMSGSIZE;
	return outcome(s, err);
}

int lx_session_prepare(struct lx_session *s, bool answer, struct lx_error *err)
{
	u32 flags = s->n_tokens ? LX_TOK_CONTINUE :
				  LX_TOK_BOS | LX_TOK_ONE_BOS;
	enum lx_ready what = answer ? LX_READY_ANSWER : LX_READY_PREFILL;
	struct lx_rendered r;
	int ret;

	if (s->state != LX_SESSION_PENDING)
		return 0;
	/* Memory may be there by now. */
	if (s->ready && s->ready_for == what && s->ready_error != -LX_ENOMEM)
		return outcome(s, err);
	ret = lx_render(s, answer, &r, err);
	if (!ret)
		ret = tokenize(s, r.text, r.len, r.spans, r.n_spans, flags,
			       what, err);
	lx_render_free(s, &r);
	return ret;
}

int lx_session_prepare_embed(struct lx_session *s, const char *text, size_t n,
			     struct lx_error *err)
{
	struct lx_span all = { n, false };

	if (n > text_limit(s))
		return lx_fail(err, -LX_EMSGSIZE,
			       "the text has %llu bytes, the context holds %u tokens",
			       (u64)n, s->e->n_ctx);
	return tokenize(s, text, n, &all, 1, LX_TOK_BOS, LX_READY_EMBED, err);
}

int lx_prompt_take(struct lx_session *s)
{
	u32 n = (u32)s->n_ready;

	if (lx_session_grow_tokens(s, s->n_tokens + n + ANSWER_ROOM))
		return -LX_ENOMEM;
	if (n)
		lx_memcpy(s->tokens + s->n_tokens, s->ready,
			  n * sizeof(*s->ready));
	s->n_tokens += n;
	lx_prompt_unprepare(s);
	return 0;
}

int lx_prompt_append(struct lx_session *s, struct lx_error *err)
{
	int ret = lx_session_prepare(s, !s->prefill, err);

	if (ret)
		return ret;
	if (!s->n_ready && s->n_tokens == s->n_past)
		return lx_fail(err, -LX_EINVAL, "the prompt is empty");
	if (lx_prompt_take(s))
		return lx_fail(err, -LX_ENOMEM, "no memory for the prompt");
	return 0;
}

/* ---- its end ---- */

void lx_prompt_drop(struct lx_session *s)
{
	lx_prompt_unprepare(s);
	lx_engine_release(s->e, s->text, s->text_cap, 1);
	lx_engine_release(s->e, s->msgs, s->cap_msgs, sizeof(*s->msgs));
	s->text = NULL;
	s->text_len = 0;
	s->text_cap = 0;
	s->msgs = NULL;
	s->n_msgs = 0;
	s->cap_msgs = 0;
}

void lx_prompt_done(struct lx_session *s)
{
	if (!s->n_messages && s->n_msgs)
		s->has_system = s->msgs[0].role == LX_ROLE_SYSTEM;
	/* The answer to come counts as one. */
	s->n_messages += s->n_msgs + !s->prefill;
	s->answered = false;
	lx_prompt_drop(s);
}
