// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux: ask a language model that lives in the kernel.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

static const struct command *const commands[] = {
	&command_ask, &command_chat, &command_score, &command_embed,
	&command_load, &command_unload,
	&command_default, &command_attr, &command_limit, &command_prefix,
	&command_models, &command_ps, &command_status,
	&command_doctor, &command_top, &command_pull,
	&command_plan, &command_tokenize, &command_detokenize,
	&command_logits, &command_bench, &command_quantize,
	&command_serve,
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

enum { OPT_USER = 0x1000, OPT_SIMD, OPT_AS, OPT_STREAM, OPT_MEMORY,
       OPT_JSON, OPT_HELP, OPT_VERSION };

static const struct option global_options[] = {
	{ "user", no_argument, NULL, OPT_USER },
	{ "model", required_argument, NULL, 'm' },
	{ "threads", required_argument, NULL, 't' },
	{ "simd", required_argument, NULL, OPT_SIMD },
	{ "as", required_argument, NULL, OPT_AS },
	{ "stream", no_argument, NULL, OPT_STREAM },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 }
};

#define N_GLOBAL (sizeof(global_options) / sizeof(global_options[0]) - 1)
#define MAX_OPTIONS 40

static const char global_help[] =
	"  --user              use the engine in this process, not the module\n"
	"  -m, --model MODEL   a loaded model's name; with --user its file\n"
	"  -t, --threads N     threads of the engine in this process\n"
	"  --simd NAME         auto, generic, avx2, ...: in this process\n"
	"  --as TYPE           quantize the model to TYPE as it is loaded\n"
	"  --stream            read layers or experts from the file as they are needed\n"
	"  --memory SIZE       with it: keep as many as fit, e.g. 2G\n"
	"  --json              print JSON\n"
	"  --help              say this and exit\n"
	"  --version           print the version and exit\n";

int usage_error(const char *fmt, ...)
{
	va_list ap;

	fputs("llamux: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

int fail(int err, const char *fmt, ...)
{
	va_list ap;

	fputs("llamux: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	switch (-err) {
	case ENXIO:
		return EXIT_NO_DEVICE;
	case ENODEV:
	case ENOENT:
		return EXIT_NO_MODEL;
	case EMSGSIZE:
		return EXIT_TOO_LONG;
	case EINTR:
		return EXIT_INTERRUPTED;
	default:
		return EXIT_FAILED;
	}
}

/* Whether this CPU runs it is the engine's to say. */
static int check_simd(const char *arg)
{
	const char *name;
	bool usable;

	if (!strcmp(arg, "auto"))
		return EXIT_OK;
	for (u32 i = 0; (name = lx_simd_name(i, &usable)); i++)
		if (!strcmp(arg, name))
			return EXIT_OK;
	return usage_error("--simd: there is no '%s'", arg);
}

static int handle_global(struct globals *g, int val, const char *arg)
{
	switch (val) {
	case OPT_USER:
		g->user = true;
		return EXIT_OK;
	case 'm':
		g->model = arg;
		return EXIT_OK;
	case 't':
		g->user = true;
		return parse_u32("-t", arg, 1, USER_HOST_MAX_THREADS,
				 &g->threads) ? EXIT_OK : EXIT_USAGE;
	case OPT_SIMD:
		g->user = true;
		g->simd = arg;
		return check_simd(arg);
	case OPT_AS:
		g->as = arg;
		return check_type(arg);
	case OPT_STREAM:
		g->stream = true;
		return EXIT_OK;
	case OPT_MEMORY:
		return parse_size("--memory", arg, &g->memory) ? EXIT_OK :
								 EXIT_USAGE;
	case OPT_JSON:
		g->json = true;
		return EXIT_OK;
	case OPT_HELP:
		g->help = true;
		return EXIT_OK;
	case OPT_VERSION:
		printf("llamux %s\n", LLAMUX_VERSION);
		exit(fflush(stdout) ? EXIT_FAILED : EXIT_OK);
	default:	/* getopt_long() has said what is wrong */
		fputs("llamux: see --help\n", stderr);
		return EXIT_USAGE;
	}
}

static int help_command(const struct command *c)
{
	printf("usage: llamux %s [OPTION...]%s%s\n%s.\n", c->name,
	       *c->args ? " " : "", c->args, c->summary);
	printf("\n%s%s%s", c->options, *c->options ? "\n" : "", global_help);
	return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

static int help(FILE *f)
{
	fputs("usage: llamux [OPTION...] COMMAND [ARGUMENT...]\n"
	      "Ask a language model that lives in the kernel.\n\n", f);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(f, "  %-12s%s\n", commands[i]->name,
			commands[i]->summary);
	fprintf(f, "\n%s\n\"llamux COMMAND --help\" says more.\n",
		global_help);
	return fflush(f) ? EXIT_FAILED : EXIT_OK;
}

int parse_options(struct globals *g, int argc, char **argv,
		  const struct command *cmd, const char *short_own,
		  const struct option *own,
		  int (*handle)(void *ctx, int val, const char *arg),
		  void *ctx)
{
	struct option all[MAX_OPTIONS];
	char shorts[64];
	size_t n = 0;
	int val, ret;

	while (own && own[n].name && n + N_GLOBAL + 1 < MAX_OPTIONS) {
		all[n] = own[n];
		n++;
	}
	memcpy(all + n, global_options, sizeof(global_options));
	snprintf(shorts, sizeof(shorts), "m:t:%s", short_own);
	optind = 0;	/* start over, with permutation */
	while ((val = getopt_long(argc, argv, shorts, all, NULL)) != -1) {
		bool global = val == '?' || val == 'm' || val == 't' ||
			      val >= OPT_USER;

		ret = global ? handle_global(g, val, optarg) :
			       handle(ctx, val, optarg);
		if (ret)
			return ret;
	}
	if (g->help)
		exit(help_command(cmd));
	if (g->memory && !g->stream)
		return usage_error("--memory is for --stream");
	return EXIT_OK;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

/* ---- words that are no command ---- */

/* One letter more, less, another, or two that changed places? */
static bool mistyped(const char *word, const char *name)
{
	while (*word && *word == *name) {
		word++;
		name++;
	}
	if (!*word)
		return !*name || !name[1];
	return !strcmp(word + 1, name) ||
	       (*name && (!strcmp(word, name + 1) ||
			  !strcmp(word + 1, name + 1) ||
			  (word[0] == name[1] && word[1] == name[0] &&
			   !strcmp(word + 2, name + 2))));
}

/* What is meant by a word that is no command, or NULL. */
static const char *meant(const char *word)
{
	/* As others call it. */
	static const char *const elsewhere[][2] = {
		{ "run", "chat" }, { "generate", "ask" }, { "list", "models" },
		{ "ls", "models" }, { "rm", "unload" }, { "stop", "unload" },
		{ "download", "pull" }, { "server", "serve" },
		{ "sessions", "ps" }, { "info", "status" },
	};

	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (!strcmp(word, elsewhere[i][0]))
			return elsewhere[i][1];
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (mistyped(word, commands[i]->name))
			return commands[i]->name;
	return NULL;
}

static int no_command(const char *word)
{
	const char *name = meant(word);

	if (strpbrk(word, " \n"))
		return usage_error("that is no command: to ask it, llamux ask \"...\"");
	if (name)
		return usage_error("no command '%s': %s? (llamux --help)", word,
				   name);
	return usage_error("no command '%s' (llamux --help)", word);
}

/* argv[0] is what getopt_long() puts before its messages. */
static char self[] = "llamux";

int main(int argc, char **argv)
{
	struct globals g = { 0 };
	const struct command *c;
	int val, ret;

	if (argc < 1)
		return EXIT_USAGE;
	argv[0] = self;
	while ((val = getopt_long(argc, argv, "+m:t:", global_options,
				  NULL)) != -1) {
		ret = handle_global(&g, val, optarg);
		if (ret)
			return ret;
	}
	if (optind < argc && !strcmp(argv[optind], "help")) {
		g.help = true;
		optind++;
	}
	if (optind == argc) {
		if (g.help)
			return help(stdout);
		help(stderr);
		return EXIT_USAGE;
	}
	c = find(argv[optind]);
	if (!c)
		return no_command(argv[optind]);
	argv += optind;
	argc -= optind;
	argv[0] = self;
	ret = c->main(&g, argc, argv);
	/* What was promised on stdout must have got there. */
	if (fflush(stdout) || ferror(stdout)) {
		if (errno != EPIPE)
			fprintf(stderr, "llamux: standard output: %s\n",
				strerror(errno));
		return ret ? ret : EXIT_FAILED;
	}
	return ret;
}
