/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Reading test vectors: lines of fields, texts in JSON, ids. */
#ifndef VECTORS_H
#define VECTORS_H

#include "testhost.h"

/* The first field of *@line, cut off at its tab; NULL when none is left. */
char *test_field(char **line);
/* A JSON string in place; returns the length. */
size_t test_unescape(char *s);
/* The numbers in the rest of the line. */
size_t test_ids(const char *s, s32 *ids, size_t max);

#endif
