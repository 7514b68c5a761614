// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux score: how likely given answers are. llamux embed: a text as numbers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "sampling.h"

enum { OPT_PROMPT = 0x200, OPT_POOLING };

/* ---- score ---- */

struct score {
	struct sampling sampling;
	const char *prompt;
};

static int handle_score(void *ctx, int val, const char *arg)
{
	struct score *o = ctx;

	if (val != OPT_PROMPT)
		return sampling_handle(&o->sampling, val, arg);
	o->prompt = arg;
	return EXIT_OK;
}

static void print_scores(const struct globals *g, char **text, size_t n,
			 const struct llamux_choice *c)
{
	struct json j;

	if (!g->json) {
		for (size_t i = 0; i < n; i++) {
			printf("%.6f\t%u\t", (double)c[i].lp_u / 1e6,
			       c[i].n_tokens);
			print_escaped(stdout, text[i], strlen(text[i]));
			putchar('\n');
		}
		return;
	}
	json_start(&j, stdout);
	json_open(&j, NULL, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(&j, NULL, '{');
		json_str(&j, "text", text[i]);
		json_real(&j, "logprob", (double)c[i].lp_u / 1e6);
		json_u64(&j, "n_tokens", c[i].n_tokens);
		json_close(&j, '}');
	}
	json_close(&j, ']');
}

static int score(const struct globals *g, const struct score *o, char **text,
		 size_t n)
{
	const struct sampling *s = &o->sampling;
	uint32_t flags = s->raw ? LLAMUX_WRITE_SPECIAL : 0;
	struct llamux_choice *c = calloc(n, sizeof(*c));
	struct llamux *l;
	int ret;

	if (!c)
		return fail(-ENOMEM, "%s", strerror(ENOMEM));
	ret = open_llamux(g, 0, s->n_ctx, s->kv_type, &l);
	if (ret) {
		free(c);
		return ret;
	}
	interrupt_watch(l);
	ret = sampling_apply(s, l);
	if (ret)
		goto out;
	if (s->system)
		ret = llamux_write(l, s->system, strlen(s->system),
				   LLAMUX_ROLE_SYSTEM, 0);
	if (!ret)
		ret = llamux_write(l, o->prompt, strlen(o->prompt),
				   LLAMUX_ROLE_USER, flags);
	if (!ret)
		ret = llamux_score(l, (const char *const *)text, n, c);
	if (ret)
		ret = fail(ret, "%s", llamux_error(l));
	else
		print_scores(g, text, n, c);
out:
	interrupt_watch(NULL);
	llamux_close(l);
	free(c);
	return ret;
}

static int main_score(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "prompt", required_argument, NULL, OPT_PROMPT },
		{ "system", required_argument, NULL, OPT_SYSTEM },
		{ "raw", no_argument, NULL, OPT_RAW },
		{ "ctx", required_argument, NULL, OPT_CTX },
		{ "kv", required_argument, NULL, OPT_KV },
		{ 0 }
	};
	struct score o = { 0 };
	size_t n;
	int ret;

	ret = parse_options(g, argc, argv, &command_score, "", options,
			    handle_score, &o);
	if (ret)
		return ret;
	n = (size_t)(argc - optind);
	if (!o.prompt || !*o.prompt || !n)
		return usage_error("score needs --prompt TEXT and what may follow it");
	if (n > LLAMUX_MAX_CHOICES)
		return usage_error("score: more than %d texts",
				   LLAMUX_MAX_CHOICES);
	for (size_t i = 0; i < n; i++)
		if (!*argv[optind + (int)i])
			return usage_error("score: an empty text");
	if (o.sampling.raw && o.sampling.system)
		return usage_error("--system and --raw exclude each other");
	return score(g, &o, argv + optind, n);
}

const struct command command_score = {
	.name = "score",
	.args = "--prompt TEXT CHOICE...",
	.summary = "How likely the model finds given answers",
	.options =
	"  --prompt TEXT       what comes before them\n"
	"  --system TEXT       instructions before the conversation\n"
	"  --raw               no chat format; control tokens are parsed\n"
	"  --ctx N             tokens of context (with --user)\n"
	"  --kv f16|f32|q8_0|q4_0  type of the KV cache (with --user)\n",
	.main = main_score,
};

/* ---- embed ---- */

struct embed {
	struct sampling sampling;
	uint32_t pooling;
};

static int handle_embed(void *ctx, int val, const char *arg)
{
	struct embed *o = ctx;

	if (val != OPT_POOLING)
		return sampling_handle(&o->sampling, val, arg);
	if (!strcmp(arg, "mean"))
		o->pooling = LLAMUX_POOL_MEAN;
	else if (!strcmp(arg, "last"))
		o->pooling = LLAMUX_POOL_LAST;
	else
		return usage_error("--pooling: '%s' is neither mean nor last",
				   arg);
	return EXIT_OK;
}

static void print_embedding(const struct globals *g, const struct embed *o,
			    const float *v, size_t n)
{
	struct json j;

	if (!g->json) {
		for (size_t i = 0; i < n; i++)
			printf("%.9g\n", (double)v[i]);
		return;
	}
	json_start(&j, stdout);
	json_open(&j, NULL, '{');
	json_str(&j, "pooling", o->pooling == LLAMUX_POOL_MEAN ? "mean" :
								 "last");
	json_open(&j, "embedding", '[');
	for (size_t i = 0; i < n; i++)
		json_real(&j, NULL, (double)v[i]);
	json_close(&j, ']');
	json_close(&j, '}');
}

static int embed(const struct globals *g, const struct embed *o,
		 const char *text, size_t n)
{
	struct llamux *l;
	float *v = NULL;
	ssize_t dim;
	int ret;

	ret = open_llamux(g, 0, o->sampling.n_ctx, o->sampling.kv_type, &l);
	if (ret)
		return ret;
	interrupt_watch(l);
	dim = llamux_embed(l, text, n, o->pooling, NULL, 0);
	if (dim > 0)
		v = calloc((size_t)dim, sizeof(*v));
	if (v)
		dim = llamux_embed(l, text, n, o->pooling, v, (size_t)dim);
	if (dim < 0 || !v)
		ret = fail(dim < 0 ? (int)dim : -ENOMEM, "%s",
			   dim < 0 ? llamux_error(l) : strerror(ENOMEM));
	else
		print_embedding(g, o, v, (size_t)dim);
	interrupt_watch(NULL);
	free(v);
	llamux_close(l);
	return ret;
}

static int main_embed(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "pooling", required_argument, NULL, OPT_POOLING },
		{ "ctx", required_argument, NULL, OPT_CTX },
		{ "kv", required_argument, NULL, OPT_KV },
		{ 0 }
	};
	struct embed o = { 0 };
	char *text;
	size_t n;
	int ret;

	ret = parse_options(g, argc, argv, &command_embed, "", options,
			    handle_embed, &o);
	if (ret)
		return ret;
	ret = text_argument(argc, argv, "text", &text, &n);
	if (ret)
		return ret;
	ret = embed(g, &o, text, n);
	free(text);
	return ret;
}

const struct command command_embed = {
	.name = "embed",
	.args = "[TEXT|-]",
	.summary = "A text as a vector of length 1",
	.options =
	"  --pooling mean|last of all tokens (default), or the last one\n"
	"  --ctx N             tokens of context (with --user)\n"
	"  --kv f16|f32|q8_0|q4_0  type of the KV cache (with --user)\n",
	.main = main_embed,
};
