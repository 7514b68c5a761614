/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_CONTROL_H
#define LLAMUX_CONTROL_H

int llamux_control_init(void);
void llamux_control_exit(void);

#endif
