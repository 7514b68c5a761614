// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux doctor: may this user talk to the device, and does it have a model?
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"

static const char *user_name(void)
{
	const struct passwd *pw = getpwuid(getuid());

	return pw ? pw->pw_name : "this user";
}

/* Does the account have the group, if not this session of it? */
static bool in_group(const char *user, const struct group *gr)
{
	for (char **m = gr->gr_mem; *m; m++)
		if (!strcmp(*m, user))
			return true;
	return false;
}

static void no_access(struct doctor *d, const struct stat *st)
{
	const struct group *gr = getgrgid(st->st_gid);
	const char *user = user_name();
	char mend[200];

	if (!st->st_gid || !gr || !(st->st_mode & 0060)) {
		found(d, STATE_WRONG, "device",
		      "install the package llamux, or a udev rule (man 4 llama)",
		      "%s belongs to root alone", LLAMUX_DEVICE);
	} else if (in_group(user, gr)) {
		snprintf(mend, sizeof(mend), "log in again, or: newgrp %s",
			 gr->gr_name);
		found(d, STATE_WRONG, "device", mend,
		      "%s is in the group %s, but this session began before",
		      user, gr->gr_name);
	} else {
		snprintf(mend, sizeof(mend), "sudo adduser %s %s", user,
			 gr->gr_name);
		found(d, STATE_WRONG, "device", mend,
		      "%s is for the group %s, and %s is not in it",
		      LLAMUX_DEVICE, gr->gr_name, user);
	}
}

static void no_model(struct doctor *d)
{
	if (exists(d, "/usr/share/llamux/default.gguf"))
		found(d, STATE_WRONG, "model",
		      exists(d, "/lib/systemd/system/llamux.service") ?
		      "sudo systemctl start llamux" :
		      "sudo llamux load /usr/share/llamux/default.gguf",
		      "the kernel holds no model");
	else
		found(d, STATE_WRONG, "model",
		      "apt install llamux-model-default, or: sudo llamux load FILE",
		      "the kernel holds no model, and none is installed");
}

/* The truth about the model is what a conversation says. */
static void check_model(struct doctor *d)
{
	struct llamux_message msg;
	struct llamux_info info;
	struct llamux *l;
	int ret;

	if (*d->root)
		return;
	ret = llamux_open(&l, NULL, &msg);
	if (ret == -ENODEV) {
		no_model(d);
	} else if (ret) {
		found(d, STATE_WRONG, "model", "", "%s", msg.text);
	} else {
		if (llamux_info(l, &info))
			found(d, STATE_WRONG, "model", "", "%s",
			      llamux_error(l));
		else
			found(d, STATE_OK, "model", "", "%s: %s, %s, context %u",
			      info.model, info.arch, info.type, info.n_ctx);
		llamux_close(l);
	}
}

void check_devices(struct doctor *d)
{
	char path[PATH_MAX];
	struct stat st;

	if (stat(in_root(d, path, LLAMUX_DEVICE), &st)) {
		found(d, STATE_WRONG, "device", "udevadm trigger, or mount devtmpfs at /dev",
		      "the module is loaded, but there is no %s",
		      LLAMUX_DEVICE);
		return;
	}
	if (st.st_mode & 0006)
		found(d, STATE_WARNING, "device", "chmod o= " LLAMUX_DEVICE,
		      "everybody may use %s", LLAMUX_DEVICE);
	if (access(path, R_OK | W_OK)) {
		no_access(d, &st);
		return;
	}
	found(d, STATE_OK, "device", "", "%s is usable", LLAMUX_DEVICE);
	check_model(d);
}
