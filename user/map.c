// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Anonymous memory: madvise() is a wish, so nothing depends on its success. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <sys/mman.h>

#include "lx/deps.h"
#include "map.h"

/* Whole huge pages from one on: a part of one would be of small pages. */
static size_t mapped(size_t size)
{
	return lx_align_up(size, size >= HUGE_PAGE ? (size_t)HUGE_PAGE : 4096);
}

void *map_pages(size_t size)
{
	size_t align = size >= HUGE_PAGE ? HUGE_PAGE : 0;
	size_t head, tail;
	char *p;

	if (size > SIZE_MAX - 2 * (size_t)HUGE_PAGE)
		return NULL;
	size = mapped(size);
	p = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (!align)
		return p;
	head = -(uintptr_t)p & (align - 1);
	tail = align - head;
	if (head)
		munmap(p, head);
	if (tail)
		munmap(p + head + size, tail);
	p += head;
	/* A wish: without huge pages it is slower, not wrong. */
	(void)madvise(p, size, MADV_HUGEPAGE);
	return p;
}

void unmap_pages(void *p, size_t size)
{
	munmap(p, mapped(size));
}
