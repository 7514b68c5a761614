/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_DIRECT_H
#define LLAMUX_DIRECT_H

#include <linux/fs.h>
#include <linux/types.h>

/*
 * Read @n bytes at @off of a file opened with O_DIRECT into kernel memory of
 * any kind, from the disk and past the page cache. @off, @buf and @n are
 * multiples of LX_DIRECT_ALIGN; the last read of a file of @size bytes ends
 * with it. -EOPNOTSUPP the file system reads through the cache after all, -EIO
 * the file is shorter than @size. May sleep; any thread.
 */
int llamux_direct_read(struct file *file, u64 size, u64 off, void *buf,
		       size_t n);

#endif
