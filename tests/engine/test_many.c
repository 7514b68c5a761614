// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Many sessions on one engine: what is computed does not depend on who else is
 * there, turns are shared fairly, KV is shared within a realm and nowhere
 * else, is given back and computed again, and leaves nothing behind.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gbnf.h"
#include "host.h"
#include "files.h"
#include "local.h"
#include "session.h"
#include "test.h"

#define MODEL "models/llamux-default.gguf"
#define N 12
#define LONG 700

static struct local local;
static struct lx_host_ops ops;
static const struct lx_host_ops *real;
static u64 pages_live, pages_limit;	/* of all engines */
static u32 dirty;			/* pages freed with something in them */
static u32 fail_at;			/* the allocation to fail, 0: none */

static u64 grammar_bytes;		/* held by sessions */
static int no_more = -LX_EDQUOT;	/* what an account that is used up says */

static int charged_alloc(struct lx_host *h, struct lx_block *b, size_t size,
			 enum lx_mem kind, void *account)
{
	u64 *left = account;

	if (left && !*left)
		return no_more;
	if (kind == LX_MEM_CONTROL) {
		grammar_bytes += size;
		return real->block_alloc(h, b, size, kind);
	}
	if (pages_live >= pages_limit ||
	    real->block_alloc(h, b, size, LX_MEM_KV))
		return -LX_ENOMEM;
	pages_live++;
	if (left)
		--*left;
	return 0;
}

static void *alloc(struct lx_host *h, size_t size, enum lx_mem kind)
{
	return fail_at && !--fail_at ? NULL : real->alloc(h, size, kind);
}

static void block_free(struct lx_host *h, struct lx_block *b, enum lx_mem kind)
{
	const char *p = b->addr;

	if (kind == LX_MEM_KV) {
		dirty += *p || memcmp(p, p + 1, b->size - 1);
		pages_live--;
	} else if (kind == LX_MEM_CONTROL) {
		grammar_bytes -= b->size;
	}
	real->block_free(h, b, kind);
}

static struct lx_engine *open_engine(u32 n_ctx, u32 n_sessions)
{
	struct lx_engine_params p = { .n_ctx = n_ctx,
				      .n_sessions = n_sessions };
	struct lx_engine *e;

	pages_limit = ~0ull;
	if (lx_engine_open(local.model, &p, &e, NULL))
		exit(1);
	return e;
}

static struct lx_session *open_session(struct lx_engine *e, u32 flags)
{
	struct lx_session_params p;
	struct lx_session *s;

	lx_session_defaults(&p);
	p.flags = LX_SESSION_RAW | LX_SESSION_IGNORE_EOG;
	p.priority = flags;
	if (lx_session_open(e, &p, &s))
		exit(1);
	return s;
}

static void join(struct lx_session *s, u64 user, u64 salt)
{
	struct lx_join j = { .user = user, .realm.id = { user, 1, salt },
			     .share = true };

	CHECK(!lx_session_join(s, &j));
}

static int step(struct lx_engine *e)
{
	int n = lx_engine_form(e);

	if (n > 0) {
		lx_engine_run(e);
		lx_engine_commit(e);
	}
	return n;
}

/* Text of @n words that differ by @seed, as a pending prompt. */
static void prompt(struct lx_session *s, u32 seed, u32 n)
{
	static const char *const words[] = { "time ", "the ", "cat ", "saw ",
					     "a ", "little ", "house ", "and " };

	for (u32 i = 0; i < n; i++) {
		const char *w = words[(seed >> 16) % 8];

		seed = seed * 1664525 + 1013904223;
		if (lx_session_write(s, LX_ROLE_USER, w, strlen(w), 0))
			exit(1);
	}
}

static void start(struct lx_session *s, u32 seed, u32 words, u32 max)
{
	struct lx_session_params p;

	lx_session_get(s, &p);
	p.max_tokens = max;
	p.seed = seed;
	CHECK(!lx_session_set(s, &p));
	prompt(s, seed, words);
	CHECK(!lx_session_start(s, NULL));
}

/* Read what is there; a hash of it all in *@h. */
static void drain(struct lx_session *s, u64 *h)
{
	char buf[256];
	size_t n;

	while ((n = lx_session_read(s, buf, sizeof(buf))))
		for (size_t i = 0; i < n; i++)
			*h = (*h ^ (u8)buf[i]) * 0x100000001b3ull;
}

/* To the end of the turn. */
static u64 finish(struct lx_session *s, u64 h)
{
	struct lx_session_stats st;

	do {
		step(s->e);
		drain(s, &h);
		lx_session_stats(s, &st);
	} while (st.state == LX_SESSION_RUNNING);
	CHECK(st.finish == LX_FINISH_LENGTH);
	drain(s, &h);
	lx_session_end_turn(s);
	return h;
}

/* What session @i says in its two turns when it is alone. */
static u64 alone(struct lx_engine *e, u32 i, u32 words)
{
	struct lx_session *s = open_session(e, 0);
	u64 h;

	start(s, i, words, 20 + i);
	h = finish(s, 0);
	start(s, i + 100, 5 + i, 15);
	h = finish(s, h);
	lx_session_close(s);
	return h;
}

static u32 words_of(u32 i)
{
	return i % 3 ? 10 + i : 150;
}

/* Twelve sessions of three users, in random order, with memory taken away. */
static void together(struct lx_engine *e, const u64 *want, u32 seed)
{
	struct lx_session *s[N];
	u64 h[N] = { 0 };
	u32 turn[N] = { 0 }, done = 0;

	for (u32 i = 0; i < N; i++) {
		s[i] = open_session(e, i % 2);
		join(s[i], i % 3, 0);
		lx_session_schedule(s[i], 1 + 300 * i, i == 5);
	}
	while (done < N) {
		u32 i = (seed >> 8) % N;

		seed = seed * 1664525 + 1013904223;
		if (s[i]->state == LX_SESSION_DONE) {
			drain(s[i], &h[i]);
			lx_session_end_turn(s[i]);
			done += turn[i] == 2;
		} else if (s[i]->state == LX_SESSION_RUNNING) {
			drain(s[i], &h[i]);
		} else if (turn[i] < 2) {
			start(s[i], turn[i] ? i + 100 : i,
			      turn[i] ? 5 + i : words_of(i),
			      turn[i] ? 15 : 20 + i);
			turn[i]++;
		}
		if (!(seed >> 28))
			lx_engine_reclaim(e, 1 + (seed >> 12) % 40);
		step(e);
	}
	for (u32 i = 0; i < N; i++) {
		CHECK(h[i] == want[i]);
		lx_session_close(s[i]);
	}
}

static void test_together(void)
{
	struct lx_engine *e = open_engine(1024, 2);
	u64 want[N];

	for (u32 i = 0; i < N; i++)
		want[i] = alone(e, i, words_of(i));
	for (u32 seed = 1; seed < 5; seed++)
		together(e, want, seed);
	/* Memory for a part of them: the latest give way, all get there. */
	lx_engine_reclaim(e, ~0ull);
	CHECK(!pages_live);
	pages_limit = 9;
	together(e, want, 9);
	lx_engine_close(e);
	CHECK(!pages_live && !dirty);
}

/* An account's end: its own idle pages go first, others' stay. */
static void test_no_account(int why, int told)
{
	struct lx_engine *e = open_engine(1024, 1);
	struct lx_session *s = open_session(e, 0);
	struct lx_session_stats st;
	u64 left = 2;
	struct lx_join j = { .user = 1, .realm.id = { 1, 1, 1 },
			     .account = &left, .share = true };

	no_more = why;
	CHECK(!lx_session_join(s, &j));
	start(s, 1, 200, 4);
	while (step(e) > 0)
		;
	lx_session_stats(s, &st);
	CHECK(st.finish == LX_FINISH_ERROR && st.error == told);
	/* Nothing is lost: with more it goes on. */
	CHECK(!st.kv_bytes && st.n_tokens > 200);
	left = 1000;
	start(s, 2, 2, 4);
	finish(s, 0);
	lx_session_stats(s, &st);
	CHECK(st.finish == LX_FINISH_LENGTH && st.n_past > 200);
	no_more = -LX_EDQUOT;
	lx_engine_close(e);
	CHECK(!pages_live && !dirty);
}

static void test_no_memory(void)
{
	struct lx_engine *e = open_engine(1024, 1);
	struct lx_session *s = open_session(e, 0);
	struct lx_session_stats st;

	pages_limit = 1;
	start(s, 1, 200, 4);
	while (step(e) > 0)
		;
	lx_session_stats(s, &st);
	CHECK(st.finish == LX_FINISH_ERROR && st.error == -LX_ENOMEM);
	CHECK(!st.kv_bytes);
	lx_engine_close(e);
	CHECK(!pages_live && !dirty);
	test_no_account(-LX_EDQUOT, -LX_EDQUOT);
	test_no_account(-LX_ENOSPC, -LX_ENOMEM);
}

static u32 cached(struct lx_engine *e, u64 user, u64 salt, u32 words, u64 *hash)
{
	struct lx_session *s = open_session(e, 0);
	struct lx_session_stats st;
	u32 n;

	join(s, user, salt);
	start(s, 7, words, 8);
	*hash = finish(s, 0);
	lx_session_stats(s, &st);
	n = st.n_cached;
	CHECK(n < st.n_prompt);
	lx_session_close(s);
	return n;
}

static void test_prefix(void)
{
	struct lx_engine *e = open_engine(1024, 4);
	struct lx_session *s;
	struct lx_join j = { .share = true };
	u64 first, h;

	CHECK(cached(e, 1, 0, 400, &first) == 0);
	CHECK(cached(e, 1, 0, 400, &h) >= 400 - LX_PAGE);
	CHECK(h == first);
	CHECK(cached(e, 1, 0, 300, &h) >= 300 - 2 * LX_PAGE);
	CHECK(cached(e, 1, 1, 400, &h) == 0);
	CHECK(h == first);
	CHECK(cached(e, 2, 0, 400, &h) == 0);
	/* Registered: for everybody. */
	s = open_session(e, 0);
	CHECK(!lx_session_join(s, &j));
	prompt(s, 7, 400);
	CHECK(!lx_session_prefill(s, NULL));
	while (step(e) > 0)
		;
	CHECK(s->state == LX_SESSION_DONE && s->finish == LX_FINISH_LENGTH);
	CHECK(cached(e, 3, 0, 400, &h) >= 400 - LX_PAGE);
	CHECK(h == first);
	lx_session_close(s);
	lx_engine_reclaim(e, ~0ull);
	CHECK(!e->kv.n_pages);
	CHECK(cached(e, 1, 0, 400, &h) == 0);
	lx_engine_close(e);
	CHECK(!pages_live && !dirty);
}

static void test_fork(void)
{
	struct lx_engine *e = open_engine(1024, 4);
	struct lx_session *s = open_session(e, 0), *c[3];
	u64 want[3], h, held;

	start(s, 3, 100, 10);
	h = finish(s, 0);
	for (u32 i = 0; i < 3; i++) {
		struct lx_session *t = open_session(e, 0);

		start(t, 3, 100, 10);
		CHECK(finish(t, 0) == h);
		start(t, 50 + i, 8, 70);
		want[i] = finish(t, h);
		lx_session_close(t);
	}
	held = e->kv.n_pages - e->kv.n_free;
	for (u32 i = 0; i < 3; i++)
		CHECK(!lx_session_fork(s, NULL, &c[i]));
	CHECK(e->kv.n_pages - e->kv.n_free == held);
	for (u32 i = 0; i < 3; i++)
		start(c[i], 50 + i, 8, 70);
	start(s, 51, 8, 70);
	CHECK(lx_session_fork(s, NULL, &c[0]) == -LX_EBUSY);
	CHECK(finish(c[2], h) == want[2]);
	CHECK(finish(c[0], h) == want[0]);
	CHECK(finish(s, h) == want[1]);
	lx_session_close(s);
	CHECK(finish(c[1], h) == want[1]);
	lx_engine_close(e);
	CHECK(!pages_live && !dirty);
}

static void give_grammar(struct lx_session *s, const char *gbnf, int want)
{
	struct llamux_message msg;
	size_t n;
	void *blob;

	if (!CHECK(!gbnf_compile(gbnf, strlen(gbnf), &blob, &n, &msg)))
		return;
	if (!lx_engine_has_lexicon(s->e))
		lx_engine_give_lexicon(s->e,
				       lx_lexicon_new(local.host,
						      lx_model_vocab(local.model)));
	CHECK(lx_session_set_grammar(s, blob, n, NULL) == want);
	free(blob);
}

/*
 * A fork has the grammar, and memory of its own for it, charged to its own
 * account, whose idle KV goes first. The plan says how much at most.
 */
static void test_fork_grammar(void)
{
	struct lx_engine *e = open_engine(1024, 4);
	struct lx_session *s = open_session(e, 0), *c;
	u64 one, none = 0, some = 1000;
	struct lx_plan plan;
	char text[64] = "";
	size_t at = 0;

	s->account = &none;
	give_grammar(s, "root ::= (\"ab\" | \"cd\"){5}", -LX_EDQUOT);
	no_more = -LX_ENOSPC;	/* as clients are told: no memory */
	give_grammar(s, "root ::= (\"ab\" | \"cd\"){5}", -LX_ENOMEM);
	no_more = -LX_EDQUOT;
	CHECK(!s->grammar && !grammar_bytes);
	s->account = &some;
	start(s, 3, 100, 10);
	finish(s, 0);
	give_grammar(s, "root ::= (\"ab\" | \"cd\"){5}", 0);
	CHECK(s->n_pages);
	one = grammar_bytes;
	CHECK(!lx_plan(local.host, local.files.sources, local.files.n, NULL,
		       NULL, &plan, NULL));
	CHECK(one == lx_grammar_memory(s->grammar));
	CHECK(one && one <= plan.grammar && plan.grammar < 2 * one);
	printf("a grammar takes %llu bytes, at most %llu\n", one, plan.grammar);
	CHECK(lx_session_fork(s, &none, &c) == -LX_EDQUOT);
	CHECK(grammar_bytes == one && e->n_sessions == 1);
	CHECK(!lx_session_fork(s, &some, &c));
	CHECK(grammar_bytes == 2 * one);
	lx_session_close(s);
	CHECK(grammar_bytes == one);
	start(c, 9, 20, 20);
	while (c->state == LX_SESSION_RUNNING && at < sizeof(text) - 1) {
		step(e);
		at += lx_session_read(c, text + at, sizeof(text) - 1 - at);
	}
	CHECK(strlen(text) == 10 && strspn(text, "abcd") == 10);
	lx_session_close(c);
	CHECK(!grammar_bytes);
	/* No room in the account but what its own idle KV takes. */
	s = open_session(e, 0);
	c = open_session(e, 0);
	some = 1000;
	c->account = &some;
	start(c, 3, 100, 10);
	finish(c, 0);
	some = 0;
	s->account = &some;
	give_grammar(s, "root ::= \"a\"", -LX_EDQUOT);
	CHECK(!c->n_pages && !pages_live && !c->n_past);
	some = 1000;
	start(c, 4, 10, 10);
	finish(c, 0);
	CHECK(c->n_gen == 10);
	lx_engine_close(e);
	CHECK(!pages_live && !dirty);
}

/* The plan's figure for the sorted vocabulary is what it takes. */
static void test_lexicon(void)
{
	u64 before = user_host_held(local.host, LX_MEM_CONTROL);
	struct lx_lexicon *x = lx_lexicon_new(local.host,
					      lx_model_vocab(local.model));
	u32 max_len;

	CHECK(user_host_held(local.host, LX_MEM_CONTROL) - before ==
	      lx_lexicon_memory(lx_model_vocab(local.model), &max_len));
	CHECK(max_len > 1);
	lx_lexicon_free(x);
	CHECK(user_host_held(local.host, LX_MEM_CONTROL) == before);
}

/* A pending prompt is taken along by a fork. */
static void test_fork_pending(void)
{
	struct lx_engine *e = open_engine(1024, 4);
	struct lx_session *s = open_session(e, 0), *c;
	u64 want, h;

	start(s, 3, 30, 10);
	want = finish(s, 0);
	lx_session_close(s);
	s = open_session(e, 0);
	prompt(s, 3, 30);
	CHECK(!lx_session_fork(s, NULL, &c));
	start(c, 3, 0, 10);
	h = finish(c, 0);
	CHECK(h == want);
	start(s, 3, 0, 10);
	CHECK(finish(s, 0) == want);
	lx_engine_close(e);
}

/* To the end of a context of 256, three times over; what others know stays. */
static u64 shifted(struct lx_engine *e, bool share)
{
	struct lx_session *s = open_session(e, 0), *c;
	struct lx_session_params p;
	u64 h;

	if (share)
		join(s, 1, 0);
	lx_session_get(s, &p);
	p.flags |= LX_SESSION_SHIFT;
	CHECK(!lx_session_set(s, &p));
	start(s, 7, 60, 50);
	h = finish(s, 0);
	CHECK(!lx_session_fork(s, NULL, &c));
	start(s, 8, 4, 500);
	h = finish(s, h);
	lx_session_close(s);
	/* What the fork shared was not written to. */
	start(c, 8, 4, 20);
	h ^= finish(c, 0);
	lx_session_close(c);
	return h;
}

static void test_shift(void)
{
	struct lx_engine *e = open_engine(256, 4);
	u64 want = shifted(e, false);

	for (u32 i = 0; i < 3; i++)
		CHECK(shifted(e, true) == want);
	lx_engine_close(e);
	CHECK(!pages_live && !dirty);
}

/* What a session says with @flags, and in how many steps. */
static u64 told(struct lx_engine *e, u32 seed, u32 flags, u32 temperature_u,
		u64 *steps)
{
	struct lx_session *s = open_session(e, 0);
	struct lx_session_params p;
	struct lx_engine_info a, b;
	u64 h;

	lx_session_get(s, &p);
	p.flags |= flags;
	p.temperature_u = temperature_u;
	p.repeat_penalty_u = seed % 2 ? 1100000 : 1000000;
	p.n_logprobs = seed % 3;
	CHECK(!lx_session_set(s, &p));
	lx_engine_info(e, &a);
	start(s, seed, 40, 150 + seed);
	h = finish(s, 0);
	start(s, seed, 10, 60);
	h = finish(s, h);
	lx_engine_info(e, &b);
	*steps = b.n_steps - a.n_steps;
	lx_session_close(s);
	return h;
}

/* Guesses save steps where text repeats, and change nothing. */
static void test_draft(void)
{
	struct lx_engine *e = open_engine(1024, 4);
	struct lx_engine_info info;
	u64 with, without, saved = 0;

	for (u32 seed = 1; seed < 13; seed++) {
		u32 t = seed % 4 * 250000;
		u64 h = told(e, seed, LX_SESSION_NO_LOOKUP, t, &without);

		CHECK(told(e, seed, 0, t, &with) == h);
		CHECK(with <= without);
		saved += without - with;
		/* At the end of a context that is shifted, too. */
		h = told(e, seed, LX_SESSION_NO_LOOKUP | LX_SESSION_SHIFT, t,
			 &without);
		CHECK(told(e, seed, LX_SESSION_SHIFT, t, &with) == h);
	}
	lx_engine_info(e, &info);
	printf("%llu guesses, %llu right, %llu steps saved\n", info.n_drafted,
	       info.n_drafts_right, saved);
	CHECK(info.n_drafts_right > 100 && saved > 100);
	lx_engine_close(e);
	CHECK(!pages_live && !dirty);
}

/* Prompt tokens computed for @s. */
static u32 progress(const struct lx_session *s)
{
	return s->n_past;
}

static void test_fair(void)
{
	struct lx_engine *e = open_engine(4096, 8);
	struct lx_session *a[3], *b, *stream, *c, *bg;
	u32 sum = 0;
	int n;

	/* Three prompts of one user get as much as one of another. */
	for (u32 i = 0; i < 3; i++) {
		a[i] = open_session(e, 0);
		join(a[i], 1, i);
		start(a[i], 20 + i, LONG, 4);
	}
	b = open_session(e, 0);
	join(b, 2, 0);
	start(b, 30, LONG, 4);
	stream = open_session(e, 0);
	join(stream, 3, 0);
	start(stream, 40, 2, 0);
	step(e);
	while (!stream->t_first)
		step(e);
	for (u32 i = 0; i < 3; i++)
		sum += progress(a[i]);
	CHECK(progress(b) <= sum + 2 * 128 && sum <= progress(b) + 2 * 128);
	for (u32 i = 0; i < 60; i++) {
		u32 before = stream->n_past;

		n = step(e);
		CHECK(n == LX_RIDE);	/* an eight, the stream's token in it */
		CHECK(stream->n_past == before + 1);
		drain(stream, &(u64){ 0 });
	}
	sum = progress(a[0]) + progress(a[1]) + progress(a[2]) - progress(b);
	CHECK((int)sum >= -2 * LX_RIDE && (int)sum <= 2 * LX_RIDE);
	for (u32 i = 0; i < 3; i++) {
		CHECK(progress(a[i]) > 0);
		lx_session_close(a[i]);
	}
	lx_session_close(b);

	/* Background waits for interactive, but gets on. */
	bg = open_session(e, 1);
	c = open_session(e, 0);
	join(bg, 4, 0);
	join(c, 5, 0);
	start(bg, 60, LONG, 4);
	start(c, 61, LONG, 4);
	for (u32 i = 0; i < 64; i++) {
		step(e);
		drain(stream, &(u64){ 0 });
	}
	CHECK(progress(c) >= 9 * progress(bg));
	CHECK(progress(bg) > 0);
	lx_session_close(bg);
	lx_session_close(c);

	/* Weights count between the sessions of a user. */
	b = open_session(e, 0);
	c = open_session(e, 0);
	join(b, 6, 0);
	join(c, 6, 1);
	lx_session_schedule(b, 4 * LX_WEIGHT, false);
	start(b, 62, LONG, 4);
	start(c, 63, LONG, 4);
	for (u32 i = 0; i < 50; i++) {
		step(e);
		drain(stream, &(u64){ 0 });
	}
	CHECK(progress(b) >= 3 * progress(c) && progress(b) <= 5 * progress(c));
	lx_engine_close(e);
}

/* More streams than rows: all get on, and a prompt beside them. */
static void test_crowd(void)
{
	struct lx_engine *e = open_engine(1024, 8);
	struct lx_session *s[40], *p;
	u32 low = ~0u, high = 0, at[40];

	for (u32 i = 0; i < 40; i++) {
		s[i] = open_session(e, 0);
		join(s[i], 1 + i % 2, i);
		start(s[i], i, 3, 0);
	}
	for (u32 i = 0; i < 40; i++)
		step(e);
	for (u32 i = 0; i < 40; i++)
		at[i] = s[i]->n_tokens;
	p = open_session(e, 0);
	join(p, 9, 0);
	start(p, 77, 200, 2);
	for (u32 k = 0; k < 60; k++) {
		step(e);
		for (u32 i = 0; i < 40; i++)
			drain(s[i], &(u64){ 0 });
	}
	CHECK(p->state == LX_SESSION_DONE);
	for (u32 i = 0; i < 40; i++) {
		u32 n = s[i]->n_tokens - at[i];

		low = n < low ? n : low;
		high = n > high ? n : high;
	}
	CHECK(low > 10 && high <= low + 3);
	lx_engine_close(e);
	CHECK(!pages_live && !dirty);
}

/*
 * Whatever allocation a turn starts with fails, the prompt is still there,
 * and the next try gives what it would have given.
 */
static void test_start_fails(void)
{
	static const char text[] = "Once<|im_end|> upon a time there was";
	struct lx_engine *e = open_engine(256, 2);
	u64 want = 0, got;
	u32 n = 0;
	int err;

	do {
		struct lx_session *s = open_session(e, 0);
		struct lx_session_params p;

		lx_session_get(s, &p);
		p.max_tokens = 4;
		CHECK(!lx_session_set(s, &p));
		CHECK(!lx_session_write(s, LX_ROLE_USER, text,
					sizeof(text) - 1, LX_WRITE_SPECIAL));
		fail_at = n;
		err = lx_session_start(s, NULL);
		CHECK(!err || err == -LX_ENOMEM);
		if (err)
			CHECK(!lx_session_start(s, NULL));
		got = finish(s, 0);
		want = n ? want : got;
		CHECK(got == want);
		lx_session_close(s);
	} while (!n++ || !fail_at);
	fail_at = 0;
	CHECK(n > 5);
	lx_engine_close(e);
}

/* The only session of a user joins that user anew, as with another salt. */
static void test_join_again(void)
{
	struct lx_engine *e = open_engine(256, 2);
	struct lx_session *s = open_session(e, 0);

	join(s, 1, 0);
	join(s, 1, 5);
	CHECK(e->sched.users->n_sessions == 1);
	start(s, 1, 10, 4);
	finish(s, 0);
	lx_session_close(s);
	CHECK(e->sched.users == &e->sched.nobody && !e->sched.users->next);
	lx_engine_close(e);
}

/* Pages change hands within the engine, with nothing left in them. */
static void test_hands(void)
{
	struct lx_engine *e = open_engine(1024, 4);
	struct lx_session *s = open_session(e, 0);
	struct lx_kv_page *p;
	void *was;
	u32 n = 0;

	start(s, 1, 200, 4);
	finish(s, 0);
	was = s->pages[0];
	lx_session_close(s);
	for (p = e->kv.free; p; p = p->next, n++) {
		const char *c = p->block.addr;

		CHECK(!*c && !memcmp(c, c + 1, e->page_bytes - 1));
		CHECK(!p->tokens[0] && !p->tokens[LX_PAGE - 1]);
	}
	CHECK(n > 2);
	s = open_session(e, 0);
	join(s, 2, 0);
	start(s, 2, 200, 4);
	finish(s, 0);
	for (n = 0; n < s->n_pages && s->pages[n] != was; n++)
		;
	CHECK(n < s->n_pages);
	lx_session_close(s);
	lx_engine_close(e);
}

int main(void)
{
	struct user_host_options opt = { .n_threads = 2 };

	if (local_open_files(&local, MODEL, false, &opt) ||
	    lx_model_load(local.host, local.files.sources, local.files.n, NULL,
			  &local.model, &local.error)) {
		printf("%s\n", local.message);
		return 1;
	}
	real = local.host->ops;
	ops = *real;
	ops.alloc = alloc;
	ops.charged_alloc = charged_alloc;
	ops.block_free = block_free;
	local.host->ops = &ops;
	test_together();
	test_no_memory();
	test_prefix();
	test_fork();
	test_fork_pending();
	test_fork_grammar();
	test_shift();
	test_lexicon();
	test_draft();
	test_fair();
	test_crowd();
	test_start_fails();
	test_join_again();
	test_hands();
	local_close(&local);
	return test_end();
}
