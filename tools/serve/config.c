// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line of llamux-serve.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "options.h"
#include "tool.h"

enum { OPT_USER = 0x1000, OPT_SIMD, OPT_HELP, OPT_VERSION };

static const struct option options[] = {
	SERVE_OPTIONS,
	{ "user", no_argument, NULL, OPT_USER },
	{ "model", required_argument, NULL, 'm' },
	{ "threads", required_argument, NULL, 't' },
	{ "simd", required_argument, NULL, OPT_SIMD },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 }
};

static const char help[] =
	"usage: llamux-serve [OPTION...]\n"
	"Serve a language model over HTTP, as OpenAI and Ollama do.\n\n"
	SERVE_HELP
	"\n"
	"  --user              use the engine in this process, not the module\n"
	"  -m, --model FILE    with --user: its model's file; may be repeated\n"
	"  -t, --threads N     threads of the engine in this process\n"
	"  --simd NAME         auto, generic, avx2, ...: in this process\n"
	"  --help              say this and exit\n"
	"  --version           print the version and exit\n";

static bool number(const char *what, const char *s, uint32_t min,
		   uint32_t max, uint32_t *v)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(s, &end, 10);
	if (errno || !isdigit((unsigned char)*s) || *end || n < min ||
	    n > max) {
		fprintf(stderr, "llamux-serve: %s: '%s' is not a number from "
			"%u to %u\n", what, s, min, max);
		return false;
	}
	*v = (uint32_t)n;
	return true;
}

static bool kv_type(const char *s, uint32_t *v)
{
	/* By LLAMUX_KV_* */
	static const char *const names[] = { "f16", "f32", "q8_0", "q4_0" };

	for (*v = 0; *v < sizeof(names) / sizeof(names[0]); ++*v)
		if (!strcmp(s, names[*v]))
			return true;
	fprintf(stderr, "llamux-serve: --kv: '%s' is none of f16, f32, q8_0 and q4_0\n",
		s);
	return false;
}

static bool add_model(struct config *c, const char *file)
{
	if (c->n_models == MAX_MODELS) {
		fprintf(stderr, "llamux-serve: more than %d models\n",
			MAX_MODELS);
		return false;
	}
	c->models[c->n_models++] = file;
	return true;
}

/* Of the engine in this process. */
static bool handle_engine(struct config *c, int val, const char *arg)
{
	switch (val) {
	case OPT_USER:
		c->user = true;
		return true;
	case 'm':
		return add_model(c, arg);
	case 't':
		c->user = true;
		return number("-t", arg, 1, 1024, &c->threads);
	case OPT_SIMD:
		c->user = true;
		c->simd = arg;
		return true;
	case OPT_SERVE_CTX:
		return number("--ctx", arg, 1, 1u << 24, &c->n_ctx);
	case OPT_SERVE_KV:
		return kv_type(arg, &c->kv_type);
	default:	/* getopt_long() has said what is wrong */
		return false;
	}
}

static bool handle(struct config *c, int val, const char *arg)
{
	switch (val) {
	case OPT_SOCKET:
		c->socket = arg;
		return true;
	case OPT_LISTEN:
		c->listen = arg;
		return true;
	case OPT_TOKEN_FILE:
		c->token_file = arg;
		return true;
	case OPT_GROUP:
		c->group = arg;
		return true;
	case OPT_TURNS:
		return number("--turns", arg, 1, 1024, &c->turns);
	case OPT_QUEUE:
		return number("--queue", arg, 0, 4096, &c->queue);
	case OPT_CONNECTIONS:
		return number("--connections", arg, 1, 4096, &c->connections);
	case OPT_BODY:
		if (!number("--body", arg, 1, 1u << 16, &c->body))
			return false;
		c->body *= 1024;
		return true;
	case OPT_TIMEOUT:
		return number("--timeout", arg, 1, 86400, &c->timeout);
	default:
		return handle_engine(c, val, arg);
	}
}

static bool check(struct config *c, int argc, char **argv)
{
	const char *wrong = NULL;

	if (optind < argc) {
		fprintf(stderr, "llamux-serve: no argument '%s' is expected\n",
			argv[optind]);
		return false;
	}
	if (c->user && !c->n_models && getenv("LLAMUX_MODEL"))
		add_model(c, getenv("LLAMUX_MODEL"));
	if (c->user && !c->n_models)
		wrong = "--user needs a model: give one with -m FILE or set LLAMUX_MODEL";
	else if (!c->user && c->n_models)
		wrong = "-m needs --user: clients choose among the loaded models";
	else if (!c->user && (c->n_ctx || c->kv_type))
		wrong = "--ctx and --kv need --user: a loaded model has its own";
	else if (c->token_file && !c->listen)
		wrong = "--token-file needs --listen";
	if (wrong)
		fprintf(stderr, "llamux-serve: %s\n", wrong);
	if (!c->socket && !c->listen)
		c->socket = SERVE_SOCKET;
	return !wrong;
}

bool config_parse(struct config *c, int argc, char **argv, int *status)
{
	static char self[] = "llamux-serve";
	int val;

	*c = (struct config){ .group = "llamux", .turns = 8, .queue = 64,
			      .connections = 256, .body = 1u << 20,
			      .timeout = 600 };
	if (argc > 0)
		argv[0] = self;
	while ((val = getopt_long(argc, argv, "m:t:", options, NULL)) != -1) {
		*status = EXIT_OK;
		if (val == OPT_HELP) {
			fputs(help, stdout);
			return false;
		}
		if (val == OPT_VERSION) {
			printf("llamux-serve %s\n", LLAMUX_VERSION);
			return false;
		}
		*status = EXIT_USAGE;
		if (!handle(c, val, optarg))
			return false;
	}
	*status = EXIT_USAGE;
	return check(c, argc, argv);
}
