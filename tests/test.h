/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What a test program in C needs: CHECK, a count, and the last line that
 * tests/run reads.
 */
#ifndef TEST_H
#define TEST_H

#include <stdio.h>

static unsigned int test_passed, test_failed, test_skipped;

/* One check; says where and what when it fails. Evaluates to the condition. */
#define CHECK(cond) test_check((cond), #cond, __FILE__, __LINE__)
#define SKIP(why) (test_skipped++, (void)printf("skip: %s\n", why))

static inline int test_check(int ok, const char *what, const char *file,
			     int line)
{
	if (ok) {
		test_passed++;
	} else {
		test_failed++;
		printf("%s:%d: %s\n", file, line, what);
	}
	return ok;
}

/* The exit status: 0 passed, 1 failed, 77 all skipped. */
static inline int test_end(void)
{
	printf("%u passed, %u failed, %u skipped\n", test_passed, test_failed,
	       test_skipped);
	if (test_failed)
		return 1;
	return test_skipped && !test_passed ? 77 : 0;
}

#endif
