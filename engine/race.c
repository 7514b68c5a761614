// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Which of the implementations that this CPU runs best is the fastest. All give
 * the same bits, and what a product of prompts takes decides: decoding waits
 * for memory whatever computes it.
 */
#include "model.h"

#define ROUNDS 4
#define TOKENS 64
#define COLS 2048
#define STRIPS 24
#define STRIPS_TILE 2

struct race {
	struct lx_host *host;
	struct lx_mat mat;
	struct lx_run run;
	u32 one;
	u8 *strips[STRIPS];
	struct lx_block block;		/* weights, activations, results */
	u8 *act;
	void *out;
};

static int prepare(struct race *r)
{
	u32 bytes = (u32)lx_pack_bytes(LX_TYPE_Q4_K, COLS);
	u64 act = TOKENS * lx_act_bytes(COLS);
	int ret;

	ret = r->host->ops->block_alloc(r->host, &r->block, STRIPS * bytes +
					act + TOKENS * STRIPS * LX_STRIP * 4,
					LX_MEM_SCRATCH);
	if (ret)
		return ret;
	for (u32 i = 0; i < STRIPS; i++)
		r->strips[i] = (u8 *)r->block.addr + i * bytes;
	r->act = (u8 *)r->block.addr + STRIPS * bytes;
	r->out = r->act + act;
	r->mat = (struct lx_mat){
		.type = LX_TYPE_Q4_K, .rows = STRIPS * LX_STRIP, .cols = COLS,
		.n_strips = STRIPS, .n_expert = 1, .strip_bytes = bytes,
		.strips = r->strips,
	};
	r->run.n = TOKENS;
	r->one = 1;
	return 0;
}

/* Nanoseconds of one product; the values are zero, which changes nothing. */
static u64 product(struct race *r, const struct lx_ops *ops)
{
	struct lx_op op = { .tile = ops->matmul };
	u64 start;

	op.mm.seg[0] = (struct lx_seg){
		.mat = &r->mat, .out = r->out, .ld = STRIPS * LX_STRIP,
	};
	op.mm.n_seg = 1;
	op.mm.runs = &r->run;
	op.mm.n_runs = &r->one;
	op.mm.act = (struct lx_act){
		.q = r->act, .cols = COLS, .ld = COLS, .kp = COLS,
	};
	op.mm.t_max = ops->t_max;
	op.mm.strips = STRIPS_TILE;
	op.mm.slots = TOKENS;
	op.mm.slot_tiles = 1;
	op.mm.strip_tiles = STRIPS / STRIPS_TILE;
	op.n_tiles = op.mm.strip_tiles;
	start = r->host->ops->time_ns(r->host);
	if (lx_run_ops(r->host, &op, 1, 0))
		return ~0ull;
	return r->host->ops->time_ns(r->host) - start;
}

const struct lx_ops *lx_ops_fastest(struct lx_host *host)
{
	const struct lx_ops *ops[LX_MAX_OPS + 1], *best;
	u64 ns[LX_MAX_OPS], least = ~0ull;
	struct race r = { .host = host };
	u32 n = 0;

	best = lx_ops_find(NULL);
	while ((ops[n] = lx_ops_rival(best, n)))
		ns[n++] = ~0ull;
	if (n < 2 || prepare(&r))
		return best;
	for (u32 k = 0; k < ROUNDS; k++)
		for (u32 i = 0; i < n; i++) {
			u64 t = product(&r, ops[i]);

			ns[i] = lx_min(ns[i], t);
		}
	/* The usual one unless another is faster by more than chance. */
	for (u32 i = 0; i < n; i++)
		if (ns[i] < least - least / 32) {
			least = ns[i];
			best = ops[i];
		}
	host->ops->block_free(host, &r.block, LX_MEM_SCRATCH);
	return best;
}
