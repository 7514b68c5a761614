/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One turn of a conversation: read the answer and show it.
 */
#ifndef TURN_H
#define TURN_H

#include "tool.h"

struct turn {
	bool keep;	/* collect the text instead of writing it */
	bool copy;	/* collect it, too */
	char *text;
	size_t n, room;
	bool newline;	/* the answer ended with one (or was empty) */
	int error;	/* the last call's, negative errno */
};

/* Read to the end. EXIT_OK, EXIT_INTERRUPTED, or another exit code. */
int turn_run(struct turn *t, struct llamux *l);
const char *turn_finish_name(uint32_t finish);

#endif
