// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux load, unload, default: which models the kernel holds.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "fit.h"
#include "json.h"
#include "reserve.h"

enum { OPT_NAME = 0x100, OPT_DEFAULT, OPT_CTX, OPT_SESSIONS, OPT_KV,
       OPT_FIT, OPT_RESERVE, OPT_ONCE };

struct load {
	struct llamux_load arg;
	const char *file, *name;
	bool fit, kv_given;
	struct reserve reserve;
	char shown[LLAMUX_NAME_MAX];
	bool json;
	int stop;		/* atomic: the bar's thread is to end */
};

static int handle_load(void *ctx, int val, const char *arg)
{
	struct load *o = ctx;
	bool ok = true;

	switch (val) {
	case OPT_NAME:
		o->name = arg;
		break;
	case OPT_DEFAULT:
		o->arg.flags |= LLAMUX_LOAD_DEFAULT;
		break;
	case OPT_CTX:
		ok = parse_u32("--ctx", arg, 1, 1u << 24, &o->arg.n_ctx);
		break;
	case OPT_SESSIONS:
		ok = parse_u32("--sessions", arg, 1, 1u << 16,
			       &o->arg.n_sessions);
		break;
	case OPT_FIT:
		o->fit = true;
		break;
	case OPT_ONCE:
		o->arg.flags |= LLAMUX_LOAD_ONCE;
		break;
	case OPT_RESERVE:
		ok = parse_reserve(arg, &o->reserve);
		break;
	default:
		o->kv_given = true;
		ok = parse_kv(arg, &o->arg.kv_type);
	}
	return ok ? EXIT_OK : EXIT_USAGE;
}

/* The ioctl blocks until the model is there; meanwhile this asks how far. */
static void *bar_main(void *arg)
{
	struct load *o = arg;
	uint64_t done, total;

	while (!__atomic_load_n(&o->stop, __ATOMIC_ACQUIRE)) {
		if (!llamux_load_progress(o->shown, &done, &total) &&
		    done < total)
			show_progress(o->shown, done, total);
		usleep(100000);
	}
	return NULL;
}

static int load(struct load *o, struct llamux_message *msg)
{
	bool tty = isatty(STDERR_FILENO);
	pthread_t bar;
	int ret;

	if (o->name)
		snprintf(o->shown, sizeof(o->shown), "%s", o->name);
	else
		llamux_model_name(o->file, o->shown);
	o->stop = 0;
	if (tty && pthread_create(&bar, NULL, bar_main, o))
		tty = false;
	ret = llamux_load_model(o->file, o->name, &o->arg, msg);
	__atomic_store_n(&o->stop, 1, __ATOMIC_RELEASE);
	if (tty) {
		pthread_join(bar, NULL);
		if (ret)
			fputs("\r\033[K", stderr);
		else
			show_progress(o->shown, 1, 1);
	}
	return ret;
}

/*
 * What is chosen may meet less memory than there was: then the next thing.
 * @msg: the choice that was loaded, or what is wrong.
 */
static int load_to_fit(struct globals *g, struct load *o,
		       struct llamux_message *msg)
{
	struct llamux_message chosen = { "" };
	struct fit f;
	int ret;

	ret = fit_open(&f, g, o->file, &o->arg, o->kv_given, msg);
	if (ret)
		return ret;
	ret = -ENOMEM;
	while (ret == -ENOMEM && fit_next(&f, &o->arg, msg)) {
		if (!o->json)
			puts(msg->text);
		chosen = *msg;
		ret = load(o, msg);
	}
	fit_close(&f);
	if (!ret)
		*msg = chosen;
	return ret;
}

/* @chosen: what --fit has to say, or NULL. */
static void print_loaded(const struct load *o, const char *chosen)
{
	struct json j;

	json_start(&j, stdout);
	json_open(&j, NULL, '{');
	json_str(&j, "name", o->shown);
	json_str(&j, "file", o->file);
	json_bool(&j, "default", o->arg.flags & LLAMUX_LOAD_DEFAULT);
	if (chosen)
		json_str(&j, "fit", chosen);
	else
		json_null(&j, "fit");
	json_close(&j, '}');
}

static int load_reserved(struct globals *g, struct load *o,
			 struct llamux_message *msg)
{
	int fd = -1, ret;

	o->arg.flags |= o->reserve.flag;
	if (o->reserve.flag == LLAMUX_LOAD_HUGETLB) {
		fd = reserve_huge(&o->reserve, g, o->file, msg);
		if (fd < 0)
			return fd;
		o->arg.reserve_fd = fd;
	}
	ret = load(o, msg);
	if (fd >= 0)
		close(fd);
	return ret;
}

static bool is_name(const char *s)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-";
	size_t n = strspn(s, good);

	return n && !s[n] && n < LLAMUX_NAME_MAX;
}

static int main_load(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "name", required_argument, NULL, OPT_NAME },
		{ "default", no_argument, NULL, OPT_DEFAULT },
		{ "ctx", required_argument, NULL, OPT_CTX },
		{ "sessions", required_argument, NULL, OPT_SESSIONS },
		{ "kv", required_argument, NULL, OPT_KV },
		{ "fit", no_argument, NULL, OPT_FIT },
		{ "reserve", required_argument, NULL, OPT_RESERVE },
		{ "once", no_argument, NULL, OPT_ONCE },
		{ 0 }
	};
	struct llamux_message msg = { "" };
	struct load o = { 0 };
	int ret;

	ret = parse_options(g, argc, argv, &command_load, "", options,
			    handle_load, &o);
	if (ret)
		return ret;
	if (g->user)
		return usage_error("load is for the module, not for --user");
	if (argc - optind != 1)
		return usage_error("load takes one FILE");
	o.file = argv[optind];
	if (g->as)
		snprintf(o.arg.as_type, sizeof(o.arg.as_type), "%s", g->as);
	if (o.fit && g->stream)
		return usage_error("--fit chooses whether to stream");
	if (o.reserve.flag && (o.fit || g->stream))
		return usage_error("--reserve goes with neither --fit nor --stream");
	if (o.arg.flags & LLAMUX_LOAD_ONCE && (o.fit || g->stream))
		return usage_error("--once goes with neither --fit nor --stream");
	if (g->stream)
		o.arg.flags |= LLAMUX_LOAD_STREAM;
	o.arg.memory = g->memory;
	if (o.name && !is_name(o.name))
		return usage_error("--name: 1 to %d characters, letters, digits and ._:-",
				   LLAMUX_NAME_MAX - 1);
	o.json = g->json;
	ret = o.fit ? load_to_fit(g, &o, &msg) :
	      o.reserve.flag ? load_reserved(g, &o, &msg) : load(&o, &msg);
	if (ret)
		return fail(ret, "%s", msg.text);
	if (o.json)
		print_loaded(&o, o.fit ? msg.text : NULL);
	return EXIT_OK;
}

static int named(struct globals *g, int argc, char **argv,
		 const struct command *cmd,
		 int (*act)(const char *name, struct llamux_message *msg))
{
	struct llamux_message msg = { "" };
	int ret;

	ret = parse_options(g, argc, argv, cmd, "", NULL, NULL, NULL);
	if (ret)
		return ret;
	if (g->user)
		return usage_error("%s is for the module, not for --user",
				   cmd->name);
	if (argc - optind != 1)
		return usage_error("%s takes one NAME", cmd->name);
	ret = act(argv[optind], &msg);
	return ret ? fail(ret, "%s", msg.text) : EXIT_OK;
}

static int main_unload(struct globals *g, int argc, char **argv)
{
	return named(g, argc, argv, &command_unload, llamux_unload_model);
}

static int main_default(struct globals *g, int argc, char **argv)
{
	return named(g, argc, argv, &command_default, llamux_default_model);
}

const struct command command_load = {
	.name = "load",
	.args = "FILE",
	.summary = "Load a model into the kernel",
	.options =
	"  --name NAME         what it is called (the file's name)\n"
	"  --default           new conversations use it\n"
	"  --ctx N             tokens of context\n"
	"  --sessions N        full contexts to plan memory for\n"
	"  --kv f16|f32|q8_0|q4_0  type of the KV cache\n"
	"  --fit               give up what must be so that it fits\n"
	"  --reserve hugetlb|memmap  weights in memory that was set aside\n"
	"  --once              let go of the file when it was read\n",
	.main = main_load,
};

const struct command command_unload = {
	.name = "unload",
	.args = "NAME",
	.summary = "Drop a model; conversations on it end first",
	.options = "",
	.main = main_unload,
};

const struct command command_default = {
	.name = "default",
	.args = "NAME",
	.summary = "Make a loaded model the default one",
	.options = "",
	.main = main_default,
};
