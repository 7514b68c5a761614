/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What llamux doctor finds, check by check.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <limits.h>

#include "tool.h"

enum state { STATE_OK, STATE_WARNING, STATE_WRONG };

struct doctor {
	const char *root;	/* the system looked at; "" is this one */
	char release[128];	/* of its running kernel */
	unsigned int counts[3];	/* findings of each state */
	void (*report)(struct doctor *d, enum state state, const char *what,
		       const char *text, const char *mend);
	void *ctx;
};

/* Report: @mend is what to do, "" for nothing. */
void found(struct doctor *d, enum state state, const char *what,
	   const char *mend, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* The path of a file there, in a buffer of the caller. */
const char *in_root(const struct doctor *d, char path[PATH_MAX],
		    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool exists(const struct doctor *d, const char *path);
/* The first line of a file, without its newline; false when there is none. */
bool first_line(const struct doctor *d, const char *path, char *line,
		size_t size);
/* Whether a line of a file begins with @start. */
bool has_line(const struct doctor *d, const char *path, const char *start);

/* ---- doctor_module.c: true when the module is loaded ---- */

bool check_module(struct doctor *d);

/* ---- doctor_device.c ---- */

void check_devices(struct doctor *d);

#endif
