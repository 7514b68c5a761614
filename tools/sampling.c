// SPDX-License-Identifier: GPL-2.0-only
/*
 * The options of ask and chat that say how answers are made.
 */
#include <errno.h>
#include <sys/random.h>

#include "sampling.h"

enum {
	SET_TEMP = 1 << 0, SET_TOP_K = 1 << 1, SET_TOP_P = 1 << 2,
	SET_MIN_P = 1 << 3, SET_REPEAT = 1 << 4, SET_SEED = 1 << 5,
	SET_TOKENS = 1 << 6,
};

static bool real(struct sampling *s, const char *what, const char *arg,
		 uint32_t bit, uint32_t *v)
{
	s->set |= bit;
	return parse_millionths(what, arg, v);
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
	case OPT_CTX:
		ok = parse_u32("--ctx", arg, 1, 1u << 24, &s->n_ctx);
		break;
	case OPT_KV:
		ok = parse_kv(arg, &s->kv_type);
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

int sampling_apply(const struct sampling *s, struct llamux *l)
{
	const struct llamux_params *from = &s->params;
	struct llamux_params p;
	int ret = llamux_get_params(l, &p);

	if (ret)
		return fail(ret, "%s", llamux_error(l));
	if (s->set & SET_TEMP)
		p.temperature_u = from->temperature_u;
	if (s->set & SET_TOP_K)
		p.top_k = from->top_k;
	if (s->set & SET_TOP_P)
		p.top_p_u = from->top_p_u;
	if (s->set & SET_MIN_P)
		p.min_p_u = from->min_p_u;
	if (s->set & SET_REPEAT)
		p.repeat_penalty_u = from->repeat_penalty_u;
	if (s->set & SET_TOKENS)
		p.max_tokens = from->max_tokens;
	p.seed = s->set & SET_SEED ? from->seed : random_seed();
	if (s->raw)
		p.flags |= LLAMUX_RAW;
	ret = llamux_set_params(l, &p);
	if (ret == -EINVAL)
		return usage_error("%s", llamux_error(l));
	return ret ? fail(ret, "%s", llamux_error(l)) : EXIT_OK;
}
