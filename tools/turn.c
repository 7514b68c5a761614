// SPDX-License-Identifier: GPL-2.0-only
/*
 * One turn of a conversation.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "turn.h"

static int put(const char *s, size_t n)
{
	while (n) {
		ssize_t r = write(STDOUT_FILENO, s, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		s += r;
		n -= (size_t)r;
	}
	return 0;
}

static int keep(struct turn *t, const char *s, size_t n)
{
	if (t->n + n > t->room) {
		size_t room = (t->n + n) * 2;
		char *more = realloc(t->text, room);

		if (!more)
			return -ENOMEM;
		t->text = more;
		t->room = room;
	}
	memcpy(t->text + t->n, s, n);
	t->n += n;
	return 0;
}

int turn_run(struct turn *t, struct llamux *l)
{
	bool tty = !t->keep && isatty(STDOUT_FILENO);
	char buf[4096];
	int err = 0;
	ssize_t n;

	t->newline = true;
	while ((n = llamux_read(l, buf, sizeof(buf))) > 0) {
		if (tty)
			n = (ssize_t)strip_controls(buf, (size_t)n);
		if (err || !n)
			continue;	/* let the turn end */
		t->newline = buf[n - 1] == '\n';
		err = t->keep ? 0 : put(buf, (size_t)n);
		if (!err && (t->keep || t->copy))
			err = keep(t, buf, (size_t)n);
		if (err)
			llamux_cancel(l);
	}
	if (tty && !t->newline)
		put("\n", 1);
	t->error = n < 0 ? (int)n : err;
	if (interrupted())
		return EXIT_INTERRUPTED;
	if (n < 0)
		return fail((int)n, "%s", llamux_error(l));
	if (err == -EPIPE)
		return EXIT_FAILED;
	return err ? fail(err, "standard output: %s", strerror(-err)) :
		     EXIT_OK;
}

const char *turn_finish_name(uint32_t finish)
{
	static const char *const names[] = {
		[LLAMUX_FINISH_NONE] = "none",
		[LLAMUX_FINISH_EOG] = "eog",
		[LLAMUX_FINISH_LENGTH] = "length",
		[LLAMUX_FINISH_CONTEXT] = "context",
		[LLAMUX_FINISH_CANCELLED] = "cancelled",
		[LLAMUX_FINISH_ERROR] = "error",
		[LLAMUX_FINISH_STOP] = "stop",
	};

	return finish < sizeof(names) / sizeof(names[0]) ? names[finish] : "?";
}
