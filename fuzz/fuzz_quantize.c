// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Any bytes as a row of one type, converted to another: every implementation
 * makes the same of it and sees the same faults, and what was written reads
 * back as finite numbers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lx/convert.h"
#include "lx/lx.h"
#include "op.h"

#define MAX_COLS 1280
#define MAX_BYTES (MAX_COLS * 4)

static u32 pick(u8 byte, bool (*usable)(u32 type))
{
	u32 type = byte % LX_TYPE_COUNT;

	while (!usable(type))
		type = (type + 1) % LX_TYPE_COUNT;
	return type;
}

static u64 row_bytes(u32 type, u32 cols)
{
	const struct lx_type_info *ti = lx_type_info(type);

	return (u64)cols / ti->block * ti->bytes;
}

/* Columns that are whole blocks of both types and stand in @size bytes */
static u32 columns(u32 from, u32 to, size_t size)
{
	u32 unit = lx_max(lx_type_info(from)->block, lx_type_info(to)->block);
	u64 n = size / row_bytes(from, unit);

	return (u32)lx_min(n, (u64)MAX_COLS / unit) * unit;
}

static void convert(const struct lx_ops *ops, const struct lx_rows *r, u32 *bad)
{
	u8 *scratch = malloc(LX_QUANT_SCRATCH);
	struct lx_op op = { .tile = ops->convert };

	bad[0] = bad[1] = 0;
	op.convert.src = r->src;
	op.convert.dst = r->dst;
	op.convert.from = r->from;
	op.convert.to = r->to;
	op.convert.cols = r->cols;
	op.convert.cols_group = lx_convert_cols(r->to);
	op.convert.groups = lx_div_up(r->cols, op.convert.cols_group);
	op.convert.bad = bad;
	for (u32 i = 0; i < op.convert.groups; i++)
		op.tile(&op, i, scratch);
	free(scratch);
}

static void check(const struct lx_rows *r, const u8 *want, const u32 *want_bad)
{
	size_t n = row_bytes(r->to, r->cols);
	struct lx_rows got = *r;
	const char *name;
	bool usable;
	u32 bad[2];

	for (u32 i = 1; (name = lx_simd_name(i, &usable)); i++) {
		if (!usable)
			continue;
		got.dst = malloc(n);
		convert(lx_ops_find(name), &got, bad);
		FUZZ_CHECK(bad[0] == want_bad[0] && bad[1] == want_bad[1]);
		FUZZ_CHECK(bad[0] || bad[1] || !memcmp(got.dst, want, n));
		free(got.dst);
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct lx_rows r = { .rows = 1 };
	u32 bad[2], again[2];
	u8 *src, *dst, *back;

	if (size < 3)
		return 0;
	r.from = pick(data[0], lx_type_can_read);
	r.to = pick(data[1], lx_type_can_write);
	r.cols = columns(r.from, r.to, size - 2);
	if (!r.cols)
		return 0;
	src = malloc(row_bytes(r.from, r.cols));	/* exact: over-reads show */
	dst = malloc(row_bytes(r.to, r.cols));
	back = malloc(r.cols * sizeof(u32));
	memcpy(src, data + 2, row_bytes(r.from, r.cols));
	r.src = src;
	r.dst = dst;
	convert(&lx_ops_generic, &r, bad);
	check(&r, dst, bad);
	if (!bad[0] && !bad[1]) {
		r.from = r.to;
		r.src = dst;
		r.dst = back;
		r.to = LX_TYPE_F32;
		convert(&lx_ops_generic, &r, again);
		FUZZ_CHECK(!again[0]);
	}
	free(src);
	free(dst);
	free(back);
	return 0;
}
