// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Which sessions are in a step. Those that decode come first, one token each;
 * prompts fill what is left, a little at a time while somebody decodes, so
 * that no stream waits for another's prompt. Classes: urgent (the kernel
 * waits), interactive, background; every sixteenth step background comes
 * before interactive, so that it always gets on.
 */
#include "session.h"

#define BACKGROUND_TURN 16
#define RETRY_STEPS 8		/* between two looks for memory */

const struct lx_realm lx_realm_public;

/* ---- users ---- */

void lx_sched_init(struct lx_engine *e)
{
	e->sched.users = &e->sched.nobody;
}

void lx_sched_enter(struct lx_session *s, struct lx_user *u)
{
	s->place.user = u;
	if (!s->place.weight)
		s->place.weight = LX_WEIGHT;
	u->n_sessions++;
}

static void user_put(struct lx_engine *e, struct lx_user *u)
{
	struct lx_user **at = &e->sched.users;

	if (--u->n_sessions || u == &e->sched.nobody)
		return;
	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	lx_engine_release(e, u, 1, sizeof(*u));
}

void lx_sched_leave(struct lx_session *s)
{
	user_put(s->e, s->place.user);
}

static struct lx_user *user_get(struct lx_engine *e, u64 id)
{
	struct lx_user *u = e->sched.users;

	while (u && (u == &e->sched.nobody || u->id != id))
		u = u->next;
	if (u)
		return u;
	u = lx_engine_alloc(e, 1, sizeof(*u));
	if (!u)
		return NULL;
	u->id = id;
	u->next = e->sched.users;
	e->sched.users = u;
	return u;
}

int lx_session_join(struct lx_session *s, const struct lx_join *j)
{
	struct lx_user *u, *old = s->place.user;

	if (s->n_tokens || s->state == LX_SESSION_RUNNING)
		return -LX_EBUSY;
	u = user_get(s->e, j->user);
	if (!u)
		return -LX_ENOMEM;
	/* In this order: they may be one, with no other session. */
	lx_sched_enter(s, u);
	user_put(s->e, old);
	s->realm = j->realm;
	s->account = j->account;
	s->shares = j->share;
	return 0;
}

void lx_session_schedule(struct lx_session *s, u32 weight, bool urgent)
{
	s->place.weight = lx_max(weight, 1u);
	s->place.urgent = urgent;
}

/* ---- order ---- */

static void charge(struct lx_session *s, u32 n)
{
	u64 cost = ((u64)n * LX_WEIGHT << 10) / s->place.weight;
	struct lx_user *u = s->place.user;

	s->e->sched.clock = lx_max(s->e->sched.clock, u->had);
	u->clock = lx_max(u->clock, s->place.had);
	u->had += cost;
	s->place.had += cost;
}

/* It can run in this step. If it could not in the last one, no arrears. */
static void admit(struct lx_session *s)
{
	struct lx_sched *d = &s->e->sched;
	struct lx_user *u = s->place.user;

	if (u->seen != d->step) {
		if (u->seen + 1 != d->step)
			u->had = lx_max(u->had, d->clock);
		u->seen = d->step;
	}
	if (s->place.seen + 1 != d->step)
		s->place.had = lx_max(s->place.had, u->clock);
	s->place.seen = d->step;
	s->place.skip = s->place.starved && d->step < s->place.retry;
	s->place.next = d->runnable;
	d->runnable = s;
}

static u32 class_of(const struct lx_session *s)
{
	bool turn = s->e->sched.step % BACKGROUND_TURN == 0;

	if (s->place.urgent)
		return 0;
	return (s->p.priority != 0) != turn ? 2 : 1;
}

static bool before(const struct lx_session *a, const struct lx_session *b)
{
	const struct lx_place *x = &a->place, *y = &b->place;
	u32 ca = class_of(a), cb = class_of(b);

	if (ca != cb)
		return ca < cb;
	if (x->user != y->user)
		return x->user->had < y->user->had;
	return x->had < y->had;
}

static bool runnable(const struct lx_session *s)
{
	return s->state == LX_SESSION_RUNNING && !s->cancel &&
	       s->n_past < s->n_tokens && (s->eval || lx_session_has_room(s));
}

static bool decodes(const struct lx_session *s)
{
	return s->n_tokens - s->n_past == 1;
}

static void list_runnable(struct lx_engine *e)
{
	struct lx_session *s = e->first;

	e->sched.step++;
	e->sched.n_decoding = 0;
	e->sched.n_prompts = 0;
	e->sched.runnable = NULL;
	for (u32 i = 0; i < e->n_sessions; i++, s = s->next) {
		if (!runnable(s))
			continue;
		admit(s);
		if (decodes(s))
			e->sched.n_decoding++;
		else
			e->sched.n_prompts++;
	}
}

static struct lx_session *pick(struct lx_engine *e, bool decoding)
{
	struct lx_session *best = NULL, *s;

	for (s = e->sched.runnable; s; s = s->place.next)
		if (!s->in_batch && !s->place.skip && runnable(s) &&
		    decodes(s) == decoding && (!best || before(s, best)))
			best = s;
	return best;
}

/* ---- filling ---- */

/*
 * Without memory it waits for others to end, who may leave some; beyond its
 * account's nobody can help.
 */
static bool taken(struct lx_engine *e, struct lx_session *s, u32 n, int err)
{
	s->place.starved = err;
	if (!err) {
		charge(s, n);
		return true;
	}
	s->place.skip = true;
	s->place.retry = e->sched.step + RETRY_STEPS;
	if (lx_kv_own(err)) {
		s->place.starved = 0;
		lx_session_finish(s, LX_FINISH_ERROR, lx_kv_error(err));
		lx_kv_drop(s);
		lx_kv_relieve(e, s->account);
	}
	return false;
}

static bool take(struct lx_engine *e, struct lx_session *s, u32 n)
{
	return taken(e, s, n, lx_batch_take(e, s, n));
}

/*
 * Guesses are for when there are few streams and no prompts: they cost little
 * beside reading the weights once, and more beside other tokens.
 */
static u32 guesses(const struct lx_engine *e, u32 room)
{
	if (e->sched.n_prompts)
		return 0;
	return lx_min(lx_min(room, (u32)LX_DRAFT_MAX),
		      LX_MAX_ROWS / 2 / lx_max(e->sched.n_decoding, 1u));
}

/* Of @n tokens of @s those that the step has room for: rows, or a sum. */
static u32 fitting(const struct lx_engine *e, const struct lx_session *s, u32 n)
{
	if (s->pool_sum)
		return e->n_embed < LX_MAX_EMBED ? n : 0;
	if (s->score)
		n = lx_score_tokens(s, n);
	/* The last token wants a row of logits. */
	if (n == s->n_tokens - s->n_past && e->n_rows == LX_MAX_ROWS)
		n--;
	return n;
}

static void decode(struct lx_engine *e, struct lx_session *s, u32 room)
{
	u32 before = e->n_tokens;
	int err;

	if (!fitting(e, s, 1)) {
		s->place.skip = true;
		return;
	}
	err = lx_batch_decode(e, s, guesses(e, room));
	taken(e, s, e->n_tokens - before, err);
}

/* At most @budget tokens of @s; how many it got. */
static u32 advance(struct lx_engine *e, struct lx_session *s, u32 budget)
{
	u32 n;

	lx_prefix_match(s);
	n = fitting(e, s, lx_min(s->n_tokens - s->n_past, budget));
	if (!n)
		s->place.skip = true;
	return n && take(e, s, n) ? n : 0;
}

static void fill_decoding(struct lx_engine *e, u32 rows)
{
	struct lx_session *s;

	while (e->n_tokens < e->n_batch && e->n_rows < rows &&
	       (s = pick(e, true)))
		decode(e, s, lx_min(rows - e->n_rows,
				    e->n_batch - e->n_tokens) - 1);
}

/*
 * Tokens of prompts beside those that decode. Products take tokens in eights, and
 * one more costs a stream half a step: whole eights, at least half of one. Beside
 * reading layers from a disk, any number is cheap.
 */
static u32 ride(const struct lx_engine *e)
{
	u32 n = LX_RIDE - e->n_tokens % LX_RIDE;

	if (lx_model_streamed(e->model))
		return e->n_batch;
	return n < LX_RIDE / 2 ? n + LX_RIDE : n;
}

static void fill_prompts(struct lx_engine *e)
{
	u32 budget = e->n_entries ? ride(e) : e->n_batch;
	struct lx_session *s;

	budget = lx_min(budget, e->n_batch - e->n_tokens);
	while (budget && (s = pick(e, false)))
		budget -= advance(e, s, budget);
}

static struct lx_session *first_starved(const struct lx_engine *e)
{
	struct lx_session *s, *first = NULL;

	for (s = e->sched.runnable; s; s = s->place.next)
		if (s->place.starved && s->state == LX_SESSION_RUNNING &&
		    (!first || s->t_start < first->t_start))
			first = s;
	return first;
}

/* Of all turns but @keep the one that began last and has pages. */
static struct lx_session *latest_turn(const struct lx_engine *e,
				      const struct lx_session *keep)
{
	struct lx_session *s = e->first, *last = NULL;

	for (u32 i = 0; i < e->n_sessions; i++, s = s->next)
		if (s != keep && s->state == LX_SESSION_RUNNING && s->n_pages &&
		    (!last || s->t_start > last->t_start))
			last = s;
	return last;
}

/*
 * Nobody has pages for another step: turns give theirs to the first of those
 * that wait, the latest before others, and are computed again later. When
 * there is none, the first cannot be helped.
 */
static void yield_pages(struct lx_engine *e, struct lx_session *s)
{
	struct lx_session *victim = latest_turn(e, s);

	if (victim)
		lx_kv_drop(victim);
	if (advance(e, s, e->n_batch) || victim || !s->place.starved)
		return;
	lx_session_finish(s, LX_FINISH_ERROR, s->place.starved);
	s->place.starved = 0;
	lx_kv_drop(s);
}

void lx_sched_fill(struct lx_engine *e)
{
	struct lx_session *s;

	list_runnable(e);
	/* Streams leave a row to the prompt that ends. */
	fill_decoding(e, LX_MAX_ROWS - (e->sched.n_prompts ? 1 : 0));
	fill_prompts(e);
	while (!e->n_tokens && (s = first_starved(e)))
		yield_pages(e, s);
}
