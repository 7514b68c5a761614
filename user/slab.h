/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Blocks smaller than a huge page that lie on huge pages nevertheless: pieces
 * of a large mapping. KV pages are such; small pages cost a walk of the page
 * tables every 4 KB.
 */
#ifndef USER_SLAB_H
#define USER_SLAB_H

#include <pthread.h>

#include "lx/deps.h"

struct slab;

struct slab_list {
	pthread_mutex_t lock;
	struct slab *first;
};

void slab_init(struct slab_list *l);
/* @size: a multiple of 4096. Zeroed; NULL when there is no memory. */
void *slab_alloc(struct slab_list *l, size_t size);
/* Whether @p came from here: its memory is given back then. */
bool slab_free(struct slab_list *l, void *p, size_t size);

#endif
