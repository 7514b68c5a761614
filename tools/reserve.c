// SPDX-License-Identifier: GPL-2.0-only
/*
 * --reserve: huge pages from the kernel's pool, which this command hands to the
 * module, or the range of physical memory that the module has.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "reserve.h"

#define BLOCK (4u << 20)	/* of the module, where pages are larger */
#define STATUS "/proc/llamux/status"

bool parse_reserve(const char *arg, struct reserve *r)
{
	r->flag = !strcmp(arg, "hugetlb") ? LLAMUX_LOAD_HUGETLB :
		  !strcmp(arg, "memmap") ? LLAMUX_LOAD_MEMMAP : 0;
	if (!r->flag)
		usage_error("--reserve: '%s' is neither hugetlb nor memmap", arg);
	return r->flag;
}

/* The number behind the first "KEY:" in a file; 0: it is not there. */
static uint64_t number_of(const char *path, const char *key)
{
	FILE *f = fopen(path, "re");
	size_t n = strlen(key);
	uint64_t value = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, n) && line[n] == ':') {
			(void)sscanf(line + n + 1, "%" SCNu64, &value);
			break;
		}
	if (f)
		fclose(f);
	return value;
}

static void look_huge(struct reserve *r)
{
	uint64_t unused = number_of("/proc/meminfo", "HugePages_Free");
	uint64_t promised = number_of("/proc/meminfo", "HugePages_Rsvd");

	r->page = number_of("/proc/meminfo", "Hugepagesize") << 10;
	r->unused = unused > promised ? (unused - promised) * r->page : 0;
}

int reserve_look(struct reserve *r)
{
	if (r->flag == LLAMUX_LOAD_MEMMAP) {
		if (access(STATUS, R_OK))
			return fail(-ENXIO, "there is no %s: load the module "
				    "(modprobe llamux)", STATUS);
		r->unused = number_of(STATUS, "range_room");
		return EXIT_OK;
	}
	look_huge(r);
	return r->page ? EXIT_OK :
	       fail(-EOPNOTSUPP, "this kernel has no huge pages to reserve");
}

void reserve_cut(const struct reserve *r, struct lx_host *host)
{
	if (r->flag)
		host->block_size = BLOCK;
	if (r->page && r->page < BLOCK)
		host->block_size = (uint32_t)r->page;
}

/* Whatever the order of blocks, a page has room for so many. */
uint64_t reserve_needed(const struct reserve *r, const struct lx_plan *p)
{
	uint64_t per;

	if (!r->page)
		return p->weights;
	per = r->page / p->block_bytes;
	return per ? lx_div_up((uint64_t)p->n_blocks, per) * r->page : 0;
}

static int set(struct llamux_message *msg, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int set(struct llamux_message *msg, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg->text, sizeof(msg->text), fmt, ap);
	va_end(ap);
	return code;
}

/* Bytes of huge pages for the weights of @file. */
static int measure(const struct reserve *r, const struct globals *g,
		   const char *file, uint64_t *bytes, struct llamux_message *msg)
{
	struct user_host_options opt = { 0 };
	struct lx_model_params mp = { .as = g->as };
	struct lx_error err = { 0 };
	struct lx_plan plan;
	struct local l;
	int ret;

	ret = local_open_files(&l, file, false, &opt);
	if (ret)
		return set(msg, ret, "%s", l.message);
	reserve_cut(r, l.host);
	ret = lx_plan(l.host, l.files.sources, l.files.n, &mp, NULL, &plan, &err);
	local_close(&l);
	if (ret)
		return set(msg, ret, "%.120s: %s", file, err.msg);
	*bytes = reserve_needed(r, &plan);
	if (!*bytes)
		ret = set(msg, -E2BIG, "%.120s: %" PRIu64
			  " bytes must be in one piece, a huge page has %" PRIu64,
			  file, (uint64_t)plan.block_bytes, r->page);
	return ret;
}

static int make(const struct reserve *r, uint64_t bytes,
		struct llamux_message *msg)
{
	int fd = memfd_create("llamux weights", MFD_CLOEXEC | MFD_ALLOW_SEALING |
						MFD_HUGETLB), ret;

	if (fd < 0)
		return set(msg, -errno, "huge pages: %s", strerror(errno));
	if (ftruncate(fd, (off_t)bytes) || fallocate(fd, 0, 0, (off_t)bytes))
		ret = set(msg, -errno, "%" PRIu64 " huge pages of %" PRIu64
			  " kB are needed, and are not free: %s",
			  bytes / r->page, r->page >> 10, strerror(errno));
	else if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
		       F_SEAL_WRITE | F_SEAL_SEAL))
		ret = set(msg, -errno, "sealing huge pages: %s", strerror(errno));
	else
		return fd;
	close(fd);
	return ret;
}

int reserve_huge(struct reserve *r, const struct globals *g, const char *file,
		 struct llamux_message *msg)
{
	uint64_t bytes = 0;
	int ret;

	look_huge(r);
	if (!r->page)
		return set(msg, -EOPNOTSUPP, "this kernel has no huge pages to reserve");
	ret = measure(r, g, file, &bytes, msg);
	if (ret)
		return ret;
	if (bytes > r->unused)
		return set(msg, -ENOMEM, "%" PRIu64 " huge pages of %" PRIu64
			   " kB are needed, %" PRIu64 " are free (/proc/sys/vm/nr_hugepages)", bytes / r->page,
			   r->page >> 10, r->unused / r->page);
	return make(r, bytes, msg);
}
