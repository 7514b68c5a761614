// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast the files of a model can be read as streaming reads them: past the
 * page cache, several reads at a time.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>

#include "crew.h"
#include "engine.h"

#define READERS 4
#define PIECE (2u << 20)
#define LONGEST_NS 1500000000ull

struct disk {
	struct lx_host *host;
	const struct lx_source *sources;
	u32 n;
	u8 *memory;		/* PIECE for each reader */
	u64 end_ns;
	u64 next;		/* piece; all files in a row */
	u64 bytes;
	u32 ended;		/* readers that found nothing more to do */
	int error;
};

/* Where the piece @i is; false past the end. */
static bool find(const struct disk *d, u64 i, u32 *file, u64 *off)
{
	for (*file = 0; *file < d->n; ++*file) {
		u64 pieces = lx_div_up(d->sources[*file].size, (u64)PIECE);

		*off = i * PIECE;
		if (i < pieces)
			return true;
		i -= pieces;
	}
	return false;
}

static bool work(void *ctx, u32 reader)
{
	struct disk *d = ctx;
	const struct lx_source *s;
	u64 off;
	u32 file;
	int ret;

	if (d->host->ops->time_ns(d->host) >= d->end_ns ||
	    __atomic_load_n(&d->error, __ATOMIC_RELAXED) ||
	    !find(d, __atomic_fetch_add(&d->next, 1, __ATOMIC_RELAXED), &file,
		  &off)) {
		__atomic_add_fetch(&d->ended, 1, __ATOMIC_RELEASE);
		return false;
	}
	s = &d->sources[file];
	ret = s->read_direct(s->ctx, off, d->memory + reader * PIECE, PIECE);
	if (ret)
		__atomic_store_n(&d->error, ret, __ATOMIC_RELAXED);
	__atomic_add_fetch(&d->bytes, lx_min((u64)PIECE, s->size - off),
			   __ATOMIC_RELAXED);
	return true;
}

static bool all_ended(void *ctx)
{
	struct disk *d = ctx;

	return __atomic_load_n(&d->ended, __ATOMIC_ACQUIRE) == READERS;
}

int measure_disk(struct lx_host *host, const struct lx_source *sources, u32 n,
		 uint64_t *speed)
{
	struct disk d = { .host = host, .sources = sources, .n = n };
	u64 start = host->ops->time_ns(host), ns;
	struct lx_crew *crew = NULL;

	d.end_ns = start + LONGEST_NS;
	d.memory = aligned_alloc(LX_DIRECT_ALIGN, READERS * PIECE);
	if (d.memory)
		crew = crew_start(host, READERS, work, &d);
	if (!crew) {
		free(d.memory);
		return -ENOMEM;
	}
	crew_wait(crew, all_ended, &d);
	ns = host->ops->time_ns(host) - start;
	crew_stop(crew);
	free(d.memory);
	*speed = (uint64_t)((double)d.bytes * 1e9 / (double)ns);
	return d.error;
}
