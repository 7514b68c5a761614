// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux doctor: what is wrong with this machine's setup, and how to mend it.
 *
 * Only reads; what is to be done it says. Checks that make no sense after one
 * that failed are left out, so that the first thing wrong is the one to mend.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"
#include "engine.h"
#include "json.h"

enum { OPT_ROOT = 0x100 };

static const char *const state_names[] = { "ok", "warning", "wrong" };

const char *in_root(const struct doctor *d, char path[PATH_MAX],
		    const char *fmt, ...)
{
	int n = snprintf(path, PATH_MAX, "%s", d->root);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path + n, PATH_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return path;
}

bool exists(const struct doctor *d, const char *name)
{
	char path[PATH_MAX];

	return !access(in_root(d, path, "%s", name), F_OK);
}

bool first_line(const struct doctor *d, const char *name, char *line,
		size_t size)
{
	char path[PATH_MAX];
	FILE *f = fopen(in_root(d, path, "%s", name), "re");
	bool yes = f && fgets(line, (int)size, f);

	if (f)
		fclose(f);
	if (yes)
		line[strcspn(line, "\n")] = '\0';
	return yes;
}

bool has_line(const struct doctor *d, const char *name, const char *start)
{
	char path[PATH_MAX], line[1024];
	FILE *f = fopen(in_root(d, path, "%s", name), "re");
	bool yes = false;

	while (f && !yes && fgets(line, sizeof(line), f))
		yes = !strncmp(line, start, strlen(start));
	if (f)
		fclose(f);
	return yes;
}

void found(struct doctor *d, enum state state, const char *what,
	   const char *mend, const char *fmt, ...)
{
	char text[PATH_MAX + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->counts[state]++;
	d->report(d, state, what, text, mend);
}

/* ---- what does not depend on the module ---- */

static void check_cpu(struct doctor *d)
{
	const char *name, *best = "generic";
	bool usable;

	for (u32 i = 0; (name = lx_simd_name(i, &usable)); i++)
		if (usable)
			best = name;
	if (strcmp(best, "generic") != 0)
		found(d, STATE_OK, "cpu", "", "computes with %s", best);
	else
		found(d, STATE_WARNING, "cpu", "",
		      "no vector instructions that Llamux knows: it will be slow");
}

static uint64_t mem_available(const struct doctor *d)
{
	unsigned long long kb = 0;
	char path[PATH_MAX], line[128];
	FILE *f = fopen(in_root(d, path, "/proc/meminfo"), "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024;
}

/* Memory for @file, which is no less than its size; llamux plan has it all. */
static void check_memory(struct doctor *d, const char *file)
{
	uint64_t available = mem_available(d);
	char need[16], have[16], mend[PATH_MAX + 64];
	struct stat st;

	human(available, have);
	if (!available || !file || stat(file, &st)) {
		found(d, available ? STATE_OK : STATE_WARNING, "memory", "",
		      available ? "%s available" : "%s: cannot be told", have);
		return;
	}
	human((uint64_t)st.st_size, need);
	snprintf(mend, sizeof(mend), "a smaller model; see llamux plan %s",
		 file);
	if ((uint64_t)st.st_size > available)
		found(d, STATE_WRONG, "memory", mend,
		      "the model takes %s at least, %s are available", need,
		      have);
	else
		found(d, STATE_OK, "memory", "", "%s available, the model's file has %s",
		      have, need);
}

static void check_kernel(struct doctor *d)
{
	unsigned int major = 0, minor = 0;

	if (!first_line(d, "/proc/sys/kernel/osrelease", d->release,
			sizeof(d->release)))
		found(d, STATE_WARNING, "kernel", "mount /proc",
		      "its version cannot be read");
	else if (sscanf(d->release, "%u.%u", &major, &minor) == 2 &&
		 (major < 6 || (major == 6 && minor < 1)))
		found(d, STATE_WRONG, "kernel", "a kernel from 6.1 on",
		      "%s is older than 6.1", d->release);
}

/* The file that --user takes, if there is any. */
static const char *check_file(struct doctor *d, const struct globals *g,
			      char path[PATH_MAX])
{
	const char *file = *d->root ? in_root(d, path, "/usr/share/llamux/default.gguf") :
				      find_model_file(g);

	if (!file || access(file, F_OK)) {
		found(d, g->user ? STATE_WRONG : STATE_WARNING, "file",
		      "apt install llamux-model-default, or -m FILE",
		      "no model file");
		return NULL;
	}
	if (access(file, R_OK)) {
		found(d, STATE_WARNING, "file", "chmod a+r",
		      "%s cannot be read", file);
		return NULL;
	}
	found(d, STATE_OK, "file", "", "%s", file);
	return file;
}

static void examine(struct doctor *d, const struct globals *g)
{
	char path[PATH_MAX];

	check_cpu(d);
	check_memory(d, check_file(d, g, path));
	if (g->user)
		return;
	check_kernel(d);
	if (check_module(d))
		check_devices(d);
}

/* ---- reports ---- */

static void report_text(struct doctor *d, enum state state, const char *what,
			const char *text, const char *mend)
{
	(void)d;
	printf("%-8s %-8s ", state_names[state], what);
	print_escaped(stdout, text, strlen(text));
	putchar('\n');
	if (*mend)
		printf("%-8s %-8s -> %s\n", "", "", mend);
}

static void report_json(struct doctor *d, enum state state, const char *what,
			const char *text, const char *mend)
{
	struct json *j = d->ctx;

	json_open(j, NULL, '{');
	json_str(j, "what", what);
	json_str(j, "state", state_names[state]);
	json_str(j, "text", text);
	if (*mend)
		json_str(j, "mend", mend);
	else
		json_null(j, "mend");
	json_close(j, '}');
}

static int handle_doctor(void *ctx, int val, const char *arg)
{
	struct doctor *d = ctx;

	(void)val;
	d->root = strcmp(arg, "/") ? arg : "";
	return EXIT_OK;
}

static int main_doctor(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "root", required_argument, NULL, OPT_ROOT },
		{ 0 }
	};
	struct doctor d = { .root = "", .report = report_text };
	struct json j;
	int ret;

	ret = parse_options(g, argc, argv, &command_doctor, "", options,
			    handle_doctor, &d);
	if (ret)
		return ret;
	if (optind < argc)
		return usage_error("doctor takes no argument '%s'",
				   argv[optind]);
	if (g->json) {
		d.report = report_json;
		d.ctx = &j;
		json_start(&j, stdout);
		json_open(&j, NULL, '{');
		json_open(&j, "checks", '[');
	}
	examine(&d, g);
	if (g->json) {
		json_close(&j, ']');
		json_bool(&j, "healthy", !d.counts[STATE_WRONG]);
		json_close(&j, '}');
	}
	return d.counts[STATE_WRONG] ? EXIT_FAILED : EXIT_OK;
}

const struct command command_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "Find what is wrong with this machine's setup",
	.options =
	"  --root DIR          look at the system below DIR\n",
	.main = main_doctor,
};
