// SPDX-License-Identifier: GPL-2.0-only
/* Models: loading, the list, the default, references. */
#define pr_fmt(fmt) "llamux: " fmt

#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "host.h"
#include "loop.h"
#include "model.h"
#include "prefix.h"
#include "prompt.h"
#include "worker.h"

static char *simd;
module_param(simd, charp, 0444);
MODULE_PARM_DESC(simd, "auto (default), generic, avx2, avxvnni, avx512 or avx512-256");

static DEFINE_MUTEX(models_lock);
static LIST_HEAD(models);
static struct llamux_model *default_model;	/* no reference; models_lock */
static struct workqueue_struct *put_queue;

/* ---- names ---- */

const char *llamux_model_simd_wanted(void)
{
	return simd;
}

const char *llamux_model_simd(void)
{
	const char *name, *best = "generic";
	bool usable;
	u32 i;

	if (simd && strcmp(simd, "auto"))
		return simd;
	for (i = 0; (name = lx_simd_name(i, &usable)); i++)
		if (usable)
			best = name;
	return best;
}

static int simd_check(void)
{
	const char *name;
	bool usable;
	u32 i;

	if (!simd || !strcmp(simd, "auto"))
		return 0;
	for (i = 0; (name = lx_simd_name(i, &usable)); i++)
		if (!strcmp(name, simd) && usable)
			return 0;
	pr_err("simd=%s: not here\n", simd);
	return -EINVAL;
}

/* [A-Za-z0-9._:-]+, terminated. */
static bool name_valid(const char *name)
{
	size_t i, n = strnlen(name, LLAMUX_NAME_MAX);

	if (!n || n == LLAMUX_NAME_MAX)
		return false;
	for (i = 0; i < n; i++)
		if (!isascii(name[i]) ||
		    (!isalnum(name[i]) && !strchr("._:-", name[i])))
			return false;
	return true;
}

const char *llamux_model_state_name(const struct llamux_model *m)
{
	static const char * const names[] = {
		"loading", "ready", "asleep", "draining", "failed"
	};

	return names[READ_ONCE(m->state)];
}

/* ---- references ---- */

static void model_free(struct llamux_model *m)
{
	llamux_source_close(&m->source);
	llamux_reserve_close(&m->reserve);
	mutex_destroy(&m->lock);
	kvfree(m);
}

/* All work is to end. */
static void model_stop(struct llamux_model *m)
{
	spin_lock(&m->job_lock);
	WRITE_ONCE(m->cancel, true);
	if (m->job)
		lx_job_cancel(m->job);
	spin_unlock(&m->job_lock);
}

static void put_work(struct work_struct *w)
{
	struct llamux_model *m = container_of(w, struct llamux_model, put_work);

	if (m->thread) {
		model_stop(m);
		kthread_stop(m->thread);
		put_task_struct(m->thread);
	}
	mutex_lock(&models_lock);
	list_del(&m->node);
	mutex_unlock(&models_lock);
	model_free(m);
}

static void model_release(struct kref *ref)
{
	struct llamux_model *m = container_of(ref, struct llamux_model, ref);

	queue_work(put_queue, &m->put_work);
}

void llamux_model_put(struct llamux_model *m)
{
	if (m)
		kref_put(&m->ref, model_release);
}

static bool has_sessions_to_give(const struct llamux_model *m)
{
	return m->state == LLAMUX_MODEL_READY ||
	       m->state == LLAMUX_MODEL_ASLEEP;
}

/* Under models_lock. One that was unloaded has lost its name. */
static struct llamux_model *model_find(const char *name)
{
	struct llamux_model *m;

	list_for_each_entry(m, &models, node)
		if (m->state <= LLAMUX_MODEL_ASLEEP && !strcmp(m->name, name))
			return m;
	return NULL;
}

/* Under models_lock. */
static struct llamux_model *model_of_role(const char *role)
{
	u32 bit = llamux_role_bit(role);
	struct llamux_model *m;

	list_for_each_entry(m, &models, node)
		if (has_sessions_to_give(m) && m->roles & bit)
			return m;
	return NULL;
}

struct llamux_model *llamux_model_get(const char *name)
{
	struct llamux_model *m;

	mutex_lock(&models_lock);
	if (!name)
		m = default_model;
	else
		m = *name == '@' ? model_of_role(name + 1) : model_find(name);
	if (m && (!has_sessions_to_give(m) || !kref_get_unless_zero(&m->ref)))
		m = NULL;
	mutex_unlock(&models_lock);
	return m;
}

struct llamux_model *llamux_model_next(struct llamux_model *prev)
{
	struct llamux_model *m = prev;

	mutex_lock(&models_lock);
	m = list_prepare_entry(m, &models, node);
	list_for_each_entry_continue(m, &models, node)
		if (kref_get_unless_zero(&m->ref))
			break;
	if (list_entry_is_head(m, &models, node))
		m = NULL;
	mutex_unlock(&models_lock);
	llamux_model_put(prev);
	return m;
}

u64 llamux_model_try_all(u64 (*fn)(struct llamux_model *m))
{
	struct llamux_model *m;
	u64 sum = 0;

	if (!mutex_trylock(&models_lock))
		return 0;
	/* Ready ones have an engine as long as they are in the list. */
	list_for_each_entry(m, &models, node)
		if (m->state == LLAMUX_MODEL_READY)
			sum += fn(m);
	mutex_unlock(&models_lock);
	return sum;
}

int llamux_model_locked(const char *name,
			int (*fn)(struct llamux_model *m, void *arg), void *arg)
{
	int err;

	mutex_lock(&models_lock);
	err = fn(model_find(name), arg);
	mutex_unlock(&models_lock);
	return err;
}

void llamux_model_each(void (*fn)(struct llamux_model *m, void *arg), void *arg)
{
	struct llamux_model *m;

	lockdep_assert_held(&models_lock);
	list_for_each_entry(m, &models, node)
		if (m->state <= LLAMUX_MODEL_ASLEEP)
			fn(m, arg);
}

bool llamux_model_move(struct llamux_model *m, enum llamux_model_state from,
		       enum llamux_model_state to)
{
	bool moved;

	mutex_lock(&models_lock);
	moved = m->state == from;
	if (moved)
		m->state = to;
	mutex_unlock(&models_lock);
	return moved;
}

bool llamux_model_is_default(const struct llamux_model *m)
{
	return READ_ONCE(default_model) == m;
}

/* ---- the thread ---- */

void llamux_model_kick(struct llamux_model *m)
{
	/* After what there is to be seen; pairs with serve() in loop.c. */
	atomic_fetch_inc_release(&m->kicks);
	wake_up(&m->wake);
}

/* ---- load ---- */

static struct llamux_model *model_new(const struct llamux_load *load)
{
	struct llamux_model *m = kvzalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return NULL;
	kref_init(&m->ref);
	strscpy(m->name, load->name, sizeof(m->name));
	m->params.n_ctx = load->n_ctx;
	m->params.n_batch = load->n_batch;
	m->params.n_sessions = load->n_sessions;
	m->params.kv_type = load->kv_type;
	strscpy(m->as_type, load->as_type, sizeof(m->as_type));
	m->budget = load->memory;
	m->once = load->flags & LLAMUX_LOAD_ONCE;
	INIT_WORK(&m->put_work, put_work);
	init_completion(&m->loaded);
	mutex_init(&m->lock);
	INIT_LIST_HEAD(&m->sessions);
	INIT_LIST_HEAD(&m->zombies);
	init_waitqueue_head(&m->wake);
	init_waitqueue_head(&m->awake);
	spin_lock_init(&m->job_lock);
	llamux_host_init(m);
	return m;
}

static int model_list(struct llamux_model *m)
{
	int err = 0;

	mutex_lock(&models_lock);
	if (model_find(m->name))
		err = -EEXIST;
	else
		list_add_tail(&m->node, &models);
	mutex_unlock(&models_lock);
	return err;
}

/* No longer found by name. Drops the list's reference. */
static void model_unlist(struct llamux_model *m, enum llamux_model_state state)
{
	mutex_lock(&models_lock);
	m->state = state;
	if (default_model == m)
		default_model = NULL;
	mutex_unlock(&models_lock);
	llamux_prompt_drop(m);
	llamux_prefix_drop(m);
	llamux_model_put(m);
}

/* -ECANCELED: that came when the last weight was read. */
static int model_ready(struct llamux_model *m, bool make_default)
{
	int err = 0;

	mutex_lock(&models_lock);
	if (m->cancel)
		err = -ECANCELED;
	else
		m->state = LLAMUX_MODEL_READY;
	if (!err && (make_default || !default_model))
		default_model = m;
	mutex_unlock(&models_lock);
	return err;
}

/*
 * Start the thread and wait for it to load; a fatal signal ends the load. The
 * thread may take a while to notice: it is not waited for, since the file it
 * reads may be served (FUSE) by the very process that was killed.
 */
static int model_start(struct llamux_model *m)
{
	struct task_struct *t;

	t = kthread_create(llamux_loop, m, "llamux/%s", m->name);
	if (IS_ERR(t))
		return PTR_ERR(t);
	get_task_struct(t);
	m->thread = t;
	llamux_worker_adopt(t);
	wake_up_process(t);
	if (wait_for_completion_state(&m->loaded,
				      TASK_KILLABLE | TASK_FREEZABLE)) {
		model_stop(m);
		return -EINTR;
	}
	return m->result && m->cancel ? -ECANCELED : m->result;
}

static u64 total_memory(const struct llamux_model *m)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < LX_MEM_KINDS; i++)
		sum += llamux_memory_used(&m->memory, i);
	return sum;
}

static void log_loaded(const struct llamux_model *m, u64 ns)
{
	const struct lx_model_info *info = lx_model_info(m->lx);

	pr_info("model %s loaded: %s %s, %llu MiB, simd=%s, %llu ms\n", m->name,
		info->arch, info->type, total_memory(m) >> 20, info->simd,
		div_u64(ns, NSEC_PER_MSEC));
}

/* Blocks are no larger than the pieces that memory was set aside in. */
static int model_reserve(struct llamux_model *m, const struct llamux_load *load,
			 struct lx_error *error)
{
	int err = llamux_reserve_open(&m->reserve, load, error);

	if (err || !llamux_reserve_wanted(&m->reserve))
		return err;
	m->memory.reserve = &m->reserve;
	if (m->reserve.page_bytes)
		m->host.block_size = min_t(u64, m->reserve.page_bytes,
					   LLAMUX_BLOCK_SIZE);
	return 0;
}

int llamux_model_load(const struct llamux_load *load, struct lx_error *error)
{
	u64 start = ktime_get_ns();
	struct llamux_model *m;
	int err;

	if (!name_valid(load->name))
		return lx_fail(error, -EINVAL, "name: [A-Za-z0-9._:-]+ wanted");
	m = model_new(load);
	if (!m)
		return -ENOMEM;
	err = llamux_source_open(&m->source, u64_to_user_ptr(load->fds),
				 load->n_fds, load->flags & LLAMUX_LOAD_STREAM,
				 &m->cancel);
	if (!err)
		err = model_reserve(m, load, error);
	if (err)
		goto err_free;
	err = model_list(m);
	if (err)
		goto err_free;
	err = model_start(m);
	if (!err) {
		log_loaded(m, ktime_get_ns() - start);
		err = model_ready(m, load->flags & LLAMUX_LOAD_DEFAULT);
	}
	if (err) {
		if (err != -EINTR)
			*error = m->error;
		model_unlist(m, LLAMUX_MODEL_FAILED);
		if (err != -EINTR)
			flush_workqueue(put_queue);
		return err;
	}
	return 0;

err_free:
	model_free(m);
	return err;
}

/* ---- unload, default, progress ---- */

/* Memory of a model without sessions is free when this returns. */
int llamux_model_unload(const char *name)
{
	struct llamux_model *m = llamux_model_get(name);
	int err = 0;

	if (!m)
		return -ENOENT;
	mutex_lock(&models_lock);
	if (!has_sessions_to_give(m))
		err = -ENOENT;
	else if (m->pinned)
		err = -EBUSY;
	else
		m->state = LLAMUX_MODEL_DRAINING;
	mutex_unlock(&models_lock);
	if (err) {
		llamux_model_put(m);
		return err;
	}

	pr_info("model %s unloaded\n", m->name);
	model_unlist(m, LLAMUX_MODEL_DRAINING);
	llamux_model_put(m);
	flush_workqueue(put_queue);
	return 0;
}

int llamux_model_set_default(const char *name)
{
	struct llamux_model *m;
	int err = -ENOENT;

	mutex_lock(&models_lock);
	m = model_find(name);
	if (m && has_sessions_to_give(m)) {
		default_model = m;
		err = 0;
	}
	mutex_unlock(&models_lock);
	return err;
}

int llamux_model_progress(struct llamux_progress *p)
{
	struct llamux_model *m;
	int err = -ENOENT;

	mutex_lock(&models_lock);
	m = model_find(p->name);
	if (m && m->state == LLAMUX_MODEL_LOADING) {
		p->done = READ_ONCE(m->done);
		p->total = READ_ONCE(m->total);
		err = 0;
	}
	mutex_unlock(&models_lock);
	return err;
}

int llamux_model_cancel(const char *name)
{
	struct llamux_model *m;
	int err = -ENOENT;

	mutex_lock(&models_lock);
	m = model_find(name);
	if (m && m->state == LLAMUX_MODEL_LOADING) {
		model_stop(m);
		err = 0;
	}
	mutex_unlock(&models_lock);
	return err;
}

int llamux_model_init(void)
{
	int err = simd_check();

	if (err)
		return err;
	put_queue = alloc_workqueue("llamux", WQ_UNBOUND, 0);
	return put_queue ? 0 : -ENOMEM;
}

void llamux_model_exit(void)
{
	struct llamux_model *m;

	while ((m = llamux_model_next(NULL))) {
		if (has_sessions_to_give(m))
			model_unlist(m, LLAMUX_MODEL_DRAINING);
		llamux_model_put(m);
		flush_workqueue(put_queue);
	}
	destroy_workqueue(put_queue);
}
