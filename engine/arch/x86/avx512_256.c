// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Matrix products by VNNI of AVX-512 in vectors of 256 bits, 32 of them. */
#include "vec_avx2.h"
#include "op.h"
#include "../../fp/math.h"
#include "../../fp/matmul.h"

void lx_matmul_avx512_256(const struct lx_op *op, u32 tile, void *scratch)
{
	tile_matmul(op, tile, scratch);
}
