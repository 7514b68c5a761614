/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Cutting text into words before byte-pair encoding. A pre-tokenizer is a
 * list of stages; each cuts the pieces of the one before it, as the lists of
 * regular expressions in tokenizer.json do. Hand-written, no regex engine.
 */
#ifndef LX_PRETOKENIZER_H
#define LX_PRETOKENIZER_H

#include "lx/gguf.h"

#define LX_PRE_STAGES 6

struct lx_pre_stage {
	/* Where the piece ends that begins at @pos; pos < result <= @end. */
	size_t (*cut)(const u8 *p, size_t pos, size_t end, u32 arg);
	u32 arg;
};

struct lx_pre {
	const char *name;	/* value of tokenizer.ggml.pre */
	struct lx_pre_stage stage[LX_PRE_STAGES];	/* until cut is NULL */
	bool ignore_merges;	/* a word that is a token needs no merges */
	bool add_bos;		/* unless the file says otherwise */
	bool no_bos;		/* has no default BOS */
};

/* NULL when the name is not known. */
const struct lx_pre *lx_pre_find(struct lx_str name);

/* Walks the words of [pos, end) of @p. */
struct lx_pre_walk {
	const struct lx_pre *pre;
	const u8 *p;
	size_t pos;
	size_t end[LX_PRE_STAGES + 1];
	u32 depth;	/* stages whose piece is still open */
};

void lx_pre_start(struct lx_pre_walk *w, const struct lx_pre *pre,
		  const u8 *p, size_t pos, size_t end);
/* The end of the word that began at the last end, or at @pos; 0 when done. */
size_t lx_pre_next(struct lx_pre_walk *w);

#endif
