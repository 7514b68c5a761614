// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users: how many sessions they may have, how much KV, how many tokens a
 * minute, and what workers did for them.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/llamux.h>
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

static unsigned int user_kv;
module_param(user_kv, uint, 0644);
MODULE_PARM_DESC(user_kv, "most KV memory of a user, in MB (default 0: any); a turn fails with EDQUOT beyond");

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
		if (o->sessions || o->accounts || o->max_sessions ||
		    o->tokens_per_minute || o->max_kv)
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

void llamux_owner_hold(struct llamux_owner *o)
{
	spin_lock(&owners_lock);
	o->accounts++;
	spin_unlock(&owners_lock);
}

void llamux_owner_release(struct llamux_owner *o)
{
	spin_lock(&owners_lock);
	o->accounts--;
	spin_unlock(&owners_lock);
}

/* ---- limits ---- */

static u64 kv_limit(const struct llamux_owner *o)
{
	return READ_ONCE(o->max_kv) ?: (u64)READ_ONCE(user_kv) << 20;
}

bool llamux_owner_take_kv(struct llamux_owner *o, u64 bytes)
{
	u64 max = kv_limit(o);

	if ((u64)atomic64_add_return(bytes, &o->kv) <= max || !max)
		return true;
	atomic64_sub(bytes, &o->kv);
	return false;
}

void llamux_owner_give_kv(struct llamux_owner *o, u64 bytes)
{
	atomic64_sub(bytes, &o->kv);
}

/* Under owners_lock, with a limit. A minute's tokens can be saved, no more. */
static void refill(struct llamux_owner *o)
{
	const u64 minute = 60ull * NSEC_PER_SEC;
	u64 now = ktime_get_ns(), n;

	if (now - o->filled_ns > minute)
		o->filled_ns = now - minute;
	n = div_u64(mul_u64_u32_div(now - o->filled_ns, o->tokens_per_minute,
				    60), NSEC_PER_SEC);
	if (!n)
		return;
	o->tokens = min_t(s64, o->tokens + (s64)n, o->tokens_per_minute);
	/* The time of a part of a token counts for the next one. */
	o->filled_ns += mul_u64_u32_div(minute, n, o->tokens_per_minute);
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

/* Under owners_lock. A new number of tokens can be had at once. */
static void set_limit(struct llamux_owner *o, const struct llamux_limit *l)
{
	u32 set = l->set ?: LLAMUX_LIMIT_SESSIONS | LLAMUX_LIMIT_TOKENS |
			    LLAMUX_LIMIT_KV;

	if (set & LLAMUX_LIMIT_SESSIONS)
		o->max_sessions = l->max_sessions;
	if (set & LLAMUX_LIMIT_KV)
		WRITE_ONCE(o->max_kv, l->max_kv);
	if (set & LLAMUX_LIMIT_TOKENS) {
		WRITE_ONCE(o->tokens_per_minute, l->tokens_per_minute);
		o->tokens = l->tokens_per_minute;
		o->filled_ns = ktime_get_ns();
	}
}

int llamux_owner_limit(kuid_t uid, const struct llamux_limit *l)
{
	struct llamux_owner *o, *spare, *old = NULL;

	spare = kzalloc(sizeof(*spare), GFP_KERNEL);
	if (!spare)
		return -ENOMEM;
	spin_lock(&owners_lock);
	o = find_or_add(uid, &spare, &old);
	set_limit(o, l);
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

/* Under owners_lock. "-": no limit. */
static void show_row(struct seq_file *m, struct llamux_owner *o)
{
	u64 max_kv = kv_limit(o);

	seq_printf(m, "%u %u %u %llu ", from_kuid_munged(seq_user_ns(m), o->uid),
		   o->sessions, o->max_sessions ?: READ_ONCE(user_sessions),
		   (u64)atomic64_read(&o->kv));
	if (max_kv)
		seq_printf(m, "%llu ", max_kv);
	else
		seq_puts(m, "- ");
	if (o->tokens_per_minute) {
		refill(o);
		seq_printf(m, "%lld %u ", max_t(s64, o->tokens, 0),
			   o->tokens_per_minute);
	} else {
		seq_puts(m, "- - ");
	}
	seq_printf(m, "%llu\n", (u64)atomic64_read(&o->cpu_ns));
}

void llamux_owner_rows(struct seq_file *m)
{
	bool all = llamux_owner_visible(m, INVALID_UID);
	struct llamux_owner *o;

	seq_puts(m, "uid sessions max_sessions kv max_kv tokens tokens_per_minute cpu_ns\n");
	spin_lock(&owners_lock);
	list_for_each_entry(o, &owners, node)
		if (all || uid_eq(o->uid, m->file->f_cred->euid))
			show_row(m, o);
	spin_unlock(&owners_lock);
}

void llamux_owner_exit(void)
{
	struct llamux_owner *o, *next;

	list_for_each_entry_safe(o, next, &owners, node)
		kfree(o);
}
