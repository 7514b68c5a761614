// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many sessions on one model: answers do not depend on who else asks, forks
 * and prefilled prompts are what they would have been, KV is found within a
 * user and salt and nowhere else, limits hold, idle sessions cost little.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/llamux.h>
#include "check.h"

#define MAX_CLIENTS 64
#define OTHER 54321

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int session(unsigned int seed, unsigned int max)
{
	struct llamux_params p;
	int fd = open("/dev/llama", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, LLAMUX_IOC_GET_PARAMS, &p))
		return -1;
	p.seed = seed;
	p.max_tokens = max;
	p.flags = LLAMUX_RAW | LLAMUX_IGNORE_EOG;
	p.priority = seed % 3 == 1;
	return ioctl(fd, LLAMUX_IOC_SET_PARAMS, &p) ? -1 : fd;
}

/* @n words that depend on @seed; @buf holds 8 bytes a word. */
static size_t words(char *buf, unsigned int seed, unsigned int n)
{
	static const char *const w[] = { "time ", "the ", "cat ", "saw ", "a ",
					 "little ", "house ", "and " };
	size_t len = 0;

	while (n--) {
		len += sprintf(buf + len, "%s", w[seed >> 16 & 7]);
		seed = seed * 1664525 + 1013904223;
	}
	return len;
}

static int say(int fd, unsigned int seed, unsigned int n)
{
	char buf[16384];
	size_t len = words(buf, seed, n);

	return write(fd, buf, len) == (ssize_t)len ? 0 : -1;
}

static ssize_t drain(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t k;

	while ((k = read(fd, buf + n, size - 1 - n)) > 0)
		n += k;
	buf[n] = '\0';
	return k < 0 ? -1 : (ssize_t)n;
}

/* ---- together and alone ---- */

struct client {
	pthread_t thread;
	unsigned int i;
	int err;
	char text[8192];
};

static void *client_main(void *arg)
{
	struct client *c = arg;
	int fd = session(c->i, 16 + c->i % 7);

	c->err = fd < 0 || say(fd, c->i, c->i % 5 ? 6 + c->i : 120) ||
		 drain(fd, c->text, sizeof(c->text)) <= 0;
	close(fd);
	return NULL;
}

static void test_together(void)
{
	static struct client alone[MAX_CLIENTS], c[MAX_CLIENTS];
	char what[80];

	for (unsigned int i = 0; i < MAX_CLIENTS; i++) {
		alone[i].i = i;
		client_main(&alone[i]);
	}
	for (unsigned int n = 4; n <= MAX_CLIENTS; n *= 4) {
		double t = now();
		int same = 1;

		for (unsigned int i = 0; i < n; i++) {
			c[i].i = i;
			pthread_create(&c[i].thread, NULL, client_main, &c[i]);
		}
		for (unsigned int i = 0; i < n; i++) {
			pthread_join(c[i].thread, NULL);
			same &= !c[i].err && !alone[i].err &&
				!strcmp(c[i].text, alone[i].text);
		}
		snprintf(what, sizeof(what),
			 "%u clients: answers as alone (%.2f s)", n, now() - t);
		CHECK(what, same);
	}
}

/* ---- what is shared ---- */

/* A prompt of @n words, one token of an answer. */
static struct llamux_stats ask(unsigned int seed, unsigned int n,
			       unsigned long long salt)
{
	struct llamux_salt s = { .salt = salt };
	struct llamux_stats st = { 0 };
	char buf[256];
	int fd = session(seed, 1);

	if (fd < 0 || ioctl(fd, LLAMUX_IOC_SALT, &s) || say(fd, seed, n) ||
	    drain(fd, buf, sizeof(buf)) < 0 ||
	    ioctl(fd, LLAMUX_IOC_STATS, &st))
		st.n_prompt = 0;
	close(fd);
	return st;
}

/* The same as another user. */
static struct llamux_stats ask_as(unsigned int uid, unsigned int seed,
				  unsigned int n)
{
	struct llamux_stats st = { 0 };
	int p[2];

	if (pipe(p))
		return st;
	if (!fork()) {
		if (setresuid(uid, uid, uid))
			_exit(1);
		st = ask(seed, n, 0);
		write(p[1], &st, sizeof(st));
		_exit(0);
	}
	close(p[1]);
	read(p[0], &st, sizeof(st));
	close(p[0]);
	wait(NULL);
	return st;
}

static void test_prefix(int ctl)
{
	char text[16384];
	struct llamux_prefix pre = { .text = (unsigned long)text };
	struct llamux_stats one, two, st;
	unsigned long long best = ~0ull;
	unsigned int i;

	one = ask(1000, 1000, 0);
	CHECK("first: nothing is cached", one.n_prompt > 1000 && !one.n_cached);
	for (i = 0; i < 5; i++) {
		two = ask(1000, 1000, 0);
		best = two.prompt_ns < best ? two.prompt_ns : best;
	}
	printf("     %u tokens: first %.1f ms, then %.1f ms\n", one.n_prompt,
	       one.prompt_ns / 1e6, best / 1e6);
	CHECK("then all but a page is",
	      two.n_cached < two.n_prompt && two.n_cached + 128 >= two.n_prompt);
	CHECK("in less than a tenth of the time", best * 10 < one.prompt_ns);
	CHECK("another salt shares nothing", !ask(1000, 1000, 1).n_cached);
	CHECK("but with itself", ask(1000, 1000, 1).n_cached > 900);
	st = ask_as(OTHER, 1000, 1000);
	CHECK("another user shares nothing", st.n_prompt && !st.n_cached);
	CHECK("but with itself", ask_as(OTHER, 1000, 1000).n_cached > 900);
	st = ask_as(OTHER, 2000, 300);
	CHECK("before: not cached", st.n_prompt && !st.n_cached);
	pre.len = words(text, 3000, 300);
	CHECK("register a prompt", !ioctl(ctl, LLAMUX_CTL_PREFIX, &pre));
	pre.flags = LLAMUX_PREFIX_DROP;
	CHECK("and forget it", !ioctl(ctl, LLAMUX_CTL_PREFIX, &pre));
	pre.flags = 4;
	FAILS("unknown flags", ioctl(ctl, LLAMUX_CTL_PREFIX, &pre), EINVAL);
	pre.flags = LLAMUX_PREFIX_REMOVE;
	pre.id = ~0ull;
	FAILS("no such prompt", ioctl(ctl, LLAMUX_CTL_PREFIX, &pre), ENOENT);
	pre.id = 0;
	pre.flags = 0;
	pre.len = 0;
	FAILS("no text", ioctl(ctl, LLAMUX_CTL_PREFIX, &pre), EMSGSIZE);
	strcpy(pre.name, "nobody");
	FAILS("no such model", ioctl(ctl, LLAMUX_CTL_PREFIX, &pre), ENOENT);
}

/* As a system message it is found by all, through the chat format or not. */
static void test_registered(int ctl)
{
	char text[16384], buf[256];
	struct llamux_prefix pre = { .text = (unsigned long)text };
	struct llamux_write w = { .text = (unsigned long)text };
	struct llamux_params p;
	struct llamux_stats st;
	int fd = open("/dev/llama", O_RDWR);

	pre.len = words(text, 4000, 300);
	CHECK("register", !ioctl(ctl, LLAMUX_CTL_PREFIX, &pre));
	ioctl(fd, LLAMUX_IOC_GET_PARAMS, &p);
	p.max_tokens = 1;
	ioctl(fd, LLAMUX_IOC_SET_PARAMS, &p);
	w.len = pre.len;
	w.role = LLAMUX_ROLE_SYSTEM;
	CHECK("the same system message", !ioctl(fd, LLAMUX_IOC_WRITE, &w) &&
	      !say(fd, 5, 5) && drain(fd, buf, sizeof(buf)) >= 0 &&
	      !ioctl(fd, LLAMUX_IOC_STATS, &st));
	CHECK("is found", st.n_cached + 128 > 300);
	pre.flags = LLAMUX_PREFIX_DROP;
	CHECK("forget", !ioctl(ctl, LLAMUX_CTL_PREFIX, &pre));
	close(fd);
}

static int fork_fd(int fd)
{
	struct llamux_fork f = { .flags = O_CLOEXEC };

	return ioctl(fd, LLAMUX_IOC_FORK, &f);
}

static void test_fork(void)
{
	static char want[3][4096], got[3][4096];
	struct llamux_fork f = { .flags = 1 };
	struct llamux_stats st;
	struct llamux_salt salt = { .salt = 3 };
	int fd, c[3];

	for (int i = 0; i < 3; i++) {
		fd = session(9, 12);
		CHECK("one conversation", !say(fd, 9, 90) &&
		      drain(fd, want[i], sizeof(want[i])) > 0 &&
		      !say(fd, 20 + i, 4) &&
		      drain(fd, want[i], sizeof(want[i])) > 0);
		close(fd);
	}
	fd = session(9, 12);
	FAILS("prefill of nothing", ioctl(fd, LLAMUX_IOC_PREFILL), EINVAL);
	CHECK("a conversation", !say(fd, 9, 90) &&
	      drain(fd, got[0], sizeof(got[0])) > 0);
	FAILS("bad flags", ioctl(fd, LLAMUX_IOC_FORK, &f), EINVAL);
	for (int i = 0; i < 3; i++) {
		c[i] = fork_fd(fd);
		CHECK("fork", c[i] >= 0 && !say(c[i], 20 + i, 4));
	}
	FAILS("the salt is fixed", ioctl(c[0], LLAMUX_IOC_SALT, &salt), EBUSY);
	close(fd);
	for (int i = 2; i >= 0; i--) {
		CHECK("goes on as the first would have",
		      drain(c[i], got[i], sizeof(got[i])) > 0 &&
		      !strcmp(got[i], want[i]));
		close(c[i]);
	}

	/* Prefill, then a fork for each question. */
	fd = session(9, 12);
	CHECK("written", !say(fd, 9, 90));
	c[0] = fork_fd(fd);
	CHECK("prefill", !ioctl(fd, LLAMUX_IOC_PREFILL));
	CHECK("all is in the cache", !ioctl(fd, LLAMUX_IOC_STATS, &st) &&
	      st.n_past >= 90 && !st.n_gen && st.state == 0);
	CHECK("a fork of what was only written answers",
	      drain(c[0], got[0], sizeof(got[0])) > 0);
	c[1] = fork_fd(fd);
	CHECK("so does one of what was prefilled", !say(c[1], 20, 4) &&
	      drain(c[1], got[1], sizeof(got[1])) > 0);
	close(c[0]);
	close(c[1]);
	close(fd);

	fd = session(9, 0);
	say(fd, 9, 5);
	read(fd, got[0], 1);
	FAILS("fork in mid-turn", fork_fd(fd), EBUSY);
	FAILS("prefill in mid-turn", ioctl(fd, LLAMUX_IOC_PREFILL), EINVAL);
	close(fd);
}

/* A number of /proc/llamux/status. */
static long long status(const char *key)
{
	FILE *f = fopen("/proc/llamux/status", "re");
	char line[256];
	long long v = -1;
	size_t n = strlen(key);

	while (f && v < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, n) && line[n] == ':')
			v = atoll(line + n + 1);
	if (f)
		fclose(f);
	return v;
}

/* "yes" or "no": a node a byte (include/uapi/linux/llamux.h). */
static int set_yes_no(int fd)
{
	static const unsigned char nodes[][8] = {
		{ 0 }, { 1, 's', 's' }, { 1, 'e', 'e', 0, 1 },
		{ 1, 'y', 'y', 0, 2 }, { 1, 'o', 'o' }, { 1, 'n', 'n', 0, 4 },
		{ 3, 0, 0, 0, 3, 0, 5 },
	};
	unsigned int head[4] = { 0x3147584c, 7, 0, 6 };
	unsigned char blob[sizeof(head) + sizeof(nodes)];
	struct llamux_grammar g = { .blob = (unsigned long)blob,
				    .len = sizeof(blob) };

	memcpy(blob, head, sizeof(head));
	memcpy(blob + sizeof(head), nodes, sizeof(nodes));
	return ioctl(fd, LLAMUX_IOC_SET_GRAMMAR, &g);
}

/* A fork has the grammar of the first, and memory of its own for it. */
static void test_fork_grammar(void)
{
	struct llamux_grammar none = { 0 };
	long long before, one, two;
	char got[64] = "";
	int fd = session(9, 12), c;

	/* The sorted vocabulary, which the first grammar makes, stays. */
	CHECK("a grammar and none", !set_yes_no(fd) &&
	      !ioctl(fd, LLAMUX_IOC_SET_GRAMMAR, &none));
	before = status("control");
	CHECK("a grammar", !set_yes_no(fd));
	one = status("control") - before;
	c = fork_fd(fd);
	two = status("control") - before;
	printf("     a grammar takes %lld bytes, two %lld\n", one, two);
	CHECK("a fork", c >= 0);
	CHECK("memory is told", one > 1 << 20 && two >= 2 * one);
	close(fd);
	CHECK("the fork follows the grammar", !say(c, 3, 20) &&
	      drain(c, got, sizeof(got)) > 0 &&
	      (!strcmp(got, "yes") || !strcmp(got, "no")));
	close(c);
	CHECK("all is given back", status("control") <= before);
}

/* ---- limits ---- */

static int open_as(unsigned int uid, int n)
{
	int status;

	if (!fork()) {
		if (setresuid(uid, uid, uid))
			_exit(1);
		while (n--)
			if (open("/dev/llama", O_RDWR) < 0)
				_exit(errno);
		_exit(0);
	}
	wait(&status);
	return WEXITSTATUS(status);
}

static void test_limits(int ctl)
{
	struct llamux_limit l = { .uid = OTHER, .max_sessions = 3 };
	struct llamux_stats st;

	CHECK("a limit of sessions", !ioctl(ctl, LLAMUX_CTL_LIMIT, &l));
	CHECK("three are allowed", open_as(OTHER, 3) == 0);
	CHECK("not four", open_as(OTHER, 4) == EDQUOT);
	CHECK("but to others", open_as(OTHER + 1, 4) == 0);
	l.max_sessions = 0;
	l.tokens_per_minute = 50;
	CHECK("a limit of tokens", !ioctl(ctl, LLAMUX_CTL_LIMIT, &l));
	st = ask_as(OTHER, 7777, 100);
	CHECK("a turn that has begun goes on", st.n_prompt > 50);
	st = ask_as(OTHER, 7778, 10);
	CHECK("the next does not begin", !st.n_prompt);
	l.tokens_per_minute = 0;
	CHECK("no limit", !ioctl(ctl, LLAMUX_CTL_LIMIT, &l));
	st = ask_as(OTHER, 7778, 10);
	CHECK("it begins", st.n_prompt);
	l.set = 8;
	FAILS("no such limit", ioctl(ctl, LLAMUX_CTL_LIMIT, &l), EINVAL);
}

/* A column of @uid's row in /proc/llamux/users. */
static long long users(unsigned int uid, int column)
{
	FILE *f = fopen("/proc/llamux/users", "re");
	long long v[5] = { -1, -1, -1, -1, -1 };
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lld %lld %lld %lld %lld", &v[0], &v[1],
			   &v[2], &v[3], &v[4]) >= 4 && v[0] == uid)
			break;
	if (f)
		fclose(f);
	return v[0] == uid ? v[column] : -1;
}

/*
 * As a user who may have so much KV: a conversation that needs more ends with
 * EDQUOT, and goes on when it may; one that is idle makes room for the next.
 */
static int with_little_kv(int lift, int lifted)
{
	char buf[256];
	int a = session(1, 4), b = session(2, 4), c, bad = 0;

	bad |= say(a, 8000, 40) || drain(a, buf, sizeof(buf)) <= 0;
	bad |= (say(b, 8001, 40) || drain(b, buf, sizeof(buf)) <= 0) << 1;
	bad |= (say(b, 8002, 4) || drain(b, buf, sizeof(buf)) <= 0) << 2;
	bad |= (say(a, 8003, 4) || drain(a, buf, sizeof(buf)) <= 0) << 3;
	c = session(3, 4);
	bad |= (say(c, 8004, 800) || drain(c, buf, sizeof(buf)) != -1 ||
		errno != EDQUOT) << 4;
	bad |= (set_yes_no(c) != -1 || errno != EDQUOT) << 5;
	write(lift, "", 1);
	read(lifted, buf, 1);
	bad |= (say(c, 8005, 1) || drain(c, buf, sizeof(buf)) <= 0) << 6;
	return bad;
}

static void test_kv_limit(int ctl)
{
	struct llamux_limit l = { .uid = OTHER, .set = LLAMUX_LIMIT_KV };
	struct llamux_stats st;
	int lift[2], lifted[2], status, fd = session(7, 4);
	char buf[256];
	pid_t pid;

	say(fd, 7999, 4);
	drain(fd, buf, sizeof(buf));
	ioctl(fd, LLAMUX_IOC_STATS, &st);
	close(fd);
	/* What is kept of earlier prompts counts, and goes when it must. */
	l.max_kv = 4 * st.kv_bytes;
	CHECK("a page is known", st.kv_bytes);
	CHECK("a limit of KV", !ioctl(ctl, LLAMUX_CTL_LIMIT, &l) &&
	      !pipe(lift) && !pipe(lifted));
	pid = fork();
	if (!pid) {
		if (setresuid(OTHER, OTHER, OTHER))
			_exit(255);
		_exit(with_little_kv(lift[1], lifted[0]));
	}
	read(lift[0], buf, 1);
	CHECK("no more is had", users(OTHER, 3) >= 0 &&
	      users(OTHER, 3) <= (long long)l.max_kv);
	CHECK("it is told", users(OTHER, 4) == (long long)l.max_kv);
	l.max_kv = 0;
	CHECK("no limit", !ioctl(ctl, LLAMUX_CTL_LIMIT, &l));
	write(lifted[1], "", 1);
	waitpid(pid, &status, 0);
	printf("     faults with little KV: %#x\n", WEXITSTATUS(status));
	CHECK("idle ones make room, others end with EDQUOT and go on",
	      WIFEXITED(status) && !WEXITSTATUS(status));
}

static long long mem_free(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long long kb = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %lld kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static void test_idle(void)
{
	enum { N = 1000 };
	struct rlimit r = { 2 * N, 2 * N };
	static int fd[N];
	long long before;
	int i;

	setrlimit(RLIMIT_NOFILE, &r);
	before = mem_free();
	for (i = 0; i < N; i++) {
		fd[i] = session(1, 1);
		if (fd[i] < 0)
			break;
	}
	CHECK("1000 sessions", i == N);
	before -= mem_free();
	printf("     an idle session takes %.1f kB\n", before / (double)N);
	CHECK("idle, they take less than 16 kB each", before < 16 * N);
	while (i--)
		close(fd[i]);
}

int main(void)
{
	int ctl = open("/dev/llamactl", O_RDWR);

	test_together();
	test_prefix(ctl);
	test_registered(ctl);
	test_fork();
	test_fork_grammar();
	test_limits(ctl);
	test_kv_limit(ctl);
	test_idle();
	return check_end();
}
