/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What to give up so that a model fits into memory, one thing after the other.
 */
#ifndef FIT_H
#define FIT_H

#include "engine.h"

struct fit {
	struct local local;
	const char *as;			/* what was asked for */
	struct llamux_load asked;
	bool kv_given;
	uint64_t available, needs;	/* bytes; as asked */
	uint64_t weights;		/* as asked */
	uint32_t n_ctx_train;
	size_t next;			/* thing to try */
};

/*
 * Look at @file and at the memory there is. What @asked names (and --kv, when
 * @kv_given) stays. 0, or an error with @msg set.
 */
int fit_open(struct fit *f, const struct globals *g, const char *file,
	     const struct llamux_load *asked, bool kv_given,
	     struct llamux_message *msg);
/*
 * The next choice that would fit, in @load, and why it is made, in @msg. False:
 * there is none, @msg says what is missing.
 */
bool fit_next(struct fit *f, struct llamux_load *load,
	      struct llamux_message *msg);
void fit_close(struct fit *f);

#endif
