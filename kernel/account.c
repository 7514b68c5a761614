// SPDX-License-Identifier: GPL-2.0-only
/* Whom the memory of sessions is charged to. */
#include <linux/err.h>
#include <linux/memcontrol.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "account.h"
#include "owner.h"

static DEFINE_SPINLOCK(accounts_lock);
static LIST_HEAD(accounts);

/* Under accounts_lock, with a reference. */
static struct llamux_account *find(const struct llamux_owner *owner,
				   const struct mem_cgroup *memcg)
{
	struct llamux_account *a;

	list_for_each_entry(a, &accounts, node) {
		if (a->owner != owner || a->memcg != memcg)
			continue;
		kref_get(&a->ref);
		return a;
	}
	return NULL;
}

struct llamux_account *llamux_account_get(struct llamux_owner *owner)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(current->mm);
	struct llamux_account *a, *new = kzalloc(sizeof(*new), GFP_KERNEL);

	if (!new) {
		mem_cgroup_put(memcg);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&new->ref);
	new->owner = owner;
	new->memcg = memcg;
	llamux_owner_hold(owner);
	spin_lock(&accounts_lock);
	a = find(owner, memcg);
	if (!a)
		list_add(&new->node, &accounts);
	spin_unlock(&accounts_lock);
	if (!a)
		return new;
	llamux_owner_release(owner);
	mem_cgroup_put(memcg);
	kfree(new);
	return a;
}

/* The last reference went; accounts_lock is held, and dropped here. */
static void last_put(struct kref *ref)
{
	struct llamux_account *a = container_of(ref, struct llamux_account, ref);

	list_del(&a->node);
	spin_unlock(&accounts_lock);
	llamux_owner_release(a->owner);
	mem_cgroup_put(a->memcg);
	kfree(a);
}

void llamux_account_put(struct llamux_account *a)
{
	kref_put_lock(&a->ref, last_put, &accounts_lock);
}

bool llamux_account_charge(struct llamux_account *a, u64 bytes)
{
	if (!llamux_owner_take_kv(a->owner, bytes))
		return false;
	kref_get(&a->ref);
	return true;
}

void llamux_account_uncharge(struct llamux_account *a, u64 bytes)
{
	llamux_owner_give_kv(a->owner, bytes);
	llamux_account_put(a);
}
