// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sampling: every implementation draws the same tokens; what is drawn is
 * distributed as it should be; filters keep what they should keep.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op.h"
#include "lx/lx.h"
#include "test.h"

struct rig {
	struct lx_sample_slot slot;
	float *logits, *copy;
	u32 n, chunks;
	u64 *cand, *best;
	void *scratch;
};

static void rig_open(struct rig *r, u32 n)
{
	memset(r, 0, sizeof(*r));
	r->n = n;
	r->chunks = lx_div_up(n, LX_SAMPLE_CHUNK);
	r->logits = calloc(n, sizeof(float));
	r->copy = calloc(n, sizeof(float));
	r->cand = calloc(r->chunks, (LX_SAMPLE_CAND + 1) * sizeof(u64));
	r->best = calloc(r->chunks, sizeof(u64));
	r->scratch = calloc(16 * LX_SAMPLE_CAND + LX_SAMPLE_CHUNK, 8);
	r->slot.temperature_u = 1000000;
	r->slot.top_p_u = 1000000;
	r->slot.repeat_penalty_u = 1000000;
}

static void rig_close(struct rig *r)
{
	free(r->logits);
	free(r->copy);
	free(r->cand);
	free(r->best);
	free(r->scratch);
}

static s32 draw(struct rig *r, const struct lx_ops *k)
{
	struct lx_op op = { 0 };

	memcpy(r->copy, r->logits, r->n * sizeof(float));
	op.sample.slots = &r->slot;
	op.sample.n_slots = 1;
	op.sample.logits = r->copy;
	op.sample.ld = r->n;
	op.sample.n_vocab = r->n;
	op.sample.n_chunks = r->chunks;
	op.sample.cand = r->cand;
	op.sample.best = r->best;
	k->penalties(&op, 0, r->scratch);
	for (u32 i = 0; i < r->chunks; i++)
		k->best(&op, i, r->scratch);
	for (u32 i = 0; i < r->chunks; i++)
		k->candidates(&op, i, r->scratch);
	k->draw(&op, 0, r->scratch);
	return r->slot.token;
}

static void random_logits(struct rig *r, unsigned int seed)
{
	srand(seed);
	for (u32 i = 0; i < r->n; i++)
		r->logits[i] = (float)(rand() % 20000) / 1000.0f - 10.0f;
}

/* Chi-squared of 20,000 draws among 8 tokens. */
static void test_distribution(void)
{
	static const float logits[8] = { 2, 1, 0, 0, -1, 1.5f, -2, 0.5f };
	double p[8], sum = 0.0, chi = 0.0;
	u32 count[8] = { 0 };
	struct rig r;

	rig_open(&r, 8);
	memcpy(r.logits, logits, sizeof(logits));
	r.slot.temperature_u = 1300000;
	for (int i = 0; i < 8; i++)
		sum += p[i] = exp(logits[i] / 1.3);
	for (u32 i = 0; i < 20000; i++) {
		r.slot.counter = i;
		count[draw(&r, lx_ops_find(NULL))]++;
	}
	for (int i = 0; i < 8; i++) {
		double want = p[i] / sum * 20000.0;

		chi += (count[i] - want) * (count[i] - want) / want;
	}
	CHECK(chi < 24.3);	/* 7 degrees of freedom, p = 0.001 */
	rig_close(&r);
}

static void test_filters(void)
{
	const struct lx_ops *k = lx_ops_find(NULL);
	struct rig r;
	bool ok = true;
	u32 seen = 0;

	rig_open(&r, 40000);
	random_logits(&r, 1);
	r.logits[39999] = 30;
	r.logits[7] = 29;
	r.logits[20000] = 28;
	r.slot.temperature_u = 0;
	CHECK(draw(&r, k) == 39999);
	r.logits[5] = 30;	/* a tie: the lower id */
	CHECK(draw(&r, k) == 5);
	r.logits[5] = 0;
	r.slot.temperature_u = 50000000;
	r.slot.top_k = 3;
	for (u32 i = 0; i < 300; i++) {
		s32 t;

		r.slot.counter = i;
		t = draw(&r, k);
		ok &= t == 39999 || t == 7 || t == 20000;
		seen |= t == 39999 ? 1 : t == 7 ? 2 : 4;
	}
	CHECK(ok && seen == 7);
	r.slot.top_k = 0;
	r.slot.min_p_u = 300000;	/* e^-1 = 0.37 passes, e^-2 does not */
	for (u32 i = 0, n = 0; i < 200; i++) {
		r.slot.counter = i;
		n |= draw(&r, k) == 20000;
		CHECK(!n);
	}
	r.slot.min_p_u = 0;
	r.slot.top_p_u = 700000;	/* 0.665 + 0.245 + ...: two are needed */
	for (u32 i = 0; i < 200; i++) {
		s32 t;

		r.slot.counter = i;
		t = draw(&r, k);
		CHECK(t == 39999 || t == 7);
	}
	rig_close(&r);
}

static void test_penalties(void)
{
	static const struct lx_penalty pen[] = { { 3, 2 } };
	struct rig r;

	rig_open(&r, 16);
	r.logits[3] = 4;
	r.logits[9] = 3;
	r.slot.temperature_u = 0;
	r.slot.pen = pen;
	r.slot.n_pen = 1;
	CHECK(draw(&r, lx_ops_find(NULL)) == 3);
	r.slot.repeat_penalty_u = 2000000;
	CHECK(draw(&r, lx_ops_find(NULL)) == 9);
	r.slot.repeat_penalty_u = 1000000;
	r.slot.frequency_u = 600000;
	CHECK(draw(&r, lx_ops_find(NULL)) == 9);
	rig_close(&r);
}

/* Many candidates, high temperature: selection ends, and alike everywhere. */
static void test_same(void)
{
	for (u32 n = 1; n < 50000; n = n * 3 + 1) {
		struct rig r;

		rig_open(&r, n);
		random_logits(&r, n);
		r.slot.temperature_u = 5000000;
		for (u32 c = 0; c < 20; c++) {
			bool usable;
			s32 want;

			r.slot.counter = c;
			r.slot.top_p_u = c % 2 ? 1000000 : 900000;
			r.slot.top_k = c % 3 ? 0 : c;
			want = draw(&r, lx_ops_find("generic"));
			CHECK(want >= 0 && (u32)want < n);
			for (u32 i = 0; lx_simd_name(i, &usable); i++)
				CHECK(!usable || draw(&r, lx_ops_find(
					lx_simd_name(i, &usable))) == want);
		}
		rig_close(&r);
	}
}

/* Numbers that are none must not lead astray. */
static void test_nan(void)
{
	struct rig r;

	rig_open(&r, 100);
	for (u32 i = 0; i < 100; i++)
		r.logits[i] = NAN;
	CHECK((u32)draw(&r, lx_ops_find(NULL)) < 100);
	r.slot.temperature_u = 0;
	CHECK((u32)draw(&r, lx_ops_find(NULL)) < 100);
	r.logits[40] = 1;
	CHECK(draw(&r, lx_ops_find(NULL)) == 40);
	r.logits[41] = INFINITY;
	CHECK(draw(&r, lx_ops_find(NULL)) == 41);
	r.slot.temperature_u = 1000000;
	CHECK((u32)draw(&r, lx_ops_find(NULL)) < 100);
	rig_close(&r);
}

int main(void)
{
	test_distribution();
	test_filters();
	test_penalties();
	test_same();
	test_nan();
	return test_end();
}
