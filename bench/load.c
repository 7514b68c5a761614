// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading a model beside a copy of its file, both from the page cache, in turn:
 * threads that copy it into memory as fresh as that of the weights.
 *
 *	load [-t THREADS] [-r ROUNDS] [-j] MODEL
 *
 * -j: as JSON
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "local.h"

#define PIECE (4u << 20)
#define MAX_THREADS 64

struct part {
	pthread_t thread;
	int fd, failed;
	char *to;
	off_t at, end;
};

static void *copy_part(void *arg)
{
	struct part *p = arg;

	while (p->at < p->end) {
		size_t n = (size_t)(p->end - p->at);
		ssize_t got = pread(p->fd, p->to + p->at,
				    n < PIECE ? n : PIECE, p->at);

		if (got <= 0) {
			p->failed = 1;
			return NULL;
		}
		p->at += got;
	}
	return NULL;
}

/* Seconds; memory of 2 MB pages, where there are such. */
static double copy(int fd, size_t size, unsigned int threads)
{
	size_t span = size + (2u << 20), part = size / threads + 1;
	struct part p[MAX_THREADS];
	double start = now();
	char *mem = mmap(NULL, span, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		exit(1);
	madvise(mem, span, MADV_HUGEPAGE);
	for (unsigned int i = 0; i < threads; i++) {
		p[i] = (struct part){ .fd = fd, .to = mem,
				      .at = (off_t)(i * part) };
		p[i].end = (off_t)((i + 1) * part < size ? (i + 1) * part :
				   size);
		if (pthread_create(&p[i].thread, NULL, copy_part, &p[i]))
			exit(1);
	}
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(p[i].thread, NULL);
		if (p[i].failed)
			exit(1);
	}
	start = now() - start;
	munmap(mem, span);
	return start;
}

static double load(const char *file, unsigned int threads)
{
	struct user_host_options opt = { .n_threads = threads };
	struct lx_engine_params ep = { .n_ctx = 2048 };
	struct lx_model_params mp = { 0 };
	double start = now();
	struct local l;

	if (local_open_engine(&l, file, &opt, &mp, &ep)) {
		fprintf(stderr, "%s\n", l.message);
		exit(1);
	}
	start = now() - start;
	local_close(&l);
	return start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	unsigned int threads = 2, rounds = 5;
	double *copies, *loads;
	struct stat st;
	int c, fd, json = 0;

	while ((c = getopt(argc, argv, "t:r:j")) != -1) {
		if (c == 't')
			threads = (unsigned int)atoi(optarg);
		else if (c == 'r')
			rounds = (unsigned int)atoi(optarg);
		else if (c == 'j')
			json = 1;
		else
			return 2;
	}
	if (optind + 1 != argc || !threads || threads > MAX_THREADS || !rounds)
		return 2;
	fd = open(argv[optind], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		perror(argv[optind]);
		return 1;
	}
	copies = calloc(rounds, sizeof(*copies));
	loads = calloc(rounds, sizeof(*loads));
	if (!copies || !loads)
		return 1;
	copy(fd, (size_t)st.st_size, threads);	/* into the page cache */
	for (unsigned int i = 0; i < rounds; i++) {
		copies[i] = copy(fd, (size_t)st.st_size, threads);
		loads[i] = load(argv[optind], threads);
	}
	qsort(copies, rounds, sizeof(*copies), compare);
	qsort(loads, rounds, sizeof(*loads), compare);
	printf(json ? "{\"mb\": %.0f, \"threads\": %u, "
	       "\"copy_s\": %.3f, \"copy_min\": %.3f, \"copy_max\": %.3f, "
	       "\"load_s\": %.3f, \"load_min\": %.3f, \"load_max\": %.3f, "
	       "\"ratio\": %.2f}\n" :
	       "%.0f MB, %u threads: copy %.3f s (%.3f to %.3f), load %.3f s (%.3f to %.3f), ratio %.2f\n",
	       (double)st.st_size * 1e-6, threads, copies[rounds / 2],
	       copies[0], copies[rounds - 1], loads[rounds / 2], loads[0],
	       loads[rounds - 1], loads[rounds / 2] / copies[rounds / 2]);
	free(copies);
	free(loads);
	return 0;
}
