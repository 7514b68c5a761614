// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux logits: what the model computes, as numbers, for tests.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "hash.h"
#include "json.h"

enum { OPT_TOKENS = 0x100, OPT_ALL, OPT_BATCH, OPT_CTX, OPT_KV };

struct logits {
	const char *tokens, *out;
	bool all;
	uint32_t batch, n_ctx, kv_type;
	int32_t *ids;
	size_t n;
	uint64_t hash;
	uint64_t rows;
};

static int handle_logits(void *ctx, int val, const char *arg)
{
	struct logits *o = ctx;
	bool ok = true;

	switch (val) {
	case OPT_TOKENS:
		o->tokens = arg;
		break;
	case OPT_ALL:
		o->all = true;
		break;
	case OPT_BATCH:
		ok = parse_u32("--batch", arg, 1, 1u << 20, &o->batch);
		break;
	case OPT_CTX:
		ok = parse_u32("--ctx", arg, 1, 1u << 24, &o->n_ctx);
		break;
	case OPT_KV:
		ok = parse_kv(arg, &o->kv_type);
		break;
	default:
		o->out = arg;
	}
	return ok ? EXIT_OK : EXIT_USAGE;
}

static int read_ids(struct logits *o)
{
	FILE *f = strcmp(o->tokens, "-") ? fopen(o->tokens, "re") : stdin;
	char *text;
	size_t n;

	if (!f)
		return fail(-errno == -ENOENT ? -EIO : -errno, "%s: %s",
			    o->tokens, strerror(errno));
	text = read_all(f, &n);
	if (f != stdin)
		fclose(f);
	if (!text)
		return fail(-EIO, "%s: cannot be read", o->tokens);
	o->ids = parse_ids(text, &o->n);
	free(text);
	if (!o->ids)
		return EXIT_USAGE;
	return o->n ? EXIT_OK : usage_error("%s: no tokens", o->tokens);
}

static int check_ids(const struct logits *o, uint32_t n_vocab)
{
	for (size_t i = 0; i < o->n; i++)
		if ((uint32_t)o->ids[i] >= n_vocab)
			return usage_error("%s: id %d is beyond the "
					   "vocabulary of %u", o->tokens,
					   o->ids[i], n_vocab);
	return EXIT_OK;
}

/* A piece at a time, so that --all needs the memory of one. */
static int evaluate(struct logits *o, struct local *l, FILE *f)
{
	size_t row = (size_t)lx_model_info(l->model)->n_vocab * 4;
	struct lx_session_params p;
	struct lx_engine_info info;
	struct lx_session *s;
	size_t at, step;
	char *buf;
	int ret;

	lx_engine_info(l->engine, &info);
	step = o->batch ? o->batch : info.n_batch;
	lx_session_defaults(&p);
	ret = lx_session_open(l->engine, &p, &s);
	if (ret)
		return ret;
	buf = calloc(o->all ? lx_min(step, o->n) : 1, row);
	if (!buf)
		ret = -ENOMEM;
	for (at = 0; !ret && at < o->n; at += step) {
		size_t n = lx_min(step, o->n - at);
		size_t rows = o->all ? n : 1;

		ret = lx_engine_logits(l->engine, s, o->ids + at, (u32)n,
				       o->batch, o->all, buf);
		if (ret || (!o->all && at + n < o->n))
			continue;
		if (fwrite(buf, row, rows, f) != rows)
			ret = -errno;
		o->rows += rows;
		o->hash = hash_bytes(buf + (rows - 1) * row, row);
	}
	free(buf);
	lx_session_close(s);
	return ret;
}

static void report(const struct logits *o, const struct local *l)
{
	const struct lx_model_info *m = lx_model_info(l->model);
	char hash[20];
	struct json j;

	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)o->hash);
	json_start(&j, stdout);
	json_open(&j, NULL, '{');
	json_u64(&j, "n_vocab", m->n_vocab);
	json_u64(&j, "rows", o->rows);
	json_u64(&j, "n_tokens", o->n);
	json_str(&j, "simd", m->simd);
	json_u64(&j, "threads", l->host->n_workers);
	json_str(&j, "logits_hash", hash);
	json_close(&j, '}');
}

static int run(const struct globals *g, struct logits *o)
{
	struct lx_engine_params ep = {
		.n_ctx = o->n_ctx ? o->n_ctx : (u32)o->n,
		.n_batch = o->batch,
		.kv_type = o->kv_type,
	};
	struct local l;
	FILE *f;
	int ret;

	ret = open_engine(g, &ep, &l);
	if (ret)
		return ret;
	ret = check_ids(o, lx_model_info(l.model)->n_vocab);
	if (ret)
		goto out;
	f = strcmp(o->out, "-") ? fopen(o->out, "we") : stdout;
	if (!f) {
		ret = fail(-EIO, "%s: %s", o->out, strerror(errno));
		goto out;
	}
	ret = evaluate(o, &l, f);
	if (f != stdout && fclose(f) && !ret)
		ret = -errno;
	if (ret)
		ret = fail(ret, "%s", llamux_strerror(ret));
	else if (g->json && f != stdout)
		report(o, &l);
out:
	local_close(&l);
	return ret;
}

static int main_logits(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "tokens", required_argument, NULL, OPT_TOKENS },
		{ "all", no_argument, NULL, OPT_ALL },
		{ "batch", required_argument, NULL, OPT_BATCH },
		{ "output", required_argument, NULL, 'o' },
		{ "ctx", required_argument, NULL, OPT_CTX },
		{ "kv", required_argument, NULL, OPT_KV },
		{ 0 }
	};
	struct logits o = { 0 };
	int ret;

	ret = parse_options(g, argc, argv, &command_logits, "o:", options,
			    handle_logits, &o);
	if (ret)
		return ret;
	if (optind < argc)
		return usage_error("logits takes no argument '%s'",
				   argv[optind]);
	if (!o.tokens || !o.out)
		return usage_error("logits needs --tokens FILE and -o OUT");
	ret = read_ids(&o);
	if (!ret)
		ret = run(g, &o);
	free(o.ids);
	return ret;
}

const struct command command_logits = {
	.name = "logits",
	.args = "--tokens FILE -o OUT",
	.summary = "Write logits of given tokens, float32, row by row",
	.options =
	"  --tokens FILE       token ids, white space between them\n"
	"  -o, --output OUT    where the rows go\n"
	"  --all               of every position, not only the last\n"
	"  --batch B           prefill B tokens at a time\n"
	"  --ctx N             tokens of context\n"
	"  --kv f16|f32|q8_0|q4_0  type of the KV cache\n",
	.main = main_logits,
};
