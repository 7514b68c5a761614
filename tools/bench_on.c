// SPDX-License-Identifier: GPL-2.0-only
/* The engine in this process, or the module, for llamux bench. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/llamux.h>

#include "bench_on.h"
#include "proc.h"

#define DEVICE "/dev/llama"
#define STATUS "/proc/llamux/status"
#define MODELS "/proc/llamux/models"

/* ---- in this process ---- */

static int open_process(struct bench_on *on, const struct globals *g,
			const struct lx_engine_params *ep)
{
	const struct lx_model_info *m;
	int ret = open_engine(g, ep, &on->l);

	if (ret)
		return ret;
	m = lx_model_info(on->l.model);
	snprintf(on->name, sizeof(on->name), "%s", m->name);
	snprintf(on->file, sizeof(on->file), "%s", model_file(g));
	snprintf(on->arch, sizeof(on->arch), "%s", m->arch);
	snprintf(on->type, sizeof(on->type), "%s", m->type);
	snprintf(on->simd, sizeof(on->simd), "%s", m->simd);
	on->n_params = m->n_params;
	on->file_bytes = m->file_bytes;
	on->threads = on->l.host->n_workers;
	on->n_vocab = m->n_vocab;
	on->bos = lx_token_bos(lx_model_vocab(on->l.model));
	return EXIT_OK;
}

static int start_process(struct bench_on *on)
{
	struct lx_session_params p;
	int ret = 0;

	lx_session_defaults(&p);
	for (uint32_t i = 0; !ret && i < on->streams; i++) {
		if (on->stream[i].s)
			lx_session_close(on->stream[i].s);
		on->stream[i].s = NULL;
		ret = lx_session_open(on->l.engine, &p, &on->stream[i].s);
	}
	return ret;
}

static int eval_together(struct bench_on *on, const int32_t *ids, uint32_t n,
			 float *row)
{
	int ret = 0;

	for (uint32_t i = 0; !ret && i < on->streams; i++)
		ret = lx_session_eval(on->stream[i].s, ids, n, i ? NULL : row);
	while (!ret) {
		ret = lx_engine_form(on->l.engine);
		if (ret <= 0)
			break;
		ret = lx_engine_run(on->l.engine);
		lx_engine_commit(on->l.engine);
	}
	for (uint32_t i = 0; i < on->streams; i++)
		lx_session_end_turn(on->stream[i].s);
	return ret;
}

/* ---- the module ---- */

static int find_bos(int fd, int32_t *bos)
{
	int32_t id = -1;
	struct llamux_tokenize t = {
		.ids = (uintptr_t)&id, .n_ids = 1, .flags = LLAMUX_TOK_BOS,
	};

	if (ioctl(fd, LLAMUX_IOC_TOKENIZE, &t))
		return -errno;
	*bos = t.n_ids ? id : -1;
	return 0;
}

static int open_fd(const struct bench_on *on)
{
	struct llamux_name name = { "" };
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	memcpy(name.name, on->name, sizeof(name.name));
	if (!name.name[0] || !ioctl(fd, LLAMUX_IOC_SET_MODEL, &name))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

/* What only /proc tells; "-" and 0 where it cannot be read. */
static void ask_proc(struct bench_on *on)
{
	char *status = proc_list_read(STATUS);
	struct proc_table t;

	snprintf(on->simd, sizeof(on->simd), "-");
	if (status)
		on->threads = (uint32_t)proc_list_u64(status, "threads");
	free(status);
	if (!proc_table_read(&t, MODELS))
		for (size_t i = 0; i < t.n_rows; i++)
			if (!strcmp(proc_cell(&t, i, "name"), on->name))
				snprintf(on->simd, sizeof(on->simd), "%s",
					 proc_cell(&t, i, "simd"));
	proc_table_free(&t);
}

static int open_module(struct bench_on *on, const struct globals *g,
		       const struct lx_engine_params *ep)
{
	struct llamux_info info;
	int fd, ret;

	on->module = true;
	if (g->model)
		snprintf(on->name, sizeof(on->name), "%s", g->model);
	fd = open_fd(on);
	if (fd < 0)
		return fail(fd, "%s: %s", g->model ? g->model : DEVICE,
			    strerror(-fd));
	ret = ioctl(fd, LLAMUX_IOC_INFO, &info) ? -errno : 0;
	if (!ret)
		ret = find_bos(fd, &on->bos);
	close(fd);
	if (ret)
		return fail(ret, "%s: %s", DEVICE, strerror(-ret));
	if (ep->n_ctx > info.n_ctx)
		return fail(-EMSGSIZE, "%u tokens are beyond the model's context of %u",
			    ep->n_ctx, info.n_ctx);
	memcpy(on->name, info.model, sizeof(on->name));
	memcpy(on->arch, info.arch, sizeof(on->arch));
	memcpy(on->type, info.type, sizeof(on->type));
	on->n_params = info.n_params;
	on->n_vocab = info.n_vocab;
	ask_proc(on);
	return EXIT_OK;
}

static int start_module(struct bench_on *on)
{
	for (uint32_t i = 0; i < on->streams; i++) {
		if (on->stream[i].fd >= 0)
			close(on->stream[i].fd);
		on->stream[i].fd = open_fd(on);
		if (on->stream[i].fd < 0)
			return on->stream[i].fd;
	}
	return 0;
}

struct eval {
	pthread_t thread;
	struct llamux_eval e;
	int fd, ret;
};

static void *eval_thread(void *arg)
{
	struct eval *e = arg;

	e->ret = ioctl(e->fd, LLAMUX_IOC_EVAL, &e->e) ? -errno : 0;
	return NULL;
}

static int eval_fds(struct bench_on *on, const int32_t *ids, uint32_t n,
		    float *row)
{
	struct eval *e = calloc(on->streams, sizeof(*e));
	uint32_t started = 1;
	int ret = 0;

	if (!e)
		return -ENOMEM;
	for (uint32_t i = 0; i < on->streams; i++) {
		e[i].fd = on->stream[i].fd;
		e[i].e.ids = (uintptr_t)ids;
		e[i].e.n_ids = n;
	}
	e[0].e.logits = (uintptr_t)row;
	for (; !ret && started < on->streams; started++)
		ret = -pthread_create(&e[started].thread, NULL, eval_thread,
				      &e[started]);
	if (ret)
		started--;
	else
		eval_thread(&e[0]);
	for (uint32_t i = 1; i < started; i++)
		pthread_join(e[i].thread, NULL);
	for (uint32_t i = 0; i < started && !ret; i++)
		ret = e[i].ret;
	free(e);
	return ret;
}

/* ---- either ---- */

static bool is_name(const struct globals *g)
{
	return !g->model || (!strchr(g->model, '/') && access(g->model, F_OK));
}

int bench_open(struct bench_on *on, const struct globals *g,
	       const struct lx_engine_params *ep, uint32_t streams)
{
	bool module = !g->user && is_name(g) && !access(DEVICE, F_OK);
	struct lx_engine_params p = *ep;

	*on = (struct bench_on){ .streams = streams };
	on->stream = calloc(streams, sizeof(*on->stream));
	if (!on->stream)
		return fail(-ENOMEM, "%s", strerror(ENOMEM));
	for (uint32_t i = 0; module && i < streams; i++)
		on->stream[i].fd = -1;
	p.n_sessions = streams;
	return module ? open_module(on, g, ep) : open_process(on, g, &p);
}

void bench_close(struct bench_on *on)
{
	for (uint32_t i = 0; on->module && i < on->streams; i++)
		if (on->stream && on->stream[i].fd >= 0)
			close(on->stream[i].fd);
	if (!on->module)
		local_close(&on->l);	/* its sessions too */
	free(on->stream);
}

int bench_start(struct bench_on *on)
{
	return on->module ? start_module(on) : start_process(on);
}

int bench_eval(struct bench_on *on, const int32_t *ids, uint32_t n,
	       uint32_t batch, float *row)
{
	int ret = 0;

	if (!on->module && on->streams == 1)
		return lx_engine_logits(on->l.engine, on->stream->s, ids, n,
					batch, false, row);
	for (uint32_t i = 0, m; !ret && i < n; i += m) {
		m = batch ? lx_min(batch, n - i) : n;
		ret = on->module ? eval_fds(on, ids + i, m, row) :
				   eval_together(on, ids + i, m, row);
	}
	return ret;
}
