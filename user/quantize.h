/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One GGUF file to another with other types: tensor by tensor, some rows at a
 * time, on all threads of the host.
 */
#ifndef USER_QUANTIZE_H
#define USER_QUANTIZE_H

#include "host.h"
#include "lx/preset.h"

struct quantize_options {
	const struct lx_preset *preset;
	bool pure;		/* one type for all matrices */
	const char *simd;
	struct user_host_options host;	/* progress(): bytes read */
	/* Told once for each: @n tensors with rows of @cols get @type. */
	void (*misfit)(void *ctx, u32 n, u64 cols, u32 wanted, u32 type);
	void *ctx;
};

struct quantize_result {
	u64 bytes_in, bytes_out;	/* of the files */
	u64 n_tensors, n_converted;
	u32 quantized;		/* a type of IN that is not exact, or ~0u */
	char message[LX_ERROR_MAX + 4096];	/* why it failed */
};

/*
 * @in to @out, which appears when it is complete; nothing is left behind after
 * an error. 0 or -errno: what the model's files give, -ENOPKG a type that
 * cannot be read, -EBADMSG a weight that is not finite, -ERANGE one that the
 * type cannot hold, -EINVAL @out is one of the files of @in or no file,
 * -EINTR, -ENOSPC ...
 */
int quantize_file(const char *in, const char *out,
		  const struct quantize_options *opt, struct quantize_result *res);

#endif
