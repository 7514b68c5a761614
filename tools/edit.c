// SPDX-License-Identifier: GPL-2.0-only
/*
 * libedit by its own interface (<histedit.h>, editline(3)).
 *
 * The terminal is asked to bracket what is pasted, so that newlines in it are
 * part of the line and do not end it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "edit.h"
#include "tool.h"

#define HISTORY 1000		/* lines */
#define PASTE_BEGIN "\\e[200~"	/* as bindings write it */
#define PASTE_END L"\033[201~"
#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"

/* As in <histedit.h>. */
enum { EL_PROMPT = 0, EL_EDITOR = 2, EL_BIND = 4, EL_ADDFN = 9, EL_HIST = 10,
       EL_GETCFN = 13, EL_PREP_TERM = 16 };
enum { H_SETSIZE = 1, H_ENTER = 10, H_LOAD = 17, H_SAVE = 18, H_SETUNIQUE = 20 };
enum { CC_REFRESH = 4, CC_ERROR = 6 };

typedef struct editline EditLine;
typedef struct history History;
struct hist_event {
	int num;
	const char *str;
};

static struct {
	EditLine *(*init)(const char *, FILE *, FILE *, FILE *);
	int (*set)(EditLine *, int, ...);
	const char *(*gets)(EditLine *, int *);
	int (*wgetc)(EditLine *, wchar_t *);
	int (*winsertstr)(EditLine *, const wchar_t *);
	History *(*history_init)(void);
	int (*history)(History *, struct hist_event *, int, ...);
} lib;

static EditLine *el;
static History *past;
static const char *past_file;
static const char *shown;	/* the prompt */

static bool find_all(void *handle)
{
	const struct {
		const char *name;
		void *at;
	} list[] = {
		{ "el_init", &lib.init }, { "el_set", &lib.set },
		{ "el_gets", &lib.gets }, { "el_wgetc", &lib.wgetc },
		{ "el_winsertstr", &lib.winsertstr },
		{ "history_init", &lib.history_init },
		{ "history", &lib.history },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		void *f = dlsym(handle, list[i].name);

		if (!f)
			return false;
		memcpy(list[i].at, &f, sizeof(f));
	}
	return true;
}

static const char *prompt_now(EditLine *e)
{
	(void)e;
	return shown;
}

/*
 * A character: 1, 0 at the end, -1 after a signal, which libedit's own would
 * read past.
 */
static int read_char(EditLine *e, wchar_t *out)
{
	mbstate_t state = { 0 };
	ssize_t n;
	char byte;

	(void)e;
	for (;;) {
		if (interrupted()) {
			errno = EINTR;
			return -1;
		}
		n = read(STDIN_FILENO, &byte, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		switch (mbrtowc(out, &byte, 1, &state)) {
		case (size_t)-1:
			memset(&state, 0, sizeof(state));
			break;
		case (size_t)-2:
			break;
		default:
			return 1;
		}
	}
}

/* Everything up to the end of what is pasted, into the line. */
static unsigned char paste(EditLine *e, int ch)
{
	const size_t n_end = wcslen(PASTE_END);
	size_t n = 0, room = 0;
	wchar_t *text = NULL, *more, c;
	int ret = -1;

	(void)ch;
	while (lib.wgetc(e, &c) == 1) {
		if (n + 2 > room) {
			room = 2 * room + 256;
			more = realloc(text, room * sizeof(*text));
			if (!more)
				break;
			text = more;
		}
		text[n++] = c == L'\r' ? L'\n' : c;
		text[n] = L'\0';
		if (n >= n_end && !wcscmp(text + n - n_end, PASTE_END)) {
			text[n - n_end] = L'\0';
			ret = *text ? lib.winsertstr(e, text) : 0;
			break;
		}
	}
	free(text);
	return ret ? CC_ERROR : CC_REFRESH;
}

static void open_history(const char *file)
{
	struct hist_event ev;

	past = lib.history_init();
	if (!past)
		return;
	lib.history(past, &ev, H_SETSIZE, HISTORY);
	lib.history(past, &ev, H_SETUNIQUE, 1);
	if (file)
		lib.history(past, &ev, H_LOAD, file);
	past_file = file;
	lib.set(el, EL_HIST, lib.history, past);
}

bool edit_open(const char *file)
{
	void *handle = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL);

	if (!handle || !find_all(handle))
		return false;
	setlocale(LC_CTYPE, "");
	el = lib.init("llamux", stdin, stdout, stderr);
	if (!el)
		return false;
	lib.set(el, EL_PROMPT, prompt_now);
	lib.set(el, EL_EDITOR, "emacs");
	lib.set(el, EL_GETCFN, read_char);
	lib.set(el, EL_ADDFN, "llamux-paste", "Insert what is pasted", paste);
	lib.set(el, EL_BIND, PASTE_BEGIN, "llamux-paste", NULL);
	lib.set(el, EL_BIND, "^R", "em-inc-search-prev", NULL);
	open_history(file);
	return true;
}

char *edit_line(const char *prompt)
{
	const char *line;
	int n = 0;

	shown = prompt;
	fputs(PASTE_ON, stdout);
	/* Raw before the prompt is seen: what is typed at once is edited, too. */
	lib.set(el, EL_PREP_TERM, 1);
	line = lib.gets(el, &n);
	fputs(PASTE_OFF, stdout);
	fflush(stdout);
	if (!line || n <= 0) {
		errno = interrupted() ? EINTR : 0;
		return NULL;
	}
	if (line[n - 1] == '\n')
		n--;
	return strndup(line, (size_t)n);
}

void edit_remember(const char *line)
{
	struct hist_event ev;
	mode_t old;

	if (!past)
		return;
	lib.history(past, &ev, H_ENTER, line);
	if (!past_file)
		return;
	old = umask(077);
	lib.history(past, &ev, H_SAVE, past_file);
	umask(old);
}
