// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the time of a step goes: for each kind of operation its wall time (from
 * the end of the operation before to its own), the part of it that workers
 * computed, and the bytes of weights it read per second.
 *
 *	steps -m MODEL [-t THREADS] [-d DEPTH] [-b TOKENS] [-n STEPS] [-s SIMD] [-j]
 *
 * -j: as JSON
 * The engine and the pool are those of the command; tiles are wrapped on their
 * way into the pool.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine.h"
#include "local.h"

#define MAX_OPS 8192
#define MAX_KINDS 32

struct span {
	lx_tile_fn tile;
	u64 start, end, busy;	/* ns; of its tiles */
};

struct kind {
	char name[24];
	u64 n, tiles, wall, busy, lead, bytes;
};

static struct span spans[MAX_OPS];
static struct kind kinds[MAX_KINDS];
static u32 n_kinds;
static const struct lx_op *first_op;
static const struct lx_host_ops *real;
static bool record;
static const char *simd;
static u64 total_wall, total_steps;

static u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

static void timed(const struct lx_op *op, u32 tile, void *scratch)
{
	struct span *s = &spans[op - first_op];
	u64 start = now(), end, old = 0;

	__atomic_compare_exchange_n(&s->start, &old, start, false,
				    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	s->tile(op, tile, scratch);
	end = now();
	__atomic_add_fetch(&s->busy, end - start, __ATOMIC_RELAXED);
	__atomic_store_n(&s->end, end, __ATOMIC_RELAXED);
}

static struct kind *kind_of(const char *name)
{
	for (u32 i = 0; i < n_kinds; i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	strcpy(kinds[n_kinds].name, name);
	return &kinds[n_kinds++];
}

static void classify(const struct lx_ops *k, const struct lx_op *op,
		     lx_tile_fn tile, char *name, u64 *bytes)
{
	const char *const mode[] = { "", "+", "gate", "gate" };

	*bytes = 0;
	if (tile == k->matmul) {
		u32 n = op->mm.mode >= LX_MM_SWIGLU ? 2 : op->mm.n_seg;

		for (u32 i = 0; i < n; i++)
			*bytes += (u64)op->mm.seg[i].mat->n_strips *
				  op->mm.seg[i].mat->strip_bytes;
		snprintf(name, 24, "mm%s %ux%u %s", mode[op->mm.mode],
			 op->mm.seg[0].mat->rows, op->mm.seg[0].mat->cols,
			 lx_type_name(op->mm.seg[0].mat->type));
		return;
	}
	snprintf(name, 24, "%s",
		 tile == k->norm ? op->norm.weight ? "norm" : "quantize" :
		 tile == k->rope ? "rope" : tile == k->attn ? "attention" :
		 tile == k->merge ? "merge" : tile == k->embed ? "embed" :
		 tile == k->angles ? "angles" : tile == k->copy ? "copy" :
		 "other");
}

static int run(struct lx_host *h, struct lx_job *job)
{
	const struct lx_ops *k = lx_ops_find(simd);
	u64 t0, last;
	int ret;

	if (!record || job->n_ops > MAX_OPS)
		return real->run(h, job);
	memset(spans, 0, job->n_ops * sizeof(*spans));
	first_op = job->ops;
	for (u32 i = 0; i < job->n_ops; i++) {
		spans[i].tile = job->ops[i].tile;
		job->ops[i].tile = timed;
	}
	t0 = last = now();
	ret = real->run(h, job);
	total_wall += now() - t0;
	total_steps++;
	for (u32 i = 0; i < job->n_ops; i++) {
		struct span *s = &spans[i];
		char name[24];
		struct kind *d;
		u64 bytes;

		if (!s->end)
			continue;
		classify(k, &job->ops[i], s->tile, name, &bytes);
		d = kind_of(name);
		d->n++;
		d->tiles += job->ops[i].n_tiles;
		d->wall += s->end - last;
		d->lead += s->start - last;
		d->busy += s->busy;
		d->bytes += bytes;
		last = s->end;
	}
	return ret;
}

static void print_kind(const struct kind *d, bool json)
{
	double per = 1e-3 / (double)total_steps;

	printf(json ? "%s{\"op\": \"%s\", \"ops\": %.0f, \"tiles\": %llu, "
		      "\"wall_us\": %.1f, \"lead_us\": %.1f, "
		      "\"busy_us\": %.1f, \"gbps\": %.1f}\n" :
		      "%s%-24s %6.0f %6llu %9.1f %9.1f %9.1f %7.1f\n",
	       json && d != kinds ? "," : "", d->name,
	       (double)d->n / (double)total_steps, d->tiles / d->n,
	       (double)d->wall * per, (double)d->lead * per,
	       (double)d->busy * per, (double)d->bytes / (double)d->wall);
}

static void print(bool json)
{
	double all = (double)total_wall * 1e-3 / (double)total_steps;

	if (json)
		printf("{\"wall_us\": %.1f, \"ops\": [\n", all);
	else
		printf("%-24s %6s %6s %9s %9s %9s %7s\n", "a step", "ops",
		       "tiles", "wall us", "lead us", "busy us", "GB/s");
	for (u32 i = 0; i < n_kinds; i++)
		print_kind(&kinds[i], json);
	if (json)
		printf("]}\n");
	else
		printf("%-24s %6s %6s %9.1f\n", "all", "", "", all);
}

int main(int argc, char **argv)
{
	struct user_host_options opt = { 0 };
	struct lx_model_params mp = { 0 };
	struct lx_engine_params ep = { 0 };
	struct lx_host_ops ops;
	struct lx_session_params sp;
	struct lx_session *s;
	const char *model = NULL;
	u32 depth = 0, batch = 1, steps = 20;
	bool json = false;
	struct local l;
	float *row;
	s32 *ids;
	int c;

	while ((c = getopt(argc, argv, "m:t:d:b:n:s:j")) != -1) {
		if (c == 'm')
			model = optarg;
		else if (c == 't')
			opt.n_threads = (u32)atoi(optarg);
		else if (c == 'd')
			depth = (u32)atoi(optarg);
		else if (c == 'b')
			batch = (u32)atoi(optarg);
		else if (c == 'n')
			steps = (u32)atoi(optarg);
		else if (c == 's')
			mp.simd = simd = optarg;
		else if (c == 'j')
			json = true;
		else
			return 2;
	}
	if (!simd)	/* what run() compares with */
		mp.simd = lx_ops_find(NULL)->name;
	ep.n_ctx = depth + batch * (steps + 2);
	ep.n_batch = batch > 128 ? batch : 128;
	if (!model || local_open_engine(&l, model, &opt, &mp, &ep)) {
		fprintf(stderr, "%s\n", model ? l.message : "-m MODEL");
		return 1;
	}
	real = l.host->ops;
	ops = *real;
	ops.run = run;
	l.host->ops = &ops;
	lx_session_defaults(&sp);
	if (lx_session_open(l.engine, &sp, &s))
		return 1;
	row = calloc(lx_model_info(l.model)->n_vocab, sizeof(*row));
	ids = calloc(ep.n_ctx, sizeof(*ids));
	for (u32 i = 0; i < ep.n_ctx; i++)
		ids[i] = (s32)(i * 37 % 1000 + 3);
	if (depth)
		lx_engine_logits(l.engine, s, ids, depth, 0, false, row);
	lx_engine_logits(l.engine, s, ids, batch, batch, false, row);
	record = true;
	for (u32 i = 0; i < steps; i++)
		lx_engine_logits(l.engine, s, ids, batch, batch, false, row);
	print(json);
	return 0;
}
