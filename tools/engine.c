// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine in this process.
 */
#include <errno.h>
#include <unistd.h>

#include "engine.h"

static int on_progress(void *ctx, u64 done, u64 total)
{
	(void)ctx;
	(void)done;
	(void)total;
	return interrupted() ? -EINTR : 0;
}

static void on_log(void *ctx, enum lx_log_level level, const char *msg)
{
	(void)ctx;
	if (level <= LX_LOG_WARN)
		fprintf(stderr, "llamux: %s\n", msg);
}

int open_engine(const struct globals *g, const struct lx_engine_params *ep,
		struct local *l)
{
	struct user_host_options opt = {
		.n_threads = g->threads,
		.log = on_log,
		.progress = on_progress,
	};
	struct lx_model_params mp = {
		.simd = g->simd,
		.as = g->as,
		.stream = g->stream,
		.memory = g->memory,
	};
	const char *file = model_file(g);
	int ret;

	if (!file)
		return EXIT_NO_MODEL;
	interrupt_watch(NULL);
	ret = local_open_engine(l, file, &opt, &mp, ep);
	return ret ? fail(ret, "%s", l->message) : EXIT_OK;
}
