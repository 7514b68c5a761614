/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The options of ask and chat that say how answers are made.
 */
#ifndef SAMPLING_H
#define SAMPLING_H

#include "tool.h"

enum {
	OPT_TEMP = 0x100, OPT_TOP_K, OPT_TOP_P, OPT_MIN_P, OPT_REPEAT, OPT_SEED,
	OPT_SYSTEM, OPT_RAW, OPT_CTX, OPT_KV, OPT_PRESENCE, OPT_FREQUENCY,
	OPT_LAST_N, OPT_BIAS, OPT_STOP, OPT_LOGPROBS, OPT_SHIFT, OPT_KEEP,
	OPT_NO_THINK, OPT_GRAMMAR, OPT_SCHEMA,
};

#define SAMPLING_SHORT "n:"
#define SAMPLING_OPTIONS \
	{ "tokens", required_argument, NULL, 'n' }, \
	{ "temp", required_argument, NULL, OPT_TEMP }, \
	{ "top-k", required_argument, NULL, OPT_TOP_K }, \
	{ "top-p", required_argument, NULL, OPT_TOP_P }, \
	{ "min-p", required_argument, NULL, OPT_MIN_P }, \
	{ "repeat-penalty", required_argument, NULL, OPT_REPEAT }, \
	{ "presence-penalty", required_argument, NULL, OPT_PRESENCE }, \
	{ "frequency-penalty", required_argument, NULL, OPT_FREQUENCY }, \
	{ "repeat-last-n", required_argument, NULL, OPT_LAST_N }, \
	{ "logit-bias", required_argument, NULL, OPT_BIAS }, \
	{ "stop", required_argument, NULL, OPT_STOP }, \
	{ "grammar", required_argument, NULL, OPT_GRAMMAR }, \
	{ "json-schema", required_argument, NULL, OPT_SCHEMA }, \
	{ "shift", no_argument, NULL, OPT_SHIFT }, \
	{ "keep", required_argument, NULL, OPT_KEEP }, \
	{ "seed", required_argument, NULL, OPT_SEED }, \
	{ "system", required_argument, NULL, OPT_SYSTEM }, \
	{ "raw", no_argument, NULL, OPT_RAW }, \
	{ "no-think", no_argument, NULL, OPT_NO_THINK }, \
	{ "ctx", required_argument, NULL, OPT_CTX }, \
	{ "kv", required_argument, NULL, OPT_KV }, \
	{ 0 }

#define SAMPLING_HELP \
	"  -n, --tokens N      at most N tokens of answer; 0: no limit\n" \
	"  --temp T            temperature; 0: always the likeliest token\n" \
	"  --top-k K           only the K likeliest tokens; 0: all\n" \
	"  --top-p P           only the likeliest that add up to P\n" \
	"  --min-p P           only those at least P times the likeliest\n" \
	"  --repeat-penalty R  make recent tokens less likely; 1: do not\n" \
	"  --presence-penalty P, --frequency-penalty F\n" \
	"                      take P off a recent token's logit, F for each time\n" \
	"  --repeat-last-n N   how many tokens are recent, at most 1024 (64)\n" \
	"  --logit-bias ID=B   add B to that token's logit; \"never\": not chosen\n" \
	"  --stop TEXT         end before this text; may be given several times\n" \
	"  --grammar FILE      answer in the language of this GBNF grammar\n" \
	"  --json-schema FILE  answer in JSON that fits this schema\n" \
	"  --shift             a full context drops its older half and goes on\n" \
	"  --keep N            but not the first N tokens\n" \
	"  --seed S            same seed, same answer (default: random)\n" \
	"  --system TEXT       instructions before the conversation\n" \
	"  --raw               no chat format; control tokens are parsed\n" \
	"  --no-think          no thoughts before the answer, if the model can\n" \
	"  --ctx N             tokens of context (with --user)\n" \
	"  --kv f16|f32|q8_0|q4_0  type of the KV cache (with --user)\n"

struct sampling {
	uint32_t set;		/* bits below: given on the command line */
	struct llamux_params params;
	const char *system;
	bool raw;
	uint32_t n_ctx, kv_type;
	const char *stops[LLAMUX_MAX_STOPS];
	size_t n_stops;
	struct llamux_bias bias[LLAMUX_MAX_BIAS];
	size_t n_bias;
	const char *grammar, *schema;	/* files */
};

/* For parse_options(). */
int sampling_handle(void *ctx, int val, const char *arg);
/* Put what was given into the conversation's parameters; complains. */
int sampling_apply(const struct sampling *s, struct llamux *l);

#endif
