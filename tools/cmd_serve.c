// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux serve: a gateway for clients of OpenAI and Ollama. It is a program
 * of its own, llamux-serve, since it needs libraries that the command does
 * not; here its options are checked and it is found and run.
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

#include "serve/options.h"
#include "tool.h"

#define MAX_ARGUMENTS 64

static const struct option options[] = { SERVE_OPTIONS, { 0 } };

/* As seen from the directory of the command. */
static const char *const near[] = {
	"/llamux-serve", "/../libexec/llamux-serve",
	"/../lib/llamux/llamux-serve",
};

struct arguments {
	char *v[MAX_ARGUMENTS];
	int n;
	bool failed;
};

/* "--name=value", or "--name" when @value is NULL. */
static void add(struct arguments *a, const char *name, const char *value)
{
	char *s = NULL;
	int n = value ? asprintf(&s, "--%s=%s", name, value) :
			asprintf(&s, "--%s", name);

	if (n < 0 || a->n + 1 >= MAX_ARGUMENTS) {
		a->failed = true;
		return;
	}
	a->v[a->n++] = s;
}

static int handle(void *ctx, int val, const char *arg)
{
	for (const struct option *o = options; o->name; o++)
		if (o->val == val)
			add(ctx, o->name, arg);
	return EXIT_OK;
}

static int add_globals(struct arguments *a, const struct globals *g)
{
	char threads[16];
	const char *file = g->model;

	if (g->user) {
		add(a, "user", NULL);
		file = model_file(g);
		if (!file)
			return EXIT_NO_MODEL;
	}
	if (file)
		add(a, "model", file);
	snprintf(threads, sizeof(threads), "%u", g->threads);
	if (g->threads)
		add(a, "threads", threads);
	if (g->simd)
		add(a, "simd", g->simd);
	return EXIT_OK;
}

/* Returns when there is no such program. */
static void run(struct arguments *a)
{
	char self[PATH_MAX], path[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *dir;

	if (n <= 0)
		return;
	self[n] = '\0';
	dir = dirname(self);
	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, near[i]);
		execv(path, a->v);
		if (errno != ENOENT)
			return;
	}
}

static int main_serve(struct globals *g, int argc, char **argv)
{
	static char name[] = "llamux-serve";
	struct arguments a = { .v = { name }, .n = 1 };
	int ret;

	ret = parse_options(g, argc, argv, &command_serve, "", options, handle,
			    &a);
	if (ret)
		return ret;
	if (optind < argc)
		return usage_error("serve takes no argument '%s'",
				   argv[optind]);
	if (g->json)
		return usage_error("serve has nothing to print as JSON");
	ret = add_globals(&a, g);
	if (ret)
		return ret;
	if (a.failed)
		return usage_error("too many options");
	run(&a);
	return errno == ENOENT ?
		fail(-EIO, "llamux-serve is not installed (package llamux-serve; in a build: scripts/deps.sh serve, make)") :
		fail(-EIO, "llamux-serve: %s", strerror(errno));
}

const struct command command_serve = {
	.name = "serve",
	.args = "",
	.summary = "Serve models over HTTP, as OpenAI and Ollama do",
	.options = SERVE_HELP,
	.main = main_serve,
};
