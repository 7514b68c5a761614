/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Special and added tokens in a text. */
#ifndef LX_SPECIAL_H
#define LX_SPECIAL_H

#include "vocab_priv.h"

/* Where special tokens stand: position << 32 | id, ascending. */
struct lx_cuts {
	u64 *at;
	size_t n;
	size_t size;	/* allocated */
};

/* isspace() of the C locale: what such tokens strip. */
static inline bool lx_is_space(u8 c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * Find the tokens to cut out of @p: user-defined ones anywhere, control ones
 * only where a span allows them as a whole. -LX_ENOMEM.
 */
int lx_cuts_find(struct lx_cuts *c, const struct lx_vocab *v, const u8 *p,
		 size_t n, const struct lx_span *span, u32 n_spans);
void lx_cuts_free(struct lx_cuts *c, const struct lx_vocab *v);

#endif
