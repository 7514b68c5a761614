/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory set aside for weights: --reserve of load and plan.
 */
#ifndef RESERVE_H
#define RESERVE_H

#include "engine.h"

struct reserve {
	uint32_t flag;		/* LLAMUX_LOAD_HUGETLB, _MEMMAP, 0: none */
	uint64_t page;		/* bytes of a huge page */
	uint64_t unused;	/* bytes that weights could have now */
};

/* "hugetlb" or "memmap"; complains otherwise. */
bool parse_reserve(const char *arg, struct reserve *r);
/* Find out what there is. EXIT_OK, or complains: the kernel has none. */
int reserve_look(struct reserve *r);
/* Blocks as the module cuts them for that memory, if any; before a plan. */
void reserve_cut(const struct reserve *r, struct lx_host *host);
/*
 * Bytes of it that the weights of a plan take. 0: they cannot lie there, since
 * what must be in one piece is longer than a page.
 */
uint64_t reserve_needed(const struct reserve *r, const struct lx_plan *p);
/*
 * A memfd of huge pages for the weights of @file, allocated and sealed; or an
 * error with @msg set.
 */
int reserve_huge(struct reserve *r, const struct globals *g, const char *file,
		 struct llamux_message *msg);

#endif
