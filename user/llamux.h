/* SPDX-License-Identifier: MIT OR LGPL-2.1-or-later */
/*
 * libllamux: conversations with a language model, either through /dev/llama
 * or, with LLAMUX_IN_PROCESS, with the same engine inside this process.
 *
 *	struct llamux *l;
 *	struct llamux_message msg;
 *	int ret = llamux_open(&l, NULL, &msg);
 *
 *	if (ret < 0)
 *		errx(1, "%s", msg.text);
 *	llamux_ask(l, "What is an inode?", print_piece, stdout);
 *	llamux_close(l);
 *
 * Functions return 0 or a count, and negative errno when they fail; the text
 * of the last failure is llamux_error(). The structures are those of
 * <linux/llamux.h>. There are no globals: different conversations may be used
 * by different threads; one conversation by one thread at a time, except for
 * llamux_cancel(), which any thread and any signal handler may call.
 */
#ifndef LLAMUX_H
#define LLAMUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/llamux.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)	/* the shared library's exports */
#endif

#define LLAMUX_DEVICE "/dev/llama"
#define LLAMUX_CONTROL "/dev/llamactl"

struct llamux;

struct llamux_message {
	char text[LLAMUX_ERROR_MAX + 128];
};

/* llamux_options.flags */
#define LLAMUX_IN_PROCESS (1u << 0)	/* no device: the engine in here */
#define LLAMUX_VOCAB_ONLY (1u << 1)	/* in process: only to tokenize */

struct llamux_options {
	uint32_t flags;
	/*
	 * A loaded model's name, NULL for the default one. In process: the
	 * model's file (the first of a split model); NULL is -EINVAL.
	 */
	const char *model;
	/* In process only; zeros are defaults. */
	uint32_t threads;	/* one per CPU */
	const char *simd;	/* the best there is */
	uint32_t n_ctx;		/* 0: what was trained and fits: llamux(1) */
	uint32_t kv_type;	/* LLAMUX_KV_* */
	/*
	 * Called while loading, and while long texts are tokenized, as long as
	 * the engine lives; non-zero ends it with that error.
	 */
	int (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
	/*
	 * In process: quantize to this type as it is loaded ("Q4_K_M"); NULL:
	 * as in the file. As llamux_load.as_type.
	 */
	const char *as;
	/*
	 * In process only: a conversation on the engine of this one, which
	 * may be closed first. Both may be used at a time; their steps are
	 * computed together. All but the flags are then the engine's.
	 */
	struct llamux *beside;
	/*
	 * In process: layers, or experts of a mixture, are read from the file
	 * as they are needed. As LLAMUX_LOAD_STREAM, and llamux_load.memory.
	 */
	uint32_t stream;
	uint64_t memory;
};

/*
 * -ENXIO: there is no /dev/llama; -ENODEV: no (such) model is loaded; in
 * process -ENOENT, -ENOEXEC not a GGUF, -EBADMSG corrupt, -ENOPKG not
 * supported, -ENOMEM. @msg may be NULL.
 */
int llamux_open(struct llamux **out, const struct llamux_options *options,
		struct llamux_message *msg);
void llamux_close(struct llamux *l);
/* Of the last call that failed; never NULL. */
const char *llamux_error(const struct llamux *l);
/* What a negative errno means here, where there are no better words. */
const char *llamux_strerror(int code);

int llamux_info(struct llamux *l, struct llamux_info *info);
int llamux_get_params(struct llamux *l, struct llamux_params *params);
int llamux_set_params(struct llamux *l, const struct llamux_params *params);
int llamux_stats(struct llamux *l, struct llamux_stats *stats);

/* Add text to the prompt; @role LLAMUX_ROLE_*, @flags LLAMUX_WRITE_*. */
int llamux_write(struct llamux *l, const char *text, size_t n, uint32_t role,
		 uint32_t flags);
/*
 * The next piece of the answer: whole UTF-8 characters, not terminated. The
 * first call starts the turn. 0: the turn is over (llamux_stats() tells why).
 */
ssize_t llamux_read(struct llamux *l, char *buf, size_t n);
/*
 * Write as the user, then read to the end, each piece through @piece, which
 * stops the turn by returning non-zero. 0, or the error.
 */
int llamux_ask(struct llamux *l, const char *prompt,
	       int (*piece)(void *ctx, const char *text, size_t n), void *ctx);
/* Stop the turn under way; the reader gets what is there, then 0. */
void llamux_cancel(struct llamux *l);
/* Forget the conversation. */
int llamux_reset(struct llamux *l);

/*
 * What is computed of equal prompts is shared with conversations of the same
 * user that have the same salt, and who has it can tell from the time an
 * answer takes that a prompt was used before: a program that asks for others
 * gives each of them a salt. Before the first write (-EBUSY); 0 is the default.
 * In process nothing is shared.
 */
int llamux_set_salt(struct llamux *l, uint64_t salt);

/*
 * Text to ids, flags LLAMUX_TOK_*: returns how many the text needs, which may
 * exceed @max; writes at most @max.
 */
ssize_t llamux_tokenize(struct llamux *l, const char *text, size_t n,
			uint32_t flags, int32_t *ids, size_t max);
/*
 * Ids to text, flags LLAMUX_TOK_SPECIAL: control tokens are shown. The space
 * that some vocabularies put before the first word is dropped, so that a text
 * comes back as it was. Returns how many bytes there are, which may exceed
 * @max. In process the bytes are exact; from the device stray bytes come back
 * as U+FFFD.
 */
ssize_t llamux_detokenize(struct llamux *l, const int32_t *ids, size_t n,
			  uint32_t flags, char *text, size_t max);
/* The bytes of one token as it stands within a text, likewise. */
ssize_t llamux_piece(struct llamux *l, int32_t id, uint32_t flags, char *text,
		     size_t max);
/* Ids of this turn's answer, likewise. */
ssize_t llamux_tokens(struct llamux *l, int32_t *ids, size_t max);

/*
 * Answers end before the first of these @n strings, from the next turn on;
 * @n 0: none.
 */
int llamux_set_stops(struct llamux *l, const char *const *stops, size_t n);
/* Likelier and less likely tokens, likewise. */
int llamux_set_bias(struct llamux *l, const struct llamux_bias *bias, size_t n);
/*
 * With llamux_params.n_logprobs: records of 1 + n_logprobs entries for the
 * tokens of llamux_tokens(), the token itself first. Writes at most @max
 * records, returns how many there are.
 */
ssize_t llamux_logprobs(struct llamux *l, uint32_t n_logprobs,
			struct llamux_logprob *records, size_t max);

/*
 * How likely the @n texts are as continuations of the conversation and of what
 * was written since, which stay as they are.
 */
int llamux_score(struct llamux *l, const char *const *texts, size_t n,
		 struct llamux_choice *choices);
/*
 * A text as a vector of length 1, @pooling LLAMUX_POOL_*: writes at most @max
 * floats (none unless all fit), returns how many there are. The conversation
 * must be empty.
 */
ssize_t llamux_embed(struct llamux *l, const char *text, size_t n,
		     uint32_t pooling, float *out, size_t max);

/*
 * Answers are sentences of a grammar in GBNF, or JSON as a schema wants it,
 * from the next turn on; NULL: anything. -EINVAL: the error says which line,
 * or which keyword is not supported.
 */
int llamux_set_grammar(struct llamux *l, const char *gbnf);
int llamux_set_json_schema(struct llamux *l, const char *schema);

/* ---- /dev/llamactl, for the superuser ---- */

/* llamux_load_model()'s @load: as the ioctl's, fds, n_fds, name and message
 * are filled in here. @name NULL: the file's name without ".gguf".
 */
int llamux_load_model(const char *file, const char *name,
		      const struct llamux_load *load,
		      struct llamux_message *msg);
int llamux_unload_model(const char *name, struct llamux_message *msg);
int llamux_default_model(const char *name, struct llamux_message *msg);
/* How far the load of @name is: -ENOENT when there is none. */
int llamux_load_progress(const char *name, uint64_t *done, uint64_t *total);
/*
 * Change what @attr->set names of a loaded model: LLAMUX_ATTR_*; how it is
 * afterwards comes back.
 */
int llamux_change_model(const char *name, struct llamux_attr *attr,
			struct llamux_message *msg);
/* What a user may have. */
int llamux_limit_user(const struct llamux_limit *limit,
		      struct llamux_message *msg);
/* Compute a system prompt for everybody; @model NULL: the default one. */
int llamux_register_prompt(const char *model, const char *text, size_t n,
			   struct llamux_message *msg);
/* Forget the one that /proc/llamux/prefixes calls @id; 0: all of @model. */
int llamux_forget_prompt(const char *model, uint64_t id,
			 struct llamux_message *msg);
/* The name llamux_load_model() gives a file. */
void llamux_model_name(const char *file, char name[LLAMUX_NAME_MAX]);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
