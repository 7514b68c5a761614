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
	u32 n, ld, chunks;
	struct lx_sample_part *part;
	struct lx_lse_part *lse;
	void *scratch;
};

static void rig_open(struct rig *r, u32 n)
{
	memset(r, 0, sizeof(*r));
	r->n = n;
	r->ld = lx_align_up(n, 16);
	r->chunks = lx_div_up(n, LX_SAMPLE_CHUNK);
	r->logits = calloc(r->ld, sizeof(float));
	r->copy = aligned_alloc(64, r->ld * sizeof(float));
	r->part = calloc(r->chunks, sizeof(*r->part));
	r->lse = calloc(r->chunks, sizeof(*r->lse));
	r->scratch = aligned_alloc(64, LX_SAMPLE_CHUNK * 8 + 4096);
	r->slot.draw = true;
	r->slot.temperature_u = 1000000;
	r->slot.top_p_u = 1000000;
	r->slot.repeat_penalty_u = 1000000;
}

static void rig_close(struct rig *r)
{
	free(r->logits);
	free(r->copy);
	free(r->part);
	free(r->lse);
	free(r->scratch);
}

static void chunks(struct rig *r, struct lx_op *op, lx_tile_fn tile)
{
	for (u32 i = 0; i < r->chunks; i++)
		tile(op, i, r->scratch);
}

static void cut(struct rig *r, struct lx_op *op, const struct lx_ops *k,
		bool by_mass)
{
	op->sample.by_mass = by_mass;
	for (op->sample.level = 0; op->sample.level < 4; op->sample.level++) {
		chunks(r, op, k->hist);
		k->pick(op, 0, r->scratch);
	}
}

/* All operations of sampling.c in their order, each with every tile. */
static s32 draw(struct rig *r, const struct lx_ops *k)
{
	struct lx_op op = { 0 };

	memcpy(r->copy, r->logits, r->ld * sizeof(float));
	r->slot.wide = !r->slot.top_k || r->slot.top_k > LX_SAMPLE_CAND;
	r->slot.cut_key = 0;
	r->slot.prefix = 0;
	op.sample.slots = &r->slot;
	op.sample.n_slots = 1;
	op.sample.logits = r->copy;
	op.sample.ld = r->ld;
	op.sample.n_vocab = r->n;
	op.sample.n_chunks = r->chunks;
	op.sample.part = r->part;
	op.sample.lse = r->lse;
	chunks(r, &op, k->lse);
	k->penalties(&op, 0, r->scratch);
	chunks(r, &op, k->mask);
	chunks(r, &op, k->best);
	chunks(r, &op, k->candidates);
	cut(r, &op, k, false);
	cut(r, &op, k, true);
	chunks(r, &op, k->sums);
	k->draw(&op, 0, r->scratch);
	k->logprobs(&op, 0, r->scratch);
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
	struct lx_adjust adj[] = { { .id = 3, .count = 2 },
				   { .id = 5, .bias_u = 2000000 } };
	struct rig r;

	rig_open(&r, 16);
	r.logits[3] = 4;
	r.logits[9] = 3;
	r.slot.temperature_u = 0;
	r.slot.adj = adj;
	r.slot.n_adj = 1;
	CHECK(draw(&r, lx_ops_find(NULL)) == 3);
	r.slot.repeat_penalty_u = 2000000;
	CHECK(draw(&r, lx_ops_find(NULL)) == 9);
	r.slot.repeat_penalty_u = 1000000;
	r.slot.frequency_u = 600000;
	CHECK(draw(&r, lx_ops_find(NULL)) == 9);
	r.slot.frequency_u = 0;
	r.slot.presence_u = 1100000;
	CHECK(draw(&r, lx_ops_find(NULL)) == 9);
	r.slot.n_adj = 2;
	r.logits[5] = 1.5f;
	CHECK(draw(&r, lx_ops_find(NULL)) == 5);
	adj[1].bias_u = LX_BIAS_NEVER;
	CHECK(draw(&r, lx_ops_find(NULL)) == 9);
	rig_close(&r);
}

/* How many of the likeliest tokens add up to @p of the first @k. */
static u32 nucleus(const struct rig *r, const u32 *order, u32 k, double p)
{
	double sum = 0.0, acc = 0.0;
	u32 n = 0;

	for (u32 i = 0; i < k; i++)
		sum += exp(r->logits[order[i]]);
	while (n < k && acc < p * sum)
		acc += exp(r->logits[order[n++]]);
	return n;
}

static const float *sort_by;

static int by_logit(const void *a, const void *b)
{
	u32 i = *(const u32 *)a, j = *(const u32 *)b;

	if (sort_by[i] != sort_by[j])
		return sort_by[i] > sort_by[j] ? -1 : 1;
	return i < j ? -1 : 1;
}

/*
 * Draws of a wide slot: those of the first @n in @order and no others, in
 * 16 classes of equal numbers of tokens as often as they should.
 */
static void check_wide(struct rig *r, const u32 *order, u32 n, u32 draws)
{
	double p[16] = { 0 }, sum = 0.0, chi = 0.0;
	double t = r->slot.temperature_u / 1e6;
	u32 *rank = calloc(r->n, sizeof(*rank)), count[16] = { 0 };
	bool in = true;

	for (u32 i = 0; i < r->n; i++)
		rank[order[i]] = i;
	for (u32 i = 0; i < n; i++) {
		double w = exp(r->logits[order[i]] / t);

		p[(u64)i * 16 / n] += w;
		sum += w;
	}
	for (u32 i = 0; i < draws; i++) {
		u32 at;

		r->slot.counter = i;
		at = rank[draw(r, lx_ops_find(NULL))];
		in &= at < n;
		if (at < n)
			count[(u64)at * 16 / n]++;
	}
	CHECK(in);
	for (u32 i = 0; i < 16; i++) {
		double want = p[i] / sum * draws;

		chi += (count[i] - want) * (count[i] - want) / want;
	}
	if (!CHECK(chi < 37.7))	/* 15 degrees of freedom, p = 0.001 */
		printf("chi-squared %.1f of %u tokens\n", chi, n);
	free(rank);
}

/* Far more tokens than are ever sorted, nearly alike: none is left out. */
static void test_wide(void)
{
	const u32 n = 20000;
	u32 *order = calloc(n, sizeof(*order)), want;
	struct rig r;

	rig_open(&r, n);
	srand(7);
	for (u32 i = 0; i < n; i++) {
		r.logits[i] = (float)(rand() % 300) / 100.0f;
		order[i] = i;
	}
	sort_by = r.logits;
	qsort(order, n, sizeof(*order), by_logit);
	check_wide(&r, order, n, 2000);
	r.slot.temperature_u = 700000;
	r.slot.top_k = 3001;		/* cuts within equal logits */
	check_wide(&r, order, 3001, 2000);
	r.slot.top_p_u = 800000;
	want = nucleus(&r, order, 3001, 0.8);
	CHECK(want > 1000 && want < 2700);
	check_wide(&r, order, want, 2000);
	r.slot.top_k = 0;
	want = nucleus(&r, order, n, 0.8);
	CHECK(want > 8000 && want < 16000);
	check_wide(&r, order, want, 2000);
	r.slot.min_p_u = 367879;	/* 1.0 below the best */
	for (want = 0; r.logits[order[want]] >= 1.985f;)
		want++;
	check_wide(&r, order, want, 2000);
	rig_close(&r);
	free(order);
}

/* All alike: the nucleus is the first ids. */
static void test_ties(void)
{
	bool in = true;
	u32 high = 0;
	struct rig r;

	rig_open(&r, 30000);
	r.slot.top_p_u = 500000;
	for (u32 i = 0; i < 2000; i++) {
		u32 t;

		r.slot.counter = i;
		t = (u32)draw(&r, lx_ops_find(NULL));
		in &= t < 15001;
		high += t >= 7500;
	}
	CHECK(in && high > 850 && high < 1150);
	r.slot.top_p_u = 0;	/* one is always left */
	CHECK(draw(&r, lx_ops_find(NULL)) == 0);
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
			r.slot.top_k = c % 3 ? 0 : c % 4 ? c : 200 * c;
			want = draw(&r, lx_ops_find("generic"));
			CHECK(want >= 0 && (u32)want < n);
			for (u32 i = 0; lx_simd_name(i, &usable); i++)
				CHECK(!usable || draw(&r, lx_ops_find(
					lx_simd_name(i, &usable))) == want);
		}
		rig_close(&r);
	}
}

/*
 * Log-probabilities are those of the logits as they came in, whatever bias,
 * penalties and masks then do to them.
 */
static void test_logprobs(void)
{
	const s32 targets[] = { 0, 17, 20001 };
	struct lx_adjust adj[] = { { .id = 17, .count = 3 },
				   { .id = 20001, .bias_u = 90000000 } };
	static u32 mask[40000 / 32];
	u32 order[40000];
	double lse = 0.0;
	s32 lp[3];
	struct rig r;

	rig_open(&r, 40000);
	random_logits(&r, 3);
	r.logits[9] = NAN;
	r.logits[10] = -INFINITY;
	for (u32 i = 0; i < r.n; i++) {
		order[i] = i;
		if (i != 9)
			lse += exp(r.logits[i]);
	}
	lse = log(lse);
	r.slot.temperature_u = 0;
	r.slot.frequency_u = 500000;
	r.slot.n_top = LX_MAX_LOGPROBS;
	r.slot.n_targets = 3;
	r.slot.targets = targets;
	r.slot.target_lp_u = lp;
	r.slot.adj = adj;
	r.slot.n_adj = 2;
	r.slot.mask = mask;
	mask[20001 / 32] = 1u << 20001 % 32 | 1u << 20002 % 32;
	mask[0] = 1u | 1u << 17;
	CHECK(draw(&r, lx_ops_find(NULL)) == 20001);
	for (u32 i = 0; i < 3; i++)
		if (!CHECK(fabs(lp[i] / 1e6 - (r.logits[targets[i]] - lse)) < 2e-6))
			printf("%u: %d, not %.7f\n", i, lp[i], r.logits[targets[i]] - lse);
	CHECK(r.slot.token_lp_u == lp[2]);
	r.logits[9] = -100;
	sort_by = r.logits;
	qsort(order, r.n, sizeof(*order), by_logit);
	for (u32 i = 0; i < LX_MAX_LOGPROBS; i++) {
		CHECK(r.slot.top[i].id == (s32)order[i]);
		CHECK(fabs(r.slot.top[i].lp_u / 1e6 -
			   (r.logits[order[i]] - lse)) < 2e-6);
	}
	mask[0] = 0;
	mask[20001 / 32] = 1u << 20002 % 32;
	CHECK(draw(&r, lx_ops_find(NULL)) == 20002);
	mask[20001 / 32] = 0;
	CHECK(draw(&r, lx_ops_find(NULL)) == -1);
	rig_close(&r);
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
	for (u32 i = 0; i < 100; i++)
		r.logits[i] = -INFINITY;
	CHECK(draw(&r, lx_ops_find(NULL)) == -1);
	r.logits[41] = INFINITY;
	r.slot.temperature_u = 1000000;
	CHECK((u32)draw(&r, lx_ops_find(NULL)) < 100);
	rig_close(&r);
}

int main(void)
{
	test_distribution();
	test_filters();
	test_penalties();
	test_wide();
	test_ties();
	test_same();
	test_logprobs();
	test_nan();
	return test_end();
}
