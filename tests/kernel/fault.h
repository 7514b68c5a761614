/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocations and copies that fail, one after the other: a call is made
 * again and again with its first, second, ... allocation failing (fail-nth of
 * /proc/PID/task/TID, Documentation/fault-injection), till it needs no more
 * than did not fail. Only one thread is hit.
 *
 * A call that fails says ENOMEM or EFAULT and has lost nothing: made again, it
 * gives what it gives where nothing fails. Models are called "m" and "n".
 */
#ifndef FAULT_H
#define FAULT_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/llamux.h>
#include "check.h"

#define SIZE 8192
#define MOST 4000	/* faults of one call */
#define WORDS 150	/* of the prompt: three pages of KV */
#define FEW 64		/* bytes where each costs a copy */

static int nth_fd, ctl, fd = -1;
static char text[SIZE], want[SIZE], prompt[SIZE];
static size_t n_text, n_prompt;

/* ---- the fault ---- */

static inline int open_nth(long tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/fail-nth", tid, tid);
	return open(path, O_RDWR | O_CLOEXEC);
}

static inline void arm(unsigned int n)
{
	char buf[16];
	int k = snprintf(buf, sizeof(buf), "%u", n);

	if (pwrite(nth_fd, buf, k, 0) != k) {
		perror("fail-nth");
		exit(1);
	}
}

/*
 * Was there a fault? Reading and writing the number are copies that count
 * themselves.
 */
static inline int disarm(void)
{
	char buf[16] = "";
	ssize_t k = pread(nth_fd, buf, sizeof(buf) - 1, 0);

	while (pwrite(nth_fd, "0", 1, 0) != 1)
		;
	return k > 0 && !atoi(buf);
}

/* ---- conversations ---- */

static inline int failed(void)
{
	return -errno;
}

static inline int session(unsigned int max)
{
	struct llamux_params p;

	fd = open("/dev/llama", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LLAMUX_IOC_GET_PARAMS, &p))
		return failed();
	p.temperature_u = 0;
	p.max_tokens = max;
	p.flags = LLAMUX_RAW | LLAMUX_IGNORE_EOG;
	p.n_logprobs = 1;
	n_text = 0;
	return ioctl(fd, LLAMUX_IOC_SET_PARAMS, &p) ? failed() : 0;
}

/* What was not yet written of the prompt. */
static inline int say(void)
{
	static size_t done;
	ssize_t k;

	if (!n_text)
		done = 0;
	n_text = 1;
	while (done < n_prompt) {
		k = write(fd, prompt + done, n_prompt - done);
		if (k < 0)
			return failed();
		done += k;
	}
	n_text = 0;
	return 0;
}

static inline int drain_of(int from)
{
	ssize_t k;

	while ((k = read(from, text + n_text, SIZE - 1 - n_text)) > 0)
		n_text += k;
	text[n_text] = '\0';
	return k < 0 ? failed() : 0;
}

static inline int drain(void)
{
	return drain_of(fd);
}

static inline int as_wanted(void)
{
	return strcmp(text, want);
}

static inline void done(void)
{
	close(fd);
	fd = -1;
}

static inline int nothing(void)
{
	return 0;
}

static inline int run_open(void)
{
	fd = open("/dev/llama", O_RDWR | O_CLOEXEC);
	return fd < 0 ? failed() : 0;
}

static inline int before_turn(void)
{
	return session(6) ?: say();
}

static inline int after_turn(int err)
{
	int bad = drain() || as_wanted();

	done();
	return bad;
}

static struct llamux_choice scores[2], good_scores[2];

static inline int run_score(void)
{
	static const __u32 ends[2] = { 4, 9 };
	struct llamux_score s = {
		.text = (unsigned long)" cat house", .len = 9,
		.ends = (unsigned long)ends, .n = 2,
		.choices = (unsigned long)scores,
	};

	return ioctl(fd, LLAMUX_IOC_SCORE, &s) ? failed() : 0;
}

static float vector[8192], good_vector[8192];

static inline int run_embed(void)
{
	struct llamux_embed e = {
		.text = (unsigned long)prompt, .len = FEW,
		.embedding = (unsigned long)vector, .n = 8192,
	};

	return ioctl(fd, LLAMUX_IOC_EMBED, &e) ? failed() : 0;
}

/* The conversation is what it was: it is answered as if it were not asked. */
static inline int after_score(int err)
{
	int bad = (err && run_score()) ||
		  memcmp(scores, good_scores, sizeof(scores)) || drain() ||
		  as_wanted();

	done();
	return bad;
}

/* ---- one after the other ---- */

struct call {
	const char *name;
	int (*before)(void);		/* no faults */
	int (*run)(void);		/* 0 or -errno */
	int (*after)(int err);		/* no faults; not 0: it is wrong */
	int thin;			/* long: the later, the fewer */
};

static inline int is_clear(int err)
{
	return !err || err == -ENOMEM || err == -EFAULT;
}

static inline void sweep(const struct call *c)
{
	unsigned int nth = 0, tries = 0, errors = 0;
	int err = 0, fired = 1, bad = 0;
	char what[160];

	while (fired && nth < MOST && !bad) {
		nth += 1 + (c->thin ? nth / 8 : 0);
		tries++;
		bad = c->before();
		if (bad)
			break;
		arm(nth);
		err = c->run();
		fired = disarm();
		errors += err != 0;
		if (!is_clear(err) || (err && !fired))
			bad = 1;
		if (c->after(err))
			bad |= 2;
	}
	snprintf(what, sizeof(what), "%s: %u faults, %u errors%s", c->name,
		 tries - !fired, errors, bad & 1 ? ", not a clear one" :
		 bad & 2 ? ", the next try fails" : "");
	if (bad)
		printf("     fault %u, error %d, text \"%s\"\n", nth, err,
		       text);
	CHECK(what, !bad && !fired);
}

/* What the calls give where nothing fails. */
static inline int learn(void)
{
	static const char *const w[] = { "time ", "the ", "cat ", "saw ",
					 "little " };

	for (int i = 0; i < WORDS; i++)
		n_prompt += sprintf(prompt + n_prompt, "%s", w[i * i % 5]);
	n_prompt--;	/* the last space: detokenized as it was */
	prompt[n_prompt] = '\0';
	if (before_turn() || drain() || !n_text)
		return -1;
	strcpy(want, text);
	done();
	if (before_turn() || run_score())
		return -1;
	memcpy(good_scores, scores, sizeof(scores));
	done();
	if (session(6) || run_embed())
		return -1;
	memcpy(good_vector, vector, sizeof(vector));
	done();
	return 0;
}

/* For thread @tid; 77 where there are no faults, 1 where nothing works. */
static inline int begin(long tid)
{
	/* Our own memory is there: only calls are to fail. */
	mlockall(MCL_CURRENT | MCL_FUTURE);
	nth_fd = open_nth(tid);
	if (nth_fd < 0)
		return 77;
	ctl = open("/dev/llamactl", O_RDWR | O_CLOEXEC);
	if (learn()) {
		perror("learn");
		return 1;
	}
	return 0;
}

#endif
