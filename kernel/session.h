/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_SESSION_H
#define LLAMUX_SESSION_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

#include "lx/lx.h"

struct llamux_account;
struct llamux_model;
struct llamux_owner;

/*
 * One conversation: an open file of /dev/llama, or an owner's
 * /proc/llamux/prompt. It is bound to a model at its first use.
 *
 * lock		one client call at a time; held over copies to user space and
 *		evaluations, so never taken by another session or the loop
 * model->lock	lx, node, turn, cpu_ns, and all lx_* calls
 */
struct llamux_session {
	struct mutex lock;
	struct llamux_model *model;	/* NULL until bound */
	struct lx_session_params params;	/* till bound */
	bool written;			/* the model cannot change any more */
	bool missed;			/* poll found the lock taken */
	bool newline;			/* a last newline waits for more text */
	u16 out_at, out_end;		/* taken from the engine, not yet read */
	char out[512];

	struct lx_session *lx;
	struct list_head node;		/* model->sessions or ->zombies */
	bool turn;			/* one is under way */
	wait_queue_head_t wait;
	u32 events;			/* changes when a sleeper should look */

	u64 id;
	u64 cpu_ns;			/* of workers, for its tokens */
	struct llamux_owner *owner;	/* the opener's user */
	struct llamux_account *account;	/* what its KV is charged to */
	struct lx_realm realm;		/* with whom KV is shared */
	bool urgent;			/* the kernel asks */
	bool unattended;		/* kept, but nobody has it open */
	pid_t pid;
};

/* ERR_PTR(-EAGAIN) beyond max_sessions, -EDQUOT beyond the user's, -ENOMEM. */
struct llamux_session *llamux_session_open(void);
/* Cancels. Does not wait for the step that is running. */
void llamux_session_close(struct llamux_session *s);
/*
 * Somebody has it open again, or nobody any more while it is kept; then it does
 * not keep its model from sleeping. By the only user it has.
 */
void llamux_session_attend(struct llamux_session *s, bool attended);
u32 llamux_session_count(void);
u32 llamux_session_limit(void);

/*
 * The lock of client calls. trylock is for those that must not wait: when it
 * fails, the holder wakes s->wait as it unlocks.
 */
int llamux_session_lock(struct llamux_session *s);	/* -ERESTARTSYS */
bool llamux_session_trylock(struct llamux_session *s);
void llamux_session_unlock(struct llamux_session *s);

/* Both take the session's lock; signals: -ERESTARTSYS. */
ssize_t llamux_session_read(struct llamux_session *s, char __user *buf,
			    size_t n, bool nonblock);
ssize_t llamux_session_write(struct llamux_session *s, const char __user *buf,
			     size_t n);
__poll_t llamux_session_poll(struct llamux_session *s, struct file *file,
			     struct poll_table_struct *wait);

/* Stop the turn. Needs no lock: it ends an evaluation, which holds that. */
void llamux_session_cancel(struct llamux_session *s);

/*
 * Of open and close: note and forget the opener, its cgroup and namespace.
 * -EDQUOT beyond the user's sessions, -ENOMEM.
 */
int llamux_session_whose(struct llamux_session *s);
void llamux_session_whose_no_more(struct llamux_session *s);

/* ---- with s->lock held ---- */

/* Have a model: the default one unless there is one already. -ENODEV. */
int llamux_session_bind(struct llamux_session *s);
/* Choose one by name; -EBUSY after the first write, -ENODEV. */
int llamux_session_set_model(struct llamux_session *s, const char *name);
int llamux_session_set_params(struct llamux_session *s,
			      const struct lx_session_params *p);
void llamux_session_get_params(struct llamux_session *s,
			       struct lx_session_params *p);
/* Kernel text, exactly as it is; bound. */
int llamux_session_add(struct llamux_session *s, enum lx_role role,
		       const char *text, size_t n, u32 flags);
int llamux_session_reset(struct llamux_session *s);
/* Stop the turn and drop what was not read; may wait, -ERESTARTSYS. */
int llamux_session_abandon(struct llamux_session *s);

/*
 * Compute @n tokens behind what is there; logits of the last one (f32) to
 * @out if not NULL. Waits; -EINTR after a signal, -ECANCELED when cancelled
 * from elsewhere.
 */
int llamux_session_eval(struct llamux_session *s, const s32 *ids, u32 n,
			void *out);

/*
 * The same for continuations of the conversation and the pending prompt, which
 * stay as they are; @ends[i]: where the i-th ends in @text.
 */
int llamux_session_score(struct llamux_session *s, const char *text,
			 const u32 *ends, u32 n, struct lx_choice *out);
/* f32 [n_embd] to @out; the conversation is empty, before and after. */
int llamux_session_embed(struct llamux_session *s, const char *text, size_t n,
			 u32 pooling, void *out);

/*
 * Read into kernel memory, without waiting: -EAGAIN when there is no text yet;
 * there may be when s->events is no longer *@events.
 */
ssize_t llamux_session_take(struct llamux_session *s, char *buf, size_t size,
			    u32 *events);
/* A second session like @s, which is bound. ERR_PTR(-EBUSY), as open. */
struct llamux_session *llamux_session_fork(struct llamux_session *s);
/* Compute what is pending without an answer. Waits, as evaluations do. */
int llamux_session_prefill(struct llamux_session *s);
/* KV is shared only with the same salt; -EBUSY after the first write. */
int llamux_session_set_salt(struct llamux_session *s, u64 salt);
/* Wait for the end of an evaluation or prefill; as llamux_session_eval(). */
int llamux_session_outcome(struct llamux_session *s);

/* ---- with model->lock held ---- */

/* Tell the engine whose it is, once it has one. -ENOMEM. */
int llamux_session_join(struct llamux_session *s);
/* Before a turn, in the asker's context: its place. -EDQUOT no tokens left. */
int llamux_session_admit(struct llamux_session *s);
/* No more text for this turn: what was kept back is added or dropped. */
int llamux_session_complete(struct llamux_session *s);
/* The prompt is looked at before its turn: a kept newline joins it, if raw. */
int llamux_session_settle(struct llamux_session *s);
/*
 * The text of a turn is known: have it tokenized, with model->lock dropped
 * meanwhile. @answer: as lx_session_prepare().
 */
void llamux_session_prepare(struct llamux_session *s, bool answer);

/* enum lx_session_state */
u32 llamux_session_state(const struct llamux_session *s);
/* Something happened that sleepers wait for. */
void llamux_session_wake(struct llamux_session *s);

/* ---- the same, by the model's thread ---- */

/* Close the zombies that have left the batch. */
void llamux_session_reap(struct llamux_model *m);
/* Before commit: the step that was run took workers @ns in all. */
void llamux_session_account(struct llamux_model *m, u64 ns);
/* Wake those whose state or text changed. */
void llamux_session_notify(struct llamux_model *m);

#endif
