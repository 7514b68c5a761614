// SPDX-License-Identifier: GPL-2.0-only
/*
 * The options of ask and chat that say how answers are made.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "sampling.h"

enum {
	SET_TEMP = 1 << 0, SET_TOP_K = 1 << 1, SET_TOP_P = 1 << 2,
	SET_MIN_P = 1 << 3, SET_REPEAT = 1 << 4, SET_SEED = 1 << 5,
	SET_TOKENS = 1 << 6, SET_PRESENCE = 1 << 7, SET_FREQUENCY = 1 << 8,
	SET_LAST_N = 1 << 9,
};

static bool real(struct sampling *s, const char *what, const char *arg,
		 uint32_t bit, uint32_t *v)
{
	s->set |= bit;
	return parse_millionths(what, arg, v);
}

static bool signed_real(struct sampling *s, const char *what, const char *arg,
			uint32_t bit, int32_t *v)
{
	uint32_t u;

	s->set |= bit;
	if (!parse_millionths(what, arg + (*arg == '-'), &u))
		return false;
	if (u > INT32_MAX) {
		usage_error("%s: '%s' is out of range", what, arg);
		return false;
	}
	*v = *arg == '-' ? -(int32_t)u : (int32_t)u;
	return true;
}

/* ID=BIAS, ID=never */
static bool add_bias(struct sampling *s, const char *arg)
{
	struct llamux_bias *b = &s->bias[s->n_bias];
	char *end;
	long id = strtol(arg, &end, 10);

	if (s->n_bias == LLAMUX_MAX_BIAS) {
		usage_error("--logit-bias: more than %d", LLAMUX_MAX_BIAS);
		return false;
	}
	if (end == arg || *end != '=' || id < 0 || id > INT32_MAX) {
		usage_error("--logit-bias: '%s' is not ID=BIAS", arg);
		return false;
	}
	s->n_bias++;
	b->id = (int32_t)id;
	b->bias_u = LLAMUX_BIAS_NEVER;
	return !strcmp(end + 1, "never") ||
	       signed_real(s, "--logit-bias", end + 1, 0, &b->bias_u);
}

static bool add_stop(struct sampling *s, const char *arg)
{
	if (s->n_stops == LLAMUX_MAX_STOPS || !*arg ||
	    strlen(arg) > LLAMUX_MAX_STOP_BYTES) {
		usage_error("--stop: %s", *arg ? "too many, or too long" :
						 "an empty text");
		return false;
	}
	s->stops[s->n_stops++] = arg;
	return true;
}

static bool handle_sampler(struct sampling *s, int val, const char *arg)
{
	struct llamux_params *p = &s->params;
	uint64_t seed;

	switch (val) {
	case OPT_TEMP:
		return real(s, "--temp", arg, SET_TEMP, &p->temperature_u);
	case OPT_TOP_P:
		return real(s, "--top-p", arg, SET_TOP_P, &p->top_p_u);
	case OPT_MIN_P:
		return real(s, "--min-p", arg, SET_MIN_P, &p->min_p_u);
	case OPT_REPEAT:
		return real(s, "--repeat-penalty", arg, SET_REPEAT,
			    &p->repeat_penalty_u);
	case OPT_PRESENCE:
		return signed_real(s, "--presence-penalty", arg, SET_PRESENCE,
				   &p->presence_penalty_u);
	case OPT_FREQUENCY:
		return signed_real(s, "--frequency-penalty", arg,
				   SET_FREQUENCY, &p->frequency_penalty_u);
	case OPT_LAST_N:
		s->set |= SET_LAST_N;
		return parse_u32("--repeat-last-n", arg, 0, 1024,
				 &p->repeat_last_n);
	case OPT_TOP_K:
		s->set |= SET_TOP_K;
		return parse_u32("--top-k", arg, 0, UINT32_MAX, &p->top_k);
	case OPT_SEED:
		s->set |= SET_SEED;
		if (!parse_u64("--seed", arg, &seed))
			return false;
		p->seed = seed;
		return true;
	default:	/* 'n' */
		s->set |= SET_TOKENS;
		return parse_u32("-n", arg, 0, UINT32_MAX, &p->max_tokens);
	}
}

int sampling_handle(void *ctx, int val, const char *arg)
{
	struct sampling *s = ctx;
	bool ok = true;

	switch (val) {
	case OPT_SYSTEM:
		s->system = arg;
		break;
	case OPT_RAW:
		s->raw = true;
		break;
	case OPT_NO_THINK:
		s->params.flags |= LLAMUX_NO_THINK;
		break;
	case OPT_CTX:
		ok = parse_u32("--ctx", arg, 1, 1u << 24, &s->n_ctx);
		break;
	case OPT_KV:
		ok = parse_kv(arg, &s->kv_type);
		break;
	case OPT_BIAS:
		ok = add_bias(s, arg);
		break;
	case OPT_STOP:
		ok = add_stop(s, arg);
		break;
	case OPT_LOGPROBS:
		ok = parse_u32("--logprobs", arg, 1, 20,
			       &s->params.n_logprobs);
		break;
	case OPT_GRAMMAR:
		s->grammar = arg;
		break;
	case OPT_SCHEMA:
		s->schema = arg;
		break;
	case OPT_SHIFT:
		s->params.flags |= LLAMUX_SHIFT;
		break;
	case OPT_KEEP:
		ok = parse_u32("--keep", arg, 0, 1u << 24, &s->params.n_keep);
		break;
	default:
		ok = handle_sampler(s, val, arg);
	}
	return ok ? EXIT_OK : EXIT_USAGE;
}

static uint64_t random_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = 0;
	return seed;
}

/* The text goes to the model as it is: better said than guessed. */
static void note_unknown_format(struct llamux *l)
{
	struct llamux_info info;

	if (!llamux_info(l, &info) && !strcmp(info.chat, "unknown"))
		fprintf(stderr, "llamux: the chat format of this model is not "
			"known: no format is applied (see --raw)\n");
}

static void merge(const struct sampling *s, struct llamux_params *p)
{
	const struct llamux_params *from = &s->params;

	if (s->set & SET_TEMP)
		p->temperature_u = from->temperature_u;
	if (s->set & SET_TOP_K)
		p->top_k = from->top_k;
	if (s->set & SET_TOP_P)
		p->top_p_u = from->top_p_u;
	if (s->set & SET_MIN_P)
		p->min_p_u = from->min_p_u;
	if (s->set & SET_REPEAT)
		p->repeat_penalty_u = from->repeat_penalty_u;
	if (s->set & SET_PRESENCE)
		p->presence_penalty_u = from->presence_penalty_u;
	if (s->set & SET_FREQUENCY)
		p->frequency_penalty_u = from->frequency_penalty_u;
	if (s->set & SET_LAST_N)
		p->repeat_last_n = from->repeat_last_n;
	if (s->set & SET_TOKENS)
		p->max_tokens = from->max_tokens;
	p->seed = s->set & SET_SEED ? from->seed : random_seed();
	p->flags |= from->flags;
	if (s->raw)
		p->flags |= LLAMUX_RAW;
	p->n_keep = from->n_keep;
	p->n_logprobs = from->n_logprobs;
}

/* A grammar or a schema from a file, "-" is standard input. */
static int apply_grammar(const struct sampling *s, struct llamux *l)
{
	const char *path = s->grammar ? s->grammar : s->schema;
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *text = NULL;
	size_t n;
	int ret;

	if (s->grammar && s->schema)
		return usage_error("--grammar and --json-schema exclude each other");
	if (f)
		text = read_all(f, &n);
	if (f && f != stdin)
		fclose(f);
	if (!text)
		return usage_error("%s: %s", path, strerror(errno));
	ret = s->grammar ? llamux_set_grammar(l, text) :
			   llamux_set_json_schema(l, text);
	free(text);
	if (ret == -EINVAL || ret == -E2BIG)
		return usage_error("%s: %s", path, llamux_error(l));
	return ret ? fail(ret, "%s", llamux_error(l)) : EXIT_OK;
}

int sampling_apply(const struct sampling *s, struct llamux *l)
{
	struct llamux_params p;
	int ret = llamux_get_params(l, &p);

	if (!ret && !s->raw)
		note_unknown_format(l);
	if (!ret) {
		merge(s, &p);
		ret = llamux_set_params(l, &p);
	}
	if (!ret && s->n_stops)
		ret = llamux_set_stops(l, s->stops, s->n_stops);
	if (!ret && s->n_bias)
		ret = llamux_set_bias(l, s->bias, s->n_bias);
	if (ret == -EINVAL)
		return usage_error("%s", llamux_error(l));
	if (ret)
		return fail(ret, "%s", llamux_error(l));
	return s->grammar || s->schema ? apply_grammar(s, l) : EXIT_OK;
}
