// SPDX-License-Identifier: GPL-2.0-only
/*
 * Matrix kernels alone: bytes of weights and multiply-adds per second of one
 * thread, for every type and implementation, beside the speed at which the
 * same thread reads the same memory, and at which all threads read 2 GB.
 *
 *	micro [-k COLUMNS] [-m MEGABYTES] [-s SIMD] [-t THREADS] [-j] [TYPE...]
 *
 * -j: as JSON
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <immintrin.h>

#include "clock.h"
#include "op.h"
#include "lx/lx.h"

static const u32 types[] = {
	LX_TYPE_Q4_K, LX_TYPE_Q6_K, LX_TYPE_Q5_K, LX_TYPE_Q8_0, LX_TYPE_Q4_0,
	LX_TYPE_Q4_1, LX_TYPE_Q5_0, LX_TYPE_Q5_1, LX_TYPE_Q2_K, LX_TYPE_Q3_K,
	LX_TYPE_IQ4_NL, LX_TYPE_IQ4_XS, LX_TYPE_MXFP4, LX_TYPE_F16,
	LX_TYPE_BF16, LX_TYPE_F32,
};

static void *memory(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	madvise(p, n, MADV_HUGEPAGE);
	memset(p, 1, n);
	return p;
}

#define ALL_BYTES (2ull << 30)
#define MAX_THREADS 64

struct reader {
	pthread_t thread;
	const unsigned char *p;
	size_t n;
};

static void *read_all(void *arg)
{
	const struct reader *r = arg;
	const unsigned long long *q = (const void *)r->p;
	unsigned long long sum = 0;

	for (size_t i = 0; i < r->n / 8; i += 8) {
		sum += q[i] + q[i + 1] + q[i + 2] + q[i + 3] + q[i + 4] +
		       q[i + 5] + q[i + 6] + q[i + 7];
		__builtin_prefetch(q + i + 512);
	}
	__asm__ volatile("" : : "r"(sum));
	return NULL;
}

/* Bytes a second of @threads, each in a part of its own, the best of five */
static double read_speed(const unsigned char *p, size_t n, unsigned int threads)
{
	struct reader r[MAX_THREADS];
	size_t part = n / threads / 64 * 64;
	double best = 0.0;

	for (int round = 0; round < 5; round++) {
		double t = now();

		for (unsigned int i = 0; i < threads; i++) {
			r[i] = (struct reader){ .p = p + i * part, .n = part };
			if (pthread_create(&r[i].thread, NULL, read_all, &r[i]))
				exit(1);
		}
		for (unsigned int i = 0; i < threads; i++)
			pthread_join(r[i].thread, NULL);
		t = (double)(part * threads) / (now() - t);
		best = t > best ? t : best;
	}
	return best;
}

/* Memory of its own, so that caches hold none of it. */
static double read_speed_all(unsigned int threads)
{
	unsigned char *p = memory(ALL_BYTES);
	double speed = read_speed(p, ALL_BYTES, threads);

	munmap(p, ALL_BYTES);
	return speed;
}

struct rig {
	unsigned char *weights;
	size_t bytes;
	u32 cols;
	u8 *act;
	void *f;
	void *out;
};

static double measure(const struct lx_ops *ops, const struct rig *r, u32 type,
		      u32 n, double *macs)
{
	struct lx_mat m = { .type = type, .cols = r->cols, .n_expert = 1 };
	struct lx_run run = { .n = n };
	struct lx_op op = { .tile = ops->matmul };
	u32 one = 1, tiles;
	double best = 0.0;

	m.strip_bytes = (u32)lx_pack_bytes(type, r->cols);
	m.n_strips = (u32)(r->bytes / m.strip_bytes);
	if (n > 8)
		m.n_strips = m.n_strips / 16 + 1;
	m.rows = m.n_strips * LX_STRIP;
	m.strips = calloc(m.n_strips, sizeof(*m.strips));
	for (u32 i = 0; i < m.n_strips; i++)
		m.strips[i] = r->weights + (size_t)i * m.strip_bytes;
	op.mm.seg[0] = (struct lx_seg){
		.mat = &m, .out = r->out, .ld = m.rows,
	};
	op.mm.n_seg = 1;
	op.mm.runs = &run;
	op.mm.n_runs = &one;
	op.mm.act = (struct lx_act){ .f = r->f, .q = r->act, .cols = r->cols,
		.ld = r->cols, .kp = r->cols };
	op.mm.t_max = ops->t_max;
	op.mm.strips = 8;
	op.mm.slots = 64;
	op.mm.slot_tiles = 1;
	op.mm.strip_tiles = tiles = (m.n_strips + 7) / 8;
	for (int i = 0; i < 12; i++) {
		double t = now(), speed;

		for (u32 k = 0; k < tiles; k++)
			op.tile(&op, k, NULL);
		t = now() - t;
		speed = (double)m.n_strips * m.strip_bytes / t;
		if (speed > best) {
			best = speed;
			*macs = (double)m.rows * r->cols * n / t;
		}
	}
	free(m.strips);
	return best;
}

/* One type by one implementation: a line of the table. */
static void print_type(const struct lx_ops *ops, const struct rig *r, u32 type,
		       bool json)
{
	static bool some;
	double g1, m4, m8, m64, x;

	g1 = measure(ops, r, type, 1, &x) * 1e-9;
	measure(ops, r, type, 4, &m4);
	measure(ops, r, type, 8, &m8);
	measure(ops, r, type, 64, &m64);
	if (json)
		printf("%s\n{\"simd\": \"%s\", \"type\": \"%s\", "
		       "\"gbps\": %.1f, \"gmacs4\": %.1f, "
		       "\"gmacs8\": %.1f, \"gmacs64\": %.1f}",
		       some ? "," : "", ops->name, lx_type_name(type), g1,
		       m4 * 1e-9, m8 * 1e-9, m64 * 1e-9);
	else
		printf("%-8s %-8s %10.1f %10.1f %10.1f %10.1f\n", ops->name,
		       lx_type_name(type), g1, m4 * 1e-9, m8 * 1e-9,
		       m64 * 1e-9);
	some = true;
}

static bool wanted(int argc, char **argv, const char *type)
{
	for (int i = optind; i < argc; i++)
		if (!strcmp(argv[i], type))
			return true;
	return optind == argc;
}

static void print_all(int argc, char **argv, const struct rig *r,
		      const char *simd, bool json)
{
	const char *name;
	bool usable;

	for (u32 i = 0; (name = lx_simd_name(i, &usable)); i++) {
		if (!usable || (simd && strcmp(simd, name)))
			continue;
		for (u32 t = 0; t < LX_ARRAY_SIZE(types); t++)
			if (wanted(argc, argv, lx_type_name(types[t])))
				print_type(lx_ops_find(name), r, types[t],
					   json);
	}
}

int main(int argc, char **argv)
{
	struct rig r = { .cols = 2048, .bytes = 128u << 20 };
	const char *simd = NULL;
	unsigned int threads = 1;
	double one, all;
	bool json = false;
	int c;

	while ((c = getopt(argc, argv, "k:m:s:t:j")) != -1) {
		if (c == 'k')
			r.cols = (u32)atoi(optarg);
		else if (c == 'm')
			r.bytes = (size_t)atoi(optarg) << 20;
		else if (c == 's')
			simd = optarg;
		else if (c == 't')
			threads = (unsigned int)atoi(optarg);
		else if (c == 'j')
			json = true;
		else
			return 2;
	}
	if (!threads || threads > MAX_THREADS)
		return 2;
	all = read_speed_all(threads) * 1e-9;
	r.weights = memory(r.bytes + (1 << 20));
	r.act = memory(64 * lx_act_bytes(r.cols));
	r.f = memory((size_t)64 * r.cols * 4);
	r.out = memory(r.bytes * 8);
	one = read_speed(r.weights, r.bytes, 1) * 1e-9;
	if (json) {
		printf("{\"threads\": %u, \"read_gbps\": %.1f, "
		       "\"read_gbps_1\": %.1f, \"kernels\": [",
		       threads, all, one);
	} else {
		printf("one thread reads %.1f GB/s, %u read %.1f GB/s of 2 GB\n",
		       one, threads, all);
		printf("%-8s %-8s %10s %10s %10s %10s\n", "simd", "type",
		       "GB/s (1)", "GMAC/s (4)", "GMAC/s (8)", "GMAC/s (64)");
	}
	print_all(argc, argv, &r, simd, json);
	if (json)
		printf("\n]}\n");
	return 0;
}
