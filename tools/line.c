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
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edit.h"
#include "line.h"

/* Make the directories above @path, for the user alone. */
static void make_above(char *path)
{
	for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
}

/*
 * Where the XDG base directory specification has it; NULL: nowhere, as when
 * somebody has put something else there that is not to be written.
 */
static const char *history_file(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	static char path[PATH_MAX];
	struct stat st;
	int n;

	if (state && *state == '/')
		n = snprintf(path, sizeof(path), "%s/llamux/history", state);
	else if (home && *home == '/')
		n = snprintf(path, sizeof(path), "%s/.local/state/llamux/history",
			     home);
	else
		return NULL;
	if (n < 0 || (size_t)n >= sizeof(path))
		return NULL;
	make_above(path);
	return !stat(path, &st) && !S_ISREG(st.st_mode) ? NULL : path;
}

static bool editing(void)
{
	static bool tried, opened;

	if (!tried && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		opened = edit_open(history_file());
	tried = true;
	return opened;
}

char *line_read(const char *prompt)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	errno = 0;
	if (editing())
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
	if (editing())
		edit_remember(line);
}
