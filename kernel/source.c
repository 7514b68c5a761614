// SPDX-License-Identifier: GPL-2.0-only
#include <linux/file.h>
#include <linux/stat.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "direct.h"
#include "source.h"

/* Between two looks at the cancel flag. */
#define PIECE (1u << 20)
#define BOUNCE (256u << 10)

static int source_read(void *ctx, u64 off, void *buf, size_t n)
{
	struct llamux_source_file *f = ctx;
	loff_t pos = off;
	ssize_t got;

	while (n) {
		if (READ_ONCE(*f->cancel))
			return -EINTR;
		got = kernel_read(f->file, buf, min_t(size_t, n, PIECE), &pos);
		if (got < 0)
			return got;
		if (!got)
			return -EIO;	/* shorter than it was */
		buf += got;
		n -= got;
		cond_resched();
	}
	return 0;
}

static int source_read_direct(void *ctx, u64 off, void *buf, size_t n)
{
	struct llamux_source_file *f = ctx;

	if (READ_ONCE(*f->cancel))
		return -EINTR;
	return llamux_direct_read(f->file, f->size, off, buf, n);
}

/* From anywhere to anywhere; by one thread at a time. */
static int source_read_bounced(void *ctx, u64 off, void *buf, size_t n)
{
	struct llamux_source_file *f = ctx;
	size_t skip, some;
	int err;

	while (n) {
		skip = off % LX_DIRECT_ALIGN;
		some = min_t(size_t, n, BOUNCE - skip);
		err = source_read_direct(f, off - skip, f->bounce,
					 ALIGN(skip + some, LX_DIRECT_ALIGN));
		if (err)
			return err;
		memcpy(buf, f->bounce + skip, some);
		off += some;
		buf += some;
		n -= some;
	}
	return 0;
}

/* kernel_read() needs ->read_iter and warns about files of /proc. */
static int file_check(const struct file *f)
{
	if (!S_ISREG(file_inode(f)->i_mode))
		return -EINVAL;
	if (!(f->f_mode & FMODE_READ))
		return -EBADF;
	if (!f->f_op->read_iter || f->f_op->read)
		return -EINVAL;
	return 0;
}

static int file_times(struct file *f, struct timespec64 *mtime,
		      struct timespec64 *ctime)
{
	struct kstat st;
	int err = vfs_getattr(&f->f_path, &st, STATX_MTIME | STATX_CTIME,
			      AT_STATX_DONT_SYNC);	/* waits for nobody */

	*mtime = st.mtime;
	*ctime = st.ctime;
	return err;
}

static bool unchanged(const struct llamux_source_file *f, u64 size)
{
	struct timespec64 mtime, ctime;

	return !file_times(f->file, &mtime, &ctime) &&
	       timespec64_equal(&mtime, &f->mtime) &&
	       timespec64_equal(&ctime, &f->ctime) &&
	       i_size_read(file_inode(f->file)) == size;
}

static int set_direct(struct llamux_source *s, u32 i)
{
	s->files[i].bounce = vmalloc(BOUNCE);
	if (!s->files[i].bounce)
		return -ENOMEM;
	s->lx[i].read = source_read_bounced;
	s->lx[i].read_direct = source_read_direct;
	return 0;
}

static int source_add(struct llamux_source *s, s32 fd)
{
	struct file *f = fget(fd);
	int err;

	if (!f)
		return -EBADF;
	err = file_check(f);
	if (!err)
		err = deny_write_access(f);
	if (err) {
		fput(f);
		return err;
	}
	err = file_times(f, &s->files[s->n].mtime, &s->files[s->n].ctime);
	if (err) {
		allow_write_access(f);
		fput(f);
		return err;
	}
	s->files[s->n].file = f;
	s->files[s->n].cancel = s->cancel;
	s->files[s->n].size = i_size_read(file_inode(f));
	s->lx[s->n].ctx = &s->files[s->n];
	s->lx[s->n].size = s->files[s->n].size;
	s->lx[s->n].read = source_read;
	s->n++;
	return f->f_flags & O_DIRECT ? set_direct(s, s->n - 1) :
	       s->direct ? -EINVAL : 0;
}

int llamux_source_open(struct llamux_source *s, const s32 __user *fds, u32 n,
		       bool direct, const bool *cancel)
{
	int err = 0;
	s32 fd;
	u32 i;

	memset(s, 0, sizeof(*s));
	s->cancel = cancel;
	s->direct = direct;
	s->denied = true;
	s->files = kcalloc(n, sizeof(*s->files), GFP_KERNEL);
	s->lx = kcalloc(n, sizeof(*s->lx), GFP_KERNEL);
	if (!s->files || !s->lx)
		err = -ENOMEM;
	for (i = 0; i < n && !err; i++)
		err = get_user(fd, fds + i) ? -EFAULT : source_add(s, fd);
	if (err)
		llamux_source_close(s);
	return err;
}

int llamux_source_keep(struct llamux_source *s)
{
	int err = 0;
	u32 i;

	if (!s->n)
		return -ESTALE;	/* closed */
	if (s->denied)
		return 0;
	for (i = 0; i < s->n && !err; i++) {
		err = deny_write_access(s->files[i].file);
		if (!err && !unchanged(&s->files[i], s->lx[i].size)) {
			allow_write_access(s->files[i].file);
			err = -ESTALE;
		}
	}
	if (err) {
		while (--i)
			allow_write_access(s->files[i - 1].file);
		return err;
	}
	s->denied = true;
	return 0;
}

static void allow_write(struct llamux_source *s)
{
	u32 i;

	for (i = 0; s->denied && i < s->n; i++)
		allow_write_access(s->files[i].file);
	s->denied = false;
}

void llamux_source_allow_write(struct llamux_source *s)
{
	if (!s->direct)
		allow_write(s);
}

void llamux_source_close(struct llamux_source *s)
{
	u32 i;

	allow_write(s);
	for (i = 0; i < s->n; i++) {
		vfree(s->files[i].bounce);
		fput(s->files[i].file);
	}
	kfree(s->files);
	kfree(s->lx);
	memset(s, 0, sizeof(*s));
}
