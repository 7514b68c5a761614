// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux plan: what a model would take, before it takes it.
 */
#include <inttypes.h>
#include <string.h>

#include "engine.h"
#include "json.h"
#include "reserve.h"

enum { OPT_CTX = 0x100, OPT_SESSIONS, OPT_KV, OPT_AVAILABLE,
       OPT_RESERVE };

struct wish {
	struct lx_engine_params ep;
	uint64_t available;	/* 0: what the kernel says */
	bool stream;
	uint64_t speed;		/* of the disk, where layers are streamed */
	struct reserve reserve;
	uint64_t reserved;	/* bytes of it that weights take */
};

static int handle_plan(void *ctx, int val, const char *arg)
{
	struct wish *w = ctx;
	struct lx_engine_params *ep = &w->ep;
	bool ok;

	switch (val) {
	case OPT_CTX:
		ok = parse_u32("--ctx", arg, 1, 1u << 24, &ep->n_ctx);
		break;
	case OPT_SESSIONS:
		ok = parse_u32("--sessions", arg, 1, 1u << 16,
			       &ep->n_sessions);
		break;
	case OPT_AVAILABLE:
		ok = parse_u64("--available", arg, &w->available);
		break;
	case OPT_RESERVE:
		ok = parse_reserve(arg, &w->reserve);
		break;
	default:
		ok = parse_kv(arg, &ep->kv_type);
	}
	return ok ? EXIT_OK : EXIT_USAGE;
}

static void line(const char *what, uint64_t bytes)
{
	char buf[16];

	printf("%-10s%16" PRIu64 "  %s\n", what, bytes, human(bytes, buf));
}

/* When nothing but the disk takes time, and no expert that is chosen is there. */
static double tokens_per_minute(const struct lx_plan *p, uint64_t speed)
{
	return 60.0 * (double)speed / (double)p->info.stream_bytes;
}

static void print_stream(const struct lx_plan *p, uint64_t speed)
{
	char bytes[16], second[16];

	if (!p->info.n_streamed) {
		puts("all layers stay in memory");
		return;
	}
	if (p->n_slots) {
		printf("%u of %u experts stay in memory, a token reads %s at most\n",
		       p->n_slots, p->info.n_layer * p->info.n_expert,
		       human(p->info.stream_bytes, bytes));
		printf("the disk reads %s a second: %.1f tokens a minute when no expert that is chosen is there, more otherwise\n",
		       human(speed, second), tokens_per_minute(p, speed));
		return;
	}
	printf("%u of %u layers are streamed, %s a step\n", p->info.n_streamed,
	       p->info.n_layer, human(p->info.stream_bytes, bytes));
	printf("the disk reads %s a second: %.1f tokens a minute, as many again for each further conversation\n",
	       human(speed, second), tokens_per_minute(p, speed));
}

static bool fits(const struct lx_plan *p, const struct wish *w)
{
	if (w->reserve.flag &&
	    (!w->reserved || w->reserved > w->reserve.unused))
		return false;
	return !lx_plan_missing(p, w->available);
}

static void print_reserve(const struct lx_plan *p, const struct wish *w)
{
	const struct reserve *r = &w->reserve;
	char need[16], there[16];

	if (!w->reserved)
		printf("%s of weights must be in one piece: more than a huge page\n",
		       human(p->block_bytes, need));
	else if (r->page)
		printf("weights lie in %" PRIu64 " huge pages of %s, %" PRIu64 " are free\n",
		       w->reserved / r->page, human(r->page, need),
		       r->unused / r->page);
	else
		printf("weights lie in the range of the module: %s, %s are free\n",
		       human(w->reserved, need), human(r->unused, there));
}

static void print_text(const struct lx_plan *p, const struct wish *w,
		       const struct lx_advice *a)
{
	const struct lx_model_info *m = &p->info;
	char buf[16];

	printf("model     %s, %s, %s, %.1f M parameters\n",
	       m->name[0] ? m->name : "(no name)", m->arch, m->type,
	       (double)m->n_params / 1e6);
	line("file", p->file);
	line("weights", p->weights);
	line("control", p->control);
	line("kv", p->kv);
	line("scratch", p->scratch);
	line("total", p->total);
	line("available", w->available);
	printf("kv is for %u session%s of %u tokens, %s a token\n",
	       p->n_sessions, p->n_sessions == 1 ? "" : "s", p->n_ctx,
	       human(p->kv_per_token, buf));
	printf("a session with a grammar takes up to %s more",
	       human(p->grammar, buf));
	printf(", the first one %s beside\n", human(p->lexicon, buf));
	if (p->n_ctx < m->n_ctx_train)
		printf("the model was trained for %u tokens: --ctx takes more\n",
		       m->n_ctx_train);
	if (w->stream)
		print_stream(p, w->speed);
	if (w->reserve.flag)
		print_reserve(p, w);
	if (fits(p, w))
		puts("fits now");
	else if (a->missing)
		printf("does not fit now: %s missing\n",
		       human(a->missing, buf));
	else
		puts("does not fit now");
	if (a->n_ctx)
		printf("a context of %u tokens fits\n", a->n_ctx);
	if (a->type)
		printf("weights of %s fit (--as)\n", a->type);
	if (a->stream)
		printf("streamed it takes %s (--stream)\n",
		       human(a->stream, buf));
}

static void print_json(const struct lx_plan *p, const struct wish *w,
		       const struct lx_advice *a)
{
	struct json j;

	json_start(&j, stdout);
	json_open(&j, NULL, '{');
	json_str(&j, "name", p->info.name);
	json_str(&j, "arch", p->info.arch);
	json_str(&j, "type", p->info.type);
	json_u64(&j, "n_params", p->info.n_params);
	json_u64(&j, "file", p->file);
	json_u64(&j, "weights", p->weights);
	json_u64(&j, "control", p->control);
	json_u64(&j, "kv", p->kv);
	json_u64(&j, "scratch", p->scratch);
	json_u64(&j, "total", p->total);
	json_u64(&j, "kv_per_token", p->kv_per_token);
	json_u64(&j, "grammar", p->grammar);
	json_u64(&j, "lexicon", p->lexicon);
	json_u64(&j, "n_ctx", p->n_ctx);
	json_u64(&j, "n_ctx_train", p->info.n_ctx_train);
	json_u64(&j, "n_sessions", p->n_sessions);
	json_u64(&j, "available", w->available);
	json_bool(&j, "fits", fits(p, w));
	json_u64(&j, "missing", a->missing);
	json_u64(&j, "fits_ctx", a->n_ctx);
	json_str(&j, "fits_type", a->type ? a->type : "");
	json_u64(&j, "fits_stream", a->stream);
	if (w->reserve.flag) {
		json_u64(&j, "reserved", w->reserved);
		json_u64(&j, "reserve_free", w->reserve.unused);
	}
	if (w->stream) {
		json_u64(&j, "streamed_layers", p->info.n_streamed);
		json_u64(&j, "streamed_bytes", p->info.stream_bytes);
	}
	if (p->n_slots) {
		json_u64(&j, "experts", (uint64_t)p->info.n_layer *
					p->info.n_expert);
		json_u64(&j, "experts_kept", p->n_slots);
	}
	if (w->stream && p->info.n_streamed) {
		json_u64(&j, "disk_bytes_per_s", w->speed);
		json_real(&j, "tokens_per_minute",
			  tokens_per_minute(p, w->speed));
	}
	json_close(&j, '}');
}

/* What is set aside. To have none is not the same as to want none. */
static int look(struct wish *w, struct lx_model_params *mp)
{
	int ret;

	if (w->stream)
		return usage_error("--reserve does not go with --stream");
	ret = reserve_look(&w->reserve);
	mp->reserved = w->reserve.unused ? w->reserve.unused : 1;
	return ret;
}

static int main_plan(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "ctx", required_argument, NULL, OPT_CTX },
		{ "sessions", required_argument, NULL, OPT_SESSIONS },
		{ "kv", required_argument, NULL, OPT_KV },
		{ "available", required_argument, NULL, OPT_AVAILABLE },
		{ "reserve", required_argument, NULL, OPT_RESERVE },
		{ 0 }
	};
	struct user_host_options opt = { 0 };
	struct lx_model_params mp = { 0 };
	struct wish wish = { .available = 0 };
	struct lx_error err = { 0 };
	struct lx_advice advice;
	struct lx_plan plan;
	const char *file;
	struct local l;
	int ret;

	ret = parse_options(g, argc, argv, &command_plan, "", options,
			    handle_plan, &wish);
	if (ret)
		return ret;
	if (argc - optind > 1)
		return usage_error("plan takes one FILE");
	if (optind < argc)
		g->model = argv[optind];
	opt.n_threads = g->threads;
	mp.simd = g->simd;
	mp.as = g->as;
	mp.stream = g->stream;
	mp.memory = g->memory;
	wish.stream = g->stream;
	file = model_file(g);
	if (!file)
		return EXIT_NO_MODEL;
	ret = wish.reserve.flag ? look(&wish, &mp) : EXIT_OK;
	if (ret)
		return ret;
	ret = local_open_files(&l, file, g->stream, &opt);
	if (ret)
		return fail(ret, "%s", l.message);
	reserve_cut(&wish.reserve, l.host);
	if (!wish.available)
		wish.available = l.host->ops->available(l.host);
	ret = lx_plan(l.host, l.files.sources, l.files.n, &mp, &wish.ep, &plan,
		      &err);
	if (!ret)
		ret = lx_advise(l.host, l.files.sources, l.files.n, &mp,
				&wish.ep, &plan, wish.available, &advice);
	wish.reserved = ret ? 0 : reserve_needed(&wish.reserve, &plan);
	if (!ret && plan.info.n_streamed)
		ret = measure_disk(l.host, l.files.sources, l.files.n,
				   &wish.speed);
	if (ret)
		ret = fail(ret, "%s: %s", file,
			   err.msg[0] ? err.msg : llamux_strerror(ret));
	else if (g->json)
		print_json(&plan, &wish, &advice);
	else
		print_text(&plan, &wish, &advice);
	local_close(&l);
	return ret;
}

const struct command command_plan = {
	.name = "plan",
	.args = "FILE",
	.summary = "Tell how much memory a model file would take",
	.options =
	"  --ctx N             tokens of context\n"
	"  --sessions N        full contexts at the same time\n"
	"  --kv f16|f32|q8_0|q4_0  type of the KV cache\n"
	"  --available BYTES   as if so much memory were there\n"
	"  --reserve hugetlb|memmap  weights in memory that was set aside\n",
	.main = main_plan,
};
