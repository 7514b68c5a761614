// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many conversations with the module, measured from the outside:
 *
 *	many streams TOKENS N...	64 prompts alone, then N at a time
 *	many stall TOKENS SEED	a prompt of so many tokens arrives beside a stream
 *	many prefix TOKENS SEED	first tokens of sessions that begin alike
 *	many idle N		memory of sessions that are left alone
 *	many answers CLIENTS	one question again and again, to the end of stdin
 *
 * Each prints JSON. Prompt lookup is off: a step gives a stream one token.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <linux/llamux.h>

#define PROMPTS 64
#define PROMPT_TOKENS 16
#define MAX_TOKENS 4096
#define MAX_TEXT (1u << 16)
#define FORKS 9			/* sessions after the first that begin alike */

static void die(const char *what)
{
	fprintf(stderr, "many: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;	/* ms */
}

static int session(unsigned int seed, unsigned int max, bool greedy)
{
	struct llamux_params p;
	int fd = open("/dev/llama", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, LLAMUX_IOC_GET_PARAMS, &p))
		die("/dev/llama");
	p.seed = seed;
	p.max_tokens = max;
	p.flags = LLAMUX_RAW | LLAMUX_IGNORE_EOG | LLAMUX_NO_LOOKUP;
	if (greedy)
		p.temperature_u = 0;
	if (ioctl(fd, LLAMUX_IOC_SET_PARAMS, &p))
		die("parameters");
	return fd;
}

static unsigned int count_tokens(int fd, const char *text, size_t len)
{
	struct llamux_tokenize t = { .text = (uintptr_t)text,
				     .len = (unsigned int)len };

	if (ioctl(fd, LLAMUX_IOC_TOKENIZE, &t) && errno != ENOSPC)
		die("tokenize");
	return t.n_ids;
}

/* Words that depend on @seed, of some @tokens (a few more). */
static char *prompt(int fd, unsigned int seed, unsigned int tokens)
{
	static const char *const w[] = { "time ", "the ", "cat ", "saw ", "a ",
					 "little ", "house ", "and " };
	char *buf = malloc(MAX_TEXT);
	size_t len = 0;

	if (!buf)
		die("memory");
	do {
		for (unsigned int i = 0; i < 8; i++) {
			seed = seed * 1664525 + 1013904223;
			len += (size_t)sprintf(buf + len, "%s",
					       w[seed >> 16 & 7]);
		}
	} while (len < MAX_TEXT - 64 && count_tokens(fd, buf, len) < tokens);
	return buf;
}

static void say(int fd, const char *text)
{
	size_t n = strlen(text);

	if (write(fd, text, n) != (ssize_t)n)
		die("write");
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of sorted values. */
static double quantile(const double *v, size_t n, double q)
{
	return n ? v[(size_t)((double)(n - 1) * q)] : 0;
}

/* ---- streams ---- */

struct client {
	pthread_t thread;
	pthread_barrier_t *ready;
	unsigned int i, max;
	double at[MAX_TOKENS];	/* when text came */
	unsigned int n;
	double end;
	char text[MAX_TEXT];
	size_t len;
};

/* The prompt is computed before the clock runs. */
static void *client_main(void *arg)
{
	struct client *c = arg;
	int fd = session(c->i, c->max, false);
	char *p = prompt(fd, c->i, PROMPT_TOKENS);
	ssize_t k;

	say(fd, p);
	free(p);
	if (ioctl(fd, LLAMUX_IOC_PREFILL))
		die("prefill");
	c->n = 0;
	c->len = 0;
	if (c->ready)
		pthread_barrier_wait(c->ready);
	say(fd, "so");
	while ((k = read(fd, c->text + c->len, MAX_TEXT - 1 - c->len)) > 0) {
		c->len += (size_t)k;
		if (c->n < MAX_TOKENS)
			c->at[c->n++] = now();
	}
	if (k < 0)
		die("read");
	c->end = now();
	c->text[c->len] = '\0';
	close(fd);
	return NULL;
}

/* Of @all those from @first: how long they took. */
static double group(struct client *all, unsigned int first, unsigned int n)
{
	pthread_barrier_t ready;
	double start, end = 0;

	pthread_barrier_init(&ready, NULL, n + 1);
	for (unsigned int i = first; i < first + n; i++) {
		all[i].ready = &ready;
		if (pthread_create(&all[i].thread, NULL, client_main, &all[i]))
			die("thread");
	}
	pthread_barrier_wait(&ready);
	start = now();
	for (unsigned int i = first; i < first + n; i++) {
		pthread_join(all[i].thread, NULL);
		end = all[i].end > end ? all[i].end : end;
	}
	pthread_barrier_destroy(&ready);
	return end - start;
}

static size_t all_gaps(const struct client *c, double *gaps)
{
	size_t n = 0;

	for (unsigned int i = 0; i < PROMPTS; i++)
		for (unsigned int k = 1; k < c[i].n; k++)
			gaps[n++] = c[i].at[k] - c[i].at[k - 1];
	qsort(gaps, n, sizeof(*gaps), by_size);
	return n;
}

static struct client *clients_new(unsigned int tokens)
{
	struct client *c = calloc(PROMPTS, sizeof(*c));

	if (!c)
		die("memory");
	for (unsigned int i = 0; i < PROMPTS; i++) {
		c[i].i = i;
		c[i].max = tokens;
	}
	return c;
}

static void streams_row(struct client *c, const struct client *alone,
			unsigned int tokens, unsigned int n, bool last)
{
	double *gaps = calloc((size_t)PROMPTS * tokens, sizeof(*gaps));
	double ms = 0;
	bool same = true;
	size_t k;

	if (!gaps)
		die("memory");
	for (unsigned int i = 0; i < PROMPTS; i += n)
		ms += group(c, i, n);
	for (unsigned int i = 0; i < PROMPTS; i++)
		same &= c[i].len && !strcmp(c[i].text, alone[i].text);
	k = all_gaps(c, gaps);
	printf(" {\"clients\": %u, \"answers\": %u, \"tokens\": %u, ", n, PROMPTS,
	       tokens);
	printf("\"tokens_per_s\": %.2f, \"gaps\": %zu, \"gap_ms\": ",
	       PROMPTS * tokens / ms * 1e3, k);
	printf("{\"p50\": %.2f, \"p99\": %.2f, \"p99.9\": %.2f, \"max\": %.2f}, ",
	       quantile(gaps, k, 0.5), quantile(gaps, k, 0.99),
	       quantile(gaps, k, 0.999), quantile(gaps, k, 1));
	printf("\"as_alone\": %s}%s\n", same ? "true" : "false", last ? "" : ",");
	fflush(stdout);
	free(gaps);
}

static void streams(unsigned int tokens, int argc, char **argv)
{
	struct client *alone = clients_new(tokens), *c = clients_new(tokens);

	puts("[");
	streams_row(alone, alone, tokens, 1, argc == 0);
	for (int i = 0; i < argc; i++) {
		unsigned int n = (unsigned int)atoi(argv[i]);

		if (!n || PROMPTS % n)
			die("a number of clients that divides 64");
		streams_row(c, alone, tokens, n, i + 1 == argc);
	}
	puts("]");
	free(alone);
	free(c);
}

/* ---- a prompt beside a stream ---- */

struct stream {
	int fd;
	double at[MAX_TOKENS];
	unsigned int n;		/* atomic: at[] below it is there */
};

static void *stream_main(void *arg)
{
	struct stream *s = arg;
	char buf[4096];

	while (read(s->fd, buf, sizeof(buf)) > 0 && s->n < MAX_TOKENS) {
		s->at[s->n] = now();
		__atomic_store_n(&s->n, s->n + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void wait_for(const struct stream *s, unsigned int n)
{
	while (__atomic_load_n(&s->n, __ATOMIC_ACQUIRE) < n)
		usleep(5000);
}

/* Milliseconds to a first token; *@tokens: of the prompt. */
static double first_token(int fd, unsigned int *tokens)
{
	struct llamux_stats st;
	char buf[4096];
	double start = now(), t;

	if (read(fd, buf, sizeof(buf)) < 0)
		die("read");
	t = now() - start;
	if (ioctl(fd, LLAMUX_IOC_STATS, &st))
		die("stats");
	*tokens = st.n_prompt;
	return t;
}

static void stall(unsigned int tokens, unsigned int seed)
{
	static struct stream s;
	static double before[MAX_TOKENS], during[MAX_TOKENS];
	unsigned int first, got;
	int fd = session(seed + 1, 1, true);
	char *p = prompt(fd, seed, tokens);
	size_t nb = 0, nd = 0;
	pthread_t thread;
	double begin, took, step;

	s.fd = session(seed, 0, false);
	say(s.fd, "so");
	if (pthread_create(&thread, NULL, stream_main, &s))
		die("thread");
	wait_for(&s, 65);
	say(fd, p);
	first = __atomic_load_n(&s.n, __ATOMIC_ACQUIRE);
	begin = now();
	took = first_token(fd, &got);
	wait_for(&s, __atomic_load_n(&s.n, __ATOMIC_ACQUIRE) + 1);
	ioctl(s.fd, LLAMUX_IOC_CANCEL);
	pthread_join(thread, NULL);
	for (unsigned int i = 1; i < s.n; i++) {
		double gap = s.at[i] - s.at[i - 1];

		if (i < first)
			before[nb++] = gap;
		else if (s.at[i - 1] < begin + took)
			during[nd++] = gap;
	}
	qsort(before, nb, sizeof(*before), by_size);
	qsort(during, nd, sizeof(*during), by_size);
	step = quantile(before, nb, 0.5);
	printf("{\"prompt_tokens\": %u, \"prompt_ms\": %.0f, ", got, took);
	printf("\"step_ms\": {\"p50\": %.2f, \"max\": %.2f}, ", step,
	       quantile(before, nb, 1));
	printf("\"beside_ms\": {\"n\": %zu, \"p50\": %.2f, \"p99\": %.2f, ", nd,
	       quantile(during, nd, 0.5), quantile(during, nd, 0.99));
	printf("\"max\": %.2f}, \"stall_steps\": ", quantile(during, nd, 1));
	printf("{\"p50\": %.2f, \"p99\": %.2f, \"max\": %.2f}}\n",
	       quantile(during, nd, 0.5) / step - 1,
	       quantile(during, nd, 0.99) / step - 1,
	       quantile(during, nd, 1) / step - 1);
	close(fd);
	close(s.fd);
	free(p);
}

/* ---- what sessions have in common ---- */

static void prefix(unsigned int tokens, unsigned int seed)
{
	unsigned int n, later_n = 0;
	double first = 0, later[FORKS];
	char *p = NULL;

	for (int i = 0; i <= FORKS; i++) {
		int fd = session(seed + (unsigned int)i, 1, true);
		char own[64];
		double t;

		if (!p)
			p = prompt(fd, seed, tokens);
		snprintf(own, sizeof(own), "question %d", i);
		say(fd, p);
		say(fd, own);
		t = first_token(fd, &n);
		if (i)
			later[later_n++] = t;
		else
			first = t;
		close(fd);
	}
	qsort(later, later_n, sizeof(*later), by_size);
	printf("{\"prompt_tokens\": %u, \"first_ms\": %.1f, \"later_ms\": ", n,
	       first);
	printf("{\"n\": %u, \"min\": %.1f, \"p50\": %.1f, \"max\": %.1f}, ", later_n,
	       later[0], quantile(later, later_n, 0.5), later[later_n - 1]);
	printf("\"ratio\": %.4f}\n", quantile(later, later_n, 0.5) / first);
	free(p);
}

/* ---- idle ones ---- */

static long long mem_free(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	long long kb = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %lld kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static void idle(unsigned int n)
{
	struct rlimit r = { 2 * (rlim_t)n, 2 * (rlim_t)n };
	int *fd = calloc(n, sizeof(*fd));
	long long before, opened, bound;
	struct llamux_info info;

	if (!fd || setrlimit(RLIMIT_NOFILE, &r))
		die("limits");
	before = mem_free();
	for (unsigned int i = 0; i < n; i++)
		fd[i] = session(i, 1, false);
	opened = before - mem_free();
	for (unsigned int i = 0; i < n; i++)
		if (ioctl(fd[i], LLAMUX_IOC_INFO, &info))
			die("info");
	bound = before - mem_free();
	printf("{\"sessions\": %u, \"opened_kb\": %.2f, \"with_a_model_kb\": %.2f}\n",
	       n, (double)opened / n, (double)bound / n);
	for (unsigned int i = 0; i < n; i++)
		close(fd[i]);
	free(fd);
}

/* ---- while models change ---- */

#define MAX_ANSWERS 16

static struct {
	pthread_mutex_t lock;
	struct { char *text; unsigned int n; } seen[MAX_ANSWERS];
	unsigned int n_seen, errors;
	int stop;		/* atomic */
} answers = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void note(const char *text)
{
	unsigned int i;

	pthread_mutex_lock(&answers.lock);
	for (i = 0; i < answers.n_seen; i++)
		if (!strcmp(answers.seen[i].text, text))
			break;
	if (i == answers.n_seen && i < MAX_ANSWERS)
		answers.seen[answers.n_seen++].text = strdup(text);
	if (i < MAX_ANSWERS)
		answers.seen[i].n++;
	pthread_mutex_unlock(&answers.lock);
}

static void *asker_main(void *arg)
{
	char text[8192];

	(void)arg;
	do {
		int fd = session(1, 12, true);
		size_t n = 0;
		ssize_t k = write(fd, "Once upon a time", 16);

		while (k > 0 && (k = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
			n += (size_t)k;
		text[n] = '\0';
		if (k < 0)
			__atomic_add_fetch(&answers.errors, 1, __ATOMIC_RELAXED);
		else
			note(text);
		close(fd);
	} while (!__atomic_load_n(&answers.stop, __ATOMIC_RELAXED));
	return NULL;
}

/* Bytes in hexadecimal: comparing them is all that is wanted. */
static void ask_on(unsigned int n)
{
	pthread_t *thread = calloc(n, sizeof(*thread));
	char c;

	if (!thread)
		die("memory");
	for (unsigned int i = 0; i < n; i++)
		if (pthread_create(&thread[i], NULL, asker_main, NULL))
			die("thread");
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	__atomic_store_n(&answers.stop, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	printf("{\"errors\": %u, \"answers\": {", answers.errors);
	for (unsigned int i = 0; i < answers.n_seen; i++) {
		printf("%s\"", i ? ", " : "");
		for (const char *p = answers.seen[i].text; *p; p++)
			printf("%02x", (unsigned char)*p);
		printf("\": %u", answers.seen[i].n);
		free(answers.seen[i].text);
	}
	puts("}}");
	free(thread);
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 2 ? (unsigned int)atoi(argv[2]) : 0;
	unsigned int seed = argc > 3 ? (unsigned int)atoi(argv[3]) : 1;

	if (n && n <= MAX_TOKENS && !strcmp(argv[1], "streams"))
		streams(n, argc - 3, argv + 3);
	else if (n && !strcmp(argv[1], "stall"))
		stall(n, seed);
	else if (n && !strcmp(argv[1], "prefix"))
		prefix(n, seed);
	else if (n && !strcmp(argv[1], "idle"))
		idle(n);
	else if (n && !strcmp(argv[1], "answers"))
		ask_on(n);
	else
		return fprintf(stderr, "many: streams, stall, prefix, idle or answers, and a number\n"), 2;
	return 0;
}
