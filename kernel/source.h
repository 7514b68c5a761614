/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_SOURCE_H
#define LLAMUX_SOURCE_H

#include <linux/fs.h>
#include <linux/types.h>
#include "lx/deps.h"

struct llamux_source_file {
	struct file *file;
	u64 size;
	void *bounce;		/* what direct reads go through; NULL: not direct */
	const bool *cancel;	/* set: reading ends with -EINTR */
	struct timespec64 mtime, ctime;	/* when it was first read */
};

/*
 * The files of a model: regular, readable, and not writable by anyone while
 * they are read. The struct files stay open as long as the model lives.
 */
struct llamux_source {
	u32 n;
	bool denied;			/* writes are, to all of them */
	bool direct;			/* to be streamed */
	struct llamux_source_file *files;
	struct lx_source *lx;
	const bool *cancel;
};

/*
 * Files that were opened with O_DIRECT are read past the page cache; with
 * @direct, all must be (-EINVAL), and stay closed to writers.
 */
int llamux_source_open(struct llamux_source *s, const s32 __user *fds, u32 n,
		       bool direct, const bool *cancel);
/*
 * Before it is read again: as it was when it was first read, and not written
 * to till allow_write. -ETXTBSY, -ESTALE it was changed, or closed. Once more is no harm.
 */
int llamux_source_keep(struct llamux_source *s);
/* Everything was read: writers may come again, unless it is read again. */
void llamux_source_allow_write(struct llamux_source *s);
/* Once more is no harm. */
void llamux_source_close(struct llamux_source *s);

#endif
