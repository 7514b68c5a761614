/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_MEMORY_H
#define LLAMUX_MEMORY_H

#include <linux/atomic.h>
#include <linux/types.h>
#include "lx/deps.h"

struct llamux_account;
struct llamux_reserve;

/* Bytes held for one model, by what they are for. */
struct llamux_memory {
	atomic64_t used[LX_MEM_KINDS];
	struct llamux_reserve *reserve;	/* all weights lie there; NULL */
	int node;		/* of the last block of weights */
};

#define LLAMUX_BLOCK_SIZE (4u << 20)

void *llamux_memory_alloc(struct llamux_memory *m, size_t size,
			  enum lx_mem kind);
void llamux_memory_free(struct llamux_memory *m, void *p, size_t size,
			enum lx_mem kind);
int llamux_block_alloc(struct llamux_memory *m, struct lx_block *b,
		       size_t size, enum lx_mem kind);
/*
 * What is a session's, charged to @a (NULL: to nobody). -EDQUOT: more than its
 * user may have; -ENOSPC: its cgroup has no room where the machine has. Wakes no
 * OOM killer, the cgroup's neither.
 */
int llamux_charged_alloc(struct llamux_memory *m, struct lx_block *b,
			 size_t size, enum lx_mem kind,
			 struct llamux_account *a);
void llamux_block_free(struct llamux_memory *m, struct lx_block *b,
		       enum lx_mem kind);

u64 llamux_memory_used(const struct llamux_memory *m, enum lx_mem kind);
/* Of weights, those in memory that was set aside for them. */
u64 llamux_memory_reserved(const struct llamux_memory *m);
/* By all models, but for what was set aside; no locks. */
u64 llamux_memory_held(enum lx_mem kind);
/* Bytes that can be taken without driving the machine out of memory. */
u64 llamux_memory_available(void);

#endif
