/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The engine's host in user space: memory from mmap, workers from pthreads.
 */
#ifndef USER_HOST_H
#define USER_HOST_H

#include "lx/deps.h"

#define USER_HOST_MAX_THREADS 1024

struct user_host_options {
	u32 n_threads;	/* 0: one per CPU this process may use */
	void *ctx;	/* for the callbacks, each of which may be NULL */
	void (*log)(void *ctx, enum lx_log_level level, const char *msg);
	/* Non-zero ends the work with that error. */
	int (*progress)(void *ctx, u64 done, u64 total);
};

/* @opt may be NULL. 0, -EINVAL, -ENOMEM, or what pthread_create() says. */
int user_host_open(struct lx_host **out, const struct user_host_options *opt);
void user_host_close(struct lx_host *h);

/* Bytes held now. */
u64 user_host_held(const struct lx_host *h, enum lx_mem kind);

#endif
