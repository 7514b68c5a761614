// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large memory. Blocks come from the direct map when the page allocator has
 * them in one piece (on x86 huge-page mapped, nothing to configure), from
 * vmalloc otherwise. Nothing here wakes the OOM killer: what does not fit is
 * refused. Where memory was set aside for a model's weights they lie nowhere
 * else.
 */
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "account.h"
#include "compat/compat.h"
#include "memory.h"
#include "reserve.h"

#define MODEST (__GFP_RETRY_MAYFAIL | __GFP_NOWARN | __GFP_ZERO)

enum source { FROM_PAGES, FROM_EXACT, FROM_VMALLOC, FROM_RESERVE };

static atomic64_t held[LX_MEM_KINDS];

static void account(struct llamux_memory *m, enum lx_mem kind, s64 bytes)
{
	atomic64_add(bytes, &m->used[kind]);
	atomic64_add(bytes, &held[kind]);
}

u64 llamux_memory_held(enum lx_mem kind)
{
	return atomic64_read(&held[kind]);
}

u64 llamux_memory_used(const struct llamux_memory *m, enum lx_mem kind)
{
	return atomic64_read(&m->used[kind]);
}

u64 llamux_memory_reserved(const struct llamux_memory *m)
{
	return m->reserve ? llamux_memory_used(m, LX_MEM_WEIGHTS) : 0;
}

u64 llamux_memory_available(void)
{
	s64 reserve = clamp_t(s64, (s64)totalram_pages() / 64,
			      (16 << 20) >> PAGE_SHIFT,
			      (128 << 20) >> PAGE_SHIFT);
	s64 pages = (s64)si_mem_available() - reserve;

	return pages > 0 ? (u64)pages << PAGE_SHIFT : 0;
}

/* kmalloc aligns powers of two to their size, other small sizes less. */
static size_t slab_size(size_t size)
{
	size = max_t(size_t, size, LX_CACHELINE);
	return size <= 256 ? roundup_pow_of_two(size) : size;
}

/* Charged to the caller's memory cgroup; a kthread's is the root's. */
void *llamux_memory_alloc(struct llamux_memory *m, size_t size,
			  enum lx_mem kind)
{
	void *p;

	if (size > INT_MAX)
		return NULL;
	if (size > LLAMUX_BLOCK_SIZE && size > llamux_memory_available())
		return NULL;
	p = kvmalloc(slab_size(size), GFP_KERNEL_ACCOUNT | MODEST);
	if (p)
		account(m, kind, size);
	return p;
}

void llamux_memory_free(struct llamux_memory *m, void *p, size_t size,
			enum lx_mem kind)
{
	if (!p)
		return;
	kvfree(p);
	account(m, kind, -(s64)size);
}

/*
 * Blocks of weights go round the nodes that have CPUs, since every worker reads
 * all of them over a token: no node's memory is the narrow place. A wish: where
 * a node is full, the next one gives. Called by the thread that loads.
 */
static int weights_node(struct llamux_memory *m)
{
	int node = m->node, i;

	for (i = 0; i < num_node_state(N_MEMORY); i++) {
		node = next_node_in(node, node_states[N_MEMORY]);
		if (node_state(node, N_CPU)) {
			m->node = node;
			return node;
		}
	}
	return NUMA_NO_NODE;
}

/* One piece of the direct map. The tail of an odd size is given back. */
static void *pages_alloc(struct lx_block *b, size_t size, int node, gfp_t gfp)
{
	struct page *page;
	u32 i;

	b->order = get_order(size);
	if (b->order > LLAMUX_MAX_ORDER)
		return NULL;
	page = alloc_pages_node(node, gfp, b->order);
	if (!page)
		return NULL;
	b->source = FROM_PAGES;
	if (size != PAGE_SIZE << b->order) {
		/* As alloc_pages_exact(), which takes no node. */
		b->source = FROM_EXACT;
		split_page(page, b->order);
		for (i = size >> PAGE_SHIFT; i < 1u << b->order; i++)
			__free_page(page + i);
	}
	return page_address(page);
}

static void *virtual_alloc(struct lx_block *b, size_t size, gfp_t gfp)
{
	b->source = FROM_VMALLOC;
	b->order = 0;
	return vmalloc_huge(size, gfp);
}

static int block_alloc(struct llamux_memory *m, struct lx_block *b,
		       size_t size, enum lx_mem kind, gfp_t gfp)
{
	size_t bytes = PAGE_ALIGN(size);

	b->addr = NULL;
	b->size = size;
	b->note = NULL;
	if (!size || bytes < size || bytes > llamux_memory_available())
		return -ENOMEM;
	b->addr = pages_alloc(b, bytes, kind == LX_MEM_WEIGHTS ?
			      weights_node(m) : NUMA_NO_NODE, gfp);
	if (!b->addr)
		b->addr = virtual_alloc(b, bytes, gfp);
	if (!b->addr)
		return -ENOMEM;
	account(m, kind, bytes);
	return 0;
}

/* It is not among what models hold of the machine's memory. */
static int reserve_alloc(struct llamux_memory *m, struct lx_block *b, size_t size)
{
	b->size = size;
	b->source = FROM_RESERVE;
	b->order = 0;
	b->note = NULL;
	b->addr = llamux_reserve_alloc(m->reserve, PAGE_ALIGN(size));
	if (!b->addr)
		return -ENOMEM;
	atomic64_add(PAGE_ALIGN(size), &m->used[LX_MEM_WEIGHTS]);
	return 0;
}

static void reserve_free(struct llamux_memory *m, struct lx_block *b)
{
	llamux_reserve_free(m->reserve, PAGE_ALIGN(b->size));
	b->addr = NULL;
	atomic64_sub(PAGE_ALIGN(b->size), &m->used[LX_MEM_WEIGHTS]);
}

int llamux_block_alloc(struct llamux_memory *m, struct lx_block *b,
		       size_t size, enum lx_mem kind)
{
	if (m->reserve && kind == LX_MEM_WEIGHTS)
		return reserve_alloc(m, b, size);
	return block_alloc(m, b, size, kind, GFP_KERNEL | MODEST);
}

/* Not @memcg's fault if the machine has no such block for nobody, either. */
static int memcg_alloc(struct llamux_memory *m, struct lx_block *b,
		       size_t size, enum lx_mem kind, struct mem_cgroup *memcg)
{
	struct mem_cgroup *old;
	int err;

	if (!memcg)
		return llamux_block_alloc(m, b, size, kind);
	old = set_active_memcg(memcg);
	err = block_alloc(m, b, size, kind, GFP_KERNEL_ACCOUNT | MODEST);
	set_active_memcg(old);
	if (!err || llamux_block_alloc(m, b, size, kind))
		return err;
	llamux_block_free(m, b, kind);
	return -ENOSPC;
}

int llamux_charged_alloc(struct llamux_memory *m, struct lx_block *b,
			 size_t size, enum lx_mem kind,
			 struct llamux_account *a)
{
	u64 bytes = PAGE_ALIGN(size);
	int err;

	if (!a)
		return llamux_block_alloc(m, b, size, kind);
	if (!llamux_account_charge(a, bytes))
		return -EDQUOT;
	err = memcg_alloc(m, b, size, kind, a->memcg);
	if (err)
		llamux_account_uncharge(a, bytes);
	else
		b->note = a;
	return err;
}

void llamux_block_free(struct llamux_memory *m, struct lx_block *b,
		       enum lx_mem kind)
{
	size_t bytes = PAGE_ALIGN(b->size);

	if (!b->addr)
		return;
	if (b->source == FROM_RESERVE) {
		reserve_free(m, b);
		return;
	}
	switch (b->source) {
	case FROM_PAGES:
		free_pages((unsigned long)b->addr, b->order);
		break;
	case FROM_EXACT:
		free_pages_exact(b->addr, bytes);
		break;
	default:
		vfree(b->addr);
	}
	b->addr = NULL;
	account(m, kind, -(s64)bytes);
	if (b->note)
		llamux_account_uncharge(b->note, bytes);
	b->note = NULL;
}
