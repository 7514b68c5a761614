/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The engine in this process as a backend: inproc.c has conversations,
 * inproc_gen.c what says how answers are made, scores and embeddings.
 */
#ifndef USER_INPROC_H
#define USER_INPROC_H

#include "backend.h"
#include "shared.h"

struct inproc {
	struct shared *shared;
	struct lx_session *session;
	struct lx_session_stats last;	/* of the turn that ended */
	struct llamux_options opt;
	char name[LLAMUX_NAME_MAX];
};

static inline struct inproc *to_inproc(struct llamux *l)
{
	return l->priv;
}

static inline struct local *to_local(struct llamux *l)
{
	return &to_inproc(l)->shared->local;
}

/* The engine and its sessions are used with its lock held. */
static inline void inproc_lock(struct llamux *l)
{
	pthread_mutex_lock(&to_inproc(l)->shared->lock);
}

static inline void inproc_unlock(struct llamux *l)
{
	pthread_mutex_unlock(&to_inproc(l)->shared->lock);
}

/* The engine's own words, or those for @code. Returns @code. */
int inproc_fail(struct llamux *l, int code, const struct lx_error *err);
/* 0, or -EINVAL when only the vocabulary was loaded. */
int inproc_no_session(struct llamux *l);
/* One step of the engine, which is locked; sees a cancel. */
int inproc_step(struct llamux *l);

int inproc_set_stops(struct llamux *l, const char *text, size_t n);
int inproc_set_bias(struct llamux *l, const struct llamux_bias *bias, size_t n);
ssize_t inproc_logprobs(struct llamux *l, size_t first, uint32_t stride,
			struct llamux_logprob *records, size_t max);
int inproc_score(struct llamux *l, const char *text, const uint32_t *ends,
		 size_t n, struct llamux_choice *choices);
ssize_t inproc_embed(struct llamux *l, const char *text, size_t n,
		     uint32_t pooling, float *out, size_t max);
int inproc_set_grammar(struct llamux *l, const void *blob, size_t n);

#endif
