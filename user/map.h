/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Anonymous memory, on huge pages where there are any.
 */
#ifndef USER_MAP_H
#define USER_MAP_H

#include <stddef.h>

#define HUGE_PAGE (2u << 20)

/* Zeroed pages; from a huge page on, aligned to one and asking for them. */
void *map_pages(size_t size);
void unmap_pages(void *p, size_t size);

#endif
