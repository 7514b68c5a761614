// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux models, ps, status: what /proc/llamux says.
 *
 * The files are tables (a line of column names, then a line a row) or lists
 * of "key: value".
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "json.h"

#define MAX_COLUMNS 32

/* Names are text, whatever they look like. */
static bool is_name(const char *key, const char *s)
{
	return !strcmp(key, "name") || !strcmp(key, "model") ||
	       !strcmp(key, "text") ||
	       (!strcmp(key, "default") && strcmp(s, "-") && strcmp(s, "*"));
}

/* A value as JSON has it: numbers and marks as such, the rest as text. */
static void value(struct json *j, const char *key, const char *s)
{
	size_t digits = strspn(s, "0123456789");

	if (is_name(key, s))
		json_str(j, key, s);
	else if (digits && digits < 20 && !s[digits] && (s[0] != '0' || !s[1]))
		json_u64(j, key, strtoull(s, NULL, 10));
	else if (!strcmp(s, "*"))
		json_bool(j, key, true);
	else if (!strcmp(s, "-"))
		json_null(j, key);
	else
		json_str(j, key, s);
}

/*
 * "key: value" lines. Each line "model: NAME" starts a block of its own:
 * these become the array "loaded".
 */
static void list_json(char *text)
{
	char *line, *save = NULL;
	bool blocks = false;
	struct json j;

	json_start(&j, stdout);
	json_open(&j, NULL, '{');
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon++ = '\0';
		if (!strcmp(line, "model")) {
			if (blocks)
				json_close(&j, '}');
			else
				json_open(&j, "loaded", '[');
			json_open(&j, NULL, '{');
			blocks = true;
		}
		value(&j, line, colon + strspn(colon, " \t"));
	}
	if (blocks) {
		json_close(&j, '}');
		json_close(&j, ']');
	}
	json_close(&j, '}');
}

/* The words of a line, at most MAX_COLUMNS. */
static size_t split(char *line, char **words)
{
	char *save = NULL;
	size_t n = 0;
	char *w;

	for (w = strtok_r(line, " \t", &save); w && n < MAX_COLUMNS;
	     w = strtok_r(NULL, " \t", &save))
		words[n++] = w;
	return n;
}

/* "default" of a list is a model's name, of a table a mark. */
static void cell(struct json *j, const char *key, const char *s)
{
	if (!strcmp(key, "default"))
		json_bool(j, key, !strcmp(s, "*"));
	else
		value(j, key, s);
}

static void table_json(char *text)
{
	char *keys[MAX_COLUMNS], *words[MAX_COLUMNS], *line, *save = NULL;
	size_t n_keys = 0, n;
	struct json j;

	json_start(&j, stdout);
	json_open(&j, NULL, '[');
	line = strtok_r(text, "\n", &save);
	if (line)
		n_keys = split(line, keys);
	while ((line = strtok_r(NULL, "\n", &save))) {
		n = split(line, words);
		json_open(&j, NULL, '{');
		for (size_t i = 0; i < n && i < n_keys; i++)
			cell(&j, keys[i], words[i]);
		json_close(&j, '}');
	}
	json_close(&j, ']');
}

static void measure(char *text, size_t *width)
{
	char *words[MAX_COLUMNS], *line, *save = NULL;
	size_t n, i;

	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		n = split(line, words);
		for (i = 0; i < n; i++)
			if (strlen(words[i]) > width[i])
				width[i] = strlen(words[i]);
	}
}

/* The same words, in columns. */
static void table_text(char *text)
{
	char *words[MAX_COLUMNS], *line, *save = NULL;
	size_t width[MAX_COLUMNS] = { 0 }, n, i;
	char *copy = strdup(text);

	if (copy)
		measure(copy, width);
	free(copy);
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		n = split(line, words);
		for (i = 0; i + 1 < n; i++)
			printf("%-*s  ", (int)width[i], words[i]);
		printf("%s\n", n ? words[n - 1] : "");
	}
}

static int show(const struct globals *g, const char *path, bool table)
{
	FILE *f = fopen(path, "re");
	char *text;
	size_t n;

	if (!f && (errno == ENOENT || errno == ENOTDIR))
		return fail(-ENXIO, "there is no %s: load the module "
			    "(modprobe llamux)", path);
	if (!f)
		return fail(-errno, "%s: %s", path, strerror(errno));
	text = read_all(f, &n);
	fclose(f);
	if (!text)
		return fail(-EIO, "%s: cannot be read", path);
	if (table && g->json)
		table_json(text);
	else if (table)
		table_text(text);
	else if (g->json)
		list_json(text);
	else
		fwrite(text, 1, n, stdout);
	free(text);
	return EXIT_OK;
}

int show_table(const struct globals *g, const char *path)
{
	return show(g, path, true);
}

static int parse(struct globals *g, int argc, char **argv,
		 const struct command *cmd)
{
	int ret = parse_options(g, argc, argv, cmd, "", NULL, NULL, NULL);

	if (!ret && optind < argc)
		ret = usage_error("%s takes no argument '%s'", cmd->name,
				  argv[optind]);
	return ret;
}

static int module_only(const struct globals *g, const char *name)
{
	if (!g->user)
		return EXIT_OK;
	return usage_error("%s is for the module, not for --user", name);
}

static int main_models(struct globals *g, int argc, char **argv)
{
	int ret = parse(g, argc, argv, &command_models);

	if (!ret)
		ret = module_only(g, "models");
	return ret ? ret : show_table(g, "/proc/llamux/models");
}

static int main_ps(struct globals *g, int argc, char **argv)
{
	int ret = parse(g, argc, argv, &command_ps);

	if (!ret)
		ret = module_only(g, "ps");
	return ret ? ret : show_table(g, "/proc/llamux/sessions");
}

/* Of the engine in this process: what it would run on. */
static int status_user(const struct globals *g)
{
	struct user_host_options opt = { .n_threads = g->threads };
	const char *name, *best = "generic";
	struct lx_host *h;
	struct json j;
	bool usable;
	int ret;

	ret = user_host_open(&h, &opt);
	if (ret)
		return fail(ret, "%s", strerror(-ret));
	for (u32 i = 0; (name = lx_simd_name(i, &usable)); i++)
		if (usable)
			best = name;
	if (g->json) {
		json_start(&j, stdout);
		json_open(&j, NULL, '{');
		json_str(&j, "version", LLAMUX_VERSION);
		json_u64(&j, "threads", h->n_workers);
		json_str(&j, "simd", best);
		json_close(&j, '}');
	} else {
		printf("version: %s\nthreads: %u\nsimd: %s\n", LLAMUX_VERSION,
		       h->n_workers, best);
	}
	user_host_close(h);
	return EXIT_OK;
}

static int main_status(struct globals *g, int argc, char **argv)
{
	int ret = parse(g, argc, argv, &command_status);

	if (ret)
		return ret;
	return g->user ? status_user(g) :
			 show(g, "/proc/llamux/status", false);
}

const struct command command_models = {
	.name = "models",
	.args = "",
	.summary = "List the models the kernel holds",
	.options = "",
	.main = main_models,
};

const struct command command_ps = {
	.name = "ps",
	.args = "",
	.summary = "List conversations; all of them to root",
	.options = "",
	.main = main_ps,
};

const struct command command_status = {
	.name = "status",
	.args = "",
	.summary = "Tell how the module is doing",
	.options = "",
	.main = main_status,
};
