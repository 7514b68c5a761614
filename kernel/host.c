// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel gives the engine: struct lx_host_ops (lx/deps.h). */
#define pr_fmt(fmt) "llamux: " fmt

#include <linux/printk.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>

#include "crew.h"
#include "fpu.h"
#include "host.h"
#include "memory.h"
#include "model.h"
#include "worker.h"

static struct llamux_model *model_of(struct lx_host *h)
{
	return h->ctx;
}

static void *host_alloc(struct lx_host *h, size_t size, enum lx_mem kind)
{
	return llamux_memory_alloc(&model_of(h)->memory, size, kind);
}

static void host_free(struct lx_host *h, void *p, size_t size,
		      enum lx_mem kind)
{
	llamux_memory_free(&model_of(h)->memory, p, size, kind);
}

static int host_block_alloc(struct lx_host *h, struct lx_block *b,
			    size_t size, enum lx_mem kind)
{
	cond_resched();
	return llamux_block_alloc(&model_of(h)->memory, b, size, kind);
}

static int host_charged_alloc(struct lx_host *h, struct lx_block *b,
			      size_t size, enum lx_mem kind, void *account)
{
	cond_resched();
	return llamux_charged_alloc(&model_of(h)->memory, b, size, kind,
				    account);
}

static void host_block_free(struct lx_host *h, struct lx_block *b,
			    enum lx_mem kind)
{
	llamux_block_free(&model_of(h)->memory, b, kind);
	cond_resched();
}

/* The job is named while it runs, so that llamux_model_cancel() finds it. */
static int host_run(struct lx_host *h, struct lx_job *job)
{
	struct llamux_model *m = model_of(h);
	u64 ns;
	int err;

	spin_lock(&m->job_lock);
	m->job = job;
	if (m->cancel)
		lx_job_cancel(job);
	spin_unlock(&m->job_lock);

	err = llamux_worker_run(job, &m->pace, &ns);
	m->job_ns += ns;

	spin_lock(&m->job_lock);
	m->job = NULL;
	spin_unlock(&m->job_lock);
	return err;
}

static void host_tile(struct lx_host *h, const struct lx_op *op, u32 tile)
{
	llamux_fpu_tile(op, tile);
}

static u64 host_time_ns(struct lx_host *h)
{
	return ktime_get_ns();
}

static void host_log(struct lx_host *h, enum lx_log_level level,
		     const char *msg)
{
	const char *name = model_of(h)->name;

	switch (level) {
	case LX_LOG_ERR:
		pr_err("%s: %s\n", name, msg);
		break;
	case LX_LOG_WARN:
		pr_warn("%s: %s\n", name, msg);
		break;
	case LX_LOG_INFO:
		pr_info("%s: %s\n", name, msg);
		break;
	default:
		pr_debug("%s: %s\n", name, msg);
	}
}

/*
 * Called in the model's thread while it loads, and in a client's context
 * while its text is tokenized.
 */
static int host_progress(struct lx_host *h, u64 done, u64 total)
{
	struct llamux_model *m = model_of(h);

	cond_resched();
	if (current != m->thread)
		return fatal_signal_pending(current) ? -EINTR : 0;
	if (READ_ONCE(m->cancel))
		return -EINTR;
	if (READ_ONCE(m->state) == LLAMUX_MODEL_LOADING) {
		WRITE_ONCE(m->done, done);
		WRITE_ONCE(m->total, total);
	}
	return 0;
}

static struct lx_crew *host_crew_start(struct lx_host *h, u32 n,
				       bool (*work)(void *ctx, u32 thread),
				       void *ctx)
{
	return llamux_crew_start(model_of(h)->name, n, work, ctx);
}

static u64 host_available(struct lx_host *h)
{
	return llamux_memory_available();
}

static const struct lx_host_ops host_ops = {
	.alloc = host_alloc,
	.free = host_free,
	.block_alloc = host_block_alloc,
	.block_free = host_block_free,
	.charged_alloc = host_charged_alloc,
	.run = host_run,
	.tile = host_tile,
	.time_ns = host_time_ns,
	.available = host_available,
	.log = host_log,
	.progress = host_progress,
	.crew_start = host_crew_start,
	.crew_kick = llamux_crew_kick,
	.crew_wait = llamux_crew_wait,
	.crew_stop = llamux_crew_stop,
};

void llamux_host_init(struct llamux_model *m)
{
	m->host.ops = &host_ops;
	m->host.ctx = m;
	m->host.n_workers = llamux_worker_count();
	m->host.block_size = LLAMUX_BLOCK_SIZE;
}
