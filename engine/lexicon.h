/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef LX_LEXICON_H
#define LX_LEXICON_H

#include "lx/grammar.h"
#include "lx/vocab.h"

/* Tokens that give text, sorted by their bytes. */
struct lx_lexicon {
	struct lx_host *host;
	const struct lx_vocab *vocab;
	u32 n_vocab, n;
	u32 max_len;
	u64 n_bytes;
	u32 *id;		/* [n] of n_vocab */
	u32 *off;		/* [n_vocab + 1] by id: bytes[off[id] ..] */
	u16 *lcp;		/* [n] bytes shared with the one before */
	u8 *bytes;
	u32 *eog;		/* bits */
};

static inline u32 lx_lexicon_len(const struct lx_lexicon *x, u32 id)
{
	return x->off[id + 1] - x->off[id];
}

#endif
