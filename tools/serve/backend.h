/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the models are: in the kernel, or in this process.
 */
#ifndef SERVE_BACKEND_H
#define SERVE_BACKEND_H

#include <jansson.h>

#include "config.h"
#include "llamux.h"

struct backend {
	bool user;
	/* In this process: each has a conversation that keeps it. */
	struct llamux *loaded[MAX_MODELS];
	struct llamux_info info[MAX_MODELS];
	uint64_t bytes[MAX_MODELS];	/* of the file */
	size_t n_loaded;
};

/* 0, or -errno after saying why. A missing device is no error: it may come. */
int backend_open(struct backend *b, const struct config *c);
void backend_close(struct backend *b);
/*
 * A conversation with a model; NULL, "" and "default" are the default one, and
 * Ollama's ":latest" is no part of a name.
 */
int backend_talk(struct backend *b, const char *model, struct llamux **out,
		 struct llamux_message *msg);
/*
 * An array of objects: name, state, default, arch, type, params, n_ctx,
 * sessions, bytes. Empty without the module.
 */
json_t *backend_models(struct backend *b);
/* The one of that name, as above; NULL: there is none. */
json_t *backend_model(struct backend *b, const char *name);
/* What /proc/llamux/sessions and stats say of this process and of all; NULL. */
json_t *backend_sessions(struct backend *b);
json_t *backend_stats(struct backend *b);
/* Bytes that models take; in process, that it takes. */
uint64_t backend_memory(struct backend *b);

#endif
