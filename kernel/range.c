// SPDX-License-Identifier: GPL-2.0-only
/*
 * A range of physical memory that was set aside at boot (memmap=SIZE$START on
 * x86) and is named to the module by its parameter, in the same words. Models
 * take parts of it.
 *
 * It must lie in one range that the kernel has down as reserved, of which no
 * driver uses anything. What firmware has reserved for itself looks the same
 * from here: who sets the parameter says that it is memory, and spare. Being a
 * hardware parameter it is refused where the kernel is locked down.
 */
#define pr_fmt(fmt) "llamux: " fmt

#include <linux/ioport.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "compat/reserve.h"
#include "reserve.h"

static char *reserve;
module_param_hw(reserve, charp, iomem, 0400);
MODULE_PARM_DESC(reserve, "memory for weights, SIZE$START as memmap= has it, or SIZE@START");

static struct { u64 start, size; u8 *addr; } range;
static DEFINE_MUTEX(range_lock);
static LIST_HEAD(parts);	/* of models, by address */

/* ---- the range ---- */

static int refuse(int err, const char *why)
{
	pr_err("reserve=%s: %s\n", reserve, why);
	return err;
}

/* Shells leave an @ alone. */
static bool parse(void)
{
	char *end;

	range.size = memparse(reserve, &end);
	if (*end != '$' && *end != '@')
		return false;
	range.start = memparse(end + 1, &end);
	return !*end && range.size && range.start &&
	       range.start + range.size > range.start &&
	       PAGE_ALIGNED(range.start) && PAGE_ALIGNED(range.size) &&
	       (size_t)range.size == range.size;
}

static int is_whole(struct resource *res, void *unused)
{
	return res->start == range.start &&
	       res->end == range.start + range.size - 1;
}

/* Where there is no memory, nothing is kept; all is read again at the end. */
static bool keeps_data(void)
{
	u64 at;

	for (at = 0; at < range.size; at += PAGE_SIZE) {
		WRITE_ONCE(*(u64 *)(range.addr + at), ~(range.start + at));
		if (!(at % (1 << 20)))
			cond_resched();
	}
	for (at = 0; at < range.size; at += PAGE_SIZE) {
		if (READ_ONCE(*(u64 *)(range.addr + at)) != ~(range.start + at))
			return false;
		if (!(at % (1 << 20)))
			cond_resched();
	}
	return true;
}

static int map(void)
{
	range.addr = llamux_map_range(range.start, range.size);
	if (!range.addr)
		return refuse(-ENOMEM, "cannot be mapped");
	if (keeps_data())
		return 0;
	llamux_unmap_range(range.addr);
	return refuse(-ENODEV, "there is no memory, or not all of it");
}

static int range_open(void)
{
	u64 last = range.start + range.size - 1;
	int err;

	if (region_intersects(range.start, range.size, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		return refuse(-EBUSY, "the kernel uses it: set it aside with memmap=");
	if (walk_iomem_res_desc(IORES_DESC_RESERVED, IORESOURCE_MEM, range.start,
				last, NULL, is_whole) != 1)
		return refuse(-EINVAL, "does not lie in one reserved range");
	if (!request_mem_region(range.start, range.size, "llamux"))
		return refuse(-EBUSY, "a driver uses some of it");
	err = map();
	if (err)
		release_mem_region(range.start, range.size);
	return err;
}

int llamux_range_init(void)
{
	int err;

	if (!reserve || !*reserve)
		return 0;
	if (!parse())
		return refuse(-EINVAL, "SIZE$START wanted, in whole pages");
	err = range_open();
	if (err)
		range.size = 0;
	else
		pr_info("%llu MiB at %#llx are for weights\n", range.size >> 20,
			range.start);
	return err;
}

void llamux_range_exit(void)
{
	if (!range.size)
		return;
	llamux_unmap_range(range.addr);
	release_mem_region(range.start, range.size);
}

/* ---- parts ---- */

u64 llamux_range_size(void)
{
	return range.size;
}

static u64 offset_of(const struct llamux_reserve *r)
{
	return r->part.addr - range.addr;
}

/*
 * Under the lock: the first gap of @bytes, or, with @bytes 0, the largest one.
 * *@at: where it is; *@before: the part that follows it. Returns its size.
 */
static u64 find_gap(u64 bytes, u64 *at, struct list_head **before)
{
	u64 from = 0, best = 0;
	struct llamux_reserve *r;

	list_for_each_entry(r, &parts, node) {
		u64 gap = offset_of(r) - from;

		if (gap > best && (!bytes || gap >= bytes)) {
			best = gap;
			*at = from;
			*before = &r->node;
			if (bytes)
				return best;
		}
		from = offset_of(r) + r->part.size;
	}
	if (range.size - from > best) {
		best = range.size - from;
		*at = from;
		*before = &parts;
	}
	return best;
}

u64 llamux_range_room(void)
{
	struct list_head *before;
	u64 at, room;

	mutex_lock(&range_lock);
	room = find_gap(0, &at, &before);
	mutex_unlock(&range_lock);
	return room;
}

int llamux_range_take(struct llamux_reserve *r, u64 bytes)
{
	struct list_head *before;
	int err = -ENOMEM;
	u64 at;

	mutex_lock(&range_lock);
	if (find_gap(bytes, &at, &before) >= bytes) {
		r->part = (struct llamux_extent){
			.addr = range.addr + at, .size = bytes,
		};
		r->extents = &r->part;
		r->n = 1;
		r->next = 0;
		r->size = bytes;
		list_add_tail(&r->node, before);
		err = 0;
	}
	mutex_unlock(&range_lock);
	return err;
}

void llamux_range_give(struct llamux_reserve *r)
{
	mutex_lock(&range_lock);
	list_del(&r->node);
	mutex_unlock(&range_lock);
	r->extents = NULL;
	r->n = 0;
	r->size = 0;
}
