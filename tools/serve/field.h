/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fields of a request's JSON, checked. Each function returns 1 when the field
 * is there, 0 when it is absent or null, and -1 after filling in the problem.
 */
#ifndef SERVE_FIELD_H
#define SERVE_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "problem.h"

int field_real(struct problem *p, const json_t *obj, const char *key,
	       double min, double max, double *v);
int field_int(struct problem *p, const json_t *obj, const char *key,
	      int64_t min, int64_t max, int64_t *v);
int field_bool(struct problem *p, const json_t *obj, const char *key, bool *v);
int field_string(struct problem *p, const json_t *obj, const char *key,
		 const char **v);
int field_object(struct problem *p, const json_t *obj, const char *key,
		 json_t **v);
int field_array(struct problem *p, const json_t *obj, const char *key,
		json_t **v);

#endif
