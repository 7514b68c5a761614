// SPDX-License-Identifier: GPL-2.0-only
/* /dev/llama: one open file is one conversation. */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "device.h"
#include "ioctl.h"
#include "model.h"
#include "session.h"

static int device_open(struct inode *inode, struct file *file)
{
	struct llamux_session *s = llamux_session_open();

	if (IS_ERR(s))
		return PTR_ERR(s);
	file->private_data = s;
	return stream_open(inode, file);
}

static int device_release(struct inode *inode, struct file *file)
{
	llamux_session_close(file->private_data);
	return 0;
}

static ssize_t device_read(struct file *file, char __user *buf, size_t n,
			   loff_t *pos)
{
	return llamux_session_read(file->private_data, buf, n,
				   file->f_flags & O_NONBLOCK);
}

static ssize_t device_write(struct file *file, const char __user *buf,
			    size_t n, loff_t *pos)
{
	return llamux_session_write(file->private_data, buf, n);
}

static __poll_t device_poll(struct file *file, struct poll_table_struct *wait)
{
	return llamux_session_poll(file->private_data, file, wait);
}

static long device_ioctl(struct file *file, unsigned int cmd,
			 unsigned long arg)
{
	return llamux_ioctl(file->private_data, cmd, (void __user *)arg);
}

#ifdef CONFIG_PROC_FS
/* /proc/PID/fdinfo/FD. A session that is busy shows no numbers. */
static void device_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct llamux_session *s = file->private_data;
	struct lx_session_stats st;
	u64 cpu_ns;

	seq_printf(m, "llamux-session:\t%llu\n", s->id);
	if (!llamux_session_trylock(s))
		return;
	if (s->model) {
		mutex_lock(&s->model->lock);
		lx_session_stats(s->lx, &st);
		cpu_ns = s->cpu_ns;
		mutex_unlock(&s->model->lock);
		seq_printf(m, "llamux-model:\t%s\n", s->model->name);
		seq_printf(m, "llamux-past:\t%u\n", st.n_past);
		seq_printf(m, "llamux-prompt-tokens:\t%llu\n", st.total_prompt);
		seq_printf(m, "llamux-answer-tokens:\t%llu\n", st.total_gen);
		seq_printf(m, "llamux-kv-bytes:\t%llu\n", st.kv_bytes);
		seq_printf(m, "llamux-cpu-ns:\t%llu\n", cpu_ns);
	}
	llamux_session_unlock(s);
}
#endif

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.read = device_read,
	.write = device_write,
	.poll = device_poll,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
#ifdef CONFIG_PROC_FS
	.show_fdinfo = device_show_fdinfo,
#endif
};

int llamux_device_fd(struct llamux_session *s, unsigned int flags)
{
	int fd = get_unused_fd_flags(flags & O_CLOEXEC);
	struct file *file = ERR_PTR(fd);

	if (fd >= 0)
		file = anon_inode_getfile("[llama]", &device_fops, s,
					  O_RDWR | (flags & O_NONBLOCK));
	if (IS_ERR(file)) {
		if (fd >= 0)
			put_unused_fd(fd);
		llamux_session_close(s);
		return PTR_ERR(file);
	}
	stream_open(file_inode(file), file);
	fd_install(fd, file);
	return fd;
}

/* root:root 0660; a udev rule gives it its group. */
static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "llama",
	.fops = &device_fops,
	.mode = 0660,
};

int llamux_device_init(void)
{
	return misc_register(&device);
}

void llamux_device_exit(void)
{
	misc_deregister(&device);
}
