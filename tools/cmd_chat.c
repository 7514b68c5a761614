// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux chat: a conversation, line by line.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "line.h"
#include "sampling.h"
#include "turn.h"

struct chat {
	struct llamux *l;
	struct sampling sampling;
	char *system;		/* put before the first message */
	bool begun;		/* it has been */
	bool quit;
};

static const char chat_help[] =
	"/help           say this\n"
	"/reset          forget the conversation\n"
	"/system TEXT    new instructions; forgets the conversation\n"
	"/quit           end (Ctrl-D, too)\n"
	"Ctrl-C stops an answer.\n";

static int reset(struct chat *c)
{
	int ret = llamux_reset(c->l);

	if (ret)
		return fail(ret, "%s", llamux_error(c->l));
	c->begun = false;
	return EXIT_OK;
}

static int command(struct chat *c, const char *line)
{
	if (!strcmp(line, "/help")) {
		fputs(chat_help, stderr);
	} else if (!strcmp(line, "/quit")) {
		c->quit = true;
	} else if (!strcmp(line, "/reset")) {
		return reset(c);
	} else if (!strncmp(line, "/system ", 8)) {
		free(c->system);
		c->system = strdup(line + 8);
		return reset(c);
	} else {
		usage_error("no command '%s' (/help)", line);
	}
	return EXIT_OK;
}

static int say(struct chat *c, const char *line)
{
	struct turn t = { 0 };
	int ret = 0;

	if (c->system && !c->begun)
		ret = llamux_write(c->l, c->system, strlen(c->system),
				   LLAMUX_ROLE_SYSTEM, 0);
	if (!ret)
		ret = llamux_write(c->l, line, strlen(line), LLAMUX_ROLE_USER,
				   c->sampling.raw ? LLAMUX_WRITE_SPECIAL : 0);
	if (ret)
		return fail(ret, "%s", llamux_error(c->l));
	ret = turn_run(&t, c->l);
	/* In a file the turns are apart, too. */
	if (!t.newline && !isatty(STDOUT_FILENO)) {
		putchar('\n');
		fflush(stdout);
	}
	if (!ret || ret == EXIT_INTERRUPTED)
		c->begun = true;
	return ret;
}

/* What ends the program; other failures end the turn. */
static bool fatal(int code)
{
	return code && code != EXIT_INTERRUPTED && code != EXIT_TOO_LONG;
}

static int converse(struct chat *c)
{
	bool tty = isatty(STDIN_FILENO);
	int ret = EXIT_OK;
	char *line;

	while (!c->quit && !fatal(ret)) {
		interrupt_clear();
		line = line_read("> ");
		if (!line && interrupted()) {
			if (tty)
				putchar('\n');
			continue;
		}
		if (!line)
			break;
		if (*line)
			line_remember(line);
		if (*line == '/')
			ret = command(c, line);
		else if (*line)
			ret = say(c, line);
		free(line);
	}
	if (tty && !c->quit)
		putchar('\n');
	return fatal(ret) ? ret : EXIT_OK;
}

static int main_chat(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = { SAMPLING_OPTIONS };
	struct chat c = { 0 };
	struct llamux_info info;
	int ret;

	ret = parse_options(g, argc, argv, &command_chat, SAMPLING_SHORT,
			    options, sampling_handle, &c.sampling);
	if (ret)
		return ret;
	if (optind < argc)
		return usage_error("chat takes no argument '%s'",
				   argv[optind]);
	if (g->json)
		return usage_error("chat does not speak JSON");
	ret = open_llamux(g, 0, c.sampling.n_ctx, c.sampling.kv_type, &c.l);
	if (ret)
		return ret;
	interrupt_watch(c.l);
	if (c.sampling.system)
		c.system = strdup(c.sampling.system);
	ret = sampling_apply(&c.sampling, c.l);
	if (!ret && isatty(STDIN_FILENO) && !llamux_info(c.l, &info)) {
		fputs("Talking to ", stderr);
		print_escaped(stderr, info.model, strlen(info.model));
		fputs(". /help says how.\n", stderr);
	}
	if (!ret)
		ret = converse(&c);
	interrupt_watch(NULL);
	free(c.system);
	llamux_close(c.l);
	return ret;
}

const struct command command_chat = {
	.name = "chat",
	.args = "",
	.summary = "Talk, line by line; Ctrl-C stops an answer",
	.options = SAMPLING_HELP,
	.main = main_chat,
};
