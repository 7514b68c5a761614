/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_MODEL_H
#define LLAMUX_MODEL_H

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/llamux.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat/shrinker.h"
#include "fpu.h"
#include "memory.h"
#include "reserve.h"
#include "source.h"
#include "lx/lx.h"

enum llamux_model_state {
	LLAMUX_MODEL_LOADING,
	LLAMUX_MODEL_READY,
	LLAMUX_MODEL_ASLEEP,	/* no memory held; the next session loads it */
	LLAMUX_MODEL_DRAINING,	/* unloaded; sessions run on */
	LLAMUX_MODEL_FAILED
};

/*
 * A model, its engine and the thread that runs it. References: one of the
 * list while it is loading or ready, one of every session bound to it. The
 * last one to go leaves the rest to a work item, since threads are stopped
 * and gigabytes freed.
 *
 * Lock order: conversations_lock (prompt.c), prefixes_lock (prefix.c),
 * session->lock, models_lock (model.c), model->lock; owners_lock and job_lock
 * are innermost. Memory is asked for under all of them but the last two; the
 * shrinker, called from there, only tries models_lock and model->lock.
 */
struct llamux_model {
	struct kref ref;
	struct list_head node;		/* all models alive, models_lock */
	char name[LLAMUX_NAME_MAX];
	enum llamux_model_state state;	/* written under models_lock */
	struct work_struct put_work;

	struct llamux_source source;
	struct lx_host host;
	struct llamux_memory memory;
	struct llamux_reserve reserve;	/* for weights, if some is wanted */
	struct llamux_fpu_pace pace;	/* of the thread as worker 0 */
	struct lx_engine_params params;
	char as_type[LLAMUX_TYPE_MAX];	/* "": as in the file */
	u64 budget;			/* to stream in, bytes; 0: the least */
	bool once;			/* files are closed when they are read */
	u64 done, total;		/* bytes, while loading */

	struct task_struct *thread;
	struct completion loaded;	/* result and error are set */
	int result;
	struct lx_error error;
	struct lx_model *lx;		/* immutable once loaded */

	struct mutex lock;		/* all lx_* calls on engine and sessions */
	struct lx_engine *engine;	/* NULL: asleep; stays while there are sessions */
	struct list_head sessions;
	struct list_head zombies;	/* closed, but in the running batch */
	u32 n_sessions;
	u32 n_unattended;		/* of these, kept without an open file */
	struct llamux_shrinker shrinker;	/* while the engine is open */
	u64 kv_page_bytes;
	wait_queue_head_t wake;		/* the thread sleeps here */
	atomic_t kicks;

	/* policy.c; written under models_lock */
	bool pinned;
	u32 keep_alive_s;		/* 0: for ever */
	u32 roles;			/* LLAMUX_ROLES_* */
	bool doze;			/* memory is short: sleep if you can */
	bool wanted;			/* wake up */
	int wake_result;
	u32 wakings;			/* tries to wake up, ended */
	wait_queue_head_t awake;	/* who waits for that */

	spinlock_t job_lock;
	struct lx_job *job;		/* being run */
	u64 job_ns;			/* of workers, for the last step */
	bool cancel;			/* loading or all work is to end */
};

int llamux_model_init(void);
void llamux_model_exit(void);	/* unloads all; no session is open */

/*
 * Load from descriptors and wait till it is ready. On failure the message is
 * left in @error.
 */
int llamux_model_load(const struct llamux_load *load, struct lx_error *error);
int llamux_model_unload(const char *name);
int llamux_model_set_default(const char *name);
int llamux_model_progress(struct llamux_progress *p);
/* A load under way ends with -ECANCELED. -ENOENT. */
int llamux_model_cancel(const char *name);

/*
 * A reference, or NULL. No name: the default model; "@ROLE": the one that has
 * it. Ready ones, and those asleep.
 */
struct llamux_model *llamux_model_get(const char *name);
void llamux_model_put(struct llamux_model *m);
/*
 * All models alive, one after the other: gives a reference to the next one
 * and drops that of @prev (NULL to start).
 */
struct llamux_model *llamux_model_next(struct llamux_model *prev);
bool llamux_model_is_default(const struct llamux_model *m);
const char *llamux_model_state_name(const struct llamux_model *m);

/*
 * Sum of @fn over the models that are ready, or 0 when their list is locked.
 * @fn must not sleep for a lock. Any context that may free memory.
 */
u64 llamux_model_try_all(u64 (*fn)(struct llamux_model *m));

/* ---- policy.c ---- */

/* Read or change what @a->set says. -ENOENT, -EINVAL, -ETXTBSY, -ESTALE. */
int llamux_model_attr(struct llamux_attr *a);
struct seq_file;
void llamux_model_show_policy(struct seq_file *seq,
			      const struct llamux_model *m);
/* The bit of a role by its name, 0: none such. */
u32 llamux_role_bit(const char *name);
/* Have it loaded again. -ERESTARTSYS on a signal, or why it could not be. */
int llamux_model_wake(struct llamux_model *m);
/* By its thread: jiffies till it may sleep. MAX_SCHEDULE_TIMEOUT: not. */
long llamux_model_patience(const struct llamux_model *m);
/* Out of memory: those that may sleep shall. Waits for nothing. */
void llamux_model_doze_all(void);

/*
 * Under the list's lock, for policy.c: call @fn with the model @name (@m NULL:
 * none such), or with all that have a name.
 */
int llamux_model_locked(const char *name,
			int (*fn)(struct llamux_model *m, void *arg), void *arg);
void llamux_model_each(void (*fn)(struct llamux_model *m, void *arg),
		       void *arg);
/* By its thread: from @from to @to, if it is still @from. */
bool llamux_model_move(struct llamux_model *m, enum llamux_model_state from,
		       enum llamux_model_state to);

/*
 * Something became runnable, or is to be closed. Needs no lock, and may be called
 * under any, and where memory is being freed.
 */
void llamux_model_kick(struct llamux_model *m);

/*
 * The "simd" parameter: NULL or a name; and what it comes to on this CPU, unless
 * a model, as it is loaded, finds an equal of that faster.
 */
const char *llamux_model_simd_wanted(void);
const char *llamux_model_simd(void);

#endif
