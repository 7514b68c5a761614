// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why a request is not served.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "llamux.h"
#include "problem.h"
#include "text.h"

int problem_set(struct problem *p, unsigned int status, const char *code,
		const char *fmt, ...)
{
	va_list ap;

	if (p->status)
		return -1;
	p->status = status;
	p->code = code;
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
	return -1;
}

int problem_field(struct problem *p, const char *field, const char *fmt, ...)
{
	va_list ap;

	if (p->status)
		return -1;
	p->status = 400;
	p->code = NULL;
	snprintf(p->param, sizeof(p->param), "%s", field);
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
	return -1;
}

int problem_errno(struct problem *p, int err, const char *text)
{
	if (!text || !*text)
		text = llamux_strerror(err);
	switch (-err) {
	case EMSGSIZE:
		return problem_set(p, 400, "context_length_exceeded", "%s",
				   text);
	case EINVAL:
	case E2BIG:
		return problem_set(p, 400, NULL, "%s", text);
	case ENODEV:
		return problem_set(p, 404, "model_not_found", "%s", text);
	case ENXIO:
	case EAGAIN:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case EDQUOT:
		return problem_set(p, 503, "unavailable", "%s", text);
	default:
		return problem_set(p, 500, NULL, "%s", text);
	}
}

static const char *type(unsigned int status)
{
	switch (status) {
	case 401:
		return "authentication_error";
	case 403:
		return "permission_error";
	default:
		return status < 500 ? "invalid_request_error" : "server_error";
	}
}

json_t *problem_json(const struct problem *p, enum dialect dialect)
{
	json_t *text = text_json(p->text, strlen(p->text));

	if (dialect == DIALECT_OLLAMA)
		return json_pack("{s:o}", "error", text);
	return json_pack("{s:{s:o, s:s, s:s?, s:s?}}", "error",
			 "message", text, "type", type(p->status),
			 "param", p->param[0] ? p->param : NULL,
			 "code", p->code);
}
