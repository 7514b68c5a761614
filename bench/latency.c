// SPDX-License-Identifier: GPL-2.0-only
/*
 * How late a task wakes that sleeps for a millisecond at a time: a normal one
 * and a real-time one on each CPU, for SECONDS.
 *
 *	latency SECONDS
 *
 * Prints for each kind: name, wake-ups, and p50, p99, p99.9 and the longest in
 * microseconds.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define PERIOD 1000000	/* ns */
#define MAX_CPUS 64

struct probe {
	pthread_t thread;
	int cpu, rt, error;
	size_t n, max;
	unsigned int *late;	/* ns */
};

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void *run(void *arg)
{
	struct sched_param prio = { .sched_priority = 50 };
	struct timespec sleep = { .tv_nsec = PERIOD };
	struct probe *p = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(p->cpu, &set);
	p->error = sched_setaffinity(0, sizeof(set), &set);
	if (!p->error && p->rt)
		p->error = sched_setscheduler(0, SCHED_FIFO, &prio);
	if (!p->error)
		p->error = prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
	while (!p->error && p->n < p->max) {
		long long start = now();

		nanosleep(&sleep, NULL);
		p->late[p->n++] = (unsigned int)(now() - start - PERIOD);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *name, const struct probe *p, int cpus)
{
	size_t n = 0;
	unsigned int *all;

	for (int i = 0; i < cpus; i++)
		n += p[i].n;
	all = calloc(n + 1, sizeof(*all));
	if (!all || !n)
		exit(1);
	n = 0;
	for (int i = 0; i < cpus; i++) {
		memcpy(all + n, p[i].late, p[i].n * sizeof(*all));
		n += p[i].n;
	}
	qsort(all, n, sizeof(*all), compare);
	printf("%s %zu %.1f %.1f %.1f %.1f\n", name, n, 1e-3 * all[n / 2],
	       1e-3 * all[n * 99 / 100], 1e-3 * all[n * 999 / 1000],
	       1e-3 * all[n - 1]);
	free(all);
}

int main(int argc, char **argv)
{
	static struct probe p[2][MAX_CPUS];
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	size_t max = argc > 1 ? (size_t)atoi(argv[1]) * 1000 : 0;

	if (!max || cpus < 1 || cpus > MAX_CPUS || mlockall(MCL_FUTURE))
		return 2;
	for (int rt = 0; rt < 2; rt++)
		for (int i = 0; i < cpus; i++) {
			struct probe *q = &p[rt][i];

			*q = (struct probe){ .cpu = i, .rt = rt, .max = max };
			q->late = calloc(max, sizeof(*q->late));
			if (!q->late ||
			    pthread_create(&q->thread, NULL, run, q))
				return 1;
		}
	for (int rt = 0; rt < 2; rt++)
		for (int i = 0; i < cpus; i++) {
			pthread_join(p[rt][i].thread, NULL);
			if (p[rt][i].error) {
				perror("probe");
				return 1;
			}
		}
	report("normal", p[0], cpus);
	report("realtime", p[1], cpus);
	return 0;
}
