// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A model file opened in this process.
 */
#include <stdio.h>
#include <string.h>

#include "local.h"

/* Keep the message, let go of everything else. */
static int fail(struct local *l, const char *path, int code)
{
	if (l->error.msg[0])
		snprintf(l->message, sizeof(l->message), "%.120s: %s", path,
			 l->error.msg);
	else if (l->files.message[0])
		snprintf(l->message, sizeof(l->message), "%s",
			 l->files.message);
	else
		snprintf(l->message, sizeof(l->message), "%.120s: %s", path,
			 strerror(-code));
	local_close(l);
	return code;
}

int local_open_files(struct local *l, const char *path, bool direct,
		     const struct user_host_options *opt)
{
	int ret;

	memset(l, 0, sizeof(*l));
	ret = user_host_open(&l->host, opt);
	if (ret)
		return fail(l, "threads", ret);
	ret = model_files_open(&l->files, path, direct);
	if (ret)
		return fail(l, path, ret);
	return 0;
}

int local_open_vocab(struct local *l, const char *path,
		     const struct user_host_options *opt)
{
	int ret = local_open_files(l, path, false, opt);

	if (ret)
		return ret;
	ret = lx_gguf_open(&l->gguf, l->host, l->files.sources, l->files.n,
			   &l->error);
	if (ret)
		return fail(l, path, ret);
	ret = lx_vocab_load(l->host, &l->gguf, &l->own_vocab, &l->error);
	if (ret) {
		lx_gguf_close(&l->gguf);
		return fail(l, path, ret);
	}
	return 0;
}

/* How many layers or experts stay in memory, and for what context. */
static int plan_stream(struct local *l, struct lx_model_params *mp,
		       struct lx_engine_params *ep)
{
	struct lx_plan plan;
	int ret = lx_plan(l->host, l->files.sources, l->files.n, mp, ep, &plan,
			  &l->error);

	mp->n_kept = plan.n_kept;
	mp->n_slots = plan.n_slots;
	ep->n_ctx = plan.n_ctx;
	return ret;
}

int local_open_engine(struct local *l, const char *path,
		      const struct user_host_options *opt,
		      const struct lx_model_params *mp,
		      const struct lx_engine_params *ep)
{
	struct lx_model_params m = mp ? *mp : (struct lx_model_params){ 0 };
	struct lx_engine_params e = ep ? *ep : (struct lx_engine_params){ 0 };
	int ret = local_open_files(l, path, m.stream, opt);

	if (ret)
		return ret;
	if (m.stream)
		ret = plan_stream(l, &m, &e);
	if (!ret)
		ret = lx_model_load(l->host, l->files.sources, l->files.n, &m,
				    &l->model, &l->error);
	if (!ret)
		ret = lx_engine_open(l->model, &e, &l->engine, &l->error);
	return ret ? fail(l, path, ret) : 0;
}

void local_close(struct local *l)
{
	if (l->engine)
		lx_engine_close(l->engine);
	if (l->model)
		lx_model_free(l->model);
	if (l->own_vocab) {
		lx_vocab_free(l->own_vocab);
		lx_gguf_close(&l->gguf);
	}
	model_files_close(&l->files);
	if (l->host)
		user_host_close(l->host);
	l->engine = NULL;
	l->model = NULL;
	l->own_vocab = NULL;
	l->host = NULL;
}

const struct lx_vocab *local_vocab(const struct local *l)
{
	return l->own_vocab ? l->own_vocab : lx_model_vocab(l->model);
}
