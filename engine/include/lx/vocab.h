/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Vocabularies and tokenizers. A vocabulary is read from a GGUF header and
 * refers to its strings in place, so it must be freed before the lx_gguf is
 * closed. Immutable after loading: any number of threads may use it.
 * Integer code only: SentencePiece scores become sortable integers at load.
 */
#ifndef LX_VOCAB_H
#define LX_VOCAB_H

#include "deps.h"
#include "error.h"
#include "gguf.h"

struct lx_vocab;

/* How text is cut: the flags of lx_tokenize(). */
#define LX_TOK_BOS (1u << 0)	  /* put the model's BOS first, if it wants one */
#define LX_TOK_SPECIAL (1u << 1)  /* control tokens in the text are tokens */
#define LX_TOK_CONTINUE (1u << 2) /* the text follows other text: no space
				   * prefix unless a special token precedes it
				   */
#define LX_TOK_ONE_BOS (1u << 3)  /* no BOS when the text begins with one */
#define LX_TOK_EOS (1u << 4)	  /* put the model's EOS last, if it wants one */

/*
 * Read and validate tokenizer.* : tokens, scores, types, merges, special ids,
 * add_* flags, pre-tokenizer name. Errors: -LX_EBADMSG (names the key),
 * -LX_ENOPKG (tokenizer model or pre not supported), -LX_ENOMEM.
 */
int lx_vocab_load(struct lx_host *host, const struct lx_gguf *g,
		  struct lx_vocab **out, struct lx_error *err);
void lx_vocab_free(struct lx_vocab *v);

u32 lx_vocab_n_tokens(const struct lx_vocab *v);
u64 lx_vocab_memory(const struct lx_vocab *v);	/* control memory held */
const char *lx_vocab_kind(const struct lx_vocab *v);	/* "spm", "bpe llama-bpe" */

/*
 * Tokenize @n bytes. Writes at most @max ids to @out and returns the number of
 * ids the text needs (which may exceed @max), or -LX_ENOMEM, -LX_EMSGSIZE (more
 * than 1 GiB) or what the host's progress() returned (-LX_EINTR). Text need not
 * be valid UTF-8: stray bytes become byte tokens. Allocates working memory from
 * the host, O(n); O(n log n) time.
 */
s64 lx_tokenize(const struct lx_vocab *v, const char *text, size_t n,
		u32 flags, s32 *out, size_t max);

/*
 * The same for text put together from trusted and untrusted pieces: spans
 * follow one another, @end is the offset behind the span, and control tokens
 * are recognised only where every byte of them lies in spans with @special.
 * Pieces are tokenized as one text, so words may go across their borders, as
 * they do when a template is rendered first. Bytes behind the last span are
 * untrusted; LX_TOK_SPECIAL is ignored.
 */
struct lx_span {
	size_t end;
	bool special;
};

s64 lx_tokenize_spans(const struct lx_vocab *v, const char *text, size_t n,
		      const struct lx_span *span, u32 n_spans, u32 flags,
		      s32 *out, size_t max);

/*
 * The bytes of one token as generation shows them: control tokens give none
 * unless @special, or when they part an answer (<|channel|> of gpt-oss).
 * Returns the length, writes at most @max; -LX_EINVAL when the id is out of
 * range. Longest token: lx_vocab_max_piece(). The space a SentencePiece
 * vocabulary puts before the first word is the caller's to drop: see lx_detok.
 */
int lx_token_piece(const struct lx_vocab *v, s32 id, bool special, char *buf,
		   size_t max);
u32 lx_vocab_max_piece(const struct lx_vocab *v);

bool lx_token_is_control(const struct lx_vocab *v, s32 id);
bool lx_token_is_eog(const struct lx_vocab *v, s32 id);	/* ends a turn */
s32 lx_token_bos(const struct lx_vocab *v);	/* -1 when none */
s32 lx_token_eos(const struct lx_vocab *v);
bool lx_vocab_adds_bos(const struct lx_vocab *v);
bool lx_vocab_adds_eos(const struct lx_vocab *v);
/* SentencePiece with a space prefix: set lx_detok.strip at a text's begin. */
bool lx_vocab_adds_space(const struct lx_vocab *v);
/* Exact text of a token as stored, e.g. "<|im_end|>"; -1 when there is none. */
s32 lx_token_find(const struct lx_vocab *v, const char *text, size_t n);

/*
 * Incremental detokenization: whole UTF-8 characters only. Bytes of a
 * character that is not complete wait in @pend; an invalid sequence becomes
 * U+FFFD. lx_detok_flush() ends a turn: what is pending becomes one U+FFFD.
 */
struct lx_detok {
	u8 pend[4];
	u8 n_pend;
	bool started;	/* something was put out: no leading space to drop */
	bool strip;	/* drop one leading space of the first piece */
};

/* Returns bytes written to @out, at most @max; @max must be at least
 * 3 * (lx_vocab_max_piece() + 4).
 */
size_t lx_detok_push(struct lx_detok *d, const struct lx_vocab *v, s32 id,
		     bool special, char *out, size_t max);
size_t lx_detok_flush(struct lx_detok *d, char *out, size_t max);

#endif
