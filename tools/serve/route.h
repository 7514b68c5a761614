/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which function serves which path.
 */
#ifndef SERVE_ROUTE_H
#define SERVE_ROUTE_H

#include <stdbool.h>

#include "request.h"

struct route {
	const char *method;	/* GET also serves HEAD */
	const char *path;	/* with a / at its end: of a name behind it */
	enum dialect dialect;
	bool open;		/* on TCP too, no token is asked for */
	enum MHD_Result (*serve)(struct request *r);
};

/*
 * NULL: there is none. *@known: there is one, for another method.
 */
const struct route *route_find(const char *method, const char *path,
			       bool *known);
/* The name behind the route's path; NULL: it has none. */
const char *route_name(const struct route *route, const char *path);
/* In the order of the table, NULL at its end: for the counters. */
const struct route *route_at(unsigned int i);
unsigned int route_index(const struct route *route);

#define MAX_ROUTES 32

#endif
