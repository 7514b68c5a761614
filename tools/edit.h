/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libedit, when it is installed: a line with editing, pasting and history.
 */
#ifndef EDIT_H
#define EDIT_H

#include <stdbool.h>

/* With the history of @file, which is kept; NULL: without. False: no libedit. */
bool edit_open(const char *file);
/* As line_read(). */
char *edit_line(const char *prompt);
void edit_remember(const char *line);

#endif
