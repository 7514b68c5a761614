// SPDX-License-Identifier: GPL-2.0-only
/*
 * A line from the user.
 *
 * libedit is looked for at run time, so that the command has no need of it
 * on machines that only run it from scripts.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "line.h"

/* As in <editline/readline.h>. */
typedef char *(*readline_fn)(const char *prompt);
typedef int (*add_history_fn)(const char *line);

static readline_fn edit_line;
static add_history_fn edit_remember;

static bool edit_open(void)
{
	static bool tried;
	void *lib;

	if (tried)
		return edit_line != NULL;
	tried = true;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return false;
	lib = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return false;
	edit_remember = (add_history_fn)dlsym(lib, "add_history");
	edit_line = (readline_fn)dlsym(lib, "readline");
	return edit_line != NULL;
}

char *line_read(const char *prompt)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	errno = 0;
	if (edit_open())
		return edit_line(prompt);
	if (isatty(STDIN_FILENO)) {
		fputs(prompt, stdout);
		fflush(stdout);
	}
	n = getline(&line, &room, stdin);
	if (n < 0) {
		if (errno == EINTR)
			clearerr(stdin);
		free(line);
		return NULL;
	}
	if (n && line[n - 1] == '\n')
		line[n - 1] = '\0';
	return line;
}

void line_remember(const char *line)
{
	if (edit_open() && edit_remember)
		edit_remember(line);
}
