/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Models known by name: models/zoo.json, which is in the command.
 */
#ifndef ZOO_H
#define ZOO_H

#include <stdbool.h>
#include <stdio.h>

/* *@sha256 is NULL when it is not known. False: there is none of that name. */
bool zoo_find(const char *name, const char **url, const char **sha256);
/* A line each. */
void zoo_print(FILE *f);
void zoo_print_json(FILE *f);

#endif
