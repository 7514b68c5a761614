// SPDX-License-Identifier: GPL-2.0-only
/*
 * Turns of a session on a small model: what ends them, what is delivered, and
 * what stays in the conversation.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "local.h"
#include "session.h"
#include "test.h"

static struct local local;

static struct lx_session *session(u32 max_tokens)
{
	struct lx_session_params p;
	struct lx_session *s = NULL;

	lx_session_defaults(&p);
	p.flags = LX_SESSION_RAW;
	p.temperature_u = 0;
	p.max_tokens = max_tokens;
	CHECK(!lx_session_open(local.engine, &p, &s));
	return s;
}

static void start(struct lx_session *s, const char *text)
{
	struct lx_error err = { 0 };

	CHECK(!lx_session_write(s, LX_ROLE_USER, text, strlen(text),
				LX_WRITE_SPECIAL));
	if (!CHECK(!lx_session_start(s, &err)))
		printf("%s\n", err.msg);
}

/* Run the turn to its end; the answer in a static buffer. */
static const char *finish(struct lx_session *s)
{
	static char text[1 << 16];
	size_t n = 0, got;

	for (;;) {
		while ((got = lx_session_read(s, text + n, sizeof(text) - n - 1)))
			n += got;
		if (lx_engine_form(local.engine) <= 0)
			break;
		lx_engine_run(local.engine);
		lx_engine_commit(local.engine);
	}
	text[n] = '\0';
	return text;
}

static struct lx_session_stats stats(const struct lx_session *s)
{
	struct lx_session_stats st;

	lx_session_stats(s, &st);
	return st;
}

static const char *ask(struct lx_session *s, const char *text)
{
	start(s, text);
	return finish(s);
}

/* A step that was interrupted is computed again, to the same end. */
static void test_interrupt(void)
{
	struct lx_session *s = session(12), *t = session(12);
	char *want = strdup(ask(s, "Once upon a time"));

	start(t, "Once upon a time");
	CHECK(lx_engine_form(local.engine) > 0);
	lx_engine_interrupt(local.engine);
	lx_engine_run(local.engine);
	lx_engine_commit(local.engine);
	CHECK(stats(t).n_past == 0 && stats(t).state == LX_SESSION_RUNNING);
	CHECK(!strcmp(finish(t), want));
	free(want);
	lx_session_close(s);
	lx_session_close(t);
}

/* A text that begins with BOS does not get another one. */
static void test_one_bos(void)
{
	const struct lx_vocab *v = local_vocab(&local);
	struct lx_session *s = session(1), *t = session(1);
	s32 bos = lx_token_bos(v);
	char text[64];
	int n = lx_token_piece(v, bos, true, text, sizeof(text) - 16);

	if (n <= 0 || !lx_vocab_adds_bos(v)) {
		SKIP("the model puts no BOS");
	} else {
		strcpy(text + n, "Once");
		ask(s, "Once");
		ask(t, text);
		CHECK(stats(s).n_prompt == stats(t).n_prompt);
	}
	lx_session_close(s);
	lx_session_close(t);
}

static void test_bias(void)
{
	struct lx_session *s = session(6);
	u32 n_vocab = lx_model_info(local.model)->n_vocab;
	struct lx_bias *b = calloc(LX_MAX_BIAS + 1, sizeof(*b)), many[2];
	s32 ids[6], first;

	ask(s, "Once upon a time");
	CHECK(lx_session_tokens(s, ids, 6) == 6);
	first = ids[0];
	lx_session_reset(s);
	many[0] = (struct lx_bias){ first, LX_BIAS_NEVER };
	many[1] = (struct lx_bias){ 7, 100000000 };
	CHECK(!lx_session_set_bias(s, many, 1));
	ask(s, "Once upon a time");
	lx_session_tokens(s, ids, 6);
	for (int i = 0; i < 6; i++)
		CHECK(ids[i] != first);
	lx_session_reset(s);
	CHECK(!lx_session_set_bias(s, many, 2));
	ask(s, "Once upon a time");
	lx_session_tokens(s, ids, 6);
	for (int i = 0; i < 6; i++)
		CHECK(ids[i] == 7);
	many[1].id = first;
	CHECK(lx_session_set_bias(s, many, 2) == -LX_EINVAL);
	many[1].id = (s32)n_vocab;
	CHECK(lx_session_set_bias(s, many, 2) == -LX_EINVAL);
	CHECK(lx_session_set_bias(s, b, LX_MAX_BIAS + 1) == -LX_EINVAL);
	free(b);
	lx_session_close(s);
}

/* With every token forbidden the turn is an error, not a wrong token. */
static void test_nothing_left(void)
{
	struct lx_session *s = session(6);
	u32 n = lx_model_info(local.model)->n_vocab;
	struct lx_bias *b;

	if (n > LX_MAX_BIAS) {
		SKIP("the vocabulary has more tokens than may be forbidden");
		lx_session_close(s);
		return;
	}
	b = calloc(n, sizeof(*b));
	for (u32 i = 0; i < n; i++)
		b[i] = (struct lx_bias){ (s32)i, LX_BIAS_NEVER };
	CHECK(!lx_session_set_bias(s, b, n));
	CHECK(!*ask(s, "Once upon a time"));
	CHECK(stats(s).finish == LX_FINISH_ERROR &&
	      stats(s).error == -LX_EIO);
	free(b);
	lx_session_close(s);
}

/* ---- stop strings: tokens are given, the model is not asked ---- */

static void push(struct lx_session *s, s32 id)
{
	struct lx_sample_slot sl = { .token = id };

	if (s->state == LX_SESSION_RUNNING)
		lx_session_push(s, &sl);
}

/* Its bytes, one token each. */
static void push_bytes(struct lx_session *s, const char *text)
{
	for (; *text; text++) {
		char name[8];

		snprintf(name, sizeof(name), "<0x%02X>", (u8)*text);
		push(s, lx_token_find(local_vocab(&local), name, 6));
	}
}

static const char *delivered(struct lx_session *s)
{
	static char text[4096];

	text[lx_session_read(s, text, sizeof(text) - 1)] = '\0';
	return text;
}

static void test_stops_given(void)
{
	static const char stops[] = "END\0\u00e9!\0aab\0";
	struct lx_session *s = session(0);

	if (lx_token_find(local_vocab(&local), "<0x00>", 6) < 0) {
		SKIP("no byte tokens");
		lx_session_close(s);
		return;
	}
	CHECK(!lx_session_set_stops(s, stops, sizeof(stops) - 1));
	start(s, "x");
	CHECK(lx_session_set_stops(s, "", 0) == -LX_EBUSY);
	push_bytes(s, "fine E");
	CHECK(!strcmp(delivered(s), "fine "));
	push_bytes(s, "N");
	CHECK(!*delivered(s));
	push_bytes(s, "d EN");	/* was none */
	CHECK(!strcmp(delivered(s), "ENd "));
	push_bytes(s, "DDD");
	CHECK(!*delivered(s) && stats(s).finish == LX_FINISH_STOP);
	/* x, and "fine ENd " without the string. */
	CHECK(lx_session_tokens(s, NULL, 0) == 9 && stats(s).n_gen == 12);

	start(s, "x");		/* across the bytes of a character */
	push_bytes(s, "caf\xc3");
	CHECK(!strcmp(delivered(s), "caf"));
	push_bytes(s, "\xa9");
	CHECK(!*delivered(s));
	push_bytes(s, "?\u00e9");
	CHECK(!strcmp(delivered(s), "\u00e9?"));
	push_bytes(s, "!");
	CHECK(!*delivered(s) && stats(s).finish == LX_FINISH_STOP);

	start(s, "x");		/* overlapping begins: the first that fits */
	push_bytes(s, "caaab");
	CHECK(!strcmp(delivered(s), "ca"));
	CHECK(stats(s).finish == LX_FINISH_STOP);
	CHECK(lx_session_tokens(s, NULL, 0) == 2);

	start(s, "x");		/* what is held back comes at the end */
	push_bytes(s, "then EN");
	CHECK(!strcmp(delivered(s), "then "));
	lx_session_cancel(s);
	CHECK(!strcmp(delivered(s), "EN"));
	CHECK(stats(s).finish == LX_FINISH_CANCELLED);
	lx_session_close(s);
}

static void test_stops_refused(void)
{
	static char text[LX_MAX_STOPS * 2 + 2];
	char big[LX_MAX_STOP_BYTES + 2] = { 0 };
	struct lx_session *s = session(0);

	CHECK(lx_session_set_stops(s, "a", 1) == -LX_EINVAL);
	CHECK(lx_session_set_stops(s, "a\0\0", 3) == -LX_EINVAL);
	CHECK(lx_session_set_stops(s, "\xff\0", 2) == -LX_EINVAL);
	CHECK(lx_session_set_stops(s, "\xc3\0", 2) == -LX_EINVAL);
	for (size_t i = 0; i < sizeof(text); i += 2)
		text[i] = 'x';
	CHECK(lx_session_set_stops(s, text, sizeof(text)) == -LX_EINVAL);
	CHECK(!lx_session_set_stops(s, text, sizeof(text) - 2));
	memset(big, 'y', sizeof(big) - 1);
	CHECK(lx_session_set_stops(s, big, sizeof(big)) == -LX_EINVAL);
	CHECK(!lx_session_set_stops(s, big + 1, sizeof(big) - 1));
	CHECK(!lx_session_set_stops(s, "", 0));
	lx_session_close(s);
}

/* The same answer, cut before the stop string; the next turn goes on there. */
static void test_stops(void)
{
	struct lx_session *s = session(24), *t = session(24);
	char *all = strdup(ask(s, "Once upon a time")), stop[8] = { 0 };
	char *want = strdup(all);

	memcpy(stop, all + 10, 3);
	*strstr(want, stop) = '\0';
	CHECK(!lx_session_set_stops(t, stop, 4));
	CHECK(!strcmp(ask(t, "Once upon a time"), want));
	CHECK(stats(t).finish == LX_FINISH_STOP);
	free(all);
	free(want);
	lx_session_close(s);
	lx_session_close(t);
}

/* ---- a full context ---- */

static void test_shift(void)
{
	struct lx_session *s = session(1200), *t = session(5);
	struct lx_session_params p;
	struct lx_session_stats st;
	static s32 ids[1024];
	static char long_text[4 * 600];
	u32 n;

	lx_session_get(s, &p);
	p.flags |= LX_SESSION_SHIFT | LX_SESSION_IGNORE_EOG;
	p.n_keep = 3;
	p.n_logprobs = 2;
	p.temperature_u = 1000000;
	CHECK(!lx_session_set(s, &p));
	ask(s, "Once upon a time");
	st = stats(s);
	CHECK(st.finish == LX_FINISH_LENGTH && st.n_gen == 1200);
	CHECK(st.n_past < 512);
	n = lx_session_tokens(s, ids, 1024);
	CHECK(n == s->n_tokens - 3);
	CHECK(s->n_lp == n && s->lp[(u64)(n - 1) * s->lp_stride].id ==
	      ids[n - 1]);
	CHECK(s->lp[0].id == ids[0]);
	/* What goes on is what a session with these tokens would say. */
	p.temperature_u = 0;
	p.max_tokens = 5;
	p.n_logprobs = 0;
	CHECK(!lx_session_set(s, &p));
	for (int i = 0; i < 100; i++)
		strcat(long_text, "the cat ");
	n = s->n_tokens;
	ask(s, long_text);
	CHECK(stats(s).finish == LX_FINISH_LENGTH && s->n_tokens < n + 100);
	lx_session_tokens(s, ids, 5);
	CHECK(!lx_session_grow_tokens(t, s->gen_start));
	memcpy(t->tokens, s->tokens, s->gen_start * sizeof(s32));
	CHECK(!lx_session_write(t, LX_ROLE_USER, "", 0, 0));
	t->n_tokens = s->gen_start;
	CHECK(!lx_session_start(t, NULL));
	finish(t);
	CHECK(lx_session_tokens(t, ids + 5, 5) == 5);
	CHECK(!memcmp(ids, ids + 5, 5 * sizeof(s32)));
	lx_session_close(t);

	/* A prompt that fits no context is refused; nothing is lost. */
	n = s->n_tokens;
	memset(long_text, 'q', sizeof(long_text) - 1);
	CHECK(!lx_session_write(s, LX_ROLE_USER, long_text,
				sizeof(long_text) - 1, 0));
	CHECK(lx_session_start(s, NULL) == -LX_EMSGSIZE);
	CHECK(s->n_tokens == n && lx_session_tokens(s, NULL, 0) == 5);
	lx_session_close(s);

	/* Not asked for: the turn ends, further prompts are refused. */
	s = session(0);
	lx_session_get(s, &p);
	p.flags |= LX_SESSION_IGNORE_EOG;
	CHECK(!lx_session_set(s, &p));
	ask(s, "Once upon a time");
	CHECK(stats(s).finish == LX_FINISH_CONTEXT);
	CHECK(!lx_session_write(s, LX_ROLE_USER, "a", 1, 0));
	CHECK(lx_session_start(s, NULL) == -LX_EMSGSIZE);
	lx_session_close(s);
}

/* ---- scores and embeddings ---- */

static void run(void)
{
	while (lx_engine_form(local.engine) > 0) {
		lx_engine_run(local.engine);
		lx_engine_commit(local.engine);
	}
}

/* Log-probability of ids[at..n) behind those before, from all logits. */
static double expected(const s32 *ids, u32 at, u32 n)
{
	u32 nv = lx_model_info(local.model)->n_vocab;
	float *logits = malloc((size_t)n * nv * sizeof(*logits));
	struct lx_session *s = session(0);
	double sum = 0.0;

	CHECK(!lx_engine_logits(local.engine, s, ids, n, 7, true, logits));
	for (u32 i = at; i < n; i++) {
		const float *row = logits + (size_t)(i - 1) * nv;
		double lse = 0.0;

		for (u32 k = 0; k < nv; k++)
			lse += exp(row[k]);
		sum += row[ids[i]] - log(lse);
	}
	free(logits);
	lx_session_close(s);
	return sum;
}

static void test_score(void)
{
	static const char prompt[] = "Once upon a time", turn[] = ". There was";
	static const char *const choices[] = {
		" there", "x", " and the kernel was loaded from memory at boot "
		"time by an old lady who lived in the woods", "x"
	};
	const struct lx_vocab *v = local_vocab(&local);
	struct lx_session *s = session(6), *t = session(6);
	struct lx_choice got[4];
	char text[512] = "";
	u32 ends[4];
	s32 ids[256];
	char *want;

	for (u32 i = 0; i < 4; i++)
		ends[i] = (u32)strlen(strcat(text, choices[i]));
	CHECK(lx_session_score(s, text, ends, 4, NULL) == -LX_EINVAL);
	ask(s, prompt);
	CHECK(!lx_session_write(s, LX_ROLE_USER, turn, strlen(turn), 0));
	CHECK(!lx_session_score(s, text, ends, 4, NULL));
	CHECK(lx_session_score(s, text, ends, 4, NULL) == -LX_EBUSY);
	run();
	CHECK(!lx_session_score_end(s, got));
	CHECK(stats(s).state == LX_SESSION_PENDING && stats(s).n_gen == 6);
	/* What it is behind, token by token. */
	ask(t, prompt);
	CHECK(!lx_session_write(t, LX_ROLE_USER, turn, strlen(turn), 0));
	CHECK(!lx_session_start(t, NULL));
	memcpy(ids, t->tokens, t->n_tokens * sizeof(*ids));
	for (u32 i = 0; i < 4; i++) {
		s64 n = lx_tokenize(v, choices[i], strlen(choices[i]),
				    LX_TOK_CONTINUE, ids + t->n_tokens, 128);

		CHECK(got[i].n_tokens == n);
		CHECK(fabs(got[i].lp_u / 1e6 -
			   expected(ids, t->n_tokens, t->n_tokens + (u32)n)) <
		      2e-6 * (double)n);
	}
	CHECK(got[1].lp_u == got[3].lp_u);
	CHECK(got[2].n_tokens > LX_MAX_ROWS);
	/* The conversation goes on as if nothing had happened. */
	want = strdup(finish(t));
	CHECK(!lx_session_start(s, NULL));
	CHECK(!strcmp(finish(s), want));
	free(want);
	/* Behind an answer, without a prompt; then cancelled. */
	CHECK(!lx_session_score(s, text, ends, 2, NULL));
	run();
	CHECK(!lx_session_score_end(s, got));
	memcpy(ids, s->tokens, s->n_tokens * sizeof(*ids));
	ids[s->n_tokens] = lx_token_find(v, "x", 1);
	if (got[1].n_tokens == 1)
		CHECK(fabs(got[1].lp_u / 1e6 - expected(ids, s->n_tokens,
					s->n_tokens + 1)) < 2e-6);
	CHECK(!lx_session_score(s, text, ends, 4, NULL));
	CHECK(lx_engine_form(local.engine) > 0);
	lx_session_cancel(s);
	lx_engine_run(local.engine);
	lx_engine_commit(local.engine);
	CHECK(lx_session_score_end(s, got) == -LX_ECANCELED);
	CHECK(stats(s).state == LX_SESSION_IDLE);
	CHECK(!lx_session_score(s, text, ends, 4, NULL));
	lx_session_close(s);	/* nothing leaks: the sanitizers look */
	lx_session_close(t);
}

static int embed(struct lx_session *s, const char *text, u32 pooling, void *out)
{
	int err = lx_session_prepare_embed(s, text, strlen(text), NULL);

	return err ? err : lx_session_embed(s, pooling, out, NULL);
}

static void test_embed(void)
{
	static const char text[] = "The kernel keeps a list of its modules.";
	u32 n = lx_model_info(local.model)->n_embd;
	float *a = calloc(n, 4), *b = calloc(n, 4), *c = calloc(n, 4);
	struct lx_session *s = session(4), *other = session(40);
	double len = 0.0, dot = 0.0;
	const char *want;

	CHECK(!embed(s, text, LX_POOL_MEAN, a));
	run();
	CHECK(!lx_session_embed_end(s));
	for (u32 i = 0; i < n; i++)
		len += a[i] * a[i];
	CHECK(fabs(len - 1.0) < 1e-5);
	CHECK(!embed(s, text, LX_POOL_LAST, b));
	run();
	CHECK(!lx_session_embed_end(s));
	for (u32 i = 0; i < n; i++)
		dot += a[i] * b[i];
	CHECK(dot < 0.999 && dot > -1.0);
	/* In small pieces beside somebody else's answer, once interrupted. */
	start(other, "Once upon a time");
	CHECK(lx_engine_form(local.engine) > 0);
	lx_engine_run(local.engine);
	lx_engine_commit(local.engine);
	CHECK(!embed(s, text, LX_POOL_MEAN, c));
	CHECK(lx_engine_form(local.engine) > 0);
	lx_engine_run(local.engine);
	lx_engine_interrupt(local.engine);
	lx_engine_commit(local.engine);
	run();
	CHECK(!lx_session_embed_end(s));
	CHECK(!memcmp(a, c, n * 4));
	/* The session is as good as new. */
	want = strdup(ask(s, "Once"));
	CHECK(embed(s, "abc", LX_POOL_MEAN, a) == -LX_EBUSY);
	lx_session_reset(s);
	CHECK(!strcmp(ask(s, "Once"), want));
	lx_session_reset(s);
	CHECK(embed(s, "abc", 2, a) == -LX_EINVAL);
	CHECK(lx_session_embed(s, LX_POOL_MEAN, a, NULL) == -LX_EINVAL);
	/* What cannot fit is refused before it is looked at. */
	CHECK(lx_session_prepare_embed(s, text, 1ull << 40, NULL) ==
	      -LX_EMSGSIZE);
	/* Nor does a prompt that is pending take it for its own. */
	CHECK(!lx_session_write(s, LX_ROLE_USER, "Once", 4, 0));
	CHECK(!lx_session_prepare(s, true, NULL));
	CHECK(embed(s, "abc", LX_POOL_MEAN, a) == -LX_EBUSY);
	CHECK(!lx_session_start(s, NULL));
	CHECK(!strcmp(finish(s), want));
	lx_session_reset(s);
	free((void *)want);
	free(a);
	free(b);
	free(c);
	lx_session_close(s);
	lx_session_close(other);
}

int main(void)
{
	const struct user_host_options opt = { .n_threads = 2 };
	const struct lx_engine_params ep = { .n_ctx = 512 };
	const char *model = getenv("LLAMUX_TEST_MODEL");

	if (!model)
		model = "models/llamux-default.gguf";
	if (local_open_engine(&local, model, &opt, NULL, &ep)) {
		printf("%s\n", local.message);
		return 1;
	}
	test_interrupt();
	test_one_bos();
	test_bias();
	test_nothing_left();
	test_stops_given();
	test_stops_refused();
	test_stops();
	test_shift();
	test_score();
	test_embed();
	local_close(&local);
	return test_end();
}
