// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registered system prompts: conversations of nobody's that are never
 * answered. They hold KV that every session finds whose prompt begins like
 * theirs, whoever asks: what is registered is not a secret.
 */
#include <linux/err.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "model.h"
#include "prefix.h"
#include "session.h"

#define MAX_PREFIXES 64	/* of a model */

#define SHOWN 48		/* bytes of the text that are shown */

struct prefix {
	struct list_head node;
	struct llamux_session *session;
	u64 id;
	char begin[SHOWN + 1];
};

/* Outermost: before the locks of sessions. */
static DEFINE_MUTEX(prefixes_lock);
static LIST_HEAD(prefixes);
static u64 last_id;

static struct llamux_session *compute(struct llamux_model *m, const char *text,
				      size_t n)
{
	struct llamux_session *s = llamux_session_open();
	int err;

	if (IS_ERR(s))
		return s;
	err = llamux_session_lock(s);
	if (err)
		goto err_lock;
	s->realm = lx_realm_public;
	err = llamux_session_set_model(s, m->name);
	if (!err && s->model != m)
		err = -ENOENT;
	if (!err)
		err = llamux_session_add(s, LX_ROLE_SYSTEM, text, n, 0);
	if (!err)
		err = llamux_session_prefill(s);
	llamux_session_unlock(s);
	if (!err)
		return s;
err_lock:
	llamux_session_close(s);
	return ERR_PTR(err);
}

static u32 count(const struct llamux_model *m)
{
	struct prefix *p;
	u32 n = 0;

	list_for_each_entry(p, &prefixes, node)
		n += p->session->model == m;
	return n;
}

int llamux_prefix_add(struct llamux_model *m, const char *text, size_t n)
{
	struct prefix *p = kzalloc(sizeof(*p), GFP_KERNEL);
	int err = 0;

	if (!p)
		return -ENOMEM;
	memcpy(p->begin, text, min_t(size_t, n, SHOWN));
	p->session = compute(m, text, n);
	if (IS_ERR(p->session)) {
		err = PTR_ERR(p->session);
		goto err_free;
	}
	mutex_lock(&prefixes_lock);
	/* Who unloads it drops after this lock, or has been seen here. */
	if (READ_ONCE(m->state) != LLAMUX_MODEL_READY)
		err = -ENOENT;
	else if (count(m) >= MAX_PREFIXES)
		err = -ENOSPC;
	else
		list_add(&p->node, &prefixes);
	p->id = ++last_id;
	mutex_unlock(&prefixes_lock);
	if (!err)
		return 0;
	llamux_session_close(p->session);
err_free:
	kfree(p);
	return err;
}

/* Under prefixes_lock. */
static void forget(struct prefix *p)
{
	list_del(&p->node);
	llamux_session_close(p->session);
	kfree(p);
}

int llamux_prefix_remove(u64 id)
{
	struct prefix *p, *next;
	int err = -ENOENT;

	mutex_lock(&prefixes_lock);
	list_for_each_entry_safe(p, next, &prefixes, node) {
		if (p->id != id)
			continue;
		forget(p);
		err = 0;
	}
	mutex_unlock(&prefixes_lock);
	return err;
}

static void show_row(struct seq_file *seq, const struct prefix *p)
{
	struct llamux_session *s = p->session;
	struct lx_session_stats st;

	mutex_lock(&s->model->lock);
	lx_session_stats(s->lx, &st);
	mutex_unlock(&s->model->lock);
	seq_printf(seq, "%llu %s %u %llu ", p->id, s->model->name, st.n_tokens,
		   st.kv_bytes);
	/* A word: blanks and what is not printable as octal escapes. */
	seq_escape(seq, p->begin, " \t\n\v\f\r\\");
	seq_putc(seq, '\n');
}

void llamux_prefix_rows(struct seq_file *seq)
{
	struct prefix *p;

	seq_puts(seq, "id model tokens kv_bytes text\n");
	mutex_lock(&prefixes_lock);
	list_for_each_entry(p, &prefixes, node)
		show_row(seq, p);
	mutex_unlock(&prefixes_lock);
}

void llamux_prefix_drop(struct llamux_model *m)
{
	struct prefix *p, *next;

	mutex_lock(&prefixes_lock);
	list_for_each_entry_safe(p, next, &prefixes, node)
		if (p->session->model == m)
			forget(p);
	mutex_unlock(&prefixes_lock);
}
