// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may ask.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer.h"

#define MAX_GROUPS 1024

static bool in_group(int fd, gid_t primary, gid_t gid)
{
	gid_t groups[MAX_GROUPS];
	socklen_t len = sizeof(groups);

	if (gid == (gid_t)-1)
		return false;
	if (primary == gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
		return false;
	for (size_t i = 0; i < len / sizeof(*groups); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

bool peer_allowed(int fd, gid_t gid, uid_t *uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	*uid = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return false;
	*uid = cred.uid;
	return cred.uid == 0 || cred.uid == geteuid() ||
	       in_group(fd, cred.gid, gid);
}

/* FNV-1a. */
static uint64_t hash(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325;

	while (n--)
		h = (h ^ *p++) * 0x100000001b3;
	return h;
}

uint64_t peer_salt(int fd, bool tcp, uid_t uid)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);

	if (!tcp)
		return 1ull << 32 | uid;
	getpeername(fd, (struct sockaddr *)&a, &len);
	/* Without the port, by which one client's connections differ. */
	if (a.ss_family == AF_INET)
		((struct sockaddr_in *)&a)->sin_port = 0;
	else if (a.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&a)->sin6_port = 0;
	return 1ull << 63 | hash(&a, sizeof(a));
}

int token_make(char *token, size_t n)
{
	unsigned char random[24];

	if (n < 2 * sizeof(random) + 1)
		return -EINVAL;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(token + 2 * i, 3, "%02x", random[i]);
	return 0;
}

static int write_token(const char *path, const char *token)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t n = strlen(token);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, token, n) != (ssize_t)n || write(fd, "\n", 1) != 1)
		ret = -EIO;
	if (close(fd) && !ret)
		ret = -errno;
	if (ret)
		unlink(path);
	return ret;
}

static int read_token(int fd, char token[TOKEN_MAX])
{
	ssize_t n = read(fd, token, TOKEN_MAX - 1);
	struct stat st;

	if (n < 0 || fstat(fd, &st))
		return -errno;
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		return -EPERM;	/* anybody could know it */
	token[n] = '\0';
	token[strcspn(token, " \t\r\n")] = '\0';
	return strlen(token) < 16 ? -EINVAL : 0;
}

int token_file(const char *path, char token[TOKEN_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;
	const char *why;

	if (fd >= 0) {
		ret = read_token(fd, token);
		close(fd);
	} else if (errno == ENOENT) {
		ret = token_make(token, TOKEN_MAX);
		if (!ret)
			ret = write_token(path, token);
	} else {
		ret = -errno;
	}
	if (!ret)
		return 0;
	why = ret == -EPERM ? "others may read or change it (chmod 600)" :
	      ret == -EINVAL ? "a token of 16 characters at least is expected" :
			       strerror(-ret);
	fprintf(stderr, "llamux-serve: %s: %s\n", path, why);
	return ret;
}

bool token_matches(const char *header, const char *token)
{
	size_t n = strlen(token), given;
	unsigned char differ;

	if (!header || strncasecmp(header, "Bearer ", 7))
		return false;
	header += 7;
	given = strlen(header);
	differ = given != n;
	/* As many steps as were given: the length of the token stays hidden. */
	for (size_t i = 0; i < given; i++)
		differ |= (unsigned char)(header[i] ^ token[i % n]);
	return !differ;
}
