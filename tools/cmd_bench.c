// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux bench: prefill and decode tokens per second, of the module or of the
 * engine in this process.
 *
 * The tokens are the same everywhere: BOS, then numbers of a small generator.
 * Each repeat starts with an empty context, computes DEPTH tokens that are
 * not timed, then the prefill, then the decoding one token at a time.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_on.h"
#include "hash.h"
#include "json.h"

enum { OPT_TOKENS_OUT = 0x100, OPT_KV };

struct bench {
	uint32_t n_prefill, n_decode, depth, batch, repeats, kv_type, streams;
	bool kv_given;
	const char *tokens_out;
	uint32_t n;		/* tokens of a repeat */
	int32_t *ids;
	double *prefill, *decode;	/* tokens per second, sorted */
	void *row;
	size_t row_bytes;
	uint64_t hash;
};

static int handle_bench(void *ctx, int val, const char *arg)
{
	struct bench *b = ctx;
	uint32_t max = 1u << 20;
	bool ok = true;

	switch (val) {
	case 'p':
		ok = parse_u32("-p", arg, 0, max, &b->n_prefill);
		break;
	case 'n':
		ok = parse_u32("-n", arg, 0, max, &b->n_decode);
		break;
	case 'd':
		ok = parse_u32("-d", arg, 0, max, &b->depth);
		break;
	case 'b':
		ok = parse_u32("-b", arg, 1, max, &b->batch);
		break;
	case 's':
		ok = parse_u32("-s", arg, 1, 1024, &b->streams);
		break;
	case 'r':
		ok = parse_u32("-r", arg, 1, 1000, &b->repeats);
		break;
	case OPT_KV:
		ok = parse_kv(arg, &b->kv_type);
		b->kv_given = true;
		break;
	default:
		b->tokens_out = arg;
	}
	return ok ? EXIT_OK : EXIT_USAGE;
}

static void make_tokens(struct bench *b, const struct bench_on *on)
{
	uint64_t x = 1;

	for (uint32_t i = 0; i < b->n; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		b->ids[i] = (int32_t)((x >> 33) % on->n_vocab);
	}
	if (on->bos >= 0)
		b->ids[0] = on->bos;
}

static int write_tokens(const struct bench *b)
{
	FILE *f = fopen(b->tokens_out, "we");
	bool bad;

	if (!f)
		return fail(-EIO, "%s: %s", b->tokens_out, strerror(errno));
	for (uint32_t i = 0; i < b->n; i++)
		fprintf(f, "%d\n", b->ids[i]);
	bad = ferror(f);
	if (fclose(f) || bad)
		return fail(-EIO, "%s: %s", b->tokens_out, strerror(errno));
	return EXIT_OK;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static double rate(uint32_t n, uint64_t ns)
{
	return ns ? (double)n * 1e9 / (double)ns : 0;
}

static int repeat(struct bench *b, struct bench_on *on, uint32_t r)
{
	const int32_t *ids = b->ids;
	uint64_t start;
	int ret = 0;

	if (b->depth)
		ret = bench_eval(on, ids, b->depth, b->batch, b->row);
	ids += b->depth;
	start = now();
	if (!ret && b->n_prefill)
		ret = bench_eval(on, ids, b->n_prefill, b->batch, b->row);
	b->prefill[r] = rate(b->n_prefill * b->streams, now() - start);
	ids += b->n_prefill;
	start = now();
	for (uint32_t i = 0; !ret && i < b->n_decode && !interrupted(); i++)
		ret = bench_eval(on, ids + i, 1, 0, b->row);
	b->decode[r] = rate(b->n_decode * b->streams, now() - start);
	return ret;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(const double *sorted, uint32_t n)
{
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

static int measure(struct bench *b, struct bench_on *on)
{
	int ret;

	for (uint32_t r = 0; r < b->repeats && !interrupted(); r++) {
		ret = bench_start(on);
		if (!ret)
			ret = repeat(b, on, r);
		if (ret)
			return fail(ret, "%s", llamux_strerror(ret));
	}
	if (interrupted())
		return EXIT_INTERRUPTED;
	b->hash = hash_bytes(b->row, b->row_bytes);
	qsort(b->prefill, b->repeats, sizeof(double), compare);
	qsort(b->decode, b->repeats, sizeof(double), compare);
	return EXIT_OK;
}

static void runs(struct json *j, const char *key, const double *v, uint32_t n)
{
	json_open(j, key, '[');
	for (uint32_t i = 0; i < n; i++)
		json_real(j, NULL, v[i]);
	json_close(j, ']');
}

static void print_json(const struct bench *b, const struct bench_on *on)
{
	char hash[20];
	struct json j;

	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)b->hash);
	json_start(&j, stdout);
	json_open(&j, NULL, '{');
	json_str(&j, "engine", on->module ? "module" : "process");
	json_str(&j, "model", on->name);
	if (!on->module)
		json_str(&j, "file", on->file);
	json_str(&j, "arch", on->arch);
	json_str(&j, "type", on->type);
	json_u64(&j, "n_params", on->n_params);
	if (!on->module)
		json_u64(&j, "file_bytes", on->file_bytes);
	json_str(&j, "simd", on->simd);
	json_u64(&j, "threads", on->threads);
	if (!on->module)
		json_str(&j, "kv", kv_name(b->kv_type));
	json_u64(&j, "streams", b->streams);
	json_u64(&j, "n_prefill", b->n_prefill);
	json_u64(&j, "n_decode", b->n_decode);
	json_u64(&j, "depth", b->depth);
	json_u64(&j, "batch", b->batch);
	json_u64(&j, "repeats", b->repeats);
	json_real(&j, "prefill_tps", median(b->prefill, b->repeats));
	json_real(&j, "decode_tps", median(b->decode, b->repeats));
	runs(&j, "prefill_runs", b->prefill, b->repeats);
	runs(&j, "decode_runs", b->decode, b->repeats);
	json_str(&j, "logits_hash", hash);
	json_ids(&j, "tokens", b->ids, b->n);
	json_close(&j, '}');
}

static void print_rate(const char *what, uint32_t n, const double *v,
		       uint32_t repeats)
{
	if (n)
		printf("%-8s%6u tokens  %9.2f tokens/s  (%.2f to %.2f)\n",
		       what, n, median(v, repeats), v[0], v[repeats - 1]);
}

static void print_text(const struct bench *b, const struct bench_on *on)
{
	printf("%s, %s, %s, %u thread%s, %s, depth %u, median of %u\n",
	       on->name[0] ? on->name : "(no name)", on->type, on->simd,
	       on->threads, on->threads == 1 ? "" : "s",
	       on->module ? "the module" : "this process", b->depth,
	       b->repeats);
	if (b->streams > 1)
		printf("%u conversations at once, tokens of all\n",
		       b->streams);
	print_rate("prefill", b->n_prefill, b->prefill, b->repeats);
	print_rate("decode", b->n_decode, b->decode, b->repeats);
	printf("logits  %016llx\n", (unsigned long long)b->hash);
}

static int bench(const struct globals *g, struct bench *b)
{
	struct lx_engine_params ep = {
		.n_ctx = b->n,
		.n_batch = b->batch,
		.kv_type = b->kv_type,
	};
	struct bench_on on;
	int ret;

	ret = bench_open(&on, g, &ep, b->streams);
	if (!ret && on.module && b->kv_given)
		ret = usage_error("--kv: the module's is chosen when it loads");
	if (!ret) {
		b->row_bytes = (size_t)on.n_vocab * 4;
		b->row = calloc(1, b->row_bytes);
		b->ids = calloc(b->n, sizeof(*b->ids));
		b->prefill = calloc(b->repeats, sizeof(double));
		b->decode = calloc(b->repeats, sizeof(double));
		if (!b->row || !b->ids || !b->prefill || !b->decode)
			ret = fail(-ENOMEM, "%s", strerror(ENOMEM));
	}
	if (!ret) {
		make_tokens(b, &on);
		if (b->tokens_out)
			ret = write_tokens(b);
	}
	if (!ret)
		ret = measure(b, &on);
	if (!ret && g->json)
		print_json(b, &on);
	else if (!ret)
		print_text(b, &on);
	free(b->decode);
	free(b->prefill);
	free(b->ids);
	free(b->row);
	bench_close(&on);
	return ret;
}

static int main_bench(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "prefill", required_argument, NULL, 'p' },
		{ "decode", required_argument, NULL, 'n' },
		{ "depth", required_argument, NULL, 'd' },
		{ "batch", required_argument, NULL, 'b' },
		{ "streams", required_argument, NULL, 's' },
		{ "repeats", required_argument, NULL, 'r' },
		{ "tokens-out", required_argument, NULL, OPT_TOKENS_OUT },
		{ "kv", required_argument, NULL, OPT_KV },
		{ 0 }
	};
	struct bench b = { .n_prefill = 512, .n_decode = 128, .repeats = 3,
		.streams = 1 };
	int ret;

	ret = parse_options(g, argc, argv, &command_bench, "p:n:d:b:s:r:",
			    options, handle_bench, &b);
	if (ret)
		return ret;
	if (optind < argc)
		return usage_error("bench takes no argument '%s'",
				   argv[optind]);
	b.n = b.depth + b.n_prefill + b.n_decode;
	if (!(b.n_prefill + b.n_decode))
		return usage_error("bench: nothing to do");
	return bench(g, &b);
}

const struct command command_bench = {
	.name = "bench",
	.args = "",
	.summary = "Measure prefill and decode tokens per second",
	.options =
	"  -p, --prefill N     tokens of prefill (512)\n"
	"  -n, --decode N      tokens decoded one by one (128)\n"
	"  -d, --depth N       tokens in the context before (0)\n"
	"  -b, --batch N       tokens prefilled at a time\n"
	"  -s, --streams N     conversations at once; tokens of all are counted (1)\n"
	"  -r, --repeats N     median of N runs (3)\n"
	"  --tokens-out FILE   write the token ids, for llamux logits\n"
	"  --kv f16|f32|q8_0|q4_0  type of the KV cache\n",
	.main = main_bench,
};
