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
#include "source.h"
#include "lx/lx.h"

enum llamux_model_state {
	LLAMUX_MODEL_LOADING,
	LLAMUX_MODEL_READY,
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
	struct llamux_fpu_pace pace;	/* of the thread as worker 0 */
	struct lx_engine_params params;
	char as_type[LLAMUX_TYPE_MAX];	/* "": as in the file */
	u64 done, total;		/* bytes, while loading */

	struct task_struct *thread;
	struct completion loaded;	/* result and error are set */
	int result;
	struct lx_error error;
	struct lx_model *lx;		/* immutable once loaded */

	struct mutex lock;		/* all lx_* calls on engine and sessions */
	struct lx_engine *engine;
	struct list_head sessions;
	struct list_head zombies;	/* closed, but in the running batch */
	u32 n_sessions;
	struct llamux_shrinker shrinker;	/* while the engine is open */
	u64 kv_page_bytes;
	wait_queue_head_t wake;		/* the thread sleeps here */
	u32 kicks;

	spinlock_t job_lock;
	struct lx_job *job;		/* being run */
	u64 job_ns;			/* of workers, for the last one */
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

/* A reference, or NULL. No name: the default model. Ready ones only. */
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

/* Something became runnable, or is to be closed. */
void llamux_model_kick(struct llamux_model *m);

/* The "simd" parameter: NULL or a name. What it comes to on this CPU. */
const char *llamux_model_simd(void);

#endif
