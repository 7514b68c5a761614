// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Pieces of large mappings. A mapping is address space only: huge pages are
 * taken as they are touched, and given back piece by piece.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <sys/mman.h>

#include "map.h"
#include "slab.h"

#define PIECES 64	/* of a mapping */

struct slab {
	struct slab *next;
	char *addr;
	size_t size;		/* of a piece */
	u64 used;		/* a bit each */
};

void slab_init(struct slab_list *l)
{
	pthread_mutex_init(&l->lock, NULL);
	l->first = NULL;
}

static struct slab *slab_new(struct slab_list *l, size_t size)
{
	struct slab *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->size = size;
	s->addr = map_pages(PIECES * size);
	if (!s->addr) {
		free(s);
		return NULL;
	}
	s->next = l->first;
	l->first = s;
	return s;
}

void *slab_alloc(struct slab_list *l, size_t size)
{
	struct slab *s;
	char *p = NULL;

	pthread_mutex_lock(&l->lock);
	for (s = l->first; s && (s->size != size || !~s->used); s = s->next)
		;
	if (!s)
		s = slab_new(l, size);
	if (s) {
		int i = __builtin_ctzll(~s->used);

		s->used |= 1ull << i;
		p = s->addr + (size_t)i * size;
	}
	pthread_mutex_unlock(&l->lock);
	return p;
}

bool slab_free(struct slab_list *l, void *p, size_t size)
{
	struct slab **at, *s;

	pthread_mutex_lock(&l->lock);
	for (at = &l->first; (s = *at); at = &s->next) {
		size_t off = (size_t)((char *)p - s->addr);

		if (s->size != size || off >= PIECES * size)
			continue;
		s->used &= ~(1ull << off / size);
		/* Zeroes again when they are touched. */
		(void)madvise(p, size, MADV_DONTNEED);
		if (!s->used) {
			*at = s->next;
			unmap_pages(s->addr, PIECES * size);
			free(s);
		}
		break;
	}
	pthread_mutex_unlock(&l->lock);
	return s;
}
