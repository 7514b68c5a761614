// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A mixture whose experts are read when they are chosen: the logits of the model
 * in memory, however many stay; a plan that is kept; what one owner used is
 * forgotten before another's step, and steps of several read all there is; a
 * file that is cut short costs a turn and nothing else.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "experts.h"
#include "held.h"
#include "local.h"
#include "mixture.h"
#include "session.h"
#include "testhost.h"

#define FILE_NAME "build/tests/mixture.gguf"
#define N 20
#define ALL (MIXTURE_LAYERS * MIXTURE_EXPERTS)
#define BYTES ((size_t)MIXTURE_VOCAB * 4 * N)

static s32 tokens[N];

static bool open_model(struct local *l, u32 n_slots, u64 memory, bool stream)
{
	struct user_host_options opt = { .n_threads = 2 };
	struct lx_model_params mp = { .stream = stream, .memory = memory,
				      .n_slots = n_slots };
	struct lx_engine_params ep = { .n_ctx = 256 };
	int r = local_open_engine(l, FILE_NAME, &opt, &mp, &ep);

	check(!r, "open: %s", l->message);
	return !r;
}

static struct lx_session *session(struct local *l, u64 salt, bool joins)
{
	struct lx_join j = { .realm.id = { 1000, 1, salt }, .share = true };
	struct lx_session_params p;
	struct lx_session *s;

	lx_session_defaults(&p);
	p.temperature_u = 0;
	p.max_tokens = 40;
	p.flags = LX_SESSION_RAW | LX_SESSION_IGNORE_EOG;
	if (lx_session_open(l->engine, &p, &s) ||
	    (joins && lx_session_join(s, &j)))
		abort();
	return s;
}

/* The first @n tokens in batches of @batch, into @out. */
static int run(struct local *l, struct lx_session *s, u32 n, u32 batch,
	       void *out)
{
	return lx_engine_logits(l->engine, s, tokens, n, batch, true, out);
}

static bool same_logits_of(struct local *l, struct lx_session *s, u32 batch,
			   const void *want)
{
	void *got = calloc(1, BYTES);
	bool same = !run(l, s, N, batch, got) && !memcmp(want, got, BYTES);

	lx_session_close(s);
	free(got);
	return same;
}

static bool same_logits(struct local *l, u32 batch, const void *want)
{
	return same_logits_of(l, session(l, 0, false), batch, want);
}

/* ---- what it computes, what it takes ---- */

static void test_bits(const void *want)
{
	static const u32 slots[] = { 1, 8, 9, 13, 16, 23, 24, 100 };
	struct local l;
	u32 n;

	for (size_t i = 0; i < LX_ARRAY_SIZE(slots); i++) {
		if (!open_model(&l, slots[i], 0, true))
			return;
		n = slots[i] >= ALL ? 0 : lx_max(slots[i], MIXTURE_EXPERTS);
		check(l.model->info.n_slots == n, "%u slots",
		      l.model->info.n_slots);
		check(l.model->info.n_streamed == (n ? MIXTURE_LAYERS : 0),
		      "%u layers", l.model->info.n_streamed);
		for (u32 batch = 1; batch <= N; batch += 9)
			check(same_logits(&l, batch, want),
			      "%u slots, batches of %u", n, batch);
		local_close(&l);
	}
}

/* As many stay as the memory is for, which is not exceeded; else by layer. */
static void test_memory(const void *want)
{
	u64 least, most;
	struct local l;
	u32 last = 0, n;

	if (!open_model(&l, 0, 0, false))
		return;
	most = held(&l) + (1 << 20);
	local_close(&l);
	if (!open_model(&l, 0, 0, true))
		return;
	check(l.model->n_slots == MIXTURE_EXPERTS, "as few as can be");
	least = held(&l) + (1 << 19);	/* KV as planned */
	local_close(&l);
	for (u64 m = least; m < most; m += (most - least) / 6 + 1) {
		if (!open_model(&l, 0, m, true))
			return;
		n = l.model->info.n_streamed ? l.model->n_slots : ALL;
		check(n >= last, "%u experts stay, %u did", n, last);
		last = n;
		check(held(&l) <= m, "%llu bytes of %llu", held(&l), m);
		check(same_logits(&l, 7, want), "in %llu bytes", m);
		local_close(&l);
	}
	check(last == ALL, "%u experts stay", last);
	if (!open_model(&l, 0, 1, true))
		return;
	check(!l.model->n_slots && l.model->info.n_streamed == MIXTURE_LAYERS,
	      "too little for the experts of a layer: layers are read");
	check(same_logits(&l, 7, want), "by layer");
	local_close(&l);
}

/* ---- who finds what ---- */

static struct lx_experts_count since(const struct local *l,
				     struct lx_experts_count *before)
{
	struct lx_experts_count now = lx_experts_count(l->model), d = {
		.hits = now.hits - before->hits,
		.misses = now.misses - before->misses,
	};

	*before = now;
	return d;
}

/* Some tokens, one by one, in a session that is closed again: misses. */
static u64 misses(struct local *l, u64 salt, bool joins,
		  struct lx_experts_count *count)
{
	struct lx_session *s = session(l, salt, joins);
	const u32 n = 3;
	void *out = calloc(1, BYTES);
	struct lx_experts_count d;

	check(!run(l, s, n, 1, out), "%u tokens", n);
	lx_session_close(s);
	free(out);
	d = since(l, count);
	check(d.hits + d.misses == n * MIXTURE_LAYERS * MIXTURE_USED,
	      "%llu + %llu experts of %u tokens", d.hits, d.misses, n);
	return d.misses;
}

static void test_owners(void)
{
	struct lx_experts_count c = { 0 };
	struct local l;
	u64 cold;

	if (!open_model(&l, ALL - 1, 0, true))
		return;
	cold = misses(&l, 1, true, &c);
	check(cold >= MIXTURE_LAYERS * MIXTURE_USED, "%llu read at first", cold);
	check(!misses(&l, 1, true, &c), "none for the same owner again");
	check(misses(&l, 2, true, &c) == cold, "another finds nothing");
	check(misses(&l, 1, true, &c) == cold, "nor does the first one now");
	check(!misses(&l, 1, true, &c), "who owns them");
	check(misses(&l, 0, false, &c) == cold, "who shares nothing, too");
	check(misses(&l, 0, false, &c) == cold, "each time");
	local_close(&l);

	/* A slot is taken from what was used longest ago. */
	if (!open_model(&l, MIXTURE_EXPERTS, 0, true))
		return;
	c = lx_experts_count(l.model);
	cold = misses(&l, 1, true, &c);
	check(misses(&l, 1, true, &c) <= cold, "few slots");
	local_close(&l);
}

static int step(struct local *l)
{
	int n = lx_engine_form(l->engine);

	if (n > 0) {
		lx_engine_run(l->engine);
		lx_engine_commit(l->engine);
	}
	return n;
}

static void ask(struct lx_session *s, const char *text)
{
	check(!lx_session_write(s, LX_ROLE_USER, text, strlen(text), 0) &&
	      !lx_session_start(s, NULL), "%s", text);
}

#define STEPS 6

/*
 * Two owners in every step, after one of them alone. What is read must be the
 * same whatever they ask: @read[STEPS].
 */
static void several(const char *text, const char *other, u32 n_slots, u64 *read)
{
	struct lx_experts_count c = { 0 }, d;
	struct lx_session *a, *b;
	struct local l;
	u64 cold;

	if (!open_model(&l, n_slots, 0, true))
		return;
	cold = misses(&l, 1, true, &c);
	a = session(&l, 1, true);
	b = session(&l, 2, true);
	ask(a, text);
	ask(b, other);
	for (u32 i = 0; i < STEPS; i++) {
		check(step(&l) > 1, "both");
		d = since(&l, &c);
		check(d.hits + d.misses == ALL, "all experts are taken");
		read[i] = d.misses;
	}
	check(read[0] == ALL, "nothing is found at first");
	check(read[1] <= ALL - n_slots + MIXTURE_EXPERTS,
	      "then what has no room: %llu", read[1]);
	lx_session_cancel(b);
	check(step(&l) >= 1, "one alone");
	d = since(&l, &c);
	check(!d.hits, "finds nothing (%llu)", d.hits);
	check(misses(&l, 2, true, &c) == cold, "nor does the other");
	local_close(&l);
}

static void test_several(void)
{
	static const u32 slots[] = { MIXTURE_EXPERTS, 11, 16, ALL - 1 };
	u64 x[STEPS], y[STEPS];

	for (size_t i = 0; i < LX_ARRAY_SIZE(slots); i++) {
		several("abc", "xyz", slots[i], x);
		several("w7w8w9 ", "the cat", slots[i], y);
		check(!memcmp(x, y, sizeof(x)), "with %u slots the same",
		      slots[i]);
	}
}

/* Two sessions of one owner in a step are one. */
static void test_together(void)
{
	struct lx_experts_count c = { 0 }, d;
	struct lx_session *s[2];
	struct local l;

	if (!open_model(&l, ALL - 1, 0, true))
		return;
	for (u32 i = 0; i < 2; i++) {
		s[i] = session(&l, 1, true);
		ask(s[i], "abc");
	}
	for (u32 i = 0; i < 8; i++)
		check(step(&l) > 1, "both");
	d = since(&l, &c);
	check(d.hits + d.misses < 8 * ALL && d.misses <= ALL,
	      "%llu found, %llu read", d.hits, d.misses);
	local_close(&l);
}

/* ---- what goes wrong ---- */

/* An answer, and what the turn ended with; the file is cut before step 5. */
static int answer(struct local *l, struct lx_session *s, char *out, bool cut)
{
	struct lx_session_stats st;
	size_t n = 0, got;
	u32 steps = 0;

	ask(s, "Once upon a time");
	do {
		if (cut && steps++ == 5)
			check(!truncate(FILE_NAME, 50000), "cut");
		step(l);
		got = lx_session_read(s, out + n, 1000 - n);
		n += got;
		lx_session_stats(s, &st);
	} while (got || st.state != LX_SESSION_DONE);
	out[n] = '\0';
	lx_session_end_turn(s);
	return st.finish == LX_FINISH_ERROR ? st.error : 0;
}

static void test_cut(const void *logits)
{
	static char want[3][1024], got[1024];
	struct lx_session *s, *other;
	struct local l;
	int r;

	if (!open_model(&l, MIXTURE_EXPERTS, 0, true))
		return;
	s = session(&l, 1, true);
	other = session(&l, 2, true);
	check(!answer(&l, other, want[0], false), "an answer");
	check(!answer(&l, other, want[1], false), "the next one");
	lx_session_reset(other);
	check(!answer(&l, other, got, false) && !strcmp(got, want[0]), "again");
	r = answer(&l, s, got, true);
	check(r == -LX_EIO, "in mid-answer: %d", r);
	r = answer(&l, s, got, false);
	check(r == -LX_EIO, "and before one: %d", r);
	check(mixture_write(FILE_NAME), "the file is back");
	check(same_logits_of(&l, session(&l, 1, true), 1, logits),
	      "what could not be read is not taken for read");
	check(!answer(&l, other, got, false) && !strcmp(got, want[1]),
	      "who had no turn lost nothing");
	check(!answer(&l, s, got, false), "who had one goes on");
	local_close(&l);
}

static void test_cancel(const void *want)
{
	struct lx_session *s;
	struct local l;

	if (!open_model(&l, MIXTURE_EXPERTS, 0, true))
		return;
	s = session(&l, 1, true);
	ask(s, "Once");
	check(lx_engine_form(l.engine) > 0, "a step");
	lx_engine_interrupt(l.engine);
	check(lx_engine_run(l.engine) == -LX_ECANCELED, "is cancelled");
	lx_engine_commit(l.engine);
	lx_session_close(s);
	check(same_logits_of(&l, session(&l, 1, true), 3, want),
	      "the next one is right");
	local_close(&l);
}

int main(void)
{
	struct lx_session *s;
	struct local l;
	void *want;
	int fd;

	mkdir("build/tests", 0755);
	check(mixture_write(FILE_NAME), "%s", FILE_NAME);
	fd = open(FILE_NAME, O_RDONLY | O_DIRECT);
	if (fd < 0) {
		test_skip("the file system has no direct reads", 1);
		return test_done();
	}
	close(fd);
	for (u32 i = 0; i < N; i++)
		tokens[i] = (s32)(1 + 37 * i) % MIXTURE_VOCAB;
	want = calloc(1, BYTES);
	if (!open_model(&l, 0, 0, false))
		return test_done();
	s = session(&l, 0, false);
	check(!run(&l, s, N, N, want), "in memory");
	local_close(&l);
	test_bits(want);
	test_memory(want);
	test_owners();
	test_several();
	test_together();
	test_cancel(want);
	test_cut(want);
	free(want);
	unlink(FILE_NAME);
	return test_done();
}
