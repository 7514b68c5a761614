/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_IOCTL_H
#define LLAMUX_IOCTL_H

#include <linux/types.h>

struct llamux_session;

/* The commands of /dev/llama (uapi/linux/llamux.h). */
long llamux_ioctl(struct llamux_session *s, unsigned int cmd, void __user *arg);

#endif
