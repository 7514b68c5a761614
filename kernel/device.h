/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_DEVICE_H
#define LLAMUX_DEVICE_H

struct llamux_session;

int llamux_device_init(void);
/*
 * A descriptor of its own for @s, whose it is from now on. @flags: O_CLOEXEC,
 * O_NONBLOCK. On failure @s is closed.
 */
int llamux_device_fd(struct llamux_session *s, unsigned int flags);
void llamux_device_exit(void);

#endif
