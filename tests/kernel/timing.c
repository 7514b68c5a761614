// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the clock tells of others' prompts. In each of 200 trials somebody asks
 * a prompt that begins with a secret, or with something else of that length;
 * then an observer asks what begins with the secret and takes the time to the
 * first piece of the answer. Can the observer tell which it was? A permutation
 * test on the ranks of the times says how likely as great a difference is by
 * chance.
 *
 * Not between users, nor between two clients of one user with a salt each.
 * The controls are the same with one user, and with one salt: there it can.
 *
 * "timing experts" is for a mixture whose experts are streamed. Prompts are too
 * short to be found as known prefixes: what tells is which experts are there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <linux/llamux.h>
#include "check.h"

#define TRIALS 200
#define PERMUTATIONS 5000
#define WORDS 140	/* of a secret: two pages of KV and more */
#define LETTERS 10	/* of one that finds experts: not a page */
#define P_CHANCE 0.01

struct who {
	unsigned int uid;
	unsigned long long salt;
};

static unsigned int state = 1;
static int experts;

static unsigned int draw(unsigned int n)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % n;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int session(const struct who *w)
{
	struct llamux_salt salt = { .salt = w->salt };
	struct llamux_params p;
	int fd;

	if (seteuid(w->uid))
		return -1;
	fd = open("/dev/llama", O_RDWR | O_CLOEXEC);
	if (seteuid(0) || fd < 0 || ioctl(fd, LLAMUX_IOC_SALT, &salt) ||
	    ioctl(fd, LLAMUX_IOC_GET_PARAMS, &p))
		return -1;
	p.temperature_u = 0;
	p.max_tokens = 1;
	p.flags = LLAMUX_RAW | LLAMUX_IGNORE_EOG;
	return ioctl(fd, LLAMUX_IOC_SET_PARAMS, &p) ? -1 : fd;
}

/* The @seed's text. */
static size_t text(unsigned int seed, char *buf)
{
	static const char *const word[] = { "time ", "the ", "cat ", "saw ",
					    "a ", "little ", "house ", "and " };
	size_t len = 0;

	for (int i = 0; i < (experts ? LETTERS : WORDS); i++) {
		seed = seed * 1664525 + 1013904223;
		if (experts)
			buf[len++] = (char)('a' + (seed >> 16) % 26);
		else
			len += sprintf(buf + len, "%s", word[seed >> 16 & 7]);
	}
	return len;
}

/* Ask what begins with the @seed's text: seconds to the first piece. */
static double ask(const struct who *w, unsigned int seed, unsigned int *cached)
{
	struct llamux_stats st;
	char buf[WORDS * 8 + 1];
	size_t len = text(seed, buf);
	double t;
	int fd = session(w);

	if (fd < 0 || write(fd, buf, len) != (ssize_t)len) {
		perror("ask");
		exit(1);
	}
	t = now();
	if (read(fd, buf, sizeof(buf)) <= 0) {
		perror("read");
		exit(1);
	}
	t = now() - t;
	if (ioctl(fd, LLAMUX_IOC_STATS, &st))
		exit(1);
	*cached = st.n_cached;
	close(fd);
	return t;
}

struct trial {
	double t;
	int secret;	/* was asked before */
	int rank;
};

static int by_time(const void *a, const void *b)
{
	double x = ((const struct trial *)a)->t, y = ((const struct trial *)b)->t;

	return x < y ? -1 : x > y;
}

/* |difference of the two kinds' sums of ranks| */
static int difference(const struct trial *r, const int *secret)
{
	int sum = 0;

	for (int i = 0; i < TRIALS; i++)
		sum += secret[i] ? r[i].rank : -r[i].rank;
	return abs(sum);
}

static void shuffle(int *v)
{
	for (int i = TRIALS - 1; i > 0; i--) {
		int k = draw(i + 1), t = v[i];

		v[i] = v[k];
		v[k] = t;
	}
}

/* Chance of a difference as great, were there none. */
static double permute(struct trial *r)
{
	int secret[TRIALS], seen, as_great = 0;

	qsort(r, TRIALS, sizeof(*r), by_time);
	for (int i = 0; i < TRIALS; i++) {
		r[i].rank = i;
		secret[i] = r[i].secret;
	}
	seen = difference(r, secret);
	for (int i = 0; i < PERMUTATIONS; i++) {
		shuffle(secret);
		as_great += difference(r, secret) >= seen;
	}
	return (as_great + 1.0) / (PERMUTATIONS + 1);
}

/* @cached: tokens that the observer had for nothing, of all trials. */
static double observe(const struct who *asks, const struct who *observes,
		      unsigned int *cached)
{
	static unsigned int seed = 1000;
	struct trial r[TRIALS];
	int secret[TRIALS];
	unsigned int n;

	*cached = 0;
	for (int i = 0; i < TRIALS; i++)
		secret[i] = i % 2;
	shuffle(secret);
	for (int i = 0; i < TRIALS; i++, seed += 2) {
		ask(asks, secret[i] ? seed : seed + 1, &n);
		r[i].secret = secret[i];
		r[i].t = ask(observes, seed, &n);
		*cached += n;
	}
	return permute(r);
}

/* One in a hundred times chance alone says "yes", but not twice. */
static void not_told(const char *what, struct who a, struct who b)
{
	unsigned int cached;
	double p = observe(&a, &b, &cached);
	char line[128];

	if (p <= P_CHANCE)
		p = observe(&a, &b, &cached);
	snprintf(line, sizeof(line), "%s: not told (p = %.4f)", what, p);
	CHECK(line, p > P_CHANCE && !cached);
}

static void told(const char *what, struct who a, struct who b)
{
	unsigned int cached;
	double p = observe(&a, &b, &cached);
	char line[128];

	snprintf(line, sizeof(line), "%s: told (p = %.4f)", what, p);
	CHECK(line, p < P_CHANCE && (cached == 0) == experts);
}

int main(int argc, char **argv)
{
	experts = argc > 1 && !strcmp(argv[1], "experts");
	not_told("two users", (struct who){ 1001, 0 }, (struct who){ 1002, 0 });
	told("one user twice", (struct who){ 1001, 0 },
	     (struct who){ 1001, 0 });
	not_told("two salts of one user", (struct who){ 0, 1 },
		 (struct who){ 0, 2 });
	told("one salt twice", (struct who){ 0, 3 }, (struct who){ 0, 3 });
	return check_end();
}
