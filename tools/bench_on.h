/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What llamux bench measures: the engine in this process, or the module.
 */
#ifndef BENCH_ON_H
#define BENCH_ON_H

#include "engine.h"

struct bench_on {
	bool module;
	struct local l;			/* in this process */
	char name[LLAMUX_NAME_MAX], file[4096];
	char arch[32], type[16], simd[32];
	uint64_t n_params, file_bytes;	/* 0: not known */
	uint32_t threads, n_vocab;
	int32_t bos;			/* -1: none */
	uint32_t streams;
	union bench_stream {
		struct lx_session *s;
		int fd;
	} *stream;
};

/*
 * Open the model for @streams conversations of @ep->n_ctx tokens. The module
 * serves a model by name; a file, or @g->user, is opened in this process.
 * Complains; EXIT_OK or an exit code. Closed in either case.
 */
int bench_open(struct bench_on *on, const struct globals *g,
	       const struct lx_engine_params *ep, uint32_t streams);
void bench_close(struct bench_on *on);
/* New conversations in place of those before. 0 or negative errno. */
int bench_start(struct bench_on *on);
/*
 * Give each conversation @n tokens, computed @batch at a time (0: as the engine
 * does), all of them together; the logits of the first's last token come to
 * @row, f32 [n_vocab]. 0 or negative errno.
 */
int bench_eval(struct bench_on *on, const int32_t *ids, uint32_t n,
	       uint32_t batch, float *row);

#endif
