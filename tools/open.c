// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which model, and a conversation with it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define SYSTEM_MODEL "/usr/share/llamux/default.gguf"

/* As seen from the directory of the command: in a build, and installed. */
static const char *const near_models[] = {
	"/../models/llamux-default.gguf",
	"/../share/llamux/default.gguf",
};

static const char *near_model(void)
{
	static char path[PATH_MAX + 64];
	char self[PATH_MAX];
	const char *dir;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	dir = dirname(self);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s", dir, near_models[i]);
		if (!access(path, R_OK))
			return path;
	}
	return NULL;
}

const char *find_model_file(const struct globals *g)
{
	const char *file = g->model;

	if (file)
		return file;
	file = getenv("LLAMUX_MODEL");
	if (file && *file)
		return file;
	file = near_model();
	if (file)
		return file;
	return access(SYSTEM_MODEL, R_OK) ? NULL : SYSTEM_MODEL;
}

const char *model_file(const struct globals *g)
{
	const char *file = find_model_file(g);

	if (!file)
		fprintf(stderr, "llamux: no model: give one with -m FILE or set "
			"LLAMUX_MODEL\n");
	return file;
}

#define LONG_LOAD (256u << 20)	/* bytes for which people wait */

/* Texts that are tokenized report here, too: only a load is shown. */
static bool loading;
static uint64_t shown;		/* percent */

static int on_progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	if (loading && total >= LONG_LOAD && done < total &&
	    done * 100 / total != shown) {
		shown = done * 100 / total;
		show_progress("loading", done, total);
	}
	return interrupted() ? -EINTR : 0;
}

/* The bar is for those who wait: it goes when there is something to read. */
static void clear_progress(void)
{
	if (shown && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	shown = 0;
}

int open_llamux(const struct globals *g, uint32_t flags, uint32_t n_ctx,
		uint32_t kv_type, struct llamux **out)
{
	struct llamux_options o = {
		.flags = flags | (g->user ? LLAMUX_IN_PROCESS : 0),
		.model = g->model,
		.threads = g->threads,
		.simd = g->simd,
		.as = g->as,
		.stream = g->stream,
		.memory = g->memory,
		.n_ctx = n_ctx,
		.kv_type = kv_type,
		.progress = on_progress,
	};
	struct llamux_message msg;
	int ret;

	if (g->user) {
		o.model = model_file(g);
		if (!o.model)
			return EXIT_NO_MODEL;
	} else if (n_ctx || kv_type || g->as || g->stream) {
		return usage_error("--ctx, --kv, --as and --stream need --user: "
				   "a loaded model has its own");
	}
	interrupt_watch(NULL);
	loading = true;
	ret = llamux_open(out, &o, &msg);
	loading = false;
	clear_progress();
	if (ret == -ENODEV && g->model && !access(g->model, F_OK))
		return fail(ret, "'%s' is no loaded model but a file: llamux load it, or use it with --user",
			    g->model);
	return ret ? fail(ret, "%s", msg.text) : EXIT_OK;
}

void show_progress(const char *what, uint64_t done, uint64_t total)
{
	int width = 30, full;

	if (!isatty(STDERR_FILENO) || !total)
		return;
	full = (int)((double)done / (double)total * width);
	fprintf(stderr, "\r%s [%.*s%*s] %3d%%", what, full,
		"##############################", width - full, "",
		(int)((double)done / (double)total * 100));
	if (done >= total)
		fputc('\n', stderr);
	fflush(stderr);
}
