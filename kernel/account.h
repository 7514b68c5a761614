/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_ACCOUNT_H
#define LLAMUX_ACCOUNT_H

#include <linux/kref.h>
#include <linux/list.h>

struct llamux_owner;
struct mem_cgroup;

/*
 * Whom the memory of sessions is charged to: a user, whose KV may be limited,
 * and a memory cgroup. The sessions of one user in one cgroup have one account,
 * so that pages one of them gave back serve the next. It lives as long as a
 * session or a block is charged to it.
 */
struct llamux_account {
	struct kref ref;
	struct list_head node;		/* accounts_lock */
	struct llamux_owner *owner;
	struct mem_cgroup *memcg;	/* NULL: none */
};

/*
 * Of @owner and the caller's cgroup; the caller has a session of @owner's.
 * ERR_PTR(-ENOMEM). May sleep.
 */
struct llamux_account *llamux_account_get(struct llamux_owner *owner);
void llamux_account_put(struct llamux_account *a);
/*
 * @bytes for as long as they are not uncharged, with a reference. False: more
 * than the user may have.
 */
bool llamux_account_charge(struct llamux_account *a, u64 bytes);
void llamux_account_uncharge(struct llamux_account *a, u64 bytes);

#endif
