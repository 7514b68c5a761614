/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Memory of the host for the length of a call, which no engine counts. */
#ifndef LX_SCRATCH_H
#define LX_SCRATCH_H

#include "lx/deps.h"

/* @n bytes, zeroed, or NULL. */
static inline void *lx_scratch_get(struct lx_host *h, size_t n)
{
	return h->ops->alloc(h, n, LX_MEM_SCRATCH);
}

/* @p of @n bytes, or NULL. */
static inline void lx_scratch_put(struct lx_host *h, void *p, size_t n)
{
	if (p)
		h->ops->free(h, p, n, LX_MEM_SCRATCH);
}

#endif
