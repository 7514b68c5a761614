// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Sessions: what clients touch. Text goes in as messages (prompt.c) and comes
 * out of a small ring of whole characters that the steps fill.
 */
#include "session.h"

#define OUT_BYTES 4096

void lx_session_defaults(struct lx_session_params *p)
{
	*p = (struct lx_session_params){
		.temperature_u = 800000,
		.top_k = 40,
		.top_p_u = 950000,
		.min_p_u = 50000,
		.repeat_penalty_u = 1000000,
		.repeat_last_n = 64,
	};
}

int lx_session_check(const struct lx_session_params *p, struct lx_error *err)
{
	const char *what = NULL;

	if (p->temperature_u > 100000000)
		what = "temperature";
	else if (p->top_p_u > 1000000)
		what = "top_p";
	else if (p->min_p_u > 1000000)
		what = "min_p";
	else if (p->repeat_penalty_u < 10000 || p->repeat_penalty_u > 100000000)
		what = "repeat_penalty";
	else if (p->repeat_last_n > LX_MAX_PENALTY)
		what = "repeat_last_n";
	else if (p->presence_penalty_u > 100000000 ||
		 p->presence_penalty_u < -100000000)
		what = "presence_penalty";
	else if (p->frequency_penalty_u > 100000000 ||
		 p->frequency_penalty_u < -100000000)
		what = "frequency_penalty";
	else if (p->flags & ~LX_SESSION_FLAGS)
		what = "flags";
	else if (p->priority > 1)
		what = "priority";
	else if (p->n_logprobs > LX_MAX_LOGPROBS)
		what = "n_logprobs";
	return what ? lx_fail(err, -LX_EINVAL, "%s is out of range", what) : 0;
}

/* ---- opening and closing ---- */

int lx_session_open(struct lx_engine *e, const struct lx_session_params *p,
		    struct lx_session **out)
{
	struct lx_session *s;
	int r = lx_session_check(p, NULL);

	if (r)
		return r;
	s = lx_engine_alloc(e, 1, sizeof(*s));
	if (!s)
		return -LX_ENOMEM;
	s->e = e;
	s->number = ++e->n_opened;
	s->p = *p;
	if (e->first) {
		s->next = e->first;
		s->prev = e->first->prev;
		s->prev->next = s;
		s->next->prev = s;
	} else {
		s->next = s;
		s->prev = s;
		e->first = s;
	}
	e->n_sessions++;
	lx_sched_enter(s, &e->sched.nobody);
	*out = s;
	return 0;
}

static void drop_out(struct lx_session *s)
{
	lx_engine_release(s->e, s->out, s->out_cap, 1);
	s->out = NULL;
	s->out_head = 0;
	s->out_len = 0;
	s->out_cap = 0;
	s->held = 0;
}

static void forget(struct lx_session *s)
{
	struct lx_engine *e = s->e;

	lx_prompt_drop(s);
	drop_out(s);
	lx_logprobs_drop(s);
	lx_score_drop(s);
	lx_embed_drop(s);
	lx_kv_drop(s);
	lx_engine_release(e, s->tokens, s->cap_tokens, sizeof(*s->tokens));
	s->tokens = NULL;
	s->cap_tokens = 0;
	s->n_tokens = 0;
	s->turn_start = 0;
	s->gen_start = 0;
	s->n_prompt = 0;
	s->n_gen = 0;
	s->n_shifted = 0;
	s->n_messages = 0;
	s->n_cached = 0;
	s->has_system = false;
	s->answered = false;
	s->state = LX_SESSION_IDLE;
	s->finish = LX_FINISH_NONE;
	s->error = 0;
}

void lx_session_close(struct lx_session *s)
{
	struct lx_engine *e = s->e;

	forget(s);
	lx_engine_release(e, s->bias, s->n_bias, sizeof(*s->bias));
	lx_engine_release(e, s->stops, 1, sizeof(*s->stops));
	lx_constrain_drop(s);
	s->prev->next = s->next;
	s->next->prev = s->prev;
	if (e->first == s)
		e->first = s->next == s ? NULL : s->next;
	e->n_sessions--;
	lx_sched_leave(s);
	lx_engine_release(e, s, 1, sizeof(*s));
}

bool lx_session_in_batch(const struct lx_session *s)
{
	return s->in_batch;
}

int lx_session_set(struct lx_session *s, const struct lx_session_params *p)
{
	int r = lx_session_check(p, NULL);

	if (r)
		return r;
	if (s->state == LX_SESSION_RUNNING)
		return -LX_EBUSY;
	lx_prompt_unprepare(s);	/* they say how it is put */
	s->p = *p;
	return 0;
}

void lx_session_get(const struct lx_session *s, struct lx_session_params *p)
{
	*p = s->p;
}

int lx_session_reset(struct lx_session *s)
{
	if (s->in_batch || s->state == LX_SESSION_RUNNING)
		return -LX_EBUSY;
	forget(s);
	return 0;
}

/* ---- a turn ---- */

void *lx_session_grow(struct lx_engine *e, void *old, u64 n, u64 cap, u64 want,
		      size_t size, u64 *new_cap)
{
	void *p;

	*new_cap = lx_max(want, cap * 2);
	p = lx_engine_alloc(e, *new_cap, size);
	if (!p)
		return NULL;
	if (n)
		lx_memcpy(p, old, n * size);
	lx_engine_release(e, old, cap, size);
	return p;
}

int lx_session_grow_tokens(struct lx_session *s, u32 n)
{
	u64 cap;
	s32 *p;

	if (n <= s->cap_tokens)
		return 0;
	p = lx_session_grow(s->e, s->tokens, s->n_tokens, s->cap_tokens, n,
			    sizeof(*p), &cap);
	if (!p)
		return -LX_ENOMEM;
	s->tokens = p;
	s->cap_tokens = (u32)cap;
	return 0;
}

static int get_out(struct lx_session *s, struct lx_error *err)
{
	if (s->out)
		return 0;
	s->out_cap = OUT_BYTES +
		     6 * (lx_vocab_max_piece(s->e->model->vocab) + 4);
	s->out = lx_engine_alloc(s->e, s->out_cap, 1);
	return s->out ? 0 : lx_fail(err, -LX_ENOMEM, "no memory for a turn");
}

/* Prompt and one token fit, or older ones can go. */
static bool fit(struct lx_session *s, u32 before, struct lx_error *err)
{
	u32 n_ctx = s->e->n_ctx, room = n_ctx - lx_min(before, n_ctx);
	u32 n = s->n_tokens - before, turn = s->turn_start, gen = s->gen_start;

	s->turn_start = before;
	s->gen_start = s->n_tokens;
	if (n < room || (n < n_ctx && lx_session_shift(s, before, 1)))
		return true;
	s->turn_start = turn;
	s->gen_start = gen;
	lx_fail(err, -LX_EMSGSIZE,
		"the prompt has %u tokens, %u of the context of %u are free",
		n, room, n_ctx);
	return false;
}

void lx_session_begin(struct lx_session *s)
{
	s->n_gen = 0;
	s->n_text = 0;
	s->finish = LX_FINISH_NONE;
	s->error = 0;
	s->cancel = false;
	s->t_start = s->e->host->ops->time_ns(s->e->host);
	s->t_first = 0;
	s->t_last = s->t_start;
	s->state = LX_SESSION_RUNNING;
}

int lx_session_start(struct lx_session *s, struct lx_error *err)
{
	u32 before = s->n_tokens;
	int ret;

	if (s->state != LX_SESSION_PENDING)
		return -LX_EINVAL;
	ret = lx_prompt_append(s, err);
	if (!ret)
		ret = get_out(s, err);
	if (!ret)
		ret = lx_constrain_begin(s);
	if (!ret && !fit(s, before, err))
		ret = -LX_EMSGSIZE;
	if (ret) {
		s->n_tokens = before;
		/* Where memory was short the same may do a moment later. */
		if (ret != -LX_ENOMEM) {
			lx_prompt_drop(s);
			s->state = LX_SESSION_IDLE;
		}
		return ret;
	}
	lx_prompt_done(s);
	lx_logprobs_drop(s);
	s->n_prompt = s->gen_start - s->turn_start;
	s->n_cached = 0;
	s->detok = (struct lx_detok){ .strip = false };
	s->eval = false;
	lx_session_begin(s);
	return 0;
}

int lx_session_eval(struct lx_session *s, const s32 *tokens, u32 n,
		    void *out)
{
	struct lx_engine *e = s->e;

	if (s->state == LX_SESSION_DONE && !s->out_len)
		lx_session_end_turn(s);
	if (s->state != LX_SESSION_IDLE || s->in_batch)
		return -LX_EBUSY;
	if (!n || n > e->n_ctx - s->n_tokens)
		return -LX_EMSGSIZE;
	for (u32 i = 0; i < n; i++)
		if (tokens[i] < 0 || (u32)tokens[i] >= e->model->hp.n_vocab)
			return -LX_EINVAL;
	if (lx_session_grow_tokens(s, s->n_tokens + n))
		return -LX_ENOMEM;
	lx_memcpy(s->tokens + s->n_tokens, tokens, n * sizeof(*tokens));
	s->turn_start = s->n_tokens;
	s->n_tokens += n;
	s->gen_start = s->n_tokens;
	s->n_prompt = n;
	s->eval = true;
	s->eval_out = out;
	lx_session_begin(s);
	return 0;
}

/* ---- the answer ---- */

static u32 max_text(const struct lx_session *s)
{
	return 3 * (lx_vocab_max_piece(s->e->model->vocab) + 4);
}

bool lx_session_has_room(const struct lx_session *s)
{
	return s->out_cap - s->out_len - s->held >= 2 * max_text(s);
}

u32 lx_session_room(const struct lx_session *s)
{
	size_t n = (s->out_cap - s->out_len - s->held) / max_text(s);

	return n ? (u32)n - 1 : 0;
}

/* The ring is kept straight: unread text moves to its begin when needed. */
static char *out_room(struct lx_session *s)
{
	size_t n = s->out_len + s->held;

	if (s->out_head && s->out_cap - s->out_head - n < max_text(s)) {
		lx_memmove(s->out, s->out + s->out_head, n);
		s->out_head = 0;
	}
	return s->out + s->out_head + n;
}

void lx_session_finish(struct lx_session *s, u32 finish, int error)
{
	if (s->out && !s->eval && finish != LX_FINISH_STOP) {
		s->out_len += s->held + lx_detok_flush(&s->detok, out_room(s),
						       max_text(s));
		s->held = 0;
	}
	s->finish = finish;
	s->error = error;
	if (s->eval) {
		s->t_last = s->e->host->ops->time_ns(s->e->host);
		s->t_first = s->t_last;
	}
	s->answered = !s->eval && (s->n_gen || finish == LX_FINISH_EOG);
	s->total_prompt += s->n_prompt;
	s->total_gen += s->n_gen;
	s->state = LX_SESSION_DONE;
}

/* The token's text. True: it completes a stop string. */
static bool put_text(struct lx_session *s, s32 token)
{
	bool special = s->p.flags & LX_SESSION_SPECIAL;
	u32 n;

	if (s->stops)
		lx_stop_note(s);
	n = lx_detok_push(&s->detok, s->e->model->vocab, token, special,
			  out_room(s), max_text(s));
	if (s->stops)
		return lx_stop_text(s, n);
	s->out_len += n;
	return false;
}

void lx_session_push(struct lx_session *s, const struct lx_sample_slot *sl)
{
	s32 token = sl->token;
	int r;

	s->t_last = s->e->host->ops->time_ns(s->e->host);
	if (!s->t_first)
		s->t_first = s->t_last;
	if (token < 0) {	/* every token is forbidden */
		lx_session_finish(s, LX_FINISH_ERROR,
				  s->grammar_error ? s->grammar_error :
						     -LX_EIO);
		return;
	}
	if (lx_token_is_eog(s->e->model->vocab, token) &&
	    !(s->p.flags & LX_SESSION_IGNORE_EOG)) {
		lx_session_finish(s, LX_FINISH_EOG, 0);
		return;
	}
	r = lx_session_grow_tokens(s, s->n_tokens + 1);
	if (!r)
		r = lx_logprobs_add(s, sl);
	if (r) {
		lx_session_finish(s, LX_FINISH_ERROR, r);
		return;
	}
	if (lx_constrain_push(s, token)) {
		lx_session_finish(s, LX_FINISH_ERROR, -LX_EIO);
		return;
	}
	s->tokens[s->n_tokens++] = token;
	s->n_gen++;
	if (put_text(s, token))
		lx_session_finish(s, LX_FINISH_STOP, 0);
	else if (lx_constrain_done(s))
		lx_session_finish(s, LX_FINISH_EOG, 0);
	else if (s->p.max_tokens && s->n_gen >= s->p.max_tokens)
		lx_session_finish(s, LX_FINISH_LENGTH, 0);
	else if (s->n_tokens >= s->e->n_ctx &&
		 !lx_session_shift(s, s->n_tokens - 1, 1))
		lx_session_finish(s, LX_FINISH_CONTEXT, 0);
}

/* Bytes of the character that starts with @c. */
static size_t char_bytes(u8 c)
{
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

size_t lx_session_read(struct lx_session *s, char *buf, size_t n)
{
	const char *p = s->out + s->out_head;
	size_t len = 0;

	while (len < s->out_len) {
		size_t c = char_bytes((u8)p[len]);

		if (len + c > n)
			break;
		len += c;
	}
	if (!len)	/* the buffer is smaller than one character */
		len = lx_min(n, s->out_len);
	lx_memcpy(buf, p, len);
	s->out_head += len;
	s->out_len -= len;
	if (!s->out_len && !s->held)
		s->out_head = 0;
	return len;
}

size_t lx_session_readable(const struct lx_session *s)
{
	return s->out_len;
}

void lx_session_end_turn(struct lx_session *s)
{
	if (s->state == LX_SESSION_DONE) {
		drop_out(s);
		s->state = LX_SESSION_IDLE;
	}
}

void lx_session_cancel(struct lx_session *s)
{
	const struct lx_engine *e = s->e;
	bool all = true;

	if (s->state != LX_SESSION_RUNNING)
		return;
	s->cancel = true;
	if (!s->in_batch) {
		lx_session_finish(s, LX_FINISH_CANCELLED, 0);
		return;
	}
	/* Alone in the step: skip what is left of it. */
	for (u32 i = 0; i < e->n_entries; i++)
		all &= e->entries[i].s->cancel;
	if (all)
		lx_job_cancel(&s->e->job);
}

void lx_session_stats(const struct lx_session *s, struct lx_session_stats *st)
{
	*st = (struct lx_session_stats){
		.state = s->state,
		.finish = s->finish,
		.error = s->error,
		.n_past = s->n_past,
		.n_prompt = s->n_prompt,
		.n_cached = s->n_cached,
		.n_gen = s->n_gen,
		.total_prompt = s->total_prompt,
		.total_gen = s->total_gen,
		.kv_bytes = s->n_pages * s->e->page_bytes,
		.n_tokens = s->n_tokens,
	};
	if (s->t_first) {
		st->prompt_ns = s->t_first - s->t_start;
		st->gen_ns = s->t_last - s->t_first;
	}
}

u32 lx_session_tokens(const struct lx_session *s, s32 *ids, u32 max)
{
	u32 n = s->n_tokens - s->gen_start;

	max = lx_min(max, n);
	if (max)
		lx_memcpy(ids, s->tokens + s->gen_start, max * sizeof(*ids));
	return n;
}
