// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/llamux/prompt: a conversation per user for echo and cat.
 *
 *	echo "What is a futex?" > /proc/llamux/prompt
 *	cat /proc/llamux/prompt
 *
 * The first write after an open is a new prompt; what was not read of an
 * earlier answer is dropped. A read streams the answer and ends with it;
 * after that there is nothing until the next prompt. The conversation is kept
 * from prompt to prompt, and begun anew when it has filled three quarters of
 * the context, or its model was unloaded or has slept.
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "model.h"
#include "prompt.h"
#include "session.h"

static unsigned int proc_gid;
module_param(proc_gid, uint, 0444);
MODULE_PARM_DESC(proc_gid, "group that may use /proc/llamux/prompt (default: root only)");

struct conversation {
	struct list_head node;
	kuid_t uid;
	u32 users;			/* open files */
	bool stale;			/* its model goes: drop at last close */
	struct llamux_session *session;
};

/* An open file. */
struct opening {
	struct conversation *c;
	bool prompted;			/* it has written */
};

static DEFINE_MUTEX(conversations_lock);
static LIST_HEAD(conversations);

static void conversation_free(struct conversation *c)
{
	list_del(&c->node);
	llamux_session_close(c->session);
	kfree(c);
}

static struct conversation *conversation_new(kuid_t uid)
{
	struct conversation *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);

	if (!c)
		return ERR_PTR(-ENOMEM);
	c->session = llamux_session_open();
	if (IS_ERR(c->session)) {
		struct llamux_session *err = c->session;

		kfree(c);
		return ERR_CAST(err);
	}
	c->uid = uid;
	list_add(&c->node, &conversations);
	return c;
}

/*
 * Its model goes. The mark is missing when it was bound while the model was
 * being unloaded; while somebody talks to it the answer can wait.
 */
static bool is_stale(const struct conversation *c)
{
	struct llamux_session *s = c->session;
	bool stale = c->stale;

	if (!stale && llamux_session_trylock(s)) {
		stale = s->model &&
			READ_ONCE(s->model->state) > LLAMUX_MODEL_ASLEEP;
		llamux_session_unlock(s);
	}
	return stale;
}

static struct conversation *conversation_get(kuid_t uid)
{
	struct conversation *c;

	mutex_lock(&conversations_lock);
	list_for_each_entry(c, &conversations, node)
		if (uid_eq(c->uid, uid) && !is_stale(c))
			goto found;
	c = conversation_new(uid);
found:
	if (!IS_ERR(c) && !c->users++)
		llamux_session_attend(c->session, true);
	mutex_unlock(&conversations_lock);
	return c;
}

/* One that has no model yet holds nothing worth keeping. */
static void conversation_put(struct conversation *c)
{
	mutex_lock(&conversations_lock);
	if (!--c->users) {
		if (is_stale(c) || !c->session->model)
			conversation_free(c);
		else
			llamux_session_attend(c->session, false);
	}
	mutex_unlock(&conversations_lock);
}

static void drop(struct llamux_model *m, bool goes)
{
	struct conversation *c, *next;

	mutex_lock(&conversations_lock);
	list_for_each_entry_safe(c, next, &conversations, node) {
		if (READ_ONCE(c->session->model) != m)
			continue;
		if (!c->users)
			conversation_free(c);
		else if (goes)
			c->stale = true;
	}
	mutex_unlock(&conversations_lock);
}

/*
 * A conversation that is open may be binding to @m at this moment; then it
 * keeps the model till its last file is closed, as any session would.
 */
void llamux_prompt_drop(struct llamux_model *m)
{
	drop(m, true);
}

void llamux_prompt_rest(struct llamux_model *m)
{
	drop(m, false);
}

/* ---- the file ---- */

static int prompt_open(struct inode *inode, struct file *file)
{
	struct opening *o;
	int err = -ENOMEM;

	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	o = kzalloc(sizeof(*o), GFP_KERNEL_ACCOUNT);
	if (!o)
		goto err_opening;
	o->c = conversation_get(current_euid());
	err = PTR_ERR_OR_ZERO(o->c);
	if (err)
		goto err_conversation;
	file->private_data = o;
	return stream_open(inode, file);

err_conversation:
	kfree(o);
err_opening:
	module_put(THIS_MODULE);
	return err;
}

static int prompt_release(struct inode *inode, struct file *file)
{
	struct opening *o = file->private_data;

	conversation_put(o->c);
	kfree(o);
	module_put(THIS_MODULE);
	return 0;
}

static ssize_t prompt_read(struct file *file, char __user *buf, size_t n,
			   loff_t *pos)
{
	struct opening *o = file->private_data;

	return llamux_session_read(o->c->session, buf, n,
				   file->f_flags & O_NONBLOCK);
}

/* Session lock held: three quarters of the context are used. */
static bool crowded(struct llamux_session *s)
{
	struct lx_session_stats st;
	struct lx_engine_info e;

	mutex_lock(&s->model->lock);
	lx_session_stats(s->lx, &st);
	lx_engine_info(s->model->engine, &e);
	mutex_unlock(&s->model->lock);
	return st.n_tokens > e.n_ctx / 4 * 3;
}

/* Make room for a new prompt: end the turn that is under way. */
static int prompt_begin(struct opening *o)
{
	struct llamux_session *s = o->c->session;
	int err;

	if (o->prompted)
		return 0;
	err = llamux_session_lock(s);
	if (err)
		return err;
	err = llamux_session_bind(s);
	if (!err)
		err = llamux_session_abandon(s);
	if (!err && crowded(s))
		err = llamux_session_reset(s);
	o->prompted = !err;
	llamux_session_unlock(s);
	return err;
}

static ssize_t prompt_write(struct file *file, const char __user *buf,
			    size_t n, loff_t *pos)
{
	struct opening *o = file->private_data;
	int err = prompt_begin(o);

	return err ?: llamux_session_write(o->c->session, buf, n);
}

static __poll_t prompt_poll(struct file *file, struct poll_table_struct *wait)
{
	struct opening *o = file->private_data;

	return llamux_session_poll(o->c->session, file, wait);
}

static const struct proc_ops prompt_ops = {
	.proc_open = prompt_open,
	.proc_read = prompt_read,
	.proc_write = prompt_write,
	.proc_poll = prompt_poll,
	.proc_release = prompt_release,
};

int llamux_prompt_init(struct proc_dir_entry *dir)
{
	kgid_t gid = make_kgid(&init_user_ns, proc_gid);
	struct proc_dir_entry *e;

	if (!gid_valid(gid))
		return -EINVAL;
	e = proc_create("prompt", proc_gid ? 0660 : 0600, dir, &prompt_ops);
	if (!e)
		return -ENOMEM;
	proc_set_user(e, GLOBAL_ROOT_UID, gid);
	return 0;
}

void llamux_prompt_exit(void)
{
	struct conversation *c, *next;

	list_for_each_entry_safe(c, next, &conversations, node)
		conversation_free(c);
}
