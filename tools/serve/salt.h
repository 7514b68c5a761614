/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whom the past of a client's prompts may be shared with, as llamux_set_salt()
 * wants it: a number for each client, and for each of the end users whom it
 * tells apart.
 */
#ifndef SERVE_SALT_H
#define SERVE_SALT_H

#include <stdint.h>
#include <sys/types.h>

#include "token.h"

/* Of this run: nobody can choose a name whose number is another's. */
struct salts {
	unsigned char key[32];
};

/* 0 or -errno. */
int salts_init(struct salts *s);
/*
 * Of the client that showed @token, or for NULL of the user @uid of the Unix
 * socket. @end_user: on whose behalf it asks, or NULL. Never 0.
 */
uint64_t salts_of(const struct salts *s, const struct token *token, uid_t uid,
		  const char *end_user);

#endif
