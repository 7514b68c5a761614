/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Rows of one tensor type to rows of another, on the host's workers. The bytes
 * that come out depend on the values only: not on the threads, not on the
 * instruction set, not on how many rows are given at a time.
 */
#ifndef LX_CONVERT_H
#define LX_CONVERT_H

#include "quant.h"

struct lx_rows {
	const void *src;	/* rows as in a file */
	void *dst;
	u32 from, to;		/* enum lx_type */
	u32 rows, cols;		/* cols: whole blocks of both types */
	const char *simd;	/* as lx_model_params.simd */
	/* Results */
	bool not_finite;	/* a value was a NaN or infinite */
	bool out_of_range;	/* a value is beyond what @to can hold */
};

/* Whether rows can be read from a type, written in it. */
bool lx_type_can_read(u32 type);
bool lx_type_can_write(u32 type);

/*
 * 0 and the flags above, @dst being of use when neither is set; -LX_ENOPKG a
 * type that cannot be read or written, -LX_EINVAL rows that do not fit,
 * -LX_ENOMEM, or an error of the host's run(). @from == @to copies, and looks
 * at the values all the same.
 */
int lx_convert(struct lx_host *host, struct lx_rows *r);

#endif
