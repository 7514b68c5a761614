/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_OWNER_H
#define LLAMUX_OWNER_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/seq_file.h>
#include <linux/uidgid.h>

struct llamux_limit;

/*
 * A user, as the opener of sessions. What workers do for a session escapes
 * its owner's cgroup; it is added up here and outlives the sessions.
 */
struct llamux_owner {
	struct list_head node;		/* owners_lock */
	kuid_t uid;
	u32 sessions;			/* owners_lock */
	u32 accounts;			/* owners_lock */
	atomic64_t cpu_ns;
	atomic64_t kv;			/* bytes charged to it */

	/* limits, under owners_lock; 0: the module's, or none */
	u32 max_sessions;
	u32 tokens_per_minute;
	u64 max_kv;
	s64 tokens;			/* left; below 0: too many were used */
	u64 filled_ns;
};

/* ERR_PTR(-EDQUOT) beyond its sessions, -ENOMEM. May sleep. */
struct llamux_owner *llamux_owner_get(kuid_t uid);
/* Any context that is not an interrupt's. */
void llamux_owner_put(struct llamux_owner *o);
void llamux_owner_charge(struct llamux_owner *o, u64 ns, u32 tokens);
/* May it start another turn? */
bool llamux_owner_has_tokens(struct llamux_owner *o);
/* Of a session or account that keeps it: one more account, one less. */
void llamux_owner_hold(struct llamux_owner *o);
void llamux_owner_release(struct llamux_owner *o);
/* False: it may not have so much. Any context that is not an interrupt's. */
bool llamux_owner_take_kv(struct llamux_owner *o, u64 bytes);
void llamux_owner_give_kv(struct llamux_owner *o, u64 bytes);
/* Zeros: no limit of its own. @uid stays known. -ENOMEM. */
int llamux_owner_limit(kuid_t uid, const struct llamux_limit *l);
/* The rows of /proc/llamux/users that the reader may see. */
void llamux_owner_rows(struct seq_file *m);
/* The lines of /proc/llamux/stats that the reader may see. */
void llamux_owner_show(struct seq_file *m);
/* No session is left. */
void llamux_owner_exit(void);

/* May the reader of @m see what belongs to @uid? Itself, and root all. */
bool llamux_owner_visible(const struct seq_file *m, kuid_t uid);

#endif
