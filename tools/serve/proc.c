// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of /proc/llamux.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "text.h"

#define MAX_COLUMNS 32

/* Names are text, whatever they look like. */
static bool is_name(const char *key)
{
	return !strcmp(key, "name") || !strcmp(key, "model") ||
	       !strcmp(key, "version");
}

static json_t *value(const char *key, const char *s)
{
	size_t digits = strspn(s, "0123456789");

	if (!is_name(key) && digits && digits < 19 && !s[digits])
		return json_integer(strtoll(s, NULL, 10));
	if (!strcmp(s, "*"))
		return json_true();
	if (!strcmp(s, "-"))
		return !strcmp(key, "default") ? json_false() : json_null();
	return text_json(s, strlen(s));
}

static size_t split(char *line, char **words)
{
	char *save = NULL, *w;
	size_t n = 0;

	for (w = strtok_r(line, " \t\n", &save); w && n < MAX_COLUMNS;
	     w = strtok_r(NULL, " \t\n", &save))
		words[n++] = w;
	return n;
}

json_t *proc_table(const char *path)
{
	char *keys[MAX_COLUMNS], *words[MAX_COLUMNS];
	char *head = NULL, *line = NULL;
	size_t head_room = 0, room = 0, n_keys, n;
	FILE *f = fopen(path, "re");
	json_t *rows, *row;

	if (!f)
		return NULL;
	rows = json_array();
	n_keys = getline(&head, &head_room, f) > 0 ? split(head, keys) : 0;
	while (getline(&line, &room, f) > 0) {
		n = split(line, words);
		row = json_object();
		for (size_t i = 0; i < n && i < n_keys; i++)
			json_object_set_new(row, keys[i],
					    value(keys[i], words[i]));
		json_array_append_new(rows, row);
	}
	free(head);
	free(line);
	fclose(f);
	return rows;
}

json_t *proc_list(const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL, *colon;
	size_t room = 0;
	json_t *list;

	if (!f)
		return NULL;
	list = json_object();
	while (getline(&line, &room, f) > 1) {
		colon = strstr(line, ": ");
		if (!colon)
			continue;
		*colon = '\0';
		colon += 2;
		colon[strcspn(colon, "\n")] = '\0';
		json_object_set_new(list, line, value(line, colon));
	}
	free(line);
	fclose(f);
	return list;
}
