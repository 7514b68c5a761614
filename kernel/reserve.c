// SPDX-License-Identifier: GPL-2.0-only
/* Memory set aside for a model's weights: blocks of it. */
#include <linux/llamux.h>
#include <linux/string.h>

#include "lx/error.h"
#include "reserve.h"

int llamux_reserve_open(struct llamux_reserve *r, const struct llamux_load *load,
			struct lx_error *error)
{
	if (load->flags & LLAMUX_LOAD_HUGETLB)
		return llamux_huge_open(r, load->reserve_fd, error);
	if (!(load->flags & LLAMUX_LOAD_MEMMAP))
		return 0;
	if (!llamux_range_size())
		return lx_fail(error, -LX_ENOMEM,
			       "no range is set aside: the module's parameter reserve= names one");
	r->range = true;
	return 0;
}

void llamux_reserve_close(struct llamux_reserve *r)
{
	if (r->huge)
		llamux_huge_close(r);
	else
		llamux_reserve_give(r);
}

u64 llamux_reserve_room(const struct llamux_reserve *r)
{
	return r->range ? llamux_range_room() : r->size;
}

int llamux_reserve_take(struct llamux_reserve *r, u64 bytes)
{
	return r->range ? llamux_range_take(r, bytes) : 0;
}

void llamux_reserve_give(struct llamux_reserve *r)
{
	if (r->range && r->extents)
		llamux_range_give(r);
}

void *llamux_reserve_alloc(struct llamux_reserve *r, size_t bytes)
{
	struct llamux_extent *x;
	u32 i;

	for (i = 0; i < r->n; i++) {
		x = &r->extents[r->next];
		if (x->size - x->used >= bytes) {
			x->used += bytes;
			r->used += bytes;
			return memset(x->addr + x->used - bytes, 0, bytes);
		}
		r->next = r->next + 1 < r->n ? r->next + 1 : 0;
	}
	return NULL;
}

void llamux_reserve_free(struct llamux_reserve *r, size_t bytes)
{
	u32 i;

	r->used -= bytes;
	if (r->used)
		return;
	for (i = 0; i < r->n; i++)
		r->extents[i].used = 0;
	r->next = 0;
}
