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

#include "json.h"
#include "line.h"
#include "sampling.h"
#include "turn.h"

/* What was said, for /save. */
struct message {
	const char *role;
	char *text;
	size_t n;
};

struct chat {
	struct globals *g;
	struct llamux *l;
	struct sampling sampling;
	char *system;		/* put before the first message */
	char *model;		/* /model's, NULL: the one of the options */
	struct message *said;
	size_t n_said, room;
	bool quit;
};

static const char chat_help[] =
	"/help           say this\n"
	"/reset          forget the conversation\n"
	"/system TEXT    new instructions; forgets the conversation\n"
	"/system         no instructions; likewise\n"
	"/model NAME     talk to another model (with --user: a file); likewise\n"
	"/model          say which one it is\n"
	"/save FILE      write the conversation, as JSON\n"
	"/quit           end (Ctrl-D, too)\n"
	"Ctrl-C stops an answer. What is pasted may have several lines.\n";

/* ---- what was said ---- */

/* All but the first @n messages. */
static void forget(struct chat *c, size_t n)
{
	while (c->n_said > n)
		free(c->said[--c->n_said].text);
}

static int remember(struct chat *c, const char *role, const char *text,
		    size_t n)
{
	struct message *m;

	if (c->n_said == c->room) {
		size_t room = 2 * c->room + 16;

		m = realloc(c->said, room * sizeof(*m));
		if (!m)
			return fail(-ENOMEM, "%s", strerror(ENOMEM));
		c->said = m;
		c->room = room;
	}
	m = &c->said[c->n_said];
	*m = (struct message){ .role = role, .text = strndup(text, n), .n = n };
	if (!m->text)
		return fail(-ENOMEM, "%s", strerror(ENOMEM));
	c->n_said++;
	return EXIT_OK;
}

static int save(const struct chat *c, const char *file)
{
	FILE *f = fopen(file, "wx");
	struct json j;
	int err;

	if (!f)
		return fail(-errno, "%s: %s", file, strerror(errno));
	json_start(&j, f);
	json_open(&j, NULL, '[');
	for (size_t i = 0; i < c->n_said; i++) {
		json_open(&j, NULL, '{');
		json_str(&j, "role", c->said[i].role);
		json_text(&j, "content", c->said[i].text, c->said[i].n);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	err = ferror(f);
	if (fclose(f) || err)
		return fail(-EIO, "%s: %s", file, strerror(EIO));
	return EXIT_OK;
}

/* ---- commands ---- */

static int reset(struct chat *c)
{
	int ret = llamux_reset(c->l);

	if (ret)
		return fail(ret, "%s", llamux_error(c->l));
	forget(c, 0);
	return EXIT_OK;
}

static void introduce(struct chat *c)
{
	struct llamux_info info;

	if (llamux_info(c->l, &info))
		return;
	fputs("Talking to ", stderr);
	print_escaped(stderr, info.model, strlen(info.model));
	fputs(". /help says how.\n", stderr);
}

/* With the model that the options now say. The one before stays when it fails. */
static int open_chat(struct chat *c)
{
	struct llamux *l = NULL;
	int ret = open_llamux(c->g, 0, c->sampling.n_ctx, c->sampling.kv_type,
			      &l);

	if (!ret)
		ret = sampling_apply(&c->sampling, l);
	if (ret) {
		llamux_close(l);
		interrupt_watch(c->l);
		return ret;
	}
	interrupt_watch(l);
	llamux_close(c->l);
	c->l = l;
	forget(c, 0);
	return EXIT_OK;
}

static int change_model(struct chat *c, const char *name)
{
	const char *before = c->g->model;
	char *copy = strdup(name);
	int ret;

	if (!copy)
		return fail(-ENOMEM, "%s", strerror(ENOMEM));
	c->g->model = copy;
	ret = open_chat(c);
	if (ret) {
		c->g->model = before;
		free(copy);
		return ret;
	}
	free(c->model);
	c->model = copy;
	introduce(c);
	return EXIT_OK;
}

static int set_system(struct chat *c, const char *text)
{
	char *copy = *text ? strdup(text) : NULL;

	if (*text && !copy)
		return fail(-ENOMEM, "%s", strerror(ENOMEM));
	free(c->system);
	c->system = copy;
	return reset(c);
}

/* What follows the command @name in @line; NULL: it is another one. */
static const char *after(const char *line, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(line, name, n) || (line[n] && line[n] != ' '))
		return NULL;
	return line + n + strspn(line + n, " ");
}

/* What fails here does not end the conversation. */
static void command(struct chat *c, const char *line)
{
	const char *arg;

	if (!strcmp(line, "/help"))
		fputs(chat_help, stderr);
	else if (!strcmp(line, "/quit"))
		c->quit = true;
	else if (!strcmp(line, "/reset"))
		reset(c);
	else if ((arg = after(line, "/system")))
		set_system(c, arg);
	else if ((arg = after(line, "/model")) && *arg)
		change_model(c, arg);
	else if (arg)
		introduce(c);
	else if ((arg = after(line, "/save")) && *arg)
		save(c, arg);
	else
		usage_error("no command '%s' (/help)", line);
}

/* ---- turns ---- */

static int write_message(struct chat *c, const char *role, uint32_t number,
			 const char *text, uint32_t flags)
{
	size_t n = strlen(text);
	int ret = llamux_write(c->l, text, n, number, flags);

	return ret ? fail(ret, "%s", llamux_error(c->l)) :
		     remember(c, role, text, n);
}

static int say(struct chat *c, const char *line)
{
	struct turn t = { .copy = true };
	size_t before = c->n_said;
	int ret = EXIT_OK;

	if (c->system && !c->n_said)
		ret = write_message(c, "system", LLAMUX_ROLE_SYSTEM, c->system,
				    0);
	if (!ret)
		ret = write_message(c, "user", LLAMUX_ROLE_USER, line,
				    c->sampling.raw ? LLAMUX_WRITE_SPECIAL : 0);
	if (ret)
		return ret;
	ret = turn_run(&t, c->l);
	/* In a file the turns are apart, too. */
	if (!t.newline && !isatty(STDOUT_FILENO)) {
		putchar('\n');
		fflush(stdout);
	}
	if (t.n && remember(c, "assistant", t.text, t.n))
		ret = EXIT_FAILED;
	free(t.text);
	/* It is as if it had not been said. */
	if (ret && ret != EXIT_INTERRUPTED)
		forget(c, before);
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
			command(c, line);
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
	struct chat c = { .g = g };
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
	ret = open_chat(&c);
	if (ret)
		return ret;
	if (c.sampling.system)
		c.system = strdup(c.sampling.system);
	if (isatty(STDIN_FILENO))
		introduce(&c);
	ret = converse(&c);
	interrupt_watch(NULL);
	forget(&c, 0);
	free(c.said);
	free(c.system);
	free(c.model);
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
