/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_PREFIX_H
#define LLAMUX_PREFIX_H

#include <linux/types.h>

struct llamux_model;
struct seq_file;

/* Compute a system prompt of @m for everybody and hold on to it. */
int llamux_prefix_add(struct llamux_model *m, const char *text, size_t n);
/* Forget the one of this number. -ENOENT. */
int llamux_prefix_remove(u64 id);
/* The rows of /proc/llamux/prefixes. */
void llamux_prefix_rows(struct seq_file *seq);
/* Those of @m are forgotten; called as it is unloaded, too. */
void llamux_prefix_drop(struct llamux_model *m);

#endif
