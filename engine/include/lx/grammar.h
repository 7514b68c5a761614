/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Grammars as the engine takes them: a pushdown automaton over bytes, made in
 * user space (from GBNF or a JSON schema) and checked here.
 *
 *	u32	magic, n_nodes, n_sets, start	(little-endian)
 *	struct lx_gnode [n_nodes]
 *	u8	[n_sets][32]	sets of bytes, bit b & 7 of byte b / 8
 *
 * A walk begins at node "start" with an empty stack. BYTE and SET take one
 * byte, SPLIT goes on at both, CALL goes to @a and comes back to @b, RET goes
 * back, or, with an empty stack, is the end of a sentence.
 */
#ifndef LX_GRAMMAR_H
#define LX_GRAMMAR_H

#include "deps.h"
#include "error.h"

#define LX_GRAMMAR_MAGIC 0x3147584cu	/* "LXG1" */
#define LX_GRAMMAR_MAX_NODES 32768
#define LX_GRAMMAR_MAX_SETS 4096
#define LX_GRAMMAR_MAX_BYTES (16 + 8 * LX_GRAMMAR_MAX_NODES + \
			      32 * LX_GRAMMAR_MAX_SETS)

enum lx_gop {
	LX_G_RET,
	LX_G_BYTE,	/* lo..hi, then a */
	LX_G_SET,	/* set a, then b */
	LX_G_SPLIT,	/* a and b */
	LX_G_CALL,	/* a, then b */
	LX_G_OPS
};

struct lx_gnode {
	u8 op, lo, hi, zero;
	u16 a, b;
};

/*
 * The vocabulary in order of its bytes. Immutable; of one vocabulary, which
 * must outlive it. NULL: no memory. May sleep, takes a while.
 */
struct lx_lexicon;
struct lx_vocab;
struct lx_lexicon *lx_lexicon_new(struct lx_host *h, const struct lx_vocab *v);
/* Bytes of it; *@max_len: of the longest token. */
u64 lx_lexicon_memory(const struct lx_vocab *v, u32 *max_len);
void lx_lexicon_free(struct lx_lexicon *x);

/*
 * A grammar at work: where a sentence is, and what was found out about such
 * places. One user at a time.
 */
struct lx_grammar;

/*
 * In one block of memory, charged to @account (lx_host_ops.charged_alloc()).
 * -LX_EINVAL what is wrong with @blob, or what that returns.
 */
int lx_grammar_new(struct lx_host *h, const struct lx_lexicon *x,
		   void *account, const void *blob, size_t n,
		   struct lx_grammar **out, struct lx_error *err);
/* One more, at the same place of the same sentence; errors as those. */
int lx_grammar_copy(const struct lx_grammar *g, void *account,
		    struct lx_grammar **out);
u64 lx_grammar_memory(const struct lx_grammar *g);
/* Bytes of one at most, by its lexicon; 0: no memory to find out. */
u64 lx_grammar_most(struct lx_host *h, u32 n_vocab, u32 max_len);
void lx_grammar_free(struct lx_grammar *g);
/* Back to the begin; @eog: a sentence may be ended by such a token. */
int lx_grammar_reset(struct lx_grammar *g, bool eog);
/*
 * Bits of the ids that may follow, valid till the next call. -LX_E2BIG when
 * the grammar is too ambiguous or too deep to be followed.
 */
int lx_grammar_mask(struct lx_grammar *g, const u32 **mask);
/* -LX_EINVAL: the token's bytes do not fit. */
int lx_grammar_accept(struct lx_grammar *g, s32 id);
/* The sentence is complete, and nothing can follow. */
bool lx_grammar_done(const struct lx_grammar *g);
/* It could end here. */
bool lx_grammar_accepts(const struct lx_grammar *g);

#endif
