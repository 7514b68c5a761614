// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of /proc/llamux.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "tool.h"

char *proc_list_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text;
	size_t n;

	if (!f)
		return NULL;
	text = read_all(f, &n);
	fclose(f);
	return text;
}

int proc_list_get(const char *text, const char *key, char *value, size_t size)
{
	size_t n = strlen(key);

	for (; text && *text; text = strchrnul(text, '\n')) {
		text += *text == '\n';
		if (!strncmp(text, key, n) && !strncmp(text + n, ": ", 2)) {
			text += n + 2;
			snprintf(value, size, "%.*s",
				 (int)strcspn(text, "\n"), text);
			return 1;
		}
	}
	return 0;
}

uint64_t proc_list_u64(const char *text, const char *key)
{
	char value[32];

	return proc_list_get(text, key, value, sizeof(value)) ?
		strtoull(value, NULL, 10) : 0;
}

static size_t count(const char *text, const char *separators)
{
	size_t n = 0;

	for (;;) {
		text += strspn(text, separators);
		if (!*text)
			return n;
		n++;
		text += strcspn(text, separators);
	}
}

/* Rows that are short are filled up: a line may be cut, never misread. */
static void split_row(struct proc_table *t, char *line, size_t row)
{
	static char none[] = "-";
	char *save = NULL;

	for (size_t i = 0; i < t->n_columns; i++) {
		char *w = strtok_r(i ? NULL : line, " \t", &save);

		t->words[row * t->n_columns + i] = w ? w : none;
	}
}

int proc_table_read(struct proc_table *t, const char *path)
{
	char *line, *save = NULL;
	size_t rows, row = 0;

	memset(t, 0, sizeof(*t));
	t->text = proc_list_read(path);
	if (!t->text)
		return errno ? -errno : -EIO;
	rows = count(t->text, "\n");
	line = strtok_r(t->text, "\n", &save);
	if (!line)
		return 0;
	t->n_columns = count(line, " \t");
	t->words = calloc(rows * t->n_columns + 1, sizeof(*t->words));
	if (!t->words)
		return -ENOMEM;
	for (; line; line = strtok_r(NULL, "\n", &save))
		split_row(t, line, row++);
	t->n_rows = row - 1;
	return 0;
}

void proc_table_free(struct proc_table *t)
{
	free(t->words);
	free(t->text);
	memset(t, 0, sizeof(*t));
}

const char *proc_cell(const struct proc_table *t, size_t row,
		      const char *column)
{
	for (size_t i = 0; row < t->n_rows && i < t->n_columns; i++)
		if (!strcmp(t->words[i], column))
			return t->words[(row + 1) * t->n_columns + i];
	return "-";
}

uint64_t proc_cell_u64(const struct proc_table *t, size_t row,
		       const char *column)
{
	return strtoull(proc_cell(t, row, column), NULL, 10);
}
