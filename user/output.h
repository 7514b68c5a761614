/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A file that appears whole or not at all: written without a name where the
 * file system can do that, else beside its place, and put there at the end.
 */
#ifndef USER_OUTPUT_H
#define USER_OUTPUT_H

#include <limits.h>
#include <stdint.h>

struct output {
	int fd;
	char path[PATH_MAX];	/* where it will be */
	char temp[PATH_MAX];	/* its name until then, empty without one */
};

/*
 * Room for @size bytes is taken at once where that is possible. 0 or -errno;
 * -EINVAL when something that is no regular file has that name.
 */
int output_open(struct output *o, const char *path, uint64_t size);
/* All @n bytes at @off, or -errno. */
int output_write(struct output *o, uint64_t off, const void *buf, size_t n);
/* Everything is written: give it its name. On error it is gone, as after
 * output_drop().
 */
int output_finish(struct output *o);
void output_drop(struct output *o);

#endif
