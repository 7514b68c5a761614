// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The implementation that runs everywhere and specifies the others. */
#include "vec.h"
#include "../../fp/kernels.h"

const struct lx_ops lx_ops_generic = {
	.name = "generic",
	.t_max = MM_T,
	.mac_tile = 32 << 10,
	.mac_tile_f = 8 << 10,
	.byte_tile = 32 << 10,
	.matmul = tile_matmul,
	.pack = lx_tile_pack,
	LX_TILES
};
