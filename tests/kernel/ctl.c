// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of /dev/llamactl for the tests of the module:
 *
 *	ctl load NAME [-d] [-c N_CTX] FILE...	ctl unload NAME
 *	ctl default NAME	ctl progress NAME	ctl cancel-load NAME
 *	ctl attr NAME [pin=N] [keep=SECONDS] [roles=BITS]
 *
 * and of /dev/llama: ctl cancel FD
 *
 * Exit 0, or 1 with "ctl: COMMAND: ERROR: message".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/llamux.h>

static int fail(const char *what, const char *message)
{
	fprintf(stderr, "ctl: %s: %s%s%s\n", what, strerror(errno),
		*message ? ": " : "", message);
	return 1;
}

/* FILE, or a hostile way to open it: path:FILE, write:FILE, fd:NUMBER. */
static int open_file(const char *name)
{
	if (!strncmp(name, "path:", 5))
		return open(name + 5, O_PATH | O_CLOEXEC);
	if (!strncmp(name, "write:", 6))
		return open(name + 6, O_WRONLY | O_CLOEXEC);
	if (!strncmp(name, "fd:", 3))
		return fcntl(atoi(name + 3), F_DUPFD_CLOEXEC, 0);
	return open(name, O_RDONLY | O_CLOEXEC);
}

static int load(int ctl, int argc, char **argv)
{
	char message[LLAMUX_ERROR_MAX] = "";
	__s32 fds[LLAMUX_MAX_FILES];
	struct llamux_load l = {
		.fds = (unsigned long)fds,
		.message = (unsigned long)message,
		.message_size = sizeof(message),
	};
	int i = 1;

	snprintf(l.name, sizeof(l.name), "%s", argv[0]);
	if (i < argc && !strcmp(argv[i], "-d")) {
		l.flags = LLAMUX_LOAD_DEFAULT;
		i++;
	}
	if (i + 1 < argc && !strcmp(argv[i], "-c")) {
		l.n_ctx = atoi(argv[i + 1]);
		i += 2;
	}
	for (; i < argc && l.n_fds < LLAMUX_MAX_FILES; i++) {
		fds[l.n_fds] = open_file(argv[i]);
		if (fds[l.n_fds++] < 0)
			return fail("load", argv[i]);
	}
	if (ioctl(ctl, LLAMUX_CTL_LOAD, &l))
		return fail("load", message);
	return 0;
}

static int attr(int ctl, int argc, char **argv)
{
	struct llamux_attr a = {};

	snprintf(a.name, sizeof(a.name), "%s", argv[0]);
	for (int i = 1; i < argc; i++) {
		if (sscanf(argv[i], "pin=%u", &a.pin) == 1)
			a.set |= LLAMUX_ATTR_PIN;
		else if (sscanf(argv[i], "keep=%u", &a.keep_alive_s) == 1)
			a.set |= LLAMUX_ATTR_KEEP_ALIVE;
		else if (sscanf(argv[i], "roles=%u", &a.roles) == 1)
			a.set |= LLAMUX_ATTR_ROLES;
	}
	if (ioctl(ctl, LLAMUX_CTL_ATTR, &a))
		return fail("attr", "");
	printf("pin=%u keep=%u roles=%u\n", a.pin, a.keep_alive_s, a.roles);
	return 0;
}

int main(int argc, char **argv)
{
	struct llamux_progress p = {};
	struct llamux_name n = {};
	int ctl;

	if (argc < 3) {
		fprintf(stderr, "usage: ctl load|unload|default|progress NAME ...\n");
		return 2;
	}
	if (!strcmp(argv[1], "cancel"))
		return ioctl(atoi(argv[2]), LLAMUX_IOC_CANCEL) ?
		       fail("cancel", "") : 0;
	ctl = open("/dev/llamactl", O_RDWR | O_CLOEXEC);
	if (ctl < 0)
		return fail("/dev/llamactl", "");
	snprintf(n.name, sizeof(n.name), "%s", argv[2]);
	snprintf(p.name, sizeof(p.name), "%s", argv[2]);
	if (!strcmp(argv[1], "load"))
		return load(ctl, argc - 2, argv + 2);
	if (!strcmp(argv[1], "unload"))
		return ioctl(ctl, LLAMUX_CTL_UNLOAD, &n) ? fail("unload", "") : 0;
	if (!strcmp(argv[1], "default"))
		return ioctl(ctl, LLAMUX_CTL_DEFAULT, &n) ? fail("default", "") : 0;
	if (!strcmp(argv[1], "attr"))
		return attr(ctl, argc - 2, argv + 2);
	if (!strcmp(argv[1], "cancel-load"))
		return ioctl(ctl, LLAMUX_CTL_CANCEL, &n) ?
		       fail("cancel-load", "") : 0;
	if (ioctl(ctl, LLAMUX_CTL_PROGRESS, &p))
		return fail("progress", "");
	printf("%llu %llu\n", p.done, p.total);
	return 0;
}
