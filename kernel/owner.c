// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users: how many sessions they may have, how many tokens a minute, and what
 * workers did for them.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/math64.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>

#include "owner.h"

/* Beyond this, those without sessions are added up as one. */
#define MAX_OWNERS 256

static unsigned int user_sessions = 1024;
module_param(user_sessions, uint, 0644);
MODULE_PARM_DESC(user_sessions, "most open conversations of a user (default 1024); open fails with EDQUOT beyond");

static DEFINE_SPINLOCK(owners_lock);
static LIST_HEAD(owners);	/* latest comers first */
static u32 n_owners;
static u64 forgotten_ns;	/* of those that were dropped */
static atomic64_t total_ns = ATOMIC64_INIT(0);

static struct llamux_owner *find(kuid_t uid)
{
	struct llamux_owner *o;

	list_for_each_entry(o, &owners, node)
		if (uid_eq(o->uid, uid))
			return o;
	return NULL;
}

/* The oldest that has no session, or NULL. */
static struct llamux_owner *forget_one(void)
{
	struct llamux_owner *o;

	list_for_each_entry_reverse(o, &owners, node) {
		if (o->sessions || o->max_sessions || o->tokens_per_minute)
			continue;
		forgotten_ns += atomic64_read(&o->cpu_ns);
		list_del(&o->node);
		n_owners--;
		return o;
	}
	return NULL;
}

/* Under owners_lock: @uid's, or *@spare in its place; *@old is to be freed. */
static struct llamux_owner *find_or_add(kuid_t uid, struct llamux_owner **spare,
					struct llamux_owner **old)
{
	struct llamux_owner *o = find(uid);

	if (o)
		return o;
	if (n_owners >= MAX_OWNERS)
		*old = forget_one();
	o = *spare;
	*spare = NULL;
	o->uid = uid;
	list_add(&o->node, &owners);
	n_owners++;
	return o;
}

struct llamux_owner *llamux_owner_get(kuid_t uid)
{
	struct llamux_owner *o, *spare, *old = NULL;

	spare = kzalloc(sizeof(*spare), GFP_KERNEL);
	if (!spare)
		return ERR_PTR(-ENOMEM);
	spin_lock(&owners_lock);
	o = find_or_add(uid, &spare, &old);
	if (o->sessions >= (o->max_sessions ?: READ_ONCE(user_sessions)))
		o = ERR_PTR(-EDQUOT);
	else
		o->sessions++;
	spin_unlock(&owners_lock);
	kfree(spare);
	kfree(old);
	return o;
}

void llamux_owner_put(struct llamux_owner *o)
{
	spin_lock(&owners_lock);
	o->sessions--;
	spin_unlock(&owners_lock);
}

/* ---- limits ---- */

/* Under owners_lock. A minute's tokens can be saved, no more. */
static void refill(struct llamux_owner *o)
{
	u64 now = ktime_get_ns();
	u64 ns = min_t(u64, now - o->filled_ns, 60ull * NSEC_PER_SEC);
	u64 n = div_u64(mul_u64_u32_div(ns, o->tokens_per_minute, 60),
			NSEC_PER_SEC);

	if (!n)
		return;
	o->tokens = min_t(s64, o->tokens + (s64)n, o->tokens_per_minute);
	o->filled_ns = now;
}

bool llamux_owner_has_tokens(struct llamux_owner *o)
{
	bool has;

	if (!READ_ONCE(o->tokens_per_minute))
		return true;
	spin_lock(&owners_lock);
	refill(o);
	has = !o->tokens_per_minute || o->tokens > 0;
	spin_unlock(&owners_lock);
	return has;
}

int llamux_owner_limit(kuid_t uid, u32 max_sessions, u32 tokens_per_minute)
{
	struct llamux_owner *o, *spare, *old = NULL;

	spare = kzalloc(sizeof(*spare), GFP_KERNEL);
	if (!spare)
		return -ENOMEM;
	spin_lock(&owners_lock);
	o = find_or_add(uid, &spare, &old);
	o->max_sessions = max_sessions;
	WRITE_ONCE(o->tokens_per_minute, tokens_per_minute);
	o->tokens = tokens_per_minute;
	o->filled_ns = ktime_get_ns();
	spin_unlock(&owners_lock);
	kfree(spare);
	kfree(old);
	return 0;
}

void llamux_owner_charge(struct llamux_owner *o, u64 ns, u32 tokens)
{
	atomic64_add(ns, &o->cpu_ns);
	atomic64_add(ns, &total_ns);
	if (!READ_ONCE(o->tokens_per_minute))
		return;
	spin_lock(&owners_lock);
	o->tokens -= tokens;
	spin_unlock(&owners_lock);
}

bool llamux_owner_visible(const struct seq_file *m, kuid_t uid)
{
	return uid_eq(uid, m->file->f_cred->euid) ||
	       file_ns_capable(m->file, &init_user_ns, CAP_SYS_ADMIN);
}

void llamux_owner_show(struct seq_file *m)
{
	bool all = llamux_owner_visible(m, INVALID_UID);
	struct llamux_owner *o;

	seq_printf(m, "cpu_ns: %llu\n", (u64)atomic64_read(&total_ns));
	spin_lock(&owners_lock);
	list_for_each_entry(o, &owners, node)
		if (all || uid_eq(o->uid, m->file->f_cred->euid))
			seq_printf(m, "cpu_ns_uid_%u: %llu\n",
				   from_kuid_munged(seq_user_ns(m), o->uid),
				   (u64)atomic64_read(&o->cpu_ns));
	if (all && forgotten_ns)
		seq_printf(m, "cpu_ns_forgotten: %llu\n", forgotten_ns);
	spin_unlock(&owners_lock);
}

void llamux_owner_exit(void)
{
	struct llamux_owner *o, *next;

	list_for_each_entry_safe(o, next, &owners, node)
		kfree(o);
}
