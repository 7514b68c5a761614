/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What memory set aside for weights needs of the kernel, where it is there:
 * user-mode Linux has neither huge pages nor physical ranges.
 */
#ifndef LLAMUX_COMPAT_RESERVE_H
#define LLAMUX_COMPAT_RESERVE_H

#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/io.h>
#include <linux/magic.h>
#if __has_include(<linux/folio_batch.h>)
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif

/* F_SEAL_* of a file of huge pages. -EINVAL: it is none; -EOPNOTSUPP. */
static inline int llamux_huge_seals(struct file *file)
{
#ifdef CONFIG_HUGETLBFS
	struct inode *inode = file_inode(file);

	if (inode->i_sb->s_magic != HUGETLBFS_MAGIC)
		return -EINVAL;
	return READ_ONCE(HUGETLBFS_I(inode)->seals);
#else
	return -EOPNOTSUPP;
#endif
}

/* Memory that the kernel does not use itself, write-back; or NULL. */
static inline void *llamux_map_range(u64 start, u64 size)
{
#ifdef CONFIG_HAS_IOMEM
	return memremap(start, size, MEMREMAP_WB);
#else
	return NULL;
#endif
}

static inline void llamux_unmap_range(void *p)
{
#ifdef CONFIG_HAS_IOMEM
	memunmap(p);
#endif
}

#endif
