/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module says in /proc/llamux, as JSON. NULL when it cannot be read.
 */
#ifndef SERVE_PROC_H
#define SERVE_PROC_H

#include <jansson.h>

/* A line of column names and a line a row: an array of objects. */
json_t *proc_table(const char *path);
/* "key: value" lines up to the first empty one: an object. */
json_t *proc_list(const char *path);

#endif
