/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the command line says.
 */
#ifndef SERVE_CONFIG_H
#define SERVE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_MODELS 16

struct config {
	bool user;			/* the engine in this process */
	const char *models[MAX_MODELS];	/* its files */
	size_t n_models;
	uint32_t threads;
	const char *simd;
	uint32_t n_ctx, kv_type;

	const char *socket;		/* NULL: none */
	const char *listen;		/* likewise */
	const char *token_file;
	const char *group;
	uint32_t turns, queue, connections;
	uint32_t body;			/* bytes */
	uint32_t timeout;		/* seconds */
};

/* True, or the process is to end with *@status. */
bool config_parse(struct config *c, int argc, char **argv, int *status);

#endif
