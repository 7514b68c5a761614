// SPDX-License-Identifier: GPL-2.0-only
/* The interface for other modules: <linux/llamux_client.h> says how. */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/llamux_client.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "../ioctl.h"
#include "../model.h"
#include "../session.h"

struct llamux_client {
	struct llamux_session *session;
	struct work_struct cancel;
};

static void cancel_now(struct work_struct *w)
{
	struct llamux_client *c = container_of(w, struct llamux_client, cancel);

	llamux_session_cancel(c->session);
}

/* Nobody else has it: the lock is for the functions that want it held. */
static void lock(struct llamux_client *c)
{
	mutex_lock(&c->session->lock);
}

static void unlock(struct llamux_client *c)
{
	llamux_session_unlock(c->session);
}

struct llamux_client *llamux_client_open(const char *model, u32 flags)
{
	struct llamux_client *c;
	int err;

	if (flags & ~LLAMUX_CLIENT_FLAGS)
		return ERR_PTR(-EINVAL);
	c = kzalloc(sizeof(*c), GFP_KERNEL);
	if (!c)
		return ERR_PTR(-ENOMEM);
	INIT_WORK(&c->cancel, cancel_now);
	c->session = llamux_session_open();
	err = PTR_ERR_OR_ZERO(c->session);
	if (err)
		goto err_session;
	c->session->urgent = flags & LLAMUX_CLIENT_URGENT;
	lock(c);
	err = model ? llamux_session_set_model(c->session, model) :
		      llamux_session_bind(c->session);
	unlock(c);
	if (err)
		goto err_model;
	return c;

err_model:
	llamux_session_close(c->session);
err_session:
	kfree(c);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(llamux_client_open);

void llamux_client_close(struct llamux_client *c)
{
	cancel_work_sync(&c->cancel);
	llamux_session_close(c->session);
	kfree(c);
}
EXPORT_SYMBOL_GPL(llamux_client_close);

int llamux_client_get(struct llamux_client *c, struct llamux_params *p)
{
	memset(p, 0, sizeof(*p));
	lock(c);
	llamux_ioctl_get_params(c->session, p);
	unlock(c);
	return 0;
}
EXPORT_SYMBOL_GPL(llamux_client_get);

int llamux_client_set(struct llamux_client *c, const struct llamux_params *p)
{
	int err;

	lock(c);
	err = llamux_ioctl_set_params(c->session, p);
	unlock(c);
	return err;
}
EXPORT_SYMBOL_GPL(llamux_client_set);

int llamux_client_set_salt(struct llamux_client *c, u64 salt)
{
	int err;

	lock(c);
	err = llamux_session_set_salt(c->session, salt);
	unlock(c);
	return err;
}
EXPORT_SYMBOL_GPL(llamux_client_set_salt);

int llamux_client_reset(struct llamux_client *c)
{
	int err;

	lock(c);
	err = llamux_session_reset(c->session);
	unlock(c);
	return err;
}
EXPORT_SYMBOL_GPL(llamux_client_reset);

int llamux_client_write(struct llamux_client *c, u32 role, const char *text,
			size_t n, u32 flags)
{
	int err;

	if (role >= LX_ROLES || flags & ~LLAMUX_WRITE_SPECIAL)
		return -EINVAL;
	lock(c);
	err = llamux_session_add(c->session, role, text, n, flags);
	unlock(c);
	return err;
}
EXPORT_SYMBOL_GPL(llamux_client_write);

ssize_t llamux_client_read(struct llamux_client *c, char *buf, size_t n,
			   long timeout)
{
	struct llamux_session *s = c->session;
	u32 events = 0;
	ssize_t ret;

	if (!n)
		return 0;
	for (;;) {
		lock(c);
		ret = llamux_session_take(s, buf, n, &events);
		unlock(c);
		if (ret != -EAGAIN)
			return ret;
		timeout = wait_event_killable_timeout(s->wait,
				READ_ONCE(s->events) != events, timeout);
		if (!timeout)
			return -ETIMEDOUT;
		if (timeout < 0)
			return -EINTR;
	}
}
EXPORT_SYMBOL_GPL(llamux_client_read);

int llamux_client_prefill(struct llamux_client *c)
{
	int err;

	lock(c);
	err = llamux_session_prefill(c->session);
	unlock(c);
	return err;
}
EXPORT_SYMBOL_GPL(llamux_client_prefill);

/* Texts behind one another, as sessions want them; 0 or -EINVAL. */
static int join_texts(const char *const *texts, u32 n, char *all, u32 *ends)
{
	size_t len = 0, k;
	u32 i;

	for (i = 0; i < n; i++) {
		k = strlen(texts[i]);
		if (!k || k > LLAMUX_MAX_CHOICE_BYTES - len)
			return -EINVAL;
		memcpy(all + len, texts[i], k);
		len += k;
		ends[i] = len;
	}
	return 0;
}

static int score(struct llamux_client *c, const char *text, const u32 *ends,
		 u32 n, struct llamux_choice *choices)
{
	struct lx_choice *got = kcalloc(n, sizeof(*got), GFP_KERNEL);
	int err = -ENOMEM;
	u32 i;

	if (!got)
		return err;
	lock(c);
	err = llamux_session_score(c->session, text, ends, n, got);
	unlock(c);
	for (i = 0; !err && i < n; i++)
		choices[i] = (struct llamux_choice){
			.lp_u = got[i].lp_u,
			.n_tokens = got[i].n_tokens,
		};
	kfree(got);
	return err;
}

int llamux_client_score(struct llamux_client *c, const char *const *texts,
			u32 n, struct llamux_choice *choices)
{
	char *all;
	u32 *ends;
	int err;

	if (!n || n > LLAMUX_MAX_CHOICES)
		return -EINVAL;
	all = kvmalloc(LLAMUX_MAX_CHOICE_BYTES, GFP_KERNEL);
	ends = kcalloc(n, sizeof(*ends), GFP_KERNEL);
	err = all && ends ? join_texts(texts, n, all, ends) : -ENOMEM;
	if (!err)
		err = score(c, all, ends, n, choices);
	kfree(ends);
	kvfree(all);
	return err;
}
EXPORT_SYMBOL_GPL(llamux_client_score);

/* Till the turn has ended, whatever is left of the answer is dropped. */
static void end_turn(struct llamux_client *c)
{
	lock(c);
	llamux_session_abandon(c->session);
	unlock(c);
}

/* What is left of @timeout at @end; none is none for ever. */
static long time_left(long timeout, unsigned long end)
{
	if (timeout == MAX_SCHEDULE_TIMEOUT)
		return timeout;
	return max_t(long, end - jiffies, 0);
}

ssize_t llamux_client_ask(struct llamux_client *c, const char *prompt,
			  char *buf, size_t size, long timeout)
{
	unsigned long end = jiffies + timeout;
	size_t n = 0;
	ssize_t ret;

	if (!size)
		return -EINVAL;
	buf[0] = '\0';
	ret = llamux_client_write(c, LLAMUX_ROLE_USER, prompt, strlen(prompt),
				  0);
	if (ret)
		return ret;
	while (n + 1 < size) {
		ret = llamux_client_read(c, buf + n, size - 1 - n,
					 time_left(timeout, end));
		if (ret <= 0)
			break;
		n += ret;
		buf[n] = '\0';
	}
	if (ret)	/* no end of the answer was seen */
		end_turn(c);
	return ret < 0 ? ret : n;
}
EXPORT_SYMBOL_GPL(llamux_client_ask);

void llamux_client_cancel(struct llamux_client *c)
{
	queue_work(system_highpri_wq, &c->cancel);
}
EXPORT_SYMBOL_GPL(llamux_client_cancel);
