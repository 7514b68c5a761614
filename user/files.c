// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The files of a model as sources the engine reads from.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

/* "-00001-of-00003.gguf" */
#define SPLIT_TAIL 20

static int file_read(void *ctx, u64 off, void *buf, size_t n)
{
	int fd = (int)(intptr_t)ctx;
	char *p = buf;

	while (n) {
		ssize_t r = pread(fd, p, lx_min(n, 1u << 30), (off_t)off);

		if (r < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (r == 0)	/* the file became shorter under us */
			return -LX_EIO;
		p += r;
		off += (u64)r;
		n -= (size_t)r;
	}
	return 0;
}

static int file_open(struct model_files *f, const char *path)
{
	struct stat st;
	int fd, ret;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		ret = -errno;
		snprintf(f->message, sizeof(f->message), "%s: %s", path,
			 strerror(errno));
		return ret;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		snprintf(f->message, sizeof(f->message),
			 "%s: not a regular file", path);
		close(fd);
		return -EINVAL;
	}
	f->fds[f->n] = fd;
	f->sources[f->n] = (struct lx_source){
		.ctx = (void *)(intptr_t)fd,
		.size = (u64)st.st_size,
		.read = file_read,
	};
	f->n++;
	return 0;
}

static u32 digits(const char *p)
{
	u32 v = 0;

	for (int i = 0; i < 5; i++) {
		if (!isdigit((unsigned char)p[i]))
			return 0;
		v = v * 10 + (u32)(p[i] - '0');
	}
	return v;
}

/*
 * How many parts the name of one of them, number *@part, speaks of; 1: not a
 * split model.
 */
static u32 split_count(const char *path, u32 *part)
{
	size_t len = strlen(path);
	const char *t = path + len - SPLIT_TAIL;

	*part = 1;
	if (len < SPLIT_TAIL || t[0] != '-' || strncmp(t + 6, "-of-", 4) ||
	    strcmp(t + 15, ".gguf") || !digits(t + 1) || !digits(t + 10))
		return 1;
	*part = digits(t + 1);
	return digits(t + 10);
}

int model_files_open(struct model_files *f, const char *path)
{
	u32 first, n = split_count(path, &first), i;
	char part[PATH_MAX];
	int ret;

	memset(f, 0, sizeof(*f));
	if (first != 1) {
		snprintf(f->message, sizeof(f->message),
			 "%.180s: part %u of %u: name the first part", path,
			 first, n);
		return -EINVAL;
	}
	if (n > LX_GGUF_MAX_SPLITS || strlen(path) >= sizeof(part)) {
		snprintf(f->message, sizeof(f->message), "%.180s: %s", path,
			 n > 1 ? "too many parts" : "name too long");
		return -E2BIG;
	}
	ret = file_open(f, path);
	for (i = 2; !ret && i <= n; i++) {
		size_t stem = strlen(path) - SPLIT_TAIL;

		snprintf(part, sizeof(part), "%.*s-%05u-of-%05u.gguf",
			 (int)stem, path, i, n);
		ret = file_open(f, part);
	}
	if (ret)
		model_files_close(f);
	return ret;
}

void model_files_close(struct model_files *f)
{
	while (f->n)
		close(f->fds[--f->n]);
}
