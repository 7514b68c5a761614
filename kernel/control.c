// SPDX-License-Identifier: GPL-2.0-only
/* /dev/llamactl: models come and go by it. For CAP_SYS_ADMIN. */
#include <linux/bitops.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/llamux.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat/compat.h"
#include "control.h"
#include "model.h"
#include "owner.h"
#include "prefix.h"

#define PREFIX_MAX (1u << 20)

static int control_open(struct inode *inode, struct file *file)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	return stream_open(inode, file);
}

static int give_message(const struct llamux_load *in, const struct lx_error *e)
{
	size_t n = strnlen(e->msg, sizeof(e->msg) - 1) + 1;
	char __user *to = u64_to_user_ptr(in->message);

	if (!in->message || !in->message_size)
		return 0;
	n = min_t(size_t, n, in->message_size);
	if (copy_to_user(to, e->msg, n - 1) || put_user('\0', to + n - 1))
		return -EFAULT;
	return 0;
}

#define LOAD_PLACES (LLAMUX_LOAD_STREAM | LLAMUX_LOAD_HUGETLB | LLAMUX_LOAD_MEMMAP)

static bool load_valid(const struct llamux_load *in)
{
	if (strnlen(in->as_type, LLAMUX_TYPE_MAX) == LLAMUX_TYPE_MAX)
		return false;
	if (!in->n_fds || in->n_fds > LLAMUX_MAX_FILES || in->reserved ||
	    in->reserved2 || in->kv_type > LLAMUX_KV_Q4_0 ||
	    in->flags & ~(LLAMUX_LOAD_DEFAULT | LLAMUX_LOAD_ONCE | LOAD_PLACES))
		return false;
	if (in->flags & LLAMUX_LOAD_ONCE && in->flags & LLAMUX_LOAD_STREAM)
		return false;
	if (hweight32(in->flags & LOAD_PLACES) > 1)
		return false;
	if (in->memory && !(in->flags & LLAMUX_LOAD_STREAM))
		return false;
	return !in->reserve_fd || in->flags & LLAMUX_LOAD_HUGETLB;
}

static int do_load(void *arg)
{
	const struct llamux_load *in = arg;
	struct lx_error *error;
	int err;

	if (!load_valid(in))
		return -EINVAL;
	error = kzalloc(sizeof(*error), GFP_KERNEL);
	if (!error)
		return -ENOMEM;
	err = llamux_model_load(in, error);
	if (err && give_message(in, error))
		err = -EFAULT;
	kfree(error);
	return err;
}

static bool terminated(const char *name)
{
	return strnlen(name, LLAMUX_NAME_MAX) < LLAMUX_NAME_MAX;
}

static int do_unload(void *arg)
{
	const struct llamux_name *in = arg;

	return terminated(in->name) ? llamux_model_unload(in->name) : -EINVAL;
}

static int do_default(void *arg)
{
	const struct llamux_name *in = arg;

	return terminated(in->name) ? llamux_model_set_default(in->name) :
				      -EINVAL;
}

static int do_progress(void *arg)
{
	struct llamux_progress *io = arg;

	return terminated(io->name) ? llamux_model_progress(io) : -EINVAL;
}

static int do_limit(void *arg)
{
	const struct llamux_limit *in = arg;
	kuid_t uid = make_kuid(current_user_ns(), in->uid);

	if (!uid_valid(uid) || in->set & ~(LLAMUX_LIMIT_SESSIONS |
					   LLAMUX_LIMIT_TOKENS |
					   LLAMUX_LIMIT_KV))
		return -EINVAL;
	return llamux_owner_limit(uid, in);
}

static int add_prefix(struct llamux_model *m, const struct llamux_prefix *in)
{
	char *text;
	int err;

	if (!in->len || in->len > PREFIX_MAX)
		return -EMSGSIZE;
	text = vmemdup_user(u64_to_user_ptr(in->text), in->len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	err = llamux_prefix_add(m, text, in->len);
	kvfree(text);
	return err;
}

static int do_prefix(void *arg)
{
	const struct llamux_prefix *in = arg;
	struct llamux_model *m;
	int err = 0;

	if (!terminated(in->name))
		return -EINVAL;
	if (in->flags == LLAMUX_PREFIX_REMOVE)
		return in->name[0] ? -EINVAL : llamux_prefix_remove(in->id);
	if (in->flags & ~LLAMUX_PREFIX_DROP || in->id)
		return -EINVAL;
	m = llamux_model_get(in->name[0] ? in->name : NULL);
	if (!m)
		return -ENOENT;
	if (in->flags & LLAMUX_PREFIX_DROP)
		llamux_prefix_drop(m);
	else
		err = add_prefix(m, in);
	llamux_model_put(m);
	return err;
}

static int do_attr(void *arg)
{
	struct llamux_attr *io = arg;

	return terminated(io->name) ? llamux_model_attr(io) : -EINVAL;
}

static int do_cancel(void *arg)
{
	const struct llamux_name *in = arg;

	return terminated(in->name) ? llamux_model_cancel(in->name) : -EINVAL;
}

union argument {
	struct llamux_attr attr;
	struct llamux_limit limit;
	struct llamux_prefix prefix;
	struct llamux_load load;
	struct llamux_name name;
	struct llamux_progress progress;
};

#define FIRST_NR 0x40
#define COMMAND(command, function, size) \
	[_IOC_NR(command) - FIRST_NR] = { \
		.cmd = (command), .first = (size), .run = (function) \
	}

/* @first: the size first published. */
static const struct command {
	unsigned int cmd;
	unsigned int first;
	int (*run)(void *arg);
} commands[] = {
	COMMAND(LLAMUX_CTL_LOAD, do_load, 112),
	COMMAND(LLAMUX_CTL_UNLOAD, do_unload, 64),
	COMMAND(LLAMUX_CTL_DEFAULT, do_default, 64),
	COMMAND(LLAMUX_CTL_PROGRESS, do_progress, 80),
	COMMAND(LLAMUX_CTL_ATTR, do_attr, 80),
	COMMAND(LLAMUX_CTL_CANCEL, do_cancel, 64),
	COMMAND(LLAMUX_CTL_LIMIT, do_limit, 16),
	COMMAND(LLAMUX_CTL_PREFIX, do_prefix, 80),
};

static const struct command *command_find(unsigned int cmd)
{
	unsigned int i = _IOC_NR(cmd) - FIRST_NR;

	if (_IOC_TYPE(cmd) != LLAMUX_IOC_MAGIC || i >= ARRAY_SIZE(commands))
		return NULL;
	i = array_index_nospec(i, ARRAY_SIZE(commands));
	if (!commands[i].run || _IOC_DIR(cmd) != _IOC_DIR(commands[i].cmd))
		return NULL;
	return &commands[i];
}

static long control_ioctl(struct file *file, unsigned int cmd,
			  unsigned long uarg)
{
	const struct command *c = command_find(cmd);
	void __user *user = (void __user *)uarg;
	size_t usize = _IOC_SIZE(cmd), ksize;
	union argument arg = {};
	int err;

	if (!c)
		return -ENOTTY;
	ksize = _IOC_SIZE(c->cmd);
	if (usize < c->first)
		return -EINVAL;
	err = copy_struct_from_user(&arg, ksize, user, usize);
	if (!err)
		err = c->run(&arg);
	if (!err && _IOC_DIR(c->cmd) & _IOC_READ)
		err = llamux_copy_to_user(user, usize, &arg, ksize);
	return err;
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = control_open,
	.unlocked_ioctl = control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice control = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "llamactl",
	.fops = &control_fops,
	.mode = 0600,
};

int llamux_control_init(void)
{
	return misc_register(&control);
}

void llamux_control_exit(void)
{
	misc_deregister(&control);
}
