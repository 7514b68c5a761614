// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux quantize: a model file with other types of weights.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "json.h"
#include "quantize.h"

enum { OPT_PURE = 0x100 };

static int handle_quantize(void *ctx, int val, const char *arg)
{
	bool *pure = ctx;

	(void)val;
	(void)arg;
	*pure = true;
	return EXIT_OK;
}

static int on_progress(void *ctx, u64 done, u64 total)
{
	static int last = -1;
	int now = total ? (int)(done * 200 / total) : 0;

	if (now != last)
		show_progress(ctx, done, total);
	last = now;
	return interrupted() ? -EINTR : 0;
}

static void on_misfit(void *ctx, u32 n, u64 cols, u32 wanted, u32 type)
{
	(void)ctx;
	fprintf(stderr, "llamux: %u tensor%s with rows of %llu, which %s does "
		"not divide: %s\n", n, n == 1 ? "" : "s", cols,
		lx_type_name(wanted), lx_type_name(type));
}

static void report(const struct globals *g, const char *out, const char *type,
		   const struct quantize_result *r)
{
	char a[16], b[16];
	struct json j;

	if (!g->json) {
		printf("%s: %s, %s (from %s), %llu of %llu tensors converted\n",
		       out, type, human(r->bytes_out, a), human(r->bytes_in, b),
		       r->n_converted, r->n_tensors);
		return;
	}
	json_start(&j, stdout);
	json_open(&j, NULL, '{');
	json_str(&j, "file", out);
	json_str(&j, "type", type);
	json_u64(&j, "bytes_in", r->bytes_in);
	json_u64(&j, "bytes_out", r->bytes_out);
	json_u64(&j, "n_tensors", r->n_tensors);
	json_u64(&j, "n_converted", r->n_converted);
	json_close(&j, '}');
}

static int main_quantize(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "pure", no_argument, NULL, OPT_PURE },
		{ 0 }
	};
	static char what[] = "quantize";
	struct quantize_options o = {
		.host = { .progress = on_progress, .ctx = what },
		.misfit = on_misfit,
	};
	static struct quantize_result r;
	int ret;

	ret = parse_options(g, argc, argv, &command_quantize, "", options,
			    handle_quantize, &o.pure);
	if (ret)
		return ret;
	if (argc - optind != 3)
		return usage_error("quantize takes IN, OUT and TYPE");
	argv += optind;
	if (g->as)
		return usage_error("quantize takes TYPE, not --as");
	ret = check_type(argv[2]);
	if (ret)
		return ret;
	o.preset = lx_preset_find(argv[2]);
	o.simd = g->simd;
	o.host.n_threads = g->threads;
	interrupt_watch(NULL);
	/* A limit on the size of files is an error like a full disk. */
	signal(SIGXFSZ, SIG_IGN);
	ret = quantize_file(argv[0], argv[1], &o, &r);
	if (ret) {
		if (isatty(STDERR_FILENO))
			fputs("\r\033[K", stderr);
		return fail(ret, "%s", r.message);
	}
	if (r.quantized != ~0u)
		fprintf(stderr, "llamux: %s was quantized already (%s): errors "
			"add up\n", argv[0], lx_type_name(r.quantized));
	report(g, argv[1], o.preset->name, &r);
	return EXIT_OK;
}

const struct command command_quantize = {
	.name = "quantize",
	.args = "IN OUT TYPE",
	.summary = "Write a model file with other types of weights",
	.options =
	"  --pure              one type for all matrices, no mixture\n",
	.main = main_quantize,
};
