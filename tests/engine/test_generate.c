// SPDX-License-Identifier: GPL-2.0-only
/*
 * Turns of a session on a small model: what ends them, what is delivered, and
 * what stays in the conversation.
 */
#include <stdlib.h>
#include <string.h>

#include "local.h"
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
	local_close(&local);
	return test_end();
}
