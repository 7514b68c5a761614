/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_DEVICE_H
#define LLAMUX_DEVICE_H

int llamux_device_init(void);
void llamux_device_exit(void);

#endif
