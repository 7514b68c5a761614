/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_DEBUGFS_H
#define LLAMUX_DEBUGFS_H

/* Never fails: without debugfs there are no files. */
void llamux_debugfs_init(void);
void llamux_debugfs_exit(void);

#endif
