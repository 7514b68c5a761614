// SPDX-License-Identifier: GPL-2.0-only
/* Reads of a file into kernel memory that leave the page cache alone. */
#include <linux/bvec.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>

#include "direct.h"
#include "lx/deps.h"

static struct page *page_of(const void *addr)
{
	return is_vmalloc_addr(addr) ? vmalloc_to_page(addr) :
				       virt_to_page(addr);
}

/* Pieces of physical memory of @n bytes at @buf; fills @v unless it is NULL. */
static unsigned int pieces(void *buf, size_t n, struct bio_vec *v)
{
	unsigned long pfn, next = 0;
	unsigned int count = 0;
	size_t i;

	for (i = 0; i < n; i += PAGE_SIZE) {
		struct page *page = page_of(buf + i);

		pfn = page_to_pfn(page);
		if (!i || pfn != next) {
			if (v)
				v[count] = (struct bio_vec){ .bv_page = page };
			count++;
		}
		if (v)
			v[count - 1].bv_len += PAGE_SIZE;
		next = pfn + 1;
	}
	return count;
}

/* One read; how many bytes came, or an error. */
static ssize_t read_some(struct file *file, u64 off, void *buf, size_t n)
{
	unsigned int count = pieces(buf, n, NULL);
	struct kiocb kiocb;
	struct iov_iter iter;
	struct bio_vec *v;
	ssize_t got;

	v = kmalloc_array(count, sizeof(*v), GFP_KERNEL);
	if (!v)
		return -ENOMEM;
	pieces(buf, n, v);
	init_sync_kiocb(&kiocb, file);
	kiocb.ki_pos = off;
	iov_iter_bvec(&iter, READ, v, count, n);
	got = vfs_iocb_iter_read(file, &kiocb, &iter);
	kfree(v);
	/* A file system that cannot says so by taking the flag away. */
	return kiocb.ki_flags & IOCB_DIRECT ? got : -EOPNOTSUPP;
}

int llamux_direct_read(struct file *file, u64 size, u64 off, void *buf,
		       size_t n)
{
	u64 end = min_t(u64, off + n, size);
	ssize_t got;

	while (off < end) {
		got = read_some(file, off, buf, n);
		if (got < 0)
			return got;
		if (got >= end - off)
			return 0;
		/* File systems may stop early, at a boundary of theirs. */
		if (!got || got % LX_DIRECT_ALIGN)
			return -EIO;
		off += got;
		buf += got;
		n -= got;
	}
	return -EIO;
}
