/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LX_FILL_H
#define LX_FILL_H

#include "model.h"

/*
 * Read and repack all weights that stay in memory, into strips that are placed
 * and zero. In the thread that loads; may sleep. -LX_ENOMEM, -LX_EINTR (the
 * host's progress() said so), -LX_EIO, -LX_EBADMSG a weight or scale is not
 * finite, or what the source says.
 */
int lx_fill(struct lx_model *m, const struct lx_source *src,
	    struct lx_error *err);

#endif
