/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_PROCFS_H
#define LLAMUX_PROCFS_H

int llamux_procfs_init(void);
void llamux_procfs_exit(void);

#endif
