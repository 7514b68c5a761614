// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Layers that are streamed: the logits of the model in memory, whatever stays;
 * a plan that is kept; a file that is cut short in mid-answer costs that turn
 * and nothing else.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "held.h"
#include "local.h"
#include "lx/quant.h"
#include "model.h"
#include "test.h"

#define MODEL "models/llamux-default.gguf"
#define COPY "build/tests/stream.gguf"
#define N 20

static s32 tokens[N];

static bool open_model(struct local *l, u32 n_kept, u64 memory, bool stream)
{
	struct user_host_options opt = { .n_threads = 2 };
	struct lx_model_params mp = { .stream = stream, .memory = memory,
				      .n_kept = n_kept };
	struct lx_engine_params ep = { .n_ctx = 256 };

	if (!local_open_engine(l, COPY, &opt, &mp, &ep))
		return true;
	printf("%s\n", l->message);
	return false;
}

/* Logits of all positions, in batches of @batch. */
static void *logits(struct local *l, u32 batch)
{
	struct lx_session_params p;
	struct lx_session *s;
	void *out;

	lx_session_defaults(&p);
	out = calloc(N, (size_t)l->model->hp.n_vocab * 4);
	if (lx_session_open(l->engine, &p, &s))
		return out;
	if (lx_engine_logits(l->engine, s, tokens, N, batch, true, out))
		printf("no logits\n");
	lx_session_close(s);
	return out;
}

/* Each number of layers that can stay, batches that use a pass for many. */
static void test_bits(void *want, size_t n, u32 n_layer)
{
	struct local l;
	void *got;

	for (u32 kept = 0; kept <= n_layer; kept++) {
		if (!CHECK(open_model(&l, kept, 0, true)))
			return;
		CHECK(l.model->info.n_streamed == (kept + 2 <= n_layer ?
						   n_layer - kept : 0));
		for (u32 batch = 1; batch <= N; batch += 9) {
			got = logits(&l, batch);
			CHECK(!memcmp(want, got, n));
			free(got);
		}
		local_close(&l);
	}
}

/* As many layers stay as the memory is for, which is not exceeded. */
static void test_memory(void *want, size_t n, u32 n_layer)
{
	u64 least, most, last = ~0ull;
	struct local l;
	void *got;

	if (!CHECK(open_model(&l, n_layer, 0, true)))
		return;
	most = held(&l) + (1 << 20);
	local_close(&l);
	if (!CHECK(open_model(&l, 0, 0, true)))
		return;
	least = held(&l) + (1 << 19);	/* KV as planned */
	local_close(&l);
	for (u64 m = least; m < most; m += (most - least) / 5 + 1) {
		if (!CHECK(open_model(&l, 0, m, true)))
			return;
		got = logits(&l, 7);
		CHECK(!memcmp(want, got, n));
		free(got);
		CHECK(l.model->info.n_streamed <= last);
		last = l.model->info.n_streamed;
		CHECK(held(&l) <= m);
		local_close(&l);
	}
}

/* An answer of @max bytes; the error the turn ended with. */
static int answer(struct local *l, struct lx_session *s, char *out, size_t max,
		  u64 cut_at)
{
	struct lx_session_stats st;
	size_t n = 0, got;
	u32 steps = 0;

	lx_session_write(s, LX_ROLE_USER, "Once upon a time", 16, 0);
	if (lx_session_start(s, NULL))
		return -1;
	do {
		if (cut_at && steps++ == 5)
			CHECK(!truncate(COPY, (off_t)cut_at));
		if (lx_engine_form(l->engine) > 0) {
			lx_engine_run(l->engine);
			lx_engine_commit(l->engine);
		}
		got = lx_session_read(s, out + n, max - n);
		n += got;
		lx_session_stats(s, &st);
	} while (n < max && (got || st.state != LX_SESSION_DONE));
	out[n] = '\0';
	if (st.state == LX_SESSION_RUNNING)
		lx_session_cancel(s);
	while (lx_session_read(s, out + max, 64))
		;
	lx_session_end_turn(s);
	return st.finish == LX_FINISH_ERROR ? st.error : 0;
}

static bool copy_model(void)
{
	int in = open(MODEL, O_RDONLY), out;
	char buf[65536];
	ssize_t n;

	mkdir("build/tests", 0755);
	out = open(COPY, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			return false;
	close(in);
	return !close(out) && !n;
}

/* Bytes that come back when the file does. */
static void test_cut(void)
{
	static char want[2][1024], got[2][1024];
	struct lx_session_params p;
	struct lx_session *s, *other;
	struct local l;

	if (!CHECK(open_model(&l, 1, 0, true)))
		return;
	lx_session_defaults(&p);
	p.temperature_u = 0;
	p.max_tokens = 40;
	p.flags = LX_SESSION_IGNORE_EOG;
	CHECK(!lx_session_open(l.engine, &p, &s));
	CHECK(!lx_session_open(l.engine, &p, &other));
	CHECK(!answer(&l, other, want[0], 80, 0));
	CHECK(!answer(&l, other, want[1], 80, 0));
	CHECK(!lx_session_reset(other));
	CHECK(!answer(&l, other, got[0], 80, 0));
	CHECK(!strcmp(want[0], got[0]));
	/* In mid-answer, and before one. */
	CHECK(answer(&l, s, got[1], 900, 300000) == -LX_EIO);
	CHECK(answer(&l, s, got[1], 900, 0) == -LX_EIO);
	CHECK(copy_model());
	/* Whose turn it was goes on, and who had none lost nothing. */
	CHECK(!answer(&l, other, got[1], 80, 0));
	CHECK(!strcmp(want[1], got[1]));
	CHECK(!answer(&l, s, got[1], 80, 0));
	local_close(&l);
}

/* A cancelled step leaves the next one right. */
static void test_cancel(void *want, size_t n)
{
	struct lx_session_params p;
	struct lx_session *s;
	struct local l;
	void *got;

	if (!CHECK(open_model(&l, 0, 0, true)))
		return;
	lx_session_defaults(&p);
	CHECK(!lx_session_open(l.engine, &p, &s));
	CHECK(!lx_session_write(s, LX_ROLE_USER, "Once", 4, 0));
	CHECK(!lx_session_start(s, NULL));
	CHECK(lx_engine_form(l.engine) > 0);
	lx_engine_interrupt(l.engine);
	CHECK(lx_engine_run(l.engine) == -LX_ECANCELED);
	lx_engine_commit(l.engine);
	lx_session_close(s);
	got = logits(&l, 3);
	CHECK(!memcmp(want, got, n));
	free(got);
	local_close(&l);
}

int main(void)
{
	struct local l;
	u32 n_layer;
	void *want;
	size_t n;
	int fd;

	if (!CHECK(copy_model()))
		return test_end();
	fd = open(COPY, O_RDONLY | O_DIRECT);
	if (fd < 0) {
		SKIP("the file system has no direct reads");
		return test_end();
	}
	close(fd);
	if (!CHECK(open_model(&l, 0, 0, false)))
		return test_end();
	for (u32 i = 0; i < N; i++)
		tokens[i] = (s32)(300 + 7 * i) % (s32)l.model->hp.n_vocab;
	n = (size_t)l.model->hp.n_vocab * 4 * N;
	n_layer = l.model->hp.n_layer;
	want = logits(&l, N);
	local_close(&l);
	test_bits(want, n, n_layer);
	test_memory(want, n, n_layer);
	test_cancel(want, n);
	test_cut();
	free(want);
	unlink(COPY);
	return test_end();
}
