/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The inside of a vocabulary, for the tokenizers. */
#ifndef LX_VOCAB_PRIV_H
#define LX_VOCAB_PRIV_H

#include "lx/vocab.h"
#include "pretokenizer.h"

#define LX_NO_TOKEN 0xffffffffu

/* What a token is. One may be NORMAL and CONTROL. */
#define LX_ATTR_NORMAL (1u << 0)
#define LX_ATTR_UNKNOWN (1u << 1)
#define LX_ATTR_CONTROL (1u << 2)
#define LX_ATTR_USER (1u << 3)
#define LX_ATTR_UNUSED (1u << 4)
#define LX_ATTR_BYTE (1u << 5)
#define LX_ATTR_RSTRIP (1u << 6)	/* eats the white space behind it */
#define LX_ATTR_EOG (1u << 7)		/* ends a turn */
#define LX_ATTR_SHOWN (1u << 8)		/* control, but part of the answer */
#define LX_ATTR_SPECIAL (LX_ATTR_UNKNOWN | LX_ATTR_CONTROL)

struct lx_token {
	u32 off;	/* of its text in lx_vocab.text */
	u16 len;
	u16 attr;
};

/* "left right" may be joined to @result; a lower @rank comes first. */
struct lx_merge_rule {
	u32 left, right;	/* left is LX_NO_TOKEN in an empty slot */
	u32 rank;
	u32 result;
};

enum lx_vocab_model { LX_VOCAB_SPM, LX_VOCAB_BPE };

struct lx_vocab {
	struct lx_host *host;
	enum lx_vocab_model model;
	const struct lx_pre *pre;	/* BPE: how text is cut into words */
	const u8 *text;			/* the tokens' texts, in the GGUF header */
	struct lx_token *tok;
	u32 n_tok;
	u32 max_piece;
	u32 *score;		/* SPM: lower is better, by token */
	u32 *hash;		/* text to id, open addressing */
	u32 hash_mask;
	struct lx_merge_rule *rule;	/* BPE: pair of ids to rule */
	u32 rule_mask;
	u32 byte_id[256];	/* what stands for a byte, or LX_NO_TOKEN */
	s32 bos, eos, eot, eom, unk;
	bool add_bos, add_eos, add_space;
	bool cut_words;		/* SPM: no token goes on into a next word */
	/* Tokens that are cut out of the text first, by text, and their rank. */
	u32 *special;
	u32 *special_rank;	/* longest first, then by id */
	u32 n_special;
	u32 special_first[257];	/* where texts with this first byte begin */
	u64 memory;
	char kind[40];
};

static inline const u8 *lx_token_text(const struct lx_vocab *v, u32 id)
{
	return v->text + v->tok[id].off;
}

u32 lx_hash_bytes(const u8 *p, size_t n);
/* The id of exactly these bytes, or LX_NO_TOKEN. */
u32 lx_vocab_lookup(const struct lx_vocab *v, const u8 *p, size_t n);
/* NULL when the pair has no rule. */
const struct lx_merge_rule *lx_vocab_rule(const struct lx_vocab *v, u32 left,
					  u32 right);

/* Loading, in parts; vocab.c calls these in this order. */
int lx_vocab_load_merges(struct lx_vocab *v, const struct lx_gguf *g,
			 struct lx_error *err);
int lx_vocab_load_special(struct lx_vocab *v, const struct lx_gguf *g,
			  struct lx_error *err);

/* Control memory that is counted in @v->memory; zeroed. */
void *lx_vocab_alloc(struct lx_vocab *v, u64 size, struct lx_error *err);

#endif
