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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

#define BOUNCE (1u << 20)	/* of direct reads to any address */

/* "-00001-of-00003.gguf" */
#define SPLIT_TAIL 20

static int file_read(void *ctx, u64 off, void *buf, size_t n)
{
	const struct model_file *f = ctx;
	char *p = buf;

	while (n) {
		ssize_t r = pread(f->fd, p, lx_min(n, 1u << 30), (off_t)off);

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

static int file_read_direct(void *ctx, u64 off, void *buf, size_t n)
{
	const struct model_file *f = ctx;

	if (off >= f->size)
		return -LX_EIO;
	/* The last read ends with the file. */
	n = lx_min(n, (size_t)(f->size - off));
	while (n) {
		size_t whole = lx_align_up(n, (size_t)LX_DIRECT_ALIGN);
		ssize_t r = pread(f->fd, buf, lx_min(whole, 1u << 30),
				  (off_t)off);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if ((size_t)r >= n)
			return 0;
		/* The file became shorter under us. */
		if (r == 0 || r % LX_DIRECT_ALIGN)
			return -LX_EIO;
		buf = (char *)buf + r;
		off += (u64)r;
		n -= (size_t)r;
	}
	return 0;
}

/* From anywhere to anywhere, by direct reads. */
static int file_read_bounced(void *ctx, u64 off, void *buf, size_t n)
{
	char *bounce = aligned_alloc(LX_DIRECT_ALIGN, BOUNCE), *p = buf;
	int ret = bounce ? 0 : -ENOMEM;

	while (n && !ret) {
		size_t skip = off % LX_DIRECT_ALIGN;
		size_t some = lx_min(n, BOUNCE - skip);

		ret = file_read_direct(ctx, off - skip, bounce,
				       lx_align_up(skip + some,
						   (size_t)LX_DIRECT_ALIGN));
		if (!ret)
			memcpy(p, bounce + skip, some);
		p += some;
		off += some;
		n -= some;
	}
	free(bounce);
	return ret;
}

static int open_failed(struct model_files *f, const char *path, bool direct)
{
	int ret = -errno;

	if (direct && ret == -EINVAL)
		snprintf(f->message, sizeof(f->message),
			 "%.180s: its file system has no direct reads (O_DIRECT)",
			 path);
	else
		snprintf(f->message, sizeof(f->message), "%.180s: %s", path,
			 strerror(-ret));
	return ret;
}

static int file_open(struct model_files *f, const char *path, bool direct)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
		  (direct ? O_DIRECT : 0));
	if (fd < 0)
		return open_failed(f, path, direct);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		snprintf(f->message, sizeof(f->message),
			 "%s: not a regular file", path);
		close(fd);
		return -EINVAL;
	}
	f->fds[f->n] = fd;
	f->files[f->n] = (struct model_file){ fd, (u64)st.st_size };
	f->sources[f->n] = (struct lx_source){
		.ctx = &f->files[f->n],
		.size = (u64)st.st_size,
		.read = direct ? file_read_bounced : file_read,
		.read_direct = direct ? file_read_direct : NULL,
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

int model_files_open(struct model_files *f, const char *path, bool direct)
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
	ret = file_open(f, path, direct);
	for (i = 2; !ret && i <= n; i++) {
		size_t stem = strlen(path) - SPLIT_TAIL;

		snprintf(part, sizeof(part), "%.*s-%05u-of-%05u.gguf",
			 (int)stem, path, i, n);
		ret = file_open(f, part, direct);
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
