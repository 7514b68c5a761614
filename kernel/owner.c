// SPDX-License-Identifier: GPL-2.0-only
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/user_namespace.h>

#include "owner.h"

/* Beyond this, those without sessions are added up as one. */
#define MAX_OWNERS 256

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
		if (o->sessions)
			continue;
		forgotten_ns += atomic64_read(&o->cpu_ns);
		list_del(&o->node);
		n_owners--;
		return o;
	}
	return NULL;
}

struct llamux_owner *llamux_owner_get(kuid_t uid)
{
	struct llamux_owner *o, *spare, *old = NULL;

	spare = kzalloc(sizeof(*spare), GFP_KERNEL);
	if (!spare)
		return NULL;
	spin_lock(&owners_lock);
	o = find(uid);
	if (!o) {
		if (n_owners >= MAX_OWNERS)
			old = forget_one();
		o = spare;
		spare = NULL;
		o->uid = uid;
		list_add(&o->node, &owners);
		n_owners++;
	}
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

void llamux_owner_charge(struct llamux_owner *o, u64 ns)
{
	atomic64_add(ns, &o->cpu_ns);
	atomic64_add(ns, &total_ns);
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
