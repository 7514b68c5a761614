/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * All floating-point tiles, compiled once for each instruction set by the
 * files of arch/, which include their vec_*.h first. The core sees only the
 * table that each of them fills in (op.h).
 */
#include "lx/deps.h"
#include "op.h"
#include "math.h"
#include "matmul.h"
#include "rows.h"
#include "norm.h"
#include "attention.h"
#include "moe.h"
#include "keys.h"
#include "nucleus.h"
#include "sampler.h"
#include "logprob.h"
#include "pool.h"
#include "quantize_k.h"

static void tile_copy(const struct lx_op *op, u32 tile, void *scratch)
{
	lx_memcpy((u8 *)op->copy.dst + tile * op->copy.row_bytes,
		  (const u8 *)op->copy.src + tile * op->copy.stride,
		  op->copy.row_bytes);
	(void)scratch;
}

#define LX_TILES \
	.embed = tile_embed, .norm = tile_norm, .rope = tile_rope, \
	.angles = tile_angles, .attn = tile_attn, \
	.merge = tile_merge, .route = tile_route, .gather = tile_gather, \
	.combine = tile_combine, .freqs = tile_freqs, .scales = tile_scales, \
	.residual = tile_residual, .cap = tile_cap, .copy = tile_copy, \
	.pool = tile_pool, .unit = tile_unit, \
	.lse = tile_lse, .penalties = tile_penalties, .mask = tile_mask, \
	.best = tile_best, .candidates = tile_candidates, \
	.hist = tile_hist, .pick = tile_pick, .sums = tile_sums, \
	.draw = tile_draw, .logprobs = tile_logprobs, \
	.convert = tile_convert
