// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/llamux/:
 *
 * fpu_sections		the histogram of floating-point sections (hist.c);
 *			any write sets it to zero
 * fpu_control_sections	that of the control thread's empty sections; likewise
 * fpu_control		us an empty section spins (1 to 75); 0: no control thread
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "debugfs.h"
#include "fpu.h"

static struct dentry *dir;

static int hist_show(struct seq_file *m, void *v)
{
	struct llamux_hist __percpu **hist = m->private;
	struct llamux_hist *sum = kmalloc(sizeof(*sum), GFP_KERNEL);

	if (!sum)
		return -ENOMEM;
	llamux_hist_sum(*hist, sum);
	llamux_hist_show(m, sum);
	kfree(sum);
	return 0;
}

static int hist_open(struct inode *inode, struct file *file)
{
	return single_open(file, hist_show, inode->i_private);
}

static ssize_t hist_write(struct file *file, const char __user *buf, size_t n,
			  loff_t *pos)
{
	struct seq_file *m = file->private_data;
	struct llamux_hist __percpu **hist = m->private;

	llamux_hist_reset(*hist);
	return n;
}

static const struct file_operations hist_fops = {
	.owner = THIS_MODULE,
	.open = hist_open,
	.read = seq_read,
	.write = hist_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int control_get(void *data, u64 *v)
{
	*v = llamux_fpu_control_get();
	return 0;
}

static int control_set(void *data, u64 v)
{
	return v > U32_MAX ? -EINVAL : llamux_fpu_control_set(v);
}

DEFINE_DEBUGFS_ATTRIBUTE(control_fops, control_get, control_set, "%llu\n");

void llamux_debugfs_init(void)
{
	dir = debugfs_create_dir("llamux", NULL);
	debugfs_create_file("fpu_sections", 0600, dir, &llamux_fpu_sections,
			    &hist_fops);
	debugfs_create_file("fpu_control_sections", 0600, dir,
			    &llamux_fpu_control, &hist_fops);
	debugfs_create_file("fpu_control", 0600, dir, NULL, &control_fops);
}

void llamux_debugfs_exit(void)
{
	debugfs_remove(dir);
}
