// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Matrix products by AVX-VNNI. */
#include "vec_avx2.h"
#include "op.h"
#include "../../fp/math.h"
#include "../../fp/matmul.h"

void lx_matmul_avxvnni(const struct lx_op *op, u32 tile, void *scratch)
{
	tile_matmul(op, tile, scratch);
}
