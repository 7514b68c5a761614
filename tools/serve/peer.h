/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may ask on the Unix socket: users, by their ids. On TCP, see token.h.
 */
#ifndef SERVE_PEER_H
#define SERVE_PEER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * The other end of a connected Unix socket: root, who runs this process, and
 * members of group @gid ((gid_t)-1: nobody else). *@uid is set to its uid.
 */
bool peer_allowed(int fd, gid_t gid, uid_t *uid);

#endif
