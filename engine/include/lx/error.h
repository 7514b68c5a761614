/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A message beside an errno: which key, tensor or argument, and why.
 */
#ifndef LX_ERROR_H
#define LX_ERROR_H

#include "deps.h"

#define LX_ERROR_MAX 200

struct lx_error {
	int code;			/* negative errno, 0 when none */
	char msg[LX_ERROR_MAX];		/* printable ASCII, NUL-terminated */
};

/*
 * Format into @buf (@size bytes, always terminated); returns the length that
 * was written. Knows %s %d %u %x %lld %llu %llx %zu %c %% and
 * %.*s with a length; every byte of a string that is not printable ASCII is
 * written as \xHH, so file contents can be named safely.
 */
size_t lx_format(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Set @err (which may be NULL) and return @code, so that a caller can write
 * "return lx_fail(err, -LX_EBADMSG, ...)". The first message is kept.
 */
int lx_fail(struct lx_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
