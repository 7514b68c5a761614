// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Files that appear whole or not at all.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"

#define NAMES 100	/* tried for a temporary file */

/* Where @path really is, through links; what is no file is not replaced. */
static int find_place(struct output *o, const char *path)
{
	struct stat st;

	if (strlen(path) + 16 > sizeof(o->path))
		return -ENAMETOOLONG;
	if (stat(path, &st)) {
		if (errno != ENOENT)
			return -errno;
		strcpy(o->path, path);
		return 0;
	}
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (!realpath(path, o->path))
		return -errno;
	return strlen(o->path) + 16 > sizeof(o->path) ? -ENAMETOOLONG : 0;
}

static void temp_name(struct output *o, int n)
{
	snprintf(o->temp, sizeof(o->temp), "%.*s.%d.tmp",
		 (int)sizeof(o->temp) - 17, o->path, (getpid() * NAMES + n) %
		 1000000000);
}

static int open_named(struct output *o)
{
	for (int n = 0; n < NAMES; n++) {
		temp_name(o, n);
		o->fd = open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			     0666);
		if (o->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	o->temp[0] = '\0';
	return -errno;
}

static int open_file(struct output *o)
{
	char dir[PATH_MAX];

	strcpy(dir, o->path);
	o->fd = open(dirname(dir), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
	if (o->fd >= 0)
		return access("/proc/self/fd", X_OK) ? (close(o->fd),
							open_named(o)) : 0;
	/* File systems without O_TMPFILE say one of these. */
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)
		return open_named(o);
	return -errno;
}

int output_open(struct output *o, const char *path, uint64_t size)
{
	int ret;

	o->fd = -1;
	o->temp[0] = '\0';
	ret = find_place(o, path);
	if (!ret)
		ret = open_file(o);
	if (ret)
		return ret;
	if (size && fallocate(o->fd, 0, 0, (off_t)size) &&
	    errno != EOPNOTSUPP && errno != ENOSYS) {
		ret = -errno;
		output_drop(o);
	}
	return ret;
}

int output_write(struct output *o, uint64_t off, const void *buf, size_t n)
{
	const char *p = buf;

	while (n) {
		ssize_t w = pwrite(o->fd, p, n, (off_t)off);

		if (w < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += w;
		off += (uint64_t)w;
		n -= (size_t)w;
	}
	return 0;
}

/* A name for a file that has none. */
static int give_name(struct output *o)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
	for (int n = 0; n < NAMES; n++) {
		temp_name(o, n);
		if (!linkat(AT_FDCWD, self, AT_FDCWD, o->temp,
			    AT_SYMLINK_FOLLOW))
			return 0;
		if (errno != EEXIST)
			break;
	}
	o->temp[0] = '\0';
	return -errno;
}

int output_finish(struct output *o)
{
	int ret = 0;

	if (fsync(o->fd))
		ret = -errno;
	if (!ret && !o->temp[0])
		ret = give_name(o);
	if (!ret && rename(o->temp, o->path))
		ret = -errno;
	if (!ret)
		o->temp[0] = '\0';
	output_drop(o);
	return ret;
}

void output_drop(struct output *o)
{
	if (o->temp[0])
		unlink(o->temp);
	if (o->fd >= 0)
		close(o->fd);
	o->temp[0] = '\0';
	o->fd = -1;
}
