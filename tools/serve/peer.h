/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may ask: on the Unix socket users by their ids, on TCP those who have
 * the token.
 */
#ifndef SERVE_PEER_H
#define SERVE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TOKEN_MAX 256

/*
 * The other end of a connected Unix socket: root, who runs this process, and
 * members of group @gid ((gid_t)-1: nobody else). *@uid is set to its uid.
 */
bool peer_allowed(int fd, gid_t gid, uid_t *uid);

/*
 * Whom a client's prompts may be shared with, as llamux_set_salt() wants it: a
 * user on the Unix socket, a machine on TCP, where all have one token. Never 0.
 */
uint64_t peer_salt(int fd, bool tcp, uid_t uid);

/* Of random bytes, in hexadecimal. @n: room, with the NUL. 0 or -errno. */
int token_make(char *token, size_t n);
/*
 * Read it, or make one and write it with mode 0600. 0, or -errno with the
 * reason on stderr.
 */
int token_file(const char *path, char token[TOKEN_MAX]);
/* "Bearer TOKEN"; in a time that does not depend on where they differ. */
bool token_matches(const char *header, const char *token);

#endif
