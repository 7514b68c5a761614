/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The files of a model: one, or the parts NAME-00001-of-0000N.gguf of a split
 * one, found from the first.
 */
#ifndef USER_FILES_H
#define USER_FILES_H

#include "lx/gguf.h"

struct model_file {
	int fd;
	u64 size;	/* when it was opened */
};

struct model_files {
	u32 n;
	int fds[LX_GGUF_MAX_SPLITS];
	struct model_file files[LX_GGUF_MAX_SPLITS];
	struct lx_source sources[LX_GGUF_MAX_SPLITS];
	char message[256];	/* why model_files_open() failed */
};

/*
 * 0 or -errno; regular files only (-EINVAL). @direct: with O_DIRECT, past the
 * page cache; -EINVAL where the file system cannot. Nothing is open after an
 * error; @f stays where it is.
 */
int model_files_open(struct model_files *f, const char *path, bool direct);
void model_files_close(struct model_files *f);

#endif
