// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ctrl-C stops the turn, not the program.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <unistd.h>

#include "tool.h"

static struct llamux *watched;
static volatile sig_atomic_t count;

static void on_sigint(int sig)
{
	struct llamux *l = __atomic_load_n(&watched, __ATOMIC_SEQ_CST);

	(void)sig;
	if (count++)
		_exit(EXIT_INTERRUPTED);
	if (l)
		llamux_cancel(l);
}

void interrupt_by(int sig)
{
	/* No SA_RESTART: what waits for a line or a reply is to notice. */
	struct sigaction sa = { .sa_handler = on_sigint };

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

void interrupt_watch(struct llamux *l)
{
	__atomic_store_n(&watched, l, __ATOMIC_SEQ_CST);
	interrupt_by(SIGINT);
}

void interrupt_clear(void)
{
	count = 0;
}

bool interrupted(void)
{
	return count != 0;
}
