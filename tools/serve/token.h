/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tokens that clients show on TCP, and whose they are.
 */
#ifndef SERVE_TOKEN_H
#define SERVE_TOKEN_H

#include <stddef.h>

#define TOKEN_MIN 16		/* characters of a token */
#define TOKEN_MAX 255
#define CLIENT_MAX 63		/* of a client's name */
#define MAX_TOKENS 1024

struct token {
	char client[CLIENT_MAX + 1];	/* "": who has it */
	char text[TOKEN_MAX + 1];
};

struct tokens {
	struct token *list;
	size_t n;
};

/* One of random bytes, for this run. 0 or -errno. */
int tokens_make(struct tokens *t);
/*
 * A line each: a token, or a client's name and one of its tokens. Empty lines
 * and those that begin with # are skipped. @text is NUL-terminated and changed.
 * NULL, or what is wrong with line *@line.
 */
const char *tokens_parse(struct tokens *t, char *text, size_t *line);
/*
 * Read a file of them; when there is none, make one token and write it, with
 * mode 0600. 0, or -errno with the reason on stderr.
 */
int tokens_file(struct tokens *t, const char *path);
/*
 * Whose token "Bearer TOKEN" has, or NULL: in a time that does not depend on
 * where it differs from those that are known.
 */
const struct token *tokens_find(const struct tokens *t, const char *header);
void tokens_free(struct tokens *t);

#endif
