// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Conversations beside each other on one engine in this process: the same
 * bytes as alone, whoever computes the steps; cancel, close, order of close.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "llamux.h"
#include "test.h"

#define MODEL "models/llamux-default.gguf"
#define THREADS 8
#define TOKENS 120

struct talk {
	struct llamux *l;
	char prompt[64];
	char *text;
	size_t n;
	int ret;
};

static int prepare(struct llamux *l, uint64_t seed)
{
	struct llamux_params p;
	int ret = llamux_get_params(l, &p);

	if (ret)
		return ret;
	p.seed = seed;
	p.max_tokens = TOKENS;
	p.flags = LLAMUX_IGNORE_EOG;
	return llamux_set_params(l, &p);
}

static int piece(void *ctx, const char *text, size_t n)
{
	struct talk *t = ctx;
	char *more = realloc(t->text, t->n + n + 1);

	if (!more)
		return 1;
	memcpy(more + t->n, text, n);
	t->text = more;
	t->n += n;
	t->text[t->n] = '\0';
	return 0;
}

static void *run_talk(void *arg)
{
	struct talk *t = arg;

	t->ret = llamux_ask(t->l, t->prompt, piece, t);
	return NULL;
}

static struct llamux *beside(struct llamux *first)
{
	struct llamux_options o = { .flags = LLAMUX_IN_PROCESS,
				    .beside = first };
	struct llamux *l = NULL;

	CHECK(llamux_open(&l, &o, NULL) == 0);
	return l;
}

static void start(struct talk *t, struct llamux *first, unsigned int i)
{
	memset(t, 0, sizeof(*t));
	t->l = beside(first);
	snprintf(t->prompt, sizeof(t->prompt), "What is number %u?", i);
	CHECK(prepare(t->l, i) == 0);
}

/* Each alone, then all at once: no byte differs. */
static void test_same(struct llamux *first)
{
	struct talk alone[THREADS], together[THREADS];
	pthread_t threads[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		start(&alone[i], first, i);
		run_talk(&alone[i]);
		llamux_close(alone[i].l);
		start(&together[i], first, i);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, run_talk, &together[i]);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		CHECK(!alone[i].ret && !together[i].ret);
		CHECK(alone[i].n && alone[i].n == together[i].n &&
		      !memcmp(alone[i].text, together[i].text, alone[i].n));
		llamux_close(together[i].l);
		free(alone[i].text);
		free(together[i].text);
	}
}

/* One that is cancelled while others go on. */
static void test_cancel(struct llamux *first)
{
	struct talk t[2];
	struct llamux_params p;
	struct llamux_stats st;
	pthread_t threads[2];

	for (unsigned int i = 0; i < 2; i++)
		start(&t[i], first, i);
	CHECK(llamux_get_params(t[0].l, &p) == 0);
	p.max_tokens = 0;
	CHECK(llamux_set_params(t[0].l, &p) == 0);
	for (unsigned int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, run_talk, &t[i]);
	pthread_join(threads[1], NULL);
	llamux_cancel(t[0].l);
	pthread_join(threads[0], NULL);
	CHECK(!t[0].ret && !t[1].ret);
	CHECK(llamux_stats(t[0].l, &st) == 0);
	CHECK(st.finish == LLAMUX_FINISH_CANCELLED ||
	      st.finish == LLAMUX_FINISH_CONTEXT);
	CHECK(llamux_stats(t[1].l, &st) == 0);
	CHECK(st.finish == LLAMUX_FINISH_LENGTH && st.n_gen == TOKENS);
	for (unsigned int i = 0; i < 2; i++) {
		llamux_close(t[i].l);
		free(t[i].text);
	}
}

/* The one that loaded the model goes first; some go in mid-turn. */
static void test_close(struct llamux *first)
{
	struct llamux *other = beside(first), *third = beside(other);
	struct talk t = { .l = third, .prompt = "What is left?" };
	char buf[16];

	CHECK(llamux_write(other, "x", 1, LLAMUX_ROLE_USER, 0) == 0);
	CHECK(llamux_read(other, buf, sizeof(buf)) > 0);
	llamux_close(first);
	CHECK(prepare(third, 1) == 0);
	run_talk(&t);
	CHECK(!t.ret && t.n);
	llamux_close(other);
	llamux_close(third);
	free(t.text);
}

int main(void)
{
	struct llamux_options o = { .flags = LLAMUX_IN_PROCESS,
				    .model = MODEL, .threads = 2,
				    .n_ctx = 8192 };
	struct llamux *first, *none;

	if (access(MODEL, R_OK)) {
		SKIP("no " MODEL);
		return test_end();
	}
	if (!CHECK(llamux_open(&first, &o, NULL) == 0))
		return test_end();
	o.flags |= LLAMUX_VOCAB_ONLY;
	o.beside = first;
	CHECK(llamux_open(&none, &o, NULL) == -EINVAL);
	test_same(first);
	test_cancel(first);
	test_close(first);
	return test_end();
}
