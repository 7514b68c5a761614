// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* AVX-512 F, BW, VL, DQ with VNNI. */
#include "vec_avx512.h"
#include "../../fp/kernels.h"
#include "../pack.h"

#define TABLE \
	.cpu = LX_CPU_AVX512, .rank = 3, .t_max = MM_T, .mac_tile = 2 << 20, \
	.mac_tile_f = 1 << 20, .byte_tile = 256 << 10, \
	.pack = tile_pack, LX_TILES

const struct lx_ops lx_ops_avx512 = {
	.name = "avx512",
	TABLE,
	.matmul = tile_matmul,
};

/* The same with products in vectors of half the size. */
const struct lx_ops lx_ops_avx512_256 = {
	.name = "avx512-256",
	TABLE,
	.matmul = lx_matmul_avx512_256,
};
