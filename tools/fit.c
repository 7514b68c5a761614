// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux load --fit: a model as it is, if it fits; else a smaller KV cache,
 * then a shorter context, smaller weights, and at last layers or experts that
 * are streamed: what costs least first.
 */
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "fit.h"

#define ENOUGH_CTX 4096		/* of what the model decides itself */

struct choice {
	const char *as;
	uint32_t n_ctx;		/* 0: what fits of what was trained */
	bool small_kv, stream;
};

static const struct choice choices[] = {
	{ NULL, 0, false, false },
	{ NULL, 0, true, false },
	{ NULL, 4096, true, false },
	{ NULL, 2048, true, false },
	{ "Q8_0", 4096, true, false },
	{ "Q8_0", 2048, true, false },
	{ "Q6_K", 4096, true, false },
	{ "Q6_K", 2048, true, false },
	{ "Q5_K_M", 4096, true, false },
	{ "Q5_K_M", 2048, true, false },
	{ "Q4_K_M", 4096, true, false },
	{ "Q4_K_M", 2048, true, false },
	{ NULL, 4096, true, true },
	{ NULL, 2048, true, true },
	{ NULL, 1024, true, true },
	{ NULL, 512, true, true },
};

/* As the module counts, and a little less: it looks again. */
static uint64_t available(struct lx_host *host)
{
	uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) *
		       (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t keep = all / 64, now = host->ops->available(host);

	keep = lx_max(keep, 16ull << 20);
	keep = lx_min(keep, 128ull << 20);
	return now > keep ? (now - keep) / 100 * 98 : 0;
}

static int plan(struct fit *f, const struct choice *c, struct lx_plan *p,
		struct lx_engine_params *ep)
{
	struct lx_model_params mp = {
		.as = c->as ? c->as : f->as,
		.stream = c->stream,
		.memory = c->stream ? f->available : 0,
	};

	*ep = (struct lx_engine_params){
		.n_ctx = f->asked.n_ctx ? f->asked.n_ctx :
			 lx_min(c->n_ctx, f->n_ctx_train),
		.n_batch = f->asked.n_batch,
		.n_sessions = f->asked.n_sessions,
		.kv_type = c->small_kv && !f->kv_given ? LX_KV_Q8_0 :
							 f->asked.kv_type,
	};
	return lx_plan(f->local.host, f->local.files.sources, f->local.files.n,
		       &mp, ep, p, &f->local.error);
}

int fit_open(struct fit *f, const struct globals *g, const char *file,
	     const struct llamux_load *asked, bool kv_given,
	     struct llamux_message *msg)
{
	struct user_host_options opt = { 0 };
	struct lx_engine_params ep;
	struct lx_plan p;
	int ret;

	memset(f, 0, sizeof(*f));
	f->as = g->as;
	f->asked = *asked;
	f->kv_given = kv_given;
	ret = local_open_files(&f->local, file, false, &opt);
	if (ret) {
		snprintf(msg->text, sizeof(msg->text), "%s", f->local.message);
		return ret;
	}
	f->available = available(f->local.host);
	ret = plan(f, &choices[0], &p, &ep);
	if (ret) {
		snprintf(msg->text, sizeof(msg->text), "%.120s: %s", file,
			 f->local.error.msg);
		local_close(&f->local);
		return ret;
	}
	f->needs = p.total;
	f->weights = p.weights;
	f->n_ctx_train = p.info.n_ctx_train;
	return 0;
}

/* Whether it may be tried at all, and whether it fits. */
static bool would_do(struct fit *f, const struct choice *c, struct lx_plan *p,
		     struct lx_engine_params *ep)
{
	if (f->as && (c->as || c->stream))
		return false;
	if (plan(f, c, p, ep) || lx_plan_missing(p, f->available))
		return false;
	if (!f->asked.n_ctx && !c->n_ctx &&
	    p->n_ctx < lx_min(ENOUGH_CTX, f->n_ctx_train))
		return false;
	return !c->as || p->weights < f->weights;
}

static void add(struct llamux_message *msg, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct llamux_message *msg, const char *fmt, ...)
{
	size_t n = strlen(msg->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg->text + n, sizeof(msg->text) - n, fmt, ap);
	va_end(ap);
}

static void say(const struct fit *f, const struct choice *c,
		const struct lx_plan *p, const struct lx_engine_params *ep,
		struct llamux_message *msg)
{
	char a[16], b[16];

	msg->text[0] = '\0';
	if (c == &choices[0]) {
		add(msg, "fits as it is, with a context of %u: %s, %s are available",
		    p->n_ctx, human(p->total, a), human(f->available, b));
		return;
	}
	add(msg, "as it is it takes %s and more, %s are available; chosen: ",
	    human(f->needs, a), human(f->available, b));
	if (c->as)
		add(msg, "weights of %s, ", c->as);
	if (p->n_slots)
		add(msg, "experts streamed from the disk, %u of %u in memory, ",
		    p->n_slots, p->info.n_layer * p->info.n_expert);
	else if (p->info.n_streamed)
		add(msg, "%u of %u layers streamed from the disk, ",
		    p->info.n_streamed, p->info.n_layer);
	if (ep->kv_type != f->asked.kv_type)
		add(msg, "a KV cache of q8_0, ");
	add(msg, "a context of %u: %s", p->n_ctx, human(p->total, a));
}

bool fit_next(struct fit *f, struct llamux_load *load,
	      struct llamux_message *msg)
{
	struct lx_engine_params ep;
	struct lx_plan p;
	char needs[16], there[16];

	while (f->next < sizeof(choices) / sizeof(choices[0])) {
		const struct choice *c = &choices[f->next++];

		if (!would_do(f, c, &p, &ep))
			continue;
		*load = f->asked;
		load->n_ctx = p.n_ctx;
		load->kv_type = ep.kv_type;
		if (c->as)
			snprintf(load->as_type, sizeof(load->as_type), "%s",
				 c->as);
		if (c->stream && p.info.n_streamed) {
			load->flags |= LLAMUX_LOAD_STREAM;
			load->memory = f->available;
		}
		say(f, c, &p, &ep, msg);
		return true;
	}
	if (!msg->text[0])
		snprintf(msg->text, sizeof(msg->text),
			 "nothing makes it fit: it takes %s, %s are available",
			 human(f->needs, needs), human(f->available, there));
	return false;
}

void fit_close(struct fit *f)
{
	local_close(&f->local);
}
