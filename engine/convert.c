// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Rows from one type to another: the control of fp/quantize_k.h's tile. */
#include "lx/convert.h"
#include "model.h"
#include "codebook.h"

bool lx_type_can_write(u32 type)
{
	switch (type) {
	case LX_TYPE_F32: case LX_TYPE_F16: case LX_TYPE_BF16:
	case LX_TYPE_Q4_0: case LX_TYPE_Q4_1: case LX_TYPE_Q5_0:
	case LX_TYPE_Q5_1: case LX_TYPE_Q8_0: case LX_TYPE_Q2_K:
	case LX_TYPE_Q3_K: case LX_TYPE_Q4_K: case LX_TYPE_Q5_K:
	case LX_TYPE_Q6_K: case LX_TYPE_IQ4_NL: case LX_TYPE_IQ4_XS:
	case LX_TYPE_MXFP4:
		return true;
	}
	return false;
}

bool lx_type_can_read(u32 type)
{
	return lx_type_can_write(type) || lx_code_bits(type) ||
	       type == LX_TYPE_NVFP4 || type == LX_TYPE_Q1_0 ||
	       type == LX_TYPE_Q2_0;
}

u32 lx_convert_cols(u32 to)
{
	/* Superblocks of 16 parts fill the lanes alone. */
	if (to == LX_TYPE_Q2_K || to == LX_TYPE_Q3_K || to == LX_TYPE_Q6_K)
		return 256;
	return LX_QUANT_COLS;
}

static bool fits(u32 type, u32 cols)
{
	return !(cols % lx_type_info(type)->block);
}

static u64 row_bytes(u32 type, u32 cols)
{
	const struct lx_type_info *ti = lx_type_info(type);

	return (u64)cols / ti->block * ti->bytes;
}

void lx_convert_op(struct lx_op *op, const struct lx_ops *ops,
		   const struct lx_rows *r, u32 *bad)
{
	op->tile = ops->convert;
	op->convert.src = r->src;
	op->convert.dst = r->dst;
	op->convert.src_bytes = row_bytes(r->from, r->cols);
	op->convert.dst_bytes = row_bytes(r->to, r->cols);
	op->convert.from = r->from;
	op->convert.to = r->to;
	op->convert.cols = r->cols;
	op->convert.cols_group = lx_convert_cols(r->to);
	op->convert.groups = lx_div_up(r->cols, op->convert.cols_group);
	op->convert.bad = bad;
	op->n_tiles = r->rows * op->convert.groups;
}

int lx_convert(struct lx_host *host, struct lx_rows *r)
{
	const struct lx_ops *ops = lx_ops_find(r->simd);
	struct lx_op op = { 0 };
	u32 bad[2] = { 0, 0 };
	int ret;

	if (!ops)
		return -LX_EINVAL;
	if (!lx_type_can_read(r->from) ||
	    (r->from != r->to && !lx_type_can_write(r->to)))
		return -LX_ENOPKG;
	if (!r->rows || !r->cols || !fits(r->from, r->cols) ||
	    !fits(r->to, r->cols))
		return -LX_EINVAL;
	lx_convert_op(&op, ops, r, bad);
	ret = lx_run_ops(host, &op, 1, LX_QUANT_SCRATCH);
	r->not_finite = bad[LX_QUANT_NAN - 1];
	r->out_of_range = bad[LX_QUANT_RANGE - 1];
	return ret;
}
