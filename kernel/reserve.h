/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_RESERVE_H
#define LLAMUX_RESERVE_H

#include <linux/list.h>
#include <linux/types.h>

struct file;
struct llamux_load;
struct lx_error;

/* One piece of memory; filled from its start. */
struct llamux_extent {
	u8 *addr;
	u64 size, used;
};

/*
 * Memory that was set aside for the weights of one model: huge pages that root
 * handed in (huge.c), or a part of the module's range (range.c). Weights lie
 * there, wholly, and nothing else does. Opened and closed with the model; all
 * else is by the model's thread.
 */
struct llamux_reserve {
	bool huge, range;		/* where it is from; neither: there is none */
	struct llamux_extent *extents;	/* by address; NULL: nothing is held */
	u32 n, next;			/* the one to try first */
	u64 size, used;			/* bytes of all extents; of blocks in them */
	struct list_head node;		/* of its kind, under that one's lock */

	struct file *file;		/* huge: the memfd */
	u64 page_bytes;
	struct llamux_extent part;	/* range: the only extent */
};

/*
 * As the load request says; nothing where it wants none. After an error, of
 * which @error says why, nothing is held.
 */
int llamux_reserve_open(struct llamux_reserve *r, const struct llamux_load *load,
			struct lx_error *error);
void llamux_reserve_close(struct llamux_reserve *r);

static inline bool llamux_reserve_wanted(const struct llamux_reserve *r)
{
	return r->huge || r->range;
}

/* Bytes that weights may take; 0 where none is wanted. */
u64 llamux_reserve_room(const struct llamux_reserve *r);
/* Have room for weights of @bytes, and give it back. -ENOMEM. */
int llamux_reserve_take(struct llamux_reserve *r, u64 bytes);
void llamux_reserve_give(struct llamux_reserve *r);

/*
 * A block, zeroed; @bytes: whole pages. NULL: no extent has so much left.
 * Memory comes back when the last block does.
 */
void *llamux_reserve_alloc(struct llamux_reserve *r, size_t bytes);
void llamux_reserve_free(struct llamux_reserve *r, size_t bytes);

/* ---- huge.c ---- */

int llamux_huge_open(struct llamux_reserve *r, int fd, struct lx_error *error);
void llamux_huge_close(struct llamux_reserve *r);

/* ---- range.c ---- */

/* The "reserve" parameter. Why it cannot be had is logged. */
int llamux_range_init(void);
void llamux_range_exit(void);
/* Bytes of the range, 0: there is none; the largest part no model has. */
u64 llamux_range_size(void);
u64 llamux_range_room(void);
int llamux_range_take(struct llamux_reserve *r, u64 bytes);
void llamux_range_give(struct llamux_reserve *r);

#endif
