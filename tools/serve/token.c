// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tokens of clients.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "token.h"

#define RANDOM_BYTES 24
#define MAX_FILE (MAX_TOKENS * (TOKEN_MAX + CLIENT_MAX + 2))
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@+-"

static struct token *add(struct tokens *t)
{
	struct token *list;

	list = reallocarray(t->list, t->n + 1, sizeof(*list));
	if (!list)
		return NULL;
	t->list = list;
	list[t->n] = (struct token){ 0 };
	return &list[t->n++];
}

int tokens_make(struct tokens *t)
{
	unsigned char random[RANDOM_BYTES];
	struct token *token = add(t);

	if (!token)
		return -ENOMEM;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(token->text + 2 * i, 3, "%02x", random[i]);
	return 0;
}

/* ---- files ---- */

static bool printable(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static bool known(const struct tokens *t, const char *text)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->list[i].text, text))
			return true;
	return false;
}

/* A line without its end. NULL, or what is wrong with it. */
static const char *parse_line(struct tokens *t, char *line)
{
	static const char space[] = " \t\r";
	char *rest, *first = strtok_r(line, space, &rest), *text, *name;
	struct token *token;

	if (!first || *first == '#')
		return NULL;
	text = strtok_r(NULL, space, &rest);
	name = text ? first : NULL;
	text = text ? text : first;
	if (strtok_r(NULL, space, &rest))
		return "a name and a token are expected, or a token";
	if (name && (strlen(name) > CLIENT_MAX ||
		     name[strspn(name, NAME_CHARS)]))
		return "a client's name has up to 63 letters, digits, '_', '.', '@', '+' and '-'";
	if (strlen(text) < TOKEN_MIN)
		return "a token of 16 characters at least is expected";
	if (strlen(text) > TOKEN_MAX || !printable(text))
		return "a token has up to 255 characters of ASCII";
	if (known(t, text))
		return "that token stands there twice";
	if (t->n == MAX_TOKENS)
		return "there are more than 1024 tokens";
	token = add(t);
	if (!token)
		return "out of memory";
	strcpy(token->text, text);
	strcpy(token->client, name ? name : "");
	return NULL;
}

const char *tokens_parse(struct tokens *t, char *text, size_t *line)
{
	const char *wrong;
	char *end;

	for (*line = 1; text; text = end, ++*line) {
		end = strchr(text, '\n');
		if (end)
			*end++ = '\0';
		wrong = parse_line(t, text);
		if (wrong)
			return wrong;
	}
	*line = 0;
	return t->n ? NULL : "there is no token in it";
}

/* All of it, terminated; the caller frees it. NULL with errno. */
static char *read_all(int fd)
{
	struct stat st;
	char *text;
	size_t n = 0;
	ssize_t got = 0;

	if (fstat(fd, &st))
		return NULL;
	errno = EPERM;	/* anybody could know it */
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		return NULL;
	text = malloc(MAX_FILE + 1);
	while (text && n < MAX_FILE &&
	       (got = read(fd, text + n, MAX_FILE - n)) > 0)
		n += (size_t)got;
	if (!text)
		return NULL;
	text[n] = '\0';
	if (got >= 0 && n < MAX_FILE && !memchr(text, '\0', n))
		return text;
	if (got >= 0)
		errno = n < MAX_FILE ? EILSEQ : EFBIG;
	free(text);
	return NULL;
}

static int read_tokens(struct tokens *t, int fd, const char *path)
{
	char *text = read_all(fd);
	const char *wrong;
	size_t line;

	if (!text)
		return -errno;
	wrong = tokens_parse(t, text, &line);
	if (wrong && line)
		fprintf(stderr, "llamux-serve: %s: line %zu: %s\n", path, line,
			wrong);
	else if (wrong)
		fprintf(stderr, "llamux-serve: %s: %s\n", path, wrong);
	explicit_bzero(text, strlen(text));
	free(text);
	return wrong ? -EINVAL : 0;
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

int tokens_file(struct tokens *t, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd >= 0) {
		ret = read_tokens(t, fd, path);
		close(fd);
	} else if (errno == ENOENT) {
		ret = tokens_make(t);
		if (!ret)
			ret = write_token(path, t->list[0].text);
	} else {
		ret = -errno;
	}
	if (ret && ret != -EINVAL)
		fprintf(stderr, "llamux-serve: %s: %s\n", path, ret == -EPERM ?
			"others may read or change it (chmod 600)" :
			strerror(-ret));
	return ret;
}

/* ---- what is shown ---- */

/* As many steps as were given: the token's length stays hidden. */
static bool same(const char *given, const char *token)
{
	size_t n = strlen(token), n_given = strlen(given);
	unsigned char differ = n_given != n;

	for (size_t i = 0; i < n_given; i++)
		differ |= (unsigned char)(given[i] ^ token[i % n]);
	return !differ;
}

const struct token *tokens_find(const struct tokens *t, const char *header)
{
	const struct token *found = NULL;

	if (!header || strncasecmp(header, "Bearer ", 7))
		return NULL;
	for (size_t i = 0; i < t->n; i++)
		if (same(header + 7, t->list[i].text))
			found = &t->list[i];
	return found;
}

void tokens_free(struct tokens *t)
{
	for (size_t i = 0; i < t->n; i++)
		explicit_bzero(&t->list[i], sizeof(t->list[i]));
	free(t->list);
	*t = (struct tokens){ 0 };
}
