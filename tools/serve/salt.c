// SPDX-License-Identifier: GPL-2.0-only
/*
 * Salts of clients.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "salt.h"
#include "sha256.h"

int salts_init(struct salts *s)
{
	return getrandom(s->key, sizeof(s->key), 0) == sizeof(s->key) ? 0 :
									-EIO;
}

/* A kind, so that no client is named like one of another kind, and its name. */
static void add(struct sha256 *h, char kind, const void *name, size_t n)
{
	sha256_add(h, &kind, 1);
	sha256_add(h, &n, sizeof(n));
	sha256_add(h, name, n);
}

uint64_t salts_of(const struct salts *s, const struct token *token, uid_t uid,
		  const char *end_user)
{
	struct sha256 h;
	char hex[65];

	sha256_start(&h);
	sha256_add(&h, s->key, sizeof(s->key));
	if (!token)
		add(&h, 'u', &uid, sizeof(uid));
	else if (*token->client)
		add(&h, 'c', token->client, strlen(token->client));
	else
		add(&h, 't', token->text, strlen(token->text));
	if (end_user)
		add(&h, 'e', end_user, strlen(end_user));
	sha256_end(&h, hex);
	hex[16] = '\0';
	return strtoull(hex, NULL, 16) ? : 1;
}
