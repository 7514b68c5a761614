// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux-serve: a language model over HTTP.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <malloc.h>
#include <signal.h>

#include "server.h"
#include "tool.h"

/* Threads inherit the mask: signals wait until they are asked for. */
static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int exit_code(int err)
{
	return err == -ENOENT || err == -ENODEV ? EXIT_NO_MODEL : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	static struct server server;
	struct config config;
	int status, sig, ret;
	sigset_t set;

	if (!config_parse(&config, argc, argv, &status))
		return status;
	block_signals(&set);
	/* Threads come and go: what one has freed is to serve the next. */
	mallopt(M_ARENA_MAX, 2);
	ret = server_start(&server, &config);
	if (ret)
		return exit_code(ret);
	sigwait(&set, &sig);
	server_stop(&server);
	return EXIT_OK;
}
