// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/*
 * libllamux: what is common to both backends.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "gbnf.h"
#include "internal.h"

int llamux_fail(struct llamux *l, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->message.text, sizeof(l->message.text), fmt, ap);
	va_end(ap);
	return code;
}

const char *llamux_strerror(int code)
{
	switch (-code) {
	case ENXIO:
		return "there is no " LLAMUX_DEVICE;
	case ENODEV:
		return "no such model is loaded";
	case EMSGSIZE:
		return "the prompt is longer than the context";
	case ENOEXEC:
		return "not a GGUF file";
	case EBADMSG:
		return "corrupt GGUF file";
	case ENOPKG:
		return "architecture or tensor type not supported";
	case EBUSY:
		return "a turn is under way";
	case EDQUOT:
		return "a limit of this user is reached: conversations, tokens a minute, or KV memory";
	default:
		return strerror(-code);
	}
}

int llamux_open(struct llamux **out, const struct llamux_options *options,
		struct llamux_message *msg)
{
	static const struct llamux_options none;
	struct llamux *l = calloc(1, sizeof(*l));
	int ret;

	*out = NULL;
	if (!options)
		options = &none;
	if (!l) {
		if (msg)
			snprintf(msg->text, sizeof(msg->text), "%s",
				 strerror(ENOMEM));
		return -ENOMEM;
	}
	l->ops = options->flags & LLAMUX_IN_PROCESS ? &llamux_inproc :
						      &llamux_device;
	ret = l->ops->open(l, options);
	if (ret) {
		if (msg)
			*msg = l->message;
		free(l);
		return ret;
	}
	*out = l;
	return 0;
}

void llamux_close(struct llamux *l)
{
	if (!l)
		return;
	l->ops->close(l);
	free(l);
}

const char *llamux_error(const struct llamux *l)
{
	return l->message.text;
}

int llamux_info(struct llamux *l, struct llamux_info *info)
{
	return l->ops->info(l, info);
}

int llamux_get_params(struct llamux *l, struct llamux_params *params)
{
	return l->ops->get_params(l, params);
}

int llamux_set_params(struct llamux *l, const struct llamux_params *params)
{
	return l->ops->set_params(l, params);
}

int llamux_stats(struct llamux *l, struct llamux_stats *stats)
{
	return l->ops->stats(l, stats);
}

int llamux_write(struct llamux *l, const char *text, size_t n, uint32_t role,
		 uint32_t flags)
{
	__atomic_store_n(&l->cancelled, 0, __ATOMIC_SEQ_CST);
	return l->ops->write(l, text, n, role, flags);
}

ssize_t llamux_read(struct llamux *l, char *buf, size_t n)
{
	return l->ops->read(l, buf, n);
}

int llamux_ask(struct llamux *l, const char *prompt,
	       int (*piece)(void *ctx, const char *text, size_t n), void *ctx)
{
	char buf[4096];
	int stopped = 0;
	ssize_t n;
	int ret;

	ret = llamux_write(l, prompt, strlen(prompt), LLAMUX_ROLE_USER, 0);
	if (ret)
		return ret;
	while ((n = llamux_read(l, buf, sizeof(buf))) > 0) {
		if (!stopped && piece(ctx, buf, (size_t)n)) {
			stopped = 1;
			llamux_cancel(l);
		}
	}
	return (int)n;
}

void llamux_cancel(struct llamux *l)
{
	__atomic_store_n(&l->cancelled, 1, __ATOMIC_SEQ_CST);
	l->ops->cancel(l);
}

int llamux_reset(struct llamux *l)
{
	return l->ops->reset(l);
}

int llamux_set_salt(struct llamux *l, uint64_t salt)
{
	return l->ops->set_salt(l, salt);
}

ssize_t llamux_tokenize(struct llamux *l, const char *text, size_t n,
			uint32_t flags, int32_t *ids, size_t max)
{
	return l->ops->tokenize(l, text, n, flags, ids, max);
}

ssize_t llamux_detokenize(struct llamux *l, const int32_t *ids, size_t n,
			  uint32_t flags, char *text, size_t max)
{
	return l->ops->detokenize(l, ids, n, flags, text, max);
}

ssize_t llamux_piece(struct llamux *l, int32_t id, uint32_t flags, char *text,
		     size_t max)
{
	return l->ops->piece(l, id, flags, text, max);
}

ssize_t llamux_tokens(struct llamux *l, int32_t *ids, size_t max)
{
	return l->ops->tokens(l, ids, max);
}

int llamux_set_stops(struct llamux *l, const char *const *stops, size_t n)
{
	char text[LLAMUX_STOPS_MAX], *p = text;

	if (n > LLAMUX_MAX_STOPS)
		return llamux_fail(l, -EINVAL, "more than %d stop strings",
				   LLAMUX_MAX_STOPS);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(stops[i]) + 1;

		if (len == 1 || len > LLAMUX_MAX_STOP_BYTES + 1)
			return llamux_fail(l, -EINVAL, "a stop string is %s",
					   len == 1 ? "empty" : "too long");
		memcpy(p, stops[i], len);
		p += len;
	}
	return l->ops->set_stops(l, text, (size_t)(p - text));
}

int llamux_set_bias(struct llamux *l, const struct llamux_bias *bias, size_t n)
{
	if (n > LLAMUX_MAX_BIAS)
		return llamux_fail(l, -EINVAL, "more than %d biased tokens",
				   LLAMUX_MAX_BIAS);
	return l->ops->set_bias(l, bias, n);
}

ssize_t llamux_logprobs(struct llamux *l, uint32_t n_logprobs,
			struct llamux_logprob *records, size_t max)
{
	return llamux_logprobs_from(l, 0, n_logprobs, records, max);
}

ssize_t llamux_logprobs_from(struct llamux *l, size_t first,
			     uint32_t n_logprobs,
			     struct llamux_logprob *records, size_t max)
{
	return l->ops->logprobs(l, first, n_logprobs + 1, records, max);
}

int llamux_score(struct llamux *l, const char *const *texts, size_t n,
		 struct llamux_choice *choices)
{
	uint32_t ends[LLAMUX_MAX_CHOICES], len = 0;
	char *text;
	int ret;

	__atomic_store_n(&l->cancelled, 0, __ATOMIC_SEQ_CST);
	if (!n || n > LLAMUX_MAX_CHOICES)
		return llamux_fail(l, -EINVAL, "no, or more than %d texts",
				   LLAMUX_MAX_CHOICES);
	text = malloc(LLAMUX_MAX_CHOICE_BYTES);
	if (!text)
		return llamux_fail(l, -ENOMEM, "%s", strerror(ENOMEM));
	for (size_t i = 0; i < n; i++) {
		size_t k = strlen(texts[i]);

		if (!k || k > LLAMUX_MAX_CHOICE_BYTES - len) {
			free(text);
			return llamux_fail(l, -EINVAL, "text %zu is %s", i + 1,
					   k ? "too long" : "empty");
		}
		memcpy(text + len, texts[i], k);
		len += (uint32_t)k;
		ends[i] = len;
	}
	ret = l->ops->score(l, text, ends, n, choices);
	free(text);
	return ret;
}

ssize_t llamux_embed(struct llamux *l, const char *text, size_t n,
		     uint32_t pooling, float *out, size_t max)
{
	__atomic_store_n(&l->cancelled, 0, __ATOMIC_SEQ_CST);
	return l->ops->embed(l, text, n, pooling, out, max);
}

int llamux_set_grammar(struct llamux *l, const char *gbnf)
{
	void *blob = NULL;
	size_t n = 0;
	int ret = 0;

	if (gbnf)
		ret = gbnf_compile(gbnf, strlen(gbnf), &blob, &n, &l->message);
	if (ret)
		return ret;
	ret = llamux_set_automaton(l, blob, n);
	free(blob);
	return ret;
}

int llamux_set_automaton(struct llamux *l, const void *blob, size_t n)
{
	return l->ops->set_grammar(l, blob, n);
}

int llamux_set_json_schema(struct llamux *l, const char *schema)
{
	char *gbnf = NULL;
	int ret = 0;

	if (schema)
		ret = schema_to_gbnf(schema, strlen(schema), &gbnf,
				     &l->message);
	if (!ret)
		ret = llamux_set_grammar(l, gbnf);
	free(gbnf);
	return ret;
}
