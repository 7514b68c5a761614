// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* AVX2 with FMA and F16C. */
#include "vec_avx2.h"
#include "../../fp/kernels.h"
#include "../pack.h"

#define TABLE \
	.t_max = MM_T, .mac_tile = 1 << 20, .mac_tile_f = 512 << 10, \
	.byte_tile = 128 << 10, .pack = tile_pack, LX_TILES

const struct lx_ops lx_ops_avx2 = {
	.name = "avx2",
	.cpu = LX_CPU_AVX2,
	.rank = 1,
	TABLE,
	.matmul = tile_matmul,
};

/* The same with products by AVX-VNNI. */
const struct lx_ops lx_ops_avxvnni = {
	.name = "avxvnni",
	.cpu = LX_CPU_AVX2 | LX_CPU_AVXVNNI,
	.rank = 2,
	TABLE,
	.matmul = lx_matmul_avxvnni,
};
