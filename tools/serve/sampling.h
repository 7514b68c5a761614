/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How an answer is to be made, as a request says it. What it does not say is
 * as the model has it.
 */
#ifndef SERVE_SAMPLING_H
#define SERVE_SAMPLING_H

#include "llamux.h"
#include "problem.h"

struct sampling {
	struct llamux_params params;
	uint32_t set;		/* which fields */
};

/* 0 or -1. */
int sampling_openai(struct sampling *s, struct problem *p, const json_t *json);
int sampling_ollama(struct sampling *s, struct problem *p,
		    const json_t *options);
/* At most @n tokens unless the request says otherwise. */
void sampling_limit(struct sampling *s, uint32_t n);
/* Put into @to; a seed that is not said is random. */
void sampling_apply(const struct sampling *s, struct llamux_params *to);

#endif
