/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A host for engine tests: malloc with accounting and injected failures, and
 * what the tests themselves share: counting, files, sources in memory.
 */
#ifndef TESTHOST_H
#define TESTHOST_H

#include <stdbool.h>
#include <stddef.h>

#include "lx/deps.h"
#include "lx/gguf.h"

struct test_host {
	struct lx_host host;
	size_t live;		/* bytes allocated and not freed */
	u64 allocs;
	u64 fail_at;		/* the number of the allocation to refuse, 0: none */
	u64 ticks;		/* calls of progress() */
	int stop;		/* what progress() returns */
	u64 available;		/* what available() returns; 4 GB at first */
};

void test_host_init(struct test_host *h);

/* Whole file, malloced; NULL when it cannot be read. */
void *test_read_file(const char *path, size_t *n);
/* $LLAMUX_SHARED (default ../shared) and @rest, in a static buffer. */
const char *test_shared(const char *rest);

struct test_mem {
	const void *p;
	size_t n;
};

/* A source that reads from memory that is exactly @m->n bytes long. */
struct lx_source test_source(struct test_mem *m);

/* Print and count; a failure is shown with its place. */
void test_check(bool ok, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void test_skip(const char *what, unsigned int n);
#define check(ok, ...) test_check(ok, __FILE__, __LINE__, __VA_ARGS__)
/* The last line, and the exit status. */
int test_done(void);

/* xorshift; the same numbers on every machine. */
u64 test_random(u64 *state);

#endif
