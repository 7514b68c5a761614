/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a request is not served. Functions that find something wrong fill one in
 * and return a failure; the reply is made from it in the client's dialect.
 */
#ifndef SERVE_PROBLEM_H
#define SERVE_PROBLEM_H

#include <jansson.h>

enum dialect { DIALECT_OPENAI, DIALECT_OLLAMA };

struct problem {
	unsigned int status;	/* of HTTP; 0: there is none */
	const char *code;	/* OpenAI's error.code, may be NULL */
	char param[48];		/* the field of the request, may be empty */
	char text[400];
};

/* The first one stays. Returns -1 */
int problem_set(struct problem *p, unsigned int status, const char *code,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* 400, and which field. Returns -1. */
int problem_field(struct problem *p, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What a negative errno of libllamux is to a client. Returns -1. */
int problem_errno(struct problem *p, int err, const char *text);

json_t *problem_json(const struct problem *p, enum dialect dialect);

#endif
