/* SPDX-License-Identifier: MIT OR LGPL-2.1-or-later */
/*
 * What stands behind a conversation: the device or the engine in process.
 */
#ifndef USER_BACKEND_H
#define USER_BACKEND_H

#include "llamux.h"

struct llamux_backend {
	int (*open)(struct llamux *l, const struct llamux_options *o);
	void (*close)(struct llamux *l);
	int (*info)(struct llamux *l, struct llamux_info *info);
	int (*get_params)(struct llamux *l, struct llamux_params *p);
	int (*set_params)(struct llamux *l, const struct llamux_params *p);
	int (*stats)(struct llamux *l, struct llamux_stats *s);
	int (*write)(struct llamux *l, const char *text, size_t n,
		     uint32_t role, uint32_t flags);
	ssize_t (*read)(struct llamux *l, char *buf, size_t n);
	void (*cancel)(struct llamux *l);	/* async-signal-safe */
	int (*reset)(struct llamux *l);
	int (*set_salt)(struct llamux *l, uint64_t salt);
	ssize_t (*tokenize)(struct llamux *l, const char *text, size_t n,
			    uint32_t flags, int32_t *ids, size_t max);
	ssize_t (*detokenize)(struct llamux *l, const int32_t *ids, size_t n,
			      uint32_t flags, char *text, size_t max);
	ssize_t (*piece)(struct llamux *l, int32_t id, uint32_t flags,
			 char *text, size_t max);
	ssize_t (*tokens)(struct llamux *l, int32_t *ids, size_t max);
	int (*set_stops)(struct llamux *l, const char *text, size_t n);
	int (*set_bias)(struct llamux *l, const struct llamux_bias *bias,
			size_t n);
	/* Records from @first on; how many there are. */
	ssize_t (*logprobs)(struct llamux *l, size_t first, uint32_t stride,
			    struct llamux_logprob *records, size_t max);
	/* @ends[i]: where the i-th text ends in @text. */
	int (*score)(struct llamux *l, const char *text, const uint32_t *ends,
		     size_t n, struct llamux_choice *choices);
	ssize_t (*embed)(struct llamux *l, const char *text, size_t n,
			 uint32_t pooling, float *out, size_t max);
	int (*set_grammar)(struct llamux *l, const void *blob, size_t n);
};

struct llamux {
	const struct llamux_backend *ops;
	void *priv;		/* the backend's */
	int cancelled;		/* of the present turn; atomic */
	struct llamux_message message;
};

extern const struct llamux_backend llamux_device;
extern const struct llamux_backend llamux_inproc;

/* Set the message, return @code. */
int llamux_fail(struct llamux *l, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define LLAMUX_STOPS_MAX (LLAMUX_MAX_STOPS * (LLAMUX_MAX_STOP_BYTES + 1))

#endif
