// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the models are.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend.h"
#include "proc.h"

static int load(struct backend *b, const struct config *c, const char *file)
{
	struct llamux_options o = {
		.flags = LLAMUX_IN_PROCESS,
		.model = file,
		.threads = c->threads,
		.simd = c->simd,
		.n_ctx = c->n_ctx,
		.kv_type = c->kv_type,
	};
	size_t i = b->n_loaded;
	struct llamux_message msg;
	struct stat st;
	int ret;

	ret = llamux_open(&b->loaded[i], &o, &msg);
	if (ret) {
		fprintf(stderr, "llamux-serve: %s\n", msg.text);
		return ret;
	}
	b->n_loaded++;
	ret = llamux_info(b->loaded[i], &b->info[i]);
	if (!ret && !stat(file, &st))
		b->bytes[i] = (uint64_t)st.st_size;
	return ret;
}

int backend_open(struct backend *b, const struct config *c)
{
	int ret = 0;

	*b = (struct backend){ .user = c->user };
	if (!b->user) {
		if (access(LLAMUX_DEVICE, R_OK | W_OK))
			fprintf(stderr, "llamux-serve: %s: %s (going on: it may come)\n",
				LLAMUX_DEVICE, strerror(errno));
		return 0;
	}
	for (size_t i = 0; !ret && i < c->n_models; i++)
		ret = load(b, c, c->models[i]);
	if (ret)
		backend_close(b);
	return ret;
}

void backend_close(struct backend *b)
{
	for (size_t i = 0; i < b->n_loaded; i++)
		llamux_close(b->loaded[i]);
	b->n_loaded = 0;
}

/* The length of a name without ":latest". */
static size_t bare(const char *name)
{
	static const char tag[] = ":latest";
	size_t n = strlen(name), tail = sizeof(tag) - 1;

	return n > tail && !strcmp(name + n - tail, tag) ? n - tail : n;
}

static bool is_default(const char *name)
{
	return !name || !*name || !strcmp(name, "default");
}

static int talk_here(struct backend *b, const char *model,
		     struct llamux **out, struct llamux_message *msg)
{
	struct llamux_options o = { .flags = LLAMUX_IN_PROCESS };
	const char *name;

	for (size_t i = 0; i < b->n_loaded; i++) {
		name = b->info[i].model;
		if (is_default(model) || !strcmp(name, model) ||
		    (strlen(name) == bare(model) &&
		     !strncmp(name, model, bare(model)))) {
			o.beside = b->loaded[i];
			return llamux_open(out, &o, msg);
		}
	}
	return -ENODEV;
}

static int talk_device(const char *model, struct llamux **out,
		       struct llamux_message *msg)
{
	struct llamux_options o = { 0 };
	char name[LLAMUX_NAME_MAX];
	size_t n;
	int ret;

	if (is_default(model))
		return llamux_open(out, &o, msg);
	o.model = model;
	ret = llamux_open(out, &o, msg);
	n = bare(model);
	if (ret != -ENODEV || !model[n] || n >= sizeof(name))
		return ret;
	memcpy(name, model, n);
	name[n] = '\0';
	o.model = name;
	return llamux_open(out, &o, msg);
}

int backend_talk(struct backend *b, const char *model, struct llamux **out,
		 struct llamux_message *msg)
{
	int ret = b->user ? talk_here(b, model, out, msg) :
			    talk_device(model, out, msg);

	if (ret == -ENODEV && !is_default(model))
		snprintf(msg->text, sizeof(msg->text),
			 "the model '%.100s' is not loaded", model);
	return ret;
}

static json_t *models_here(struct backend *b)
{
	json_t *list = json_array();

	for (size_t i = 0; i < b->n_loaded; i++) {
		const struct llamux_info *m = &b->info[i];

		json_array_append_new(list, json_pack(
			"{s:s, s:s, s:b, s:s, s:s, s:I, s:i, s:I}",
			"name", m->model, "state", "ready",
			"default", i == 0, "arch", m->arch, "type", m->type,
			"params", (json_int_t)m->n_params,
			"n_ctx", (int)m->n_ctx,
			"bytes", (json_int_t)b->bytes[i]));
	}
	return list;
}

json_t *backend_models(struct backend *b)
{
	json_t *list = b->user ? models_here(b) :
				 proc_table("/proc/llamux/models");

	return list ? list : json_array();
}

static bool named(json_t *model, const char *name)
{
	const char *s = json_string_value(json_object_get(model, "name"));

	if (is_default(name))
		return json_is_true(json_object_get(model, "default"));
	return s && (!strcmp(s, name) || (strlen(s) == bare(name) &&
					  !strncmp(s, name, bare(name))));
}

json_t *backend_model(struct backend *b, const char *name)
{
	json_t *list = backend_models(b), *model, *found = NULL;
	size_t i;

	json_array_foreach(list, i, model)
		if (!found && named(model, name))
			found = json_incref(model);
	json_decref(list);
	return found;
}

/* Run by root the module would show those of others, too. */
json_t *backend_sessions(struct backend *b)
{
	json_t *all = b->user ? NULL : proc_table("/proc/llamux/sessions");
	json_t *own = all ? json_array() : NULL, *row;
	size_t i;

	json_array_foreach(all, i, row)
		if (json_integer_value(json_object_get(row, "pid")) ==
		    getpid())
			json_array_append(own, row);
	json_decref(all);
	return own;
}

/* Of the whole module, not of single users. */
json_t *backend_stats(struct backend *b)
{
	json_t *stats = b->user ? NULL : proc_list("/proc/llamux/stats"), *v;
	const char *key;
	void *next;

	json_object_foreach_safe(stats, next, key, v)
		if (!json_is_integer(v) || strstr(key, "_uid_"))
			json_object_del(stats, key);
	return stats;
}

static uint64_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long all, pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &all, &pages) != 2)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t backend_memory(struct backend *b)
{
	json_t *list = backend_models(b), *model;
	uint64_t sum = b->user ? resident() : 0;
	size_t i;

	json_array_foreach(b->user ? NULL : list, i, model)
		sum += (uint64_t)json_integer_value(
			json_object_get(model, "bytes"));
	json_decref(list);
	return sum;
}
