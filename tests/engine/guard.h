/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TEST_GUARD_H
#define TEST_GUARD_H

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Memory of @n bytes that ends where a page that must not be read begins. */
static inline void *guarded(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t all = (n + page - 1) / page * page;
	char *p = mmap(NULL, all + page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + all, page, PROT_NONE))
		abort();
	return p + all - n;
}

static inline void guarded_free(void *p, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t all = (n + page - 1) / page * page;

	munmap((char *)p + n - all, all + page);
}

#endif
