// SPDX-License-Identifier: GPL-2.0-only
/*
 * Huge pages that root hands in as a sealed memfd. They are reached through
 * the kernel's direct map, so no mapping is made; a reference to each keeps it
 * in place and away from the pool, whatever becomes of the file.
 *
 * F_SEAL_WRITE is what keeps weights as they are: the kernel grants it only
 * when there is no writable mapping of the file, and nobody holds a page of it
 * (direct I/O, RDMA, a DMA buffer), and allows neither from then on; holes
 * cannot be punched either. F_SEAL_FUTURE_WRITE would leave the mappings alone
 * that are there. Seals are never taken back, so one look at them is enough.
 * Who has the descriptor may read the weights.
 */
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sort.h>

#include "compat/reserve.h"
#include "lx/error.h"
#include "reserve.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static DEFINE_MUTEX(huge_lock);
static LIST_HEAD(huges);	/* those in use */

static int check(struct file *f, struct lx_error *error)
{
	int seals = llamux_huge_seals(f);

	if (seals == -EOPNOTSUPP)
		return lx_fail(error, seals, "this kernel has no hugetlbfs");
	if (seals < 0)
		return lx_fail(error, seals,
			       "the memory to reserve is no memfd of huge pages (MFD_HUGETLB)");
	if (!(f->f_mode & FMODE_WRITE))
		return lx_fail(error, -EBADF,
			       "the memory to reserve is not open for writing");
	if ((seals & SEALS) != SEALS)
		return lx_fail(error, -EINVAL,
			       "the memory to reserve is not sealed against shrinking, growing and writing");
	return 0;
}

/* One memfd serves one model. */
static int claim(struct llamux_reserve *r)
{
	struct llamux_reserve *other;
	int err = 0;

	mutex_lock(&huge_lock);
	list_for_each_entry(other, &huges, node)
		if (file_inode(other->file) == file_inode(r->file))
			err = -EBUSY;
	if (!err)
		list_add(&r->node, &huges);
	mutex_unlock(&huge_lock);
	return err;
}

/* ---- pages ---- */

/* References to all pages of the file, at most @max; the first address of each. */
static void collect(struct llamux_reserve *r, u32 max)
{
	struct folio_batch batch;
	pgoff_t at = 0;
	u32 i;

	folio_batch_init(&batch);
	while (filemap_get_folios(r->file->f_mapping, &at, (pgoff_t)-1, &batch)) {
		for (i = 0; i < folio_batch_count(&batch); i++) {
			struct folio *folio = batch.folios[i];

			if (r->n == max) {
				folio_put(folio);
				continue;
			}
			r->extents[r->n++] = (struct llamux_extent){
				.addr = folio_address(folio),
				.size = folio_size(folio),
			};
			r->size += folio_size(folio);
		}
		folio_batch_init(&batch);
		cond_resched();
	}
}

static int by_address(const void *a, const void *b)
{
	const struct llamux_extent *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Neighbours become one: larger blocks fit, and less is left over. */
static void merge(struct llamux_reserve *r)
{
	u32 i, n = 1;

	sort(r->extents, r->n, sizeof(*r->extents), by_address, NULL);
	for (i = 1; i < r->n; i++) {
		struct llamux_extent *last = &r->extents[n - 1];

		if (last->addr + last->size == r->extents[i].addr)
			last->size += r->extents[i].size;
		else
			r->extents[n++] = r->extents[i];
	}
	r->n = n;
}

static bool may_be_unplugged(const struct llamux_reserve *r)
{
	u32 i;

	for (i = 0; i < r->n; i++)
		if (folio_zonenum(virt_to_folio(r->extents[i].addr)) ==
		    ZONE_MOVABLE)
			return true;
	return false;
}

static int take_pages(struct llamux_reserve *r, struct lx_error *error)
{
	struct inode *inode = file_inode(r->file);
	u64 size = i_size_read(inode), n;

	r->page_bytes = i_blocksize(inode);
	n = size >> inode->i_blkbits;
	if (!n)
		return lx_fail(error, -EINVAL, "the memory to reserve is empty");
	/* No more than there can be, whatever the size of a sparse file. */
	if (size >> PAGE_SHIFT > totalram_pages())
		return lx_fail(error, -EINVAL,
			       "the memory to reserve is larger than the machine's");
	r->extents = kvcalloc(n, sizeof(*r->extents), GFP_KERNEL);
	if (!r->extents)
		return -ENOMEM;
	collect(r, n);
	if (r->n != n)
		return lx_fail(error, -EINVAL,
			       "the memory to reserve has %u of %llu pages: they must be allocated",
			       r->n, n);
	if (may_be_unplugged(r))
		return lx_fail(error, -EINVAL,
			       "the memory to reserve lies where memory may be unplugged");
	merge(r);
	return 0;
}

static void put_pages(struct llamux_reserve *r)
{
	u64 at;
	u32 i;

	for (i = 0; i < r->n; i++) {
		for (at = 0; at < r->extents[i].size; at += r->page_bytes)
			folio_put(virt_to_folio(r->extents[i].addr + at));
		cond_resched();
	}
	kvfree(r->extents);
	r->extents = NULL;
	r->n = 0;
	r->size = 0;
}

int llamux_huge_open(struct llamux_reserve *r, int fd, struct lx_error *error)
{
	struct file *f = fget(fd);
	int err;

	if (!f)
		return lx_fail(error, -EBADF,
			       "no file is open as the memory to reserve");
	r->file = f;
	err = check(f, error);
	if (err)
		goto err_put;
	err = claim(r);
	if (err) {
		lx_fail(error, err, "the memory to reserve is in use");
		goto err_put;
	}
	r->huge = true;
	err = take_pages(r, error);
	if (err)
		llamux_huge_close(r);
	return err;

err_put:
	fput(f);
	r->file = NULL;
	return err;
}

void llamux_huge_close(struct llamux_reserve *r)
{
	put_pages(r);
	mutex_lock(&huge_lock);
	list_del(&r->node);
	mutex_unlock(&huge_lock);
	fput(r->file);
	r->file = NULL;
	r->huge = false;
}
