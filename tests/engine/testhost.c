// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "testhost.h"
#include "lx/job.h"

static unsigned int n_passed, n_failed, n_skipped;

static struct test_host *self(struct lx_host *h)
{
	return (struct test_host *)h;
}

static void *host_alloc(struct lx_host *h, size_t size, enum lx_mem kind)
{
	struct test_host *t = self(h);
	void *p = NULL;

	(void)kind;
	if (++t->allocs == t->fail_at)
		return NULL;
	/* The sanitizers see the exact end only when it is not rounded up. */
	if (posix_memalign(&p, LX_CACHELINE, size))
		return NULL;
	memset(p, 0, size);
	t->live += size;
	return p;
}

static void host_free(struct lx_host *h, void *p, size_t size,
		      enum lx_mem kind)
{
	(void)kind;
	self(h)->live -= size;
	free(p);
}

static int host_block_alloc(struct lx_host *h, struct lx_block *b, size_t size,
			    enum lx_mem kind)
{
	b->addr = host_alloc(h, size, kind);
	b->size = size;
	return b->addr ? 0 : -LX_ENOMEM;
}

static void host_block_free(struct lx_host *h, struct lx_block *b,
			    enum lx_mem kind)
{
	host_free(h, b->addr, b->size, kind);
}

/* Integer code only: there are no jobs to run. */
static int host_run(struct lx_host *h, struct lx_job *job)
{
	(void)h;
	(void)job;
	return -LX_ECANCELED;
}

static void host_tile(struct lx_host *h, const struct lx_op *op, u32 tile)
{
	(void)h;
	lx_op_tile(op, tile);
}

static u64 host_time(struct lx_host *h)
{
	struct timespec ts;

	(void)h;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

static u64 host_available(struct lx_host *h)
{
	return self(h)->available;
}

static void host_log(struct lx_host *h, enum lx_log_level level,
		     const char *msg)
{
	(void)h;
	(void)level;
	(void)msg;
}

static int host_progress(struct lx_host *h, u64 done, u64 total)
{
	(void)done;
	(void)total;
	self(h)->ticks++;
	return self(h)->stop;
}

static const struct lx_host_ops ops = {
	.alloc = host_alloc,
	.free = host_free,
	.block_alloc = host_block_alloc,
	.block_free = host_block_free,
	.run = host_run,
	.tile = host_tile,
	.time_ns = host_time,
	.available = host_available,
	.log = host_log,
	.progress = host_progress,
};

void test_host_init(struct test_host *h)
{
	memset(h, 0, sizeof(*h));
	h->host.ops = &ops;
	h->host.n_workers = 1;
	h->host.block_size = 2u << 20;
	h->available = 1ull << 32;
}

void *test_read_file(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *p = NULL;
	long size;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	if (size >= 0)
		p = malloc((size_t)size + 1);
	if (p && fread(p, 1, (size_t)size, f) != (size_t)size) {
		free(p);
		p = NULL;
	}
	fclose(f);
	if (p)
		p[size] = 0;
	*n = (size_t)size;
	return p;
}

const char *test_shared(const char *rest)
{
	static char path[4096];
	const char *dir = getenv("LLAMUX_SHARED");

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : "../shared", rest);
	return path;
}

static int mem_read(void *ctx, u64 off, void *buf, size_t n)
{
	const struct test_mem *m = ctx;

	if (off > m->n || n > m->n - off)
		return -LX_EIO;
	memcpy(buf, (const char *)m->p + off, n);
	return 0;
}

struct lx_source test_source(struct test_mem *m)
{
	struct lx_source s = { .ctx = m, .size = m->n, .read = mem_read };

	return s;
}

void test_check(bool ok, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	if (ok) {
		n_passed++;
		return;
	}
	n_failed++;
	printf("FAIL %s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void test_skip(const char *what, unsigned int n)
{
	printf("skip: %s\n", what);
	n_skipped += n;
}

int test_done(void)
{
	printf("%u passed, %u failed, %u skipped\n", n_passed, n_failed,
	       n_skipped);
	return n_failed ? 1 : 0;
}

u64 test_random(u64 *state)
{
	u64 x = *state ? *state : 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}
