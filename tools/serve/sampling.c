// SPDX-License-Identifier: GPL-2.0-only
/*
 * How an answer is to be made.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/random.h>

#include "field.h"
#include "sampling.h"

enum {
	SET_TEMPERATURE = 1 << 0, SET_TOP_K = 1 << 1, SET_TOP_P = 1 << 2,
	SET_MIN_P = 1 << 3, SET_REPEAT = 1 << 4, SET_LAST_N = 1 << 5,
	SET_PRESENCE = 1 << 6, SET_FREQUENCY = 1 << 7, SET_SEED = 1 << 8,
	SET_TOKENS = 1 << 9, SET_IGNORE_EOG = 1 << 10,
};

/* One number of a request, and where it belongs. */
struct knob {
	const char *key;
	double min, max;
	uint32_t bit;
};

static const struct knob openai_knobs[] = {
	{ "temperature", 0, 2, SET_TEMPERATURE },
	{ "top_p", 0, 1, SET_TOP_P },
	{ "presence_penalty", -2, 2, SET_PRESENCE },
	{ "frequency_penalty", -2, 2, SET_FREQUENCY },
	/* not OpenAI's, but known to clients of other local servers */
	{ "min_p", 0, 1, SET_MIN_P },
	{ "repeat_penalty", 0.01, 100, SET_REPEAT },
	{ NULL }
};

static const struct knob ollama_knobs[] = {
	{ "temperature", 0, 100, SET_TEMPERATURE },
	{ "top_p", 0, 1, SET_TOP_P },
	{ "min_p", 0, 1, SET_MIN_P },
	{ "presence_penalty", -100, 100, SET_PRESENCE },
	{ "frequency_penalty", -100, 100, SET_FREQUENCY },
	{ "repeat_penalty", 0.01, 100, SET_REPEAT },
	{ NULL }
};

static int32_t millionths(double v)
{
	return (int32_t)(v * 1e6 + (v < 0 ? -0.5 : 0.5));
}

static void put(struct sampling *s, uint32_t bit, int32_t v)
{
	struct llamux_params *p = &s->params;

	s->set |= bit;
	switch (bit) {
	case SET_TEMPERATURE:
		p->temperature_u = (uint32_t)v;
		break;
	case SET_TOP_P:
		p->top_p_u = (uint32_t)v;
		break;
	case SET_MIN_P:
		p->min_p_u = (uint32_t)v;
		break;
	case SET_REPEAT:
		p->repeat_penalty_u = (uint32_t)v;
		break;
	case SET_PRESENCE:
		p->presence_penalty_u = v;
		break;
	case SET_FREQUENCY:
		p->frequency_penalty_u = v;
		break;
	}
}

static int knobs(struct sampling *s, struct problem *p, const json_t *json,
		 const struct knob *k)
{
	double v;
	int ret;

	for (; k->key; k++) {
		ret = field_real(p, json, k->key, k->min, k->max, &v);
		if (ret < 0)
			return ret;
		if (ret)
			put(s, k->bit, millionths(v));
	}
	return 0;
}

static int whole_knobs(struct sampling *s, struct problem *p,
		       const json_t *json)
{
	int64_t v;
	int ret;

	ret = field_int(p, json, "top_k", -1, UINT32_MAX, &v);
	if (ret > 0) {
		s->params.top_k = v < 0 ? 0 : (uint32_t)v;
		s->set |= SET_TOP_K;
	}
	if (ret >= 0)
		ret = field_int(p, json, "seed", INT64_MIN, INT64_MAX, &v);
	if (ret > 0) {
		s->params.seed = (uint64_t)v;
		s->set |= SET_SEED;
	}
	return ret < 0 ? ret : 0;
}

static int tokens(struct sampling *s, struct problem *p, const json_t *json,
		  const char *key, int64_t min)
{
	int64_t v;
	int ret = field_int(p, json, key, min, UINT32_MAX, &v);

	if (ret > 0) {
		s->params.max_tokens = v < 0 ? 0 : (uint32_t)v;
		s->set |= SET_TOKENS;
	}
	return ret < 0 ? ret : 0;
}

int sampling_openai(struct sampling *s, struct problem *p, const json_t *json)
{
	bool on = false;

	if (field_bool(p, json, "ignore_eos", &on) < 0)
		return -1;
	if (on)
		s->set |= SET_IGNORE_EOG;
	if (knobs(s, p, json, openai_knobs) || whole_knobs(s, p, json) ||
	    tokens(s, p, json, "max_tokens", 1) ||
	    tokens(s, p, json, "max_completion_tokens", 1))
		return -1;
	return 0;
}

int sampling_ollama(struct sampling *s, struct problem *p,
		    const json_t *options)
{
	int64_t v;
	int ret;

	if (knobs(s, p, options, ollama_knobs) || whole_knobs(s, p, options) ||
	    tokens(s, p, options, "num_predict", -2))
		return -1;
	ret = field_int(p, options, "repeat_last_n", -1, 1024, &v);
	if (ret > 0) {
		s->params.repeat_last_n = v < 0 ? 1024 : (uint32_t)v;
		s->set |= SET_LAST_N;
	}
	return ret < 0 ? ret : 0;
}

void sampling_limit(struct sampling *s, uint32_t n)
{
	if (s->set & SET_TOKENS)
		return;
	s->params.max_tokens = n;
	s->set |= SET_TOKENS;
}

void sampling_apply(const struct sampling *s, struct llamux_params *to)
{
	const struct llamux_params *from = &s->params;

	if (s->set & SET_TEMPERATURE)
		to->temperature_u = from->temperature_u;
	if (s->set & SET_TOP_K)
		to->top_k = from->top_k;
	if (s->set & SET_TOP_P)
		to->top_p_u = from->top_p_u;
	if (s->set & SET_MIN_P)
		to->min_p_u = from->min_p_u;
	if (s->set & SET_REPEAT)
		to->repeat_penalty_u = from->repeat_penalty_u;
	if (s->set & SET_LAST_N)
		to->repeat_last_n = from->repeat_last_n;
	if (s->set & SET_PRESENCE)
		to->presence_penalty_u = from->presence_penalty_u;
	if (s->set & SET_FREQUENCY)
		to->frequency_penalty_u = from->frequency_penalty_u;
	if (s->set & SET_TOKENS)
		to->max_tokens = from->max_tokens;
	if (s->set & SET_IGNORE_EOG)
		to->flags |= LLAMUX_IGNORE_EOG;
	if (s->set & SET_SEED)
		to->seed = from->seed;
	else if (getrandom(&to->seed, sizeof(to->seed), GRND_NONBLOCK) < 0)
		to->seed = 0;
}
