/* SPDX-License-Identifier: GPL-2.0-only */
/* Counted checks of the device tests. Last line: N passed, N failed, N skipped. */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int n_passed, n_failed, n_skipped;

#define CHECK(what, cond) \
	do { \
		if (cond) { \
			n_passed++; \
			printf("ok   %s\n", what); \
		} else { \
			n_failed++; \
			printf("FAIL %s (%s:%d, errno %d %s)\n", what, \
			       __FILE__, __LINE__, errno, strerror(errno)); \
		} \
		fflush(stdout); \
	} while (0)

/* A call that must fail with this errno. */
#define FAILS(what, call, err) \
	do { \
		long ret_; \
		errno = 0; \
		ret_ = (call); \
		CHECK(what, ret_ == -1 && errno == (err)); \
	} while (0)

#define SKIP(what) (n_skipped++, printf("skip %s\n", what))

static inline int check_end(void)
{
	printf("%d passed, %d failed, %d skipped\n", n_passed, n_failed,
	       n_skipped);
	return n_failed != 0;
}

#endif
