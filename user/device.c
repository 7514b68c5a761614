// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/*
 * libllamux over /dev/llama.
 *
 * The descriptor is non-blocking: a read starts the turn, poll waits. poll
 * has a time limit so that a cancel that comes between the two is seen: the
 * ioctl has no effect on a turn that has not begun.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backend.h"

#define CANCEL_LATENCY_MS 200
#define WRITE_MAX (1u << 20)	/* bytes of one ioctl */

static int dev_fd(struct llamux *l)
{
	return (int)(intptr_t)l->priv;
}

static int dev_ioctl(struct llamux *l, unsigned long cmd, void *arg)
{
	int ret;

	do {
		ret = ioctl(dev_fd(l), cmd, arg);
	} while (ret < 0 && errno == EINTR &&
		 !__atomic_load_n(&l->cancelled, __ATOMIC_SEQ_CST));
	if (ret < 0)
		return llamux_fail(l, -errno, "%s", llamux_strerror(-errno));
	return 0;
}

static int open_failed(struct llamux *l)
{
	int code = -errno;

	/* ENODEV from a node without a driver is the same as no node. */
	if (code == -ENOENT || code == -ENXIO || code == -ENODEV)
		return llamux_fail(l, -ENXIO,
				   "there is no %s: load the module (modprobe "
				   "llamux) or use --user", LLAMUX_DEVICE);
	return llamux_fail(l, code, "%s: %s%s", LLAMUX_DEVICE, strerror(-code),
			   code == -EACCES ? ": it is for its group (llamux doctor says more)" : "");
}

static int dev_select(struct llamux *l, const char *model)
{
	struct llamux_name name = { 0 };
	struct llamux_info info;
	int ret;

	if (model) {
		if (strlen(model) >= sizeof(name.name))
			return llamux_fail(l, -ENODEV,
					   "no model of that name is loaded");
		strcpy(name.name, model);
		ret = dev_ioctl(l, LLAMUX_IOC_SET_MODEL, &name);
	} else {
		memset(&info, 0, sizeof(info));
		ret = dev_ioctl(l, LLAMUX_IOC_INFO, &info);
	}
	if (ret == -ENODEV)
		llamux_fail(l, ret, model ? "no model of that name is loaded (llamux models)" :
			    "no model is loaded (llamux load FILE)");
	return ret;
}

static int dev_open(struct llamux *l, const struct llamux_options *o)
{
	int fd, ret;

	fd = open(LLAMUX_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return open_failed(l);
	l->priv = (void *)(intptr_t)fd;
	ret = dev_select(l, o->model);
	if (ret)
		close(fd);
	return ret;
}

static void dev_close(struct llamux *l)
{
	close(dev_fd(l));
}

static int dev_info(struct llamux *l, struct llamux_info *info)
{
	memset(info, 0, sizeof(*info));
	return dev_ioctl(l, LLAMUX_IOC_INFO, info);
}

static int dev_get_params(struct llamux *l, struct llamux_params *p)
{
	memset(p, 0, sizeof(*p));
	return dev_ioctl(l, LLAMUX_IOC_GET_PARAMS, p);
}

static int dev_set_params(struct llamux *l, const struct llamux_params *p)
{
	struct llamux_params copy = *p;
	int ret = dev_ioctl(l, LLAMUX_IOC_SET_PARAMS, &copy);

	if (ret == -EINVAL)
		llamux_fail(l, ret, "a sampling parameter is out of range");
	return ret;
}

static int dev_stats(struct llamux *l, struct llamux_stats *s)
{
	memset(s, 0, sizeof(*s));
	return dev_ioctl(l, LLAMUX_IOC_STATS, s);
}

/* A piece of at most WRITE_MAX that does not end within a character. */
static size_t whole(const char *text, size_t n)
{
	size_t cut = WRITE_MAX, i;

	if (n <= WRITE_MAX)
		return n;
	for (i = 0; i < 3 && ((unsigned char)text[cut] & 0xc0) == 0x80; i++)
		cut--;
	return cut;
}

static int dev_write(struct llamux *l, const char *text, size_t n,
		     uint32_t role, uint32_t flags)
{
	int ret;

	do {
		size_t len = whole(text, n);
		struct llamux_write w = {
			.text = (uintptr_t)text,
			.len = (uint32_t)len,
			.role = role,
			.flags = flags,
		};

		ret = dev_ioctl(l, LLAMUX_IOC_WRITE, &w);
		text += len;
		n -= len;
	} while (!ret && n);
	return ret;
}

/* The turn could not go on: say why if the kernel kept the reason. */
static ssize_t read_failed(struct llamux *l, int code)
{
	if (code == -EINTR)
		return llamux_fail(l, code, "interrupted");
	return llamux_fail(l, code, "%s", llamux_strerror(code));
}

static ssize_t dev_read(struct llamux *l, char *buf, size_t n)
{
	struct pollfd pfd = { .fd = dev_fd(l), .events = POLLIN };
	ssize_t r;

	for (;;) {
		r = read(pfd.fd, buf, n);
		if (r >= 0)
			return r;
		if (errno == EAGAIN) {
			if (poll(&pfd, 1, CANCEL_LATENCY_MS) < 0 &&
			    errno != EINTR)
				return read_failed(l, -errno);
		} else if (errno != EINTR) {
			return read_failed(l, -errno);
		}
		if (__atomic_load_n(&l->cancelled, __ATOMIC_SEQ_CST))
			ioctl(pfd.fd, LLAMUX_IOC_CANCEL);
	}
}

static void dev_cancel(struct llamux *l)
{
	int saved = errno;

	ioctl(dev_fd(l), LLAMUX_IOC_CANCEL);
	errno = saved;
}

static int dev_reset(struct llamux *l)
{
	return dev_ioctl(l, LLAMUX_IOC_RESET, NULL);
}

static int dev_set_salt(struct llamux *l, uint64_t salt)
{
	struct llamux_salt a = { .salt = salt };
	int ret = dev_ioctl(l, LLAMUX_IOC_SALT, &a);

	if (ret == -EBUSY)
		llamux_fail(l, ret, "the conversation has begun");
	return ret;
}

static ssize_t dev_tokenize(struct llamux *l, const char *text, size_t n,
			    uint32_t flags, int32_t *ids, size_t max)
{
	struct llamux_tokenize t = {
		.text = (uintptr_t)text,
		.ids = (uintptr_t)ids,
		.len = (uint32_t)n,
		.n_ids = max > UINT32_MAX ? UINT32_MAX : (uint32_t)max,
		.flags = flags,
	};
	int ret;

	if (n > UINT32_MAX)
		return llamux_fail(l, -EMSGSIZE, "the text is too long");
	ret = dev_ioctl(l, LLAMUX_IOC_TOKENIZE, &t);
	if (ret && ret != -ENOSPC)
		return ret;
	return (ssize_t)t.n_ids;
}

static ssize_t dev_detokenize(struct llamux *l, const int32_t *ids, size_t n,
			      uint32_t flags, char *text, size_t max)
{
	struct llamux_detokenize d = {
		.ids = (uintptr_t)ids,
		.text = (uintptr_t)text,
		.n_ids = (uint32_t)n,
		.len = max > UINT32_MAX ? UINT32_MAX : (uint32_t)max,
		.flags = flags,
	};
	int ret;

	if (n > UINT32_MAX)
		return llamux_fail(l, -EMSGSIZE, "too many ids");
	ret = dev_ioctl(l, LLAMUX_IOC_DETOKENIZE, &d);
	if (ret == -EINVAL)
		llamux_fail(l, ret, "an id is out of range");
	if (ret && ret != -ENOSPC)
		return ret;
	return (ssize_t)d.len;
}

/*
 * The ioctl drops a space at the beginning: the token is looked at where it
 * stands behind itself.
 */
static ssize_t dev_piece(struct llamux *l, int32_t id, uint32_t flags,
			 char *text, size_t max)
{
	int32_t twice[2] = { id, id };
	ssize_t one = dev_detokenize(l, twice, 1, flags, NULL, 0), both;
	char *buf;

	if (one < 0)
		return one;
	both = dev_detokenize(l, twice, 2, flags, NULL, 0);
	if (both < one)
		return both < 0 ? both : 0;
	buf = malloc((size_t)both + 1);
	if (!buf)
		return llamux_fail(l, -ENOMEM, "%s", strerror(ENOMEM));
	both = dev_detokenize(l, twice, 2, flags, buf, (size_t)both);
	if (both >= one) {
		both -= one;
		memcpy(text, buf + one, (size_t)both < max ? (size_t)both :
							     max);
	}
	free(buf);
	return both;
}

static ssize_t dev_tokens(struct llamux *l, int32_t *ids, size_t max)
{
	struct llamux_tokens t = {
		.ids = (uintptr_t)ids,
		.n = max > UINT32_MAX ? UINT32_MAX : (uint32_t)max,
	};
	int ret = dev_ioctl(l, LLAMUX_IOC_TOKENS, &t);

	return ret ? ret : (ssize_t)t.n;
}

static int dev_set_stops(struct llamux *l, const char *text, size_t n)
{
	struct llamux_stops a = { .text = (uintptr_t)text, .len = (uint32_t)n };
	int ret = dev_ioctl(l, LLAMUX_IOC_SET_STOPS, &a);

	if (ret == -EINVAL)
		llamux_fail(l, ret, "a stop string is no UTF-8");
	return ret;
}

static int dev_set_bias(struct llamux *l, const struct llamux_bias *bias,
			size_t n)
{
	struct llamux_biases a = { .bias = (uintptr_t)bias, .n = (uint32_t)n };
	int ret = dev_ioctl(l, LLAMUX_IOC_SET_BIAS, &a);

	if (ret == -EINVAL)
		llamux_fail(l, ret, "a biased token is out of range or "
			    "given twice");
	return ret;
}

static ssize_t dev_logprobs(struct llamux *l, size_t first, uint32_t stride,
			    struct llamux_logprob *records, size_t max)
{
	struct llamux_logprobs a = {
		.records = (uintptr_t)records,
		.first = (uint32_t)first,
		.n = max > UINT32_MAX ? UINT32_MAX : (uint32_t)max,
		.stride = stride,
	};
	int ret = dev_ioctl(l, LLAMUX_IOC_LOGPROBS, &a);

	return ret ? ret : (ssize_t)a.n;
}

static int dev_score(struct llamux *l, const char *text, const uint32_t *ends,
		     size_t n, struct llamux_choice *choices)
{
	struct llamux_score a = {
		.text = (uintptr_t)text,
		.ends = (uintptr_t)ends,
		.choices = (uintptr_t)choices,
		.len = ends[n - 1],
		.n = (uint32_t)n,
	};
	int ret = dev_ioctl(l, LLAMUX_IOC_SCORE, &a);

	if (ret == -EINVAL)
		llamux_fail(l, ret, "there is no prompt, or a text gives no "
			    "tokens");
	return ret;
}

static ssize_t dev_embed(struct llamux *l, const char *text, size_t n,
			 uint32_t pooling, float *out, size_t max)
{
	struct llamux_embed a = {
		.text = (uintptr_t)text,
		.embedding = (uintptr_t)out,
		.len = (uint32_t)n,
		.pooling = pooling,
		.n = max > UINT32_MAX ? UINT32_MAX : (uint32_t)max,
	};
	int ret;

	if (n > LLAMUX_MAX_EMBED_BYTES)
		return llamux_fail(l, -EMSGSIZE, "%s",
				   llamux_strerror(-EMSGSIZE));
	ret = dev_ioctl(l, LLAMUX_IOC_EMBED, &a);
	return ret && ret != -ENOSPC ? ret : (ssize_t)a.n;
}

static int dev_set_grammar(struct llamux *l, const void *blob, size_t n)
{
	struct llamux_grammar a = { .blob = (uintptr_t)blob,
				    .len = (uint32_t)n };

	return dev_ioctl(l, LLAMUX_IOC_SET_GRAMMAR, &a);
}

const struct llamux_backend llamux_device = {
	.open = dev_open,
	.close = dev_close,
	.info = dev_info,
	.get_params = dev_get_params,
	.set_params = dev_set_params,
	.stats = dev_stats,
	.write = dev_write,
	.read = dev_read,
	.cancel = dev_cancel,
	.reset = dev_reset,
	.set_salt = dev_set_salt,
	.tokenize = dev_tokenize,
	.detokenize = dev_detokenize,
	.piece = dev_piece,
	.tokens = dev_tokens,
	.set_stops = dev_set_stops,
	.set_bias = dev_set_bias,
	.logprobs = dev_logprobs,
	.score = dev_score,
	.embed = dev_embed,
	.set_grammar = dev_set_grammar,
};
