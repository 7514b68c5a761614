/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files of /proc/llamux: tables (a line of column names, then a line a
 * row) and lists of "key: value". Columns and keys are found by name, since
 * new ones may come.
 */
#ifndef PROC_H
#define PROC_H

#include <stddef.h>
#include <stdint.h>

struct proc_table {
	char *text;
	char **words;		/* n_rows x n_columns, after the names */
	size_t n_columns, n_rows;
};

/* 0 or negative errno. Freed by proc_table_free(), after an error too. */
int proc_table_read(struct proc_table *t, const char *path);
void proc_table_free(struct proc_table *t);
/* "-" when there is no such column. */
const char *proc_cell(const struct proc_table *t, size_t row,
		      const char *column);
uint64_t proc_cell_u64(const struct proc_table *t, size_t row,
		       const char *column);

/* A whole file, or NULL with errno. */
char *proc_list_read(const char *path);
/* The value of the first line "KEY: "; false when there is none. */
int proc_list_get(const char *text, const char *key, char *value, size_t size);
uint64_t proc_list_u64(const char *text, const char *key);

#endif
