// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * struct lx_host_ops in user space.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "crew.h"
#include "host.h"
#include "map.h"
#include "numa.h"
#include "pool.h"
#include "slab.h"

#define WEIGHT_BLOCK (64u << 20)

struct user_host {
	struct lx_host host;
	struct user_host_options opt;
	struct pool *pool;
	struct slab_list kv;
	u64 held[LX_MEM_KINDS];
};

static struct user_host *to_user(const struct lx_host *h)
{
	return h->ctx;
}

static void account(struct lx_host *h, enum lx_mem kind, u64 size)
{
	__atomic_add_fetch(&to_user(h)->held[kind], size, __ATOMIC_RELAXED);
}

static void *host_alloc(struct lx_host *h, size_t size, enum lx_mem kind)
{
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	if (size >= HUGE_PAGE) {
		p = map_pages(size);
	} else {
		p = aligned_alloc(LX_CACHELINE,
				  lx_align_up(lx_max(size, 1), LX_CACHELINE));
		if (p)
			memset(p, 0, size);
	}
	if (p)
		account(h, kind, size);
	return p;
}

static void host_free(struct lx_host *h, void *p, size_t size,
		      enum lx_mem kind)
{
	if (!p)
		return;
	if (size >= HUGE_PAGE)
		unmap_pages(p, size);
	else
		free(p);
	account(h, kind, -(u64)size);
}

static int host_block_alloc(struct lx_host *h, struct lx_block *b, size_t size,
			    enum lx_mem kind)
{
	b->addr = NULL;
	if (kind == LX_MEM_KV && size && size < HUGE_PAGE && size % 4096 == 0)
		b->addr = slab_alloc(&to_user(h)->kv, size);
	else if (size)
		b->addr = map_pages(size);
	if (!b->addr)
		return -LX_ENOMEM;
	if (kind == LX_MEM_WEIGHTS)
		numa_interleave(b->addr, size);
	b->size = size;
	b->source = 0;
	b->order = 0;
	b->note = NULL;
	account(h, kind, size);
	return 0;
}

static void host_block_free(struct lx_host *h, struct lx_block *b,
			    enum lx_mem kind)
{
	if (!b->addr)
		return;
	if (kind != LX_MEM_KV || !slab_free(&to_user(h)->kv, b->addr, b->size))
		unmap_pages(b->addr, b->size);
	account(h, kind, -(u64)b->size);
	b->addr = NULL;
	b->size = 0;
}

static int host_run(struct lx_host *h, struct lx_job *job)
{
	return pool_run(to_user(h)->pool, job);
}

static void host_tile(struct lx_host *h, const struct lx_op *op, u32 tile)
{
	(void)h;
	lx_op_tile(op, tile);
}

static u64 host_time_ns(struct lx_host *h)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

/* 0 when the kernel does not say. */
static u64 host_available(struct lx_host *h)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kb = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024;
}

static void host_log(struct lx_host *h, enum lx_log_level level,
		     const char *msg)
{
	struct user_host *u = to_user(h);

	if (u->opt.log)
		u->opt.log(u->opt.ctx, level, msg);
}

static int host_progress(struct lx_host *h, u64 done, u64 total)
{
	struct user_host *u = to_user(h);

	return u->opt.progress ? u->opt.progress(u->opt.ctx, done, total) : 0;
}

static const struct lx_host_ops host_ops = {
	.alloc = host_alloc,
	.free = host_free,
	.block_alloc = host_block_alloc,
	.block_free = host_block_free,
	.run = host_run,
	.tile = host_tile,
	.time_ns = host_time_ns,
	.available = host_available,
	.log = host_log,
	.progress = host_progress,
	.crew_start = crew_start,
	.crew_kick = crew_kick,
	.crew_wait = crew_wait,
	.crew_stop = crew_stop,
};

int user_host_open(struct lx_host **out, const struct user_host_options *opt)
{
	struct user_host *u = calloc(1, sizeof(*u));
	int ret;

	if (!u)
		return -ENOMEM;
	if (opt)
		u->opt = *opt;
	slab_init(&u->kv);
	if (!u->opt.n_threads)
		u->opt.n_threads = pool_cpus();
	ret = -EINVAL;
	if (u->opt.n_threads > USER_HOST_MAX_THREADS)
		goto err_free;
	ret = pool_open(&u->pool, u->opt.n_threads);
	if (ret)
		goto err_free;
	u->host.ops = &host_ops;
	u->host.ctx = u;
	u->host.n_workers = u->opt.n_threads;
	u->host.block_size = WEIGHT_BLOCK;
	*out = &u->host;
	return 0;

err_free:
	free(u);
	return ret;
}

void user_host_close(struct lx_host *h)
{
	struct user_host *u = to_user(h);

	pool_close(u->pool);
	free(u);
}

u64 user_host_held(const struct lx_host *h, enum lx_mem kind)
{
	return __atomic_load_n(&to_user(h)->held[kind], __ATOMIC_RELAXED);
}
