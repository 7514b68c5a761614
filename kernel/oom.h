/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_OOM_H
#define LLAMUX_OOM_H

int llamux_oom_init(void);
void llamux_oom_exit(void);

#endif
