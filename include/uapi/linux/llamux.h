/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The contract of /dev/llama and /dev/llamactl.
 *
 * One open file of /dev/llama is one conversation. write(2) adds text to the
 * prompt. The first read(2) after it starts the turn and blocks until text is
 * there; it returns whole UTF-8 characters as they come, and 0 at the end of
 * the turn. The next write opens the next turn; the conversation is kept.
 * poll(2): readable while a prompt is pending, text is ready, or the turn has
 * ended; writable when no turn is under way. With O_NONBLOCK a read starts
 * the turn and fails with EAGAIN while there is no text. A write in mid-turn
 * fails with EBUSY. close(2) cancels.
 *
 * The last newline written by write(2) before a turn is dropped (it is
 * echo's), unless LLAMUX_RAW is set; LLAMUX_IOC_WRITE takes text as it is.
 *
 * Errors of open: EAGAIN more sessions than the module's max_sessions, EDQUOT
 * more than the user may have (user_sessions, LLAMUX_CTL_LIMIT). Errors of
 * read and write: ENODEV no model, EMSGSIZE prompt beyond the context, EDQUOT
 * the user's tokens of this minute are used up, or its KV (max_kv); ENOMEM (also when the KV of
 * the conversation does not fit into the memory cgroup of its opener), EAGAIN
 * no text yet (O_NONBLOCK), EBUSY, EIO the computation failed, or the disk of a
 * streamed model (LLAMUX_LOAD_STREAM), EBADMSG its file is corrupt,
 * ERESTARTSYS/EINTR a signal.
 *
 * Every ioctl structure may grow at its end: the size in the command number
 * tells the kernel which the caller knows; fields the kernel does not know
 * must be zero (E2BIG). Reserved fields and unknown flags must be zero
 * (EINVAL). Unknown commands: ENOTTY. Real numbers are integers in
 * millionths. Pointers are carried in __u64.
 */
#ifndef _UAPI_LINUX_LLAMUX_H
#define _UAPI_LINUX_LLAMUX_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define LLAMUX_NAME_MAX 64	/* with the terminating NUL */
#define LLAMUX_ERROR_MAX 200
#define LLAMUX_MAX_FILES 256
#define LLAMUX_TYPE_MAX 16	/* with the terminating NUL */

#define LLAMUX_IOC_MAGIC 0xBC

/* ---- /dev/llama ---- */

/* llamux_info.features */
#define LLAMUX_FEATURE_CHAT (1ull << 0)	/* the model's chat format is known */

/*
 * LLAMUX_IOC_INFO: what this session talks to.
 * Output: all fields. Errors: ENODEV no model.
 */
struct llamux_info {
	__u64 features;
	__u32 n_ctx;		/* tokens this session can hold */
	__u32 n_vocab;
	__u64 n_params;
	char model[LLAMUX_NAME_MAX];	/* as loaded: routed by this */
	char arch[32];
	char type[16];
	char chat[16];		/* "chatml", "none", "unknown" */
	__u32 n_layer, n_embd;
};

/* llamux_params.flags */
#define LLAMUX_RAW (1u << 0)		/* no chat format */
#define LLAMUX_IGNORE_EOG (1u << 1)	/* go on past end-of-generation */
#define LLAMUX_SPECIAL (1u << 2)	/* show control tokens in the answer */
/*
 * When the context is full, keep the first @n_keep tokens (0: BOS), drop the
 * older half of the others, compute the rest anew and go on, in an answer as
 * well as before a prompt that would not fit. Without it the turn ends
 * (LLAMUX_FINISH_CONTEXT) and further prompts fail with EMSGSIZE.
 */
#define LLAMUX_SHIFT (1u << 3)
/* No thoughts before the answer, where the chat format can say so. */
#define LLAMUX_NO_THINK (1u << 4)
/*
 * Answers that repeat what was said go faster, by guesses that do not change
 * them (prompt lookup). This turns it off.
 */
#define LLAMUX_NO_LOOKUP (1u << 15)

/*
 * LLAMUX_IOC_GET_PARAMS, LLAMUX_IOC_SET_PARAMS: how answers are sampled. In
 * force from the next turn. Errors of SET: EINVAL out of range, EBUSY in
 * mid-turn.
 */
struct llamux_params {
	__u32 temperature_u;	/* 0: greedy */
	__u32 top_k;		/* 0: off */
	__u32 top_p_u;		/* 1000000: off */
	__u32 min_p_u;		/* 0: off */
	__u32 repeat_penalty_u;	/* 1000000: off */
	__u32 repeat_last_n;	/* at most 1024 */
	__s32 presence_penalty_u;
	__s32 frequency_penalty_u;
	__u64 seed;
	__u32 max_tokens;	/* of a turn; 0: to the end of the context */
	__u32 flags;		/* LLAMUX_RAW ... */
	__u32 priority;		/* 0 interactive, 1 background */
	__u32 reserved;
	__u32 n_logprobs;	/* LLAMUX_IOC_LOGPROBS, at most 20; 0: none */
	__u32 n_keep;		/* with LLAMUX_SHIFT */
};

/* LLAMUX_IOC_SET_MODEL: by name or "@role"; before the first write only
 * (EBUSY). Errors: ENODEV no such model.
 */
struct llamux_name {
	char name[LLAMUX_NAME_MAX];
};

#define LLAMUX_ROLE_SYSTEM 0
#define LLAMUX_ROLE_USER 1
#define LLAMUX_ROLE_ASSISTANT 2

#define LLAMUX_WRITE_SPECIAL (1u << 0)	/* trusted: parse control tokens */

/*
 * LLAMUX_IOC_WRITE: as write(2), with a role and flags. Returns 0: all of it
 * was taken. write(2) is role user, flags 0.
 */
struct llamux_write {
	__u64 text;		/* const char * */
	__u32 len;
	__u32 role;
	__u32 flags;
	__u32 reserved;
};

#define LLAMUX_TOK_BOS (1u << 0)	/* begin with BOS, if the model wants it */
#define LLAMUX_TOK_SPECIAL (1u << 1)	/* parse, or show, control tokens */
#define LLAMUX_TOK_EOS (1u << 4)	/* end with EOS, if the model wants it */

/*
 * LLAMUX_IOC_TOKENIZE: text to ids. @n_ids: in, room at @ids; out, how many
 * the text needs. At most 16 MiB of text. Errors: ENOSPC (n_ids is set and
 * the first ones are copied), ENODEV, EMSGSIZE.
 */
struct llamux_tokenize {
	__u64 text;		/* const char * */
	__u64 ids;		/* __s32 * */
	__u32 len;
	__u32 n_ids;
	__u32 flags;
	__u32 reserved;
};

/*
 * LLAMUX_IOC_DETOKENIZE: ids to text. @len: in, room at @text; out, bytes
 * needed. Errors: ENOSPC, EINVAL an id out of range, ENODEV.
 */
struct llamux_detokenize {
	__u64 ids;		/* const __s32 * */
	__u64 text;		/* char * */
	__u32 n_ids;
	__u32 len;
	__u32 flags;		/* LLAMUX_TOK_SPECIAL: show control tokens */
	__u32 reserved;
};

#define LLAMUX_FINISH_NONE 0
#define LLAMUX_FINISH_EOG 1
#define LLAMUX_FINISH_LENGTH 2
#define LLAMUX_FINISH_CONTEXT 3
#define LLAMUX_FINISH_CANCELLED 4
#define LLAMUX_FINISH_ERROR 5
#define LLAMUX_FINISH_STOP 6	/* a stop string */

/* LLAMUX_IOC_STATS: this session, its present or last turn. */
struct llamux_stats {
	__u32 state;		/* 0 idle, 1 pending, 2 running, 3 done */
	__u32 finish;		/* LLAMUX_FINISH_* */
	__s32 error;		/* negative errno with FINISH_ERROR */
	__u32 n_past;		/* tokens in the KV cache */
	__u32 n_prompt, n_cached, n_gen;
	__u32 n_ctx;
	__u64 prompt_ns, gen_ns;
	__u64 total_prompt, total_gen;
	__u64 kv_bytes;
};

/*
 * LLAMUX_IOC_TOKENS: ids of this turn's answer as they are in the
 * conversation: those of a stop string, and those that a shift dropped, are
 * not among them. @n: in, room at @ids; out,
 * how many there are. Copies the first min of both.
 */
struct llamux_tokens {
	__u64 ids;		/* __s32 * */
	__u32 n;
	__u32 reserved;
};

/*
 * LLAMUX_IOC_EVAL: append tokens to the conversation, compute them and give
 * the logits of the last one: n_vocab f32 in @logits, or 0 for none. Waits;
 * a signal ends it (EINTR), as does LLAMUX_IOC_CANCEL (ECANCELED); the tokens
 * are part of the conversation nonetheless. For tests, scoring and
 * benchmarks. Errors: EBUSY in mid-turn, EMSGSIZE past the context, EINVAL an
 * id out of range.
 */
struct llamux_eval {
	__u64 ids;		/* const __s32 * */
	__u64 logits;		/* float * */
	__u32 n_ids;
	__u32 reserved;
};

#define LLAMUX_MAX_STOPS 16
#define LLAMUX_MAX_STOP_BYTES 256

/*
 * LLAMUX_IOC_SET_STOPS: answers end before the first of these strings, which
 * is not delivered (LLAMUX_FINISH_STOP). From the next turn on, in place of
 * those before. @text: UTF-8 strings, each followed by a NUL; @len: of all of
 * it, 0: none. Errors: EINVAL too many, one empty, too long or no UTF-8;
 * EBUSY in mid-turn; ENODEV. What SET_STOPS, SET_BIAS and SET_GRAMMAR set is
 * forgotten by LLAMUX_IOC_SET_MODEL, kept by LLAMUX_IOC_RESET.
 */
struct llamux_stops {
	__u64 text;		/* const char * */
	__u32 len;
	__u32 reserved;
};

#define LLAMUX_MAX_BIAS 512
#define LLAMUX_BIAS_NEVER (-0x7fffffff - 1)	/* not to be chosen */

struct llamux_bias {
	__s32 id;
	__s32 bias_u;		/* added to the token's logit */
};

/*
 * LLAMUX_IOC_SET_BIAS: make tokens likelier or less likely, before penalties.
 * From the next turn on, in place of those before; @n 0: none. Errors: EINVAL
 * too many, an id out of range or twice; EBUSY in mid-turn; ENODEV.
 */
struct llamux_biases {
	__u64 bias;		/* const struct llamux_bias * */
	__u32 n;
	__u32 reserved;
};

/* A token and the natural logarithm of its probability. */
struct llamux_logprob {
	__s32 id;
	__s32 lp_u;		/* -2147483647: that, or less */
};

/*
 * LLAMUX_IOC_LOGPROBS: what the model thought of the tokens of this turn's
 * answer, when llamux_params.n_logprobs is set: its own distribution over the
 * whole vocabulary, at temperature 1, before bias, penalties, grammar and
 * filters. A record is the token of LLAMUX_IOC_TOKENS and then the n_logprobs
 * likeliest ones. @first: the record to begin with. @n: in, room for so many
 * records; out, how many there are. @stride: entries of a record; in, what
 * the caller thinks it is (EINVAL when it is not and @n is not 0).
 */
struct llamux_logprobs {
	__u64 records;		/* struct llamux_logprob [n][stride] */
	__u32 first;
	__u32 n;
	__u32 stride;
	__u32 reserved;
};

#define LLAMUX_MAX_CHOICES 256
#define LLAMUX_MAX_CHOICE_BYTES 65536	/* of all of them */

struct llamux_choice {
	__s64 lp_u;		/* sum of its tokens' log-probabilities */
	__u32 n_tokens;
	__u32 reserved;
};

/*
 * LLAMUX_IOC_SCORE: how likely each of @n texts is to the model as the
 * continuation of the conversation and the prompt that is pending: its own
 * distribution, as in LLAMUX_IOC_LOGPROBS. The prompt is computed once for
 * all. Conversation and prompt are afterwards what they were. The texts follow
 * one another; ends[i] is where the i-th ends, ends[n - 1] is @len. Waits;
 * EINTR after a signal, ECANCELED after LLAMUX_IOC_CANCEL. Errors: EINVAL
 * nothing to continue, a text empty, too many, too long; EBUSY in mid-turn;
 * EMSGSIZE past the context; ENODEV.
 */
struct llamux_score {
	__u64 text;		/* const char * */
	__u64 ends;		/* const __u32 * */
	__u64 choices;		/* struct llamux_choice * */
	__u32 len;
	__u32 n;
};

#define LLAMUX_POOL_MEAN 0	/* of all tokens */
#define LLAMUX_POOL_LAST 1	/* the last token's */
#define LLAMUX_MAX_EMBED_BYTES (16u << 20)

/*
 * LLAMUX_IOC_EMBED: a text as a vector of n_embd (LLAMUX_IOC_INFO) f32 of
 * length 1: the model's normalised output, pooled. The text is taken as it is,
 * with BOS where the model wants it. The conversation must be empty (EBUSY),
 * and is afterwards. @n: in, room for so many floats; out, n_embd. Waits, as
 * LLAMUX_IOC_SCORE. Errors: ENOSPC (n is set), EINVAL no text, EMSGSIZE past
 * the context, ENODEV.
 */
struct llamux_embed {
	__u64 text;		/* const char * */
	__u64 embedding;	/* float * */
	__u32 len;
	__u32 pooling;
	__u32 n;
	__u32 reserved;
};

/*
 * LLAMUX_IOC_SET_GRAMMAR: answers are sentences of a grammar, a pushdown
 * automaton over bytes; tokens that do not fit cannot be chosen, and those
 * that end a turn only where a sentence may end. From the next turn on, in
 * place of the one before; @len 0: none. libllamux makes @blob from GBNF or a
 * JSON schema. It is, little-endian:
 *
 *	__u32	0x3147584c, nodes (at most 32768), sets (at most 4096), start
 *	nodes of 8 bytes: __u8 op, lo, hi, 0; __u16 a, b
 *	sets of 32 bytes: bit (b & 7) of byte b / 8 for each byte b
 *
 * op 0: back to where the rule was called, or, called from nowhere, the end
 * of a sentence; 1: a byte lo..hi, then node a; 2: a byte of set a, then node
 * b; 3: both a and b; 4: a as a rule, then b. Fields not named are 0.
 * Errors: EINVAL not such a thing; E2BIG too ambiguous or too deep to be
 * followed (a turn that gets there fails with it); EBUSY in mid-turn; ENOMEM;
 * ENODEV. Takes 2 to 3 MB (llamux plan says how much at most), charged as KV is.
 */
struct llamux_grammar {
	__u64 blob;		/* const void * */
	__u32 len;
	__u32 reserved;
};

#define LLAMUX_IOC_INFO _IOR(LLAMUX_IOC_MAGIC, 0x00, struct llamux_info)
#define LLAMUX_IOC_GET_PARAMS _IOR(LLAMUX_IOC_MAGIC, 0x01, struct llamux_params)
#define LLAMUX_IOC_SET_PARAMS _IOW(LLAMUX_IOC_MAGIC, 0x02, struct llamux_params)
#define LLAMUX_IOC_SET_MODEL _IOW(LLAMUX_IOC_MAGIC, 0x03, struct llamux_name)
#define LLAMUX_IOC_WRITE _IOW(LLAMUX_IOC_MAGIC, 0x04, struct llamux_write)
#define LLAMUX_IOC_TOKENIZE _IOWR(LLAMUX_IOC_MAGIC, 0x05, struct llamux_tokenize)
#define LLAMUX_IOC_DETOKENIZE \
	_IOWR(LLAMUX_IOC_MAGIC, 0x06, struct llamux_detokenize)
#define LLAMUX_IOC_STATS _IOR(LLAMUX_IOC_MAGIC, 0x07, struct llamux_stats)
#define LLAMUX_IOC_TOKENS _IOWR(LLAMUX_IOC_MAGIC, 0x08, struct llamux_tokens)
/* Stop the turn; what was generated can still be read. */
#define LLAMUX_IOC_CANCEL _IO(LLAMUX_IOC_MAGIC, 0x09)
/*
 * Forget the conversation. EBUSY in mid-turn. The way on after a turn that
 * filled the context, when every further prompt gives EMSGSIZE.
 */
#define LLAMUX_IOC_RESET _IO(LLAMUX_IOC_MAGIC, 0x0a)
#define LLAMUX_IOC_EVAL _IOW(LLAMUX_IOC_MAGIC, 0x0b, struct llamux_eval)
#define LLAMUX_IOC_SET_STOPS _IOW(LLAMUX_IOC_MAGIC, 0x10, struct llamux_stops)
#define LLAMUX_IOC_SET_BIAS _IOW(LLAMUX_IOC_MAGIC, 0x11, struct llamux_biases)
#define LLAMUX_IOC_LOGPROBS _IOWR(LLAMUX_IOC_MAGIC, 0x12, struct llamux_logprobs)
#define LLAMUX_IOC_SCORE _IOW(LLAMUX_IOC_MAGIC, 0x13, struct llamux_score)
#define LLAMUX_IOC_EMBED _IOWR(LLAMUX_IOC_MAGIC, 0x14, struct llamux_embed)
#define LLAMUX_IOC_SET_GRAMMAR \
	_IOW(LLAMUX_IOC_MAGIC, 0x15, struct llamux_grammar)

/*
 * LLAMUX_IOC_FORK: a new descriptor with a conversation that goes on from
 * where this one is: same model, parameters, stops, bias, grammar, text written
 * and not yet answered. What was not read of an answer stays here. The KV of the past is
 * shared, not copied. Returns the descriptor. Errors: EBUSY in mid-turn, EMFILE,
 * and those of open.
 */
struct llamux_fork {
	__u32 flags;		/* O_CLOEXEC, O_NONBLOCK */
	__u32 reserved;
};

/*
 * LLAMUX_IOC_SALT: KV that equal prompts have in common is shared among the
 * sessions of a user (in one user namespace and memory cgroup), who can tell
 * from the time an answer takes that a prompt was used before. A gateway gives
 * each of its clients a salt: only equal salts share. Before the first write
 * (EBUSY). 0 is the default.
 */
struct llamux_salt {
	__u64 salt;
	__u64 reserved;
};

#define LLAMUX_IOC_FORK _IOW(LLAMUX_IOC_MAGIC, 0x20, struct llamux_fork)
/*
 * Compute what was written, without an answer, and wait till it is done: a
 * prompt that many questions begin with, before they are forked off. Errors:
 * EINVAL nothing was written, EBUSY, EMSGSIZE, EDQUOT, ENOMEM, EINTR (what was
 * written is part of the conversation nonetheless).
 */
#define LLAMUX_IOC_PREFILL _IO(LLAMUX_IOC_MAGIC, 0x21)
#define LLAMUX_IOC_SALT _IOW(LLAMUX_IOC_MAGIC, 0x22, struct llamux_salt)

/* ---- /dev/llamactl (CAP_SYS_ADMIN) ---- */

#define LLAMUX_LOAD_DEFAULT (1u << 0)	/* becomes the default model */
#define LLAMUX_LOAD_STREAM (1u << 1)	/* layers or experts are read when needed */
#define LLAMUX_LOAD_HUGETLB (1u << 2)	/* weights lie in @reserve_fd */
#define LLAMUX_LOAD_MEMMAP (1u << 3)	/* in the range of the module */
#define LLAMUX_LOAD_ONCE (1u << 4)	/* files are closed when they are read */

/* Of the KV cache: 16, 32, 8.5 and 4.5 bits a value. */
#define LLAMUX_KV_F16 0
#define LLAMUX_KV_F32 1
#define LLAMUX_KV_Q8_0 2
#define LLAMUX_KV_Q4_0 3

/*
 * LLAMUX_CTL_LOAD: load a model from open regular files (several for a split
 * one, in order). Blocks until it is ready; a fatal signal ends it. Writes to
 * the files are denied while they are read. The first model becomes the
 * default. Output: message (NUL-terminated) when it fails. Errors: ENOEXEC
 * not a GGUF, EBADMSG corrupt, ENOPKG not supported, ENOMEM, EEXIST name in
 * use, ETXTBSY a file is open for writing, EINVAL, EBADF, EINTR.
 *
 * @as_type names what weights are quantized to as they are read, a few
 * megabytes at a time: "Q4_K_M", a type of "llamux quantize" (llamux(1)).
 * Empty: they stay as in the file. EINVAL there is no such type; EBADMSG a
 * weight is not a finite number, or is beyond what the type can hold.
 *
 * With LLAMUX_LOAD_STREAM, layers that do not fit into @memory (bytes of the
 * whole model; 0: none is to stay) are read anew in every step, from files that
 * must be open with O_DIRECT (EINVAL) and are not written to as long as the
 * model is loaded. Of a mixture of experts, these are read when they are chosen
 * and not among those that stay, unless @memory is too little for the experts of
 * a layer. Not with @as_type (EINVAL). A turn whose step cannot read
 * them ends with EIO, EBADMSG when what it read is corrupt, ENOMEM when there
 * is no memory to read with; the kernel's log says where. EOPNOTSUPP: the file
 * system reads through the page cache.
 *
 * With LLAMUX_LOAD_HUGETLB weights, and nothing else, lie in huge pages:
 * @reserve_fd is a memfd of MFD_HUGETLB, open for writing (EBADF), with all its
 * pages allocated, and sealed (EINVAL) with F_SEAL_SHRINK, F_SEAL_GROW and
 * F_SEAL_WRITE: nobody can write to it from then on. It may be closed
 * afterwards; its pages are the model's until that is unloaded, and serve no
 * other (EBUSY). Who has it can read the weights. ENOMEM: weights do not fit
 * into it. EOPNOTSUPP: the kernel has no hugetlbfs.
 *
 * With LLAMUX_LOAD_MEMMAP they lie in the memory that was set aside at boot and
 * is named by the module's parameter "reserve"; ENOMEM: there is not enough of
 * it, or none. Neither goes with the other or with LLAMUX_LOAD_STREAM (EINVAL).
 *
 * Files stay open as long as the model is there, unless LLAMUX_LOAD_ONCE is given,
 * for those that are memory themselves (an initramfs): the model can never sleep
 * then. Not with LLAMUX_LOAD_STREAM (EINVAL).
 */
struct llamux_load {
	__u64 fds;		/* const __s32 * */
	__u64 message;		/* char *, may be 0 */
	__u32 n_fds;
	__u32 message_size;
	__u32 flags;
	__u32 n_ctx;		/* 0: what was trained and fits, see llamux(1) */
	__u32 n_sessions;	/* full contexts to plan for; 0: 1 */
	__u32 n_batch;		/* 0: default */
	__u32 kv_type;		/* LLAMUX_KV_* */
	__u32 reserved;
	char name[LLAMUX_NAME_MAX];	/* [A-Za-z0-9._:-]+ */
	char as_type[LLAMUX_TYPE_MAX];
	__u64 memory;		/* with LLAMUX_LOAD_STREAM */
	__s32 reserve_fd;	/* with LLAMUX_LOAD_HUGETLB, else 0 */
	__u32 reserved2;
};

/* LLAMUX_CTL_PROGRESS: of a load under way, by name. ENOENT none such. */
struct llamux_progress {
	char name[LLAMUX_NAME_MAX];
	__u64 done, total;	/* bytes */
};

/* llamux_limit.set: which of the fields are to be changed; 0: all */
#define LLAMUX_LIMIT_SESSIONS (1u << 0)
#define LLAMUX_LIMIT_TOKENS (1u << 1)
#define LLAMUX_LIMIT_KV (1u << 2)

/*
 * LLAMUX_CTL_LIMIT: what a user may have. Zeros: no limits of its own. A turn
 * that starts with no tokens left fails with EDQUOT; one that has started goes
 * on. Prompt and answer count; a minute's worth can be saved up. @max_kv is for
 * KV and grammars of all its conversations: before a turn that needs more fails
 * with EDQUOT, others of its conversations that are idle give theirs, to be
 * computed again. /proc/llamux/users shows what is had and what may be.
 */
struct llamux_limit {
	__u32 uid;
	__u32 max_sessions;	/* open; 0: the module's user_sessions */
	__u32 tokens_per_minute;	/* 0: any number */
	__u32 set;		/* LLAMUX_LIMIT_* */
	__u64 max_kv;		/* bytes; 0: the module's user_kv */
};

#define LLAMUX_PREFIX_DROP (1u << 0)	/* forget all of this model; no text */
#define LLAMUX_PREFIX_REMOVE (1u << 1)	/* forget @id; no name, no text */

/*
 * LLAMUX_CTL_PREFIX: compute a system prompt once, for everybody: whoever's
 * conversation begins with it starts sooner, and can tell. Waits. Forgotten
 * when the model is unloaded. At most 1 MiB. Errors: ENOENT no such model or
 * @id, ENOSPC 64 are there, EMSGSIZE, ENOMEM, EINTR. /proc/llamux/prefixes, for
 * root, shows them with their ids.
 */
struct llamux_prefix {
	char name[LLAMUX_NAME_MAX];	/* of the model; empty: the default */
	__u64 text;		/* const char * */
	__u32 len;
	__u32 flags;		/* LLAMUX_PREFIX_* */
	__u64 id;		/* with LLAMUX_PREFIX_REMOVE */
};

/* llamux_attr.set: which of the fields are to be changed */
#define LLAMUX_ATTR_PIN (1u << 0)
#define LLAMUX_ATTR_KEEP_ALIVE (1u << 1)
#define LLAMUX_ATTR_ROLES (1u << 2)

#define LLAMUX_ROLES_CHAT (1u << 0)
#define LLAMUX_ROLES_LOG (1u << 1)
#define LLAMUX_ROLES_OOM (1u << 2)
#define LLAMUX_ROLES_COMPLETE (1u << 3)

/*
 * LLAMUX_CTL_ATTR: what becomes of a loaded model. Fields named in @set are
 * changed; all are returned. A pinned model is not unloaded (EBUSY), nor for
 * being idle. One with @keep_alive_s gives its memory back when no conversation
 * has been open for so many seconds, or sooner when the machine is out of
 * memory, and is loaded again by the next that binds to it, from the file that
 * was kept open and is not written to meanwhile. A role is had by one model at
 * a time; LLAMUX_IOC_SET_MODEL takes "@chat", "@log", "@oom", "@complete" for a
 * name. Errors: ENOENT, EINVAL, ETXTBSY a file is open for writing, ESTALE it
 * was changed since it was read, or let go of (LLAMUX_LOAD_ONCE).
 */
struct llamux_attr {
	char name[LLAMUX_NAME_MAX];
	__u32 set;		/* LLAMUX_ATTR_* */
	__u32 pin;		/* 0, 1 */
	__u32 keep_alive_s;	/* 0: for ever; at most a year */
	__u32 roles;		/* LLAMUX_ROLES_* */
};

#define LLAMUX_CTL_ATTR _IOWR(LLAMUX_IOC_MAGIC, 0x52, struct llamux_attr)
/* Of a load under way, by name: it fails with ECANCELED. ENOENT none such. */
#define LLAMUX_CTL_CANCEL _IOW(LLAMUX_IOC_MAGIC, 0x53, struct llamux_name)
#define LLAMUX_CTL_LIMIT _IOW(LLAMUX_IOC_MAGIC, 0x50, struct llamux_limit)
#define LLAMUX_CTL_PREFIX _IOW(LLAMUX_IOC_MAGIC, 0x51, struct llamux_prefix)
#define LLAMUX_CTL_LOAD _IOW(LLAMUX_IOC_MAGIC, 0x40, struct llamux_load)
/*
 * Sessions on it run on and keep it alive; new ones no longer see it. When
 * it was the default, there is none afterwards. ENOENT, EBUSY it is pinned.
 */
#define LLAMUX_CTL_UNLOAD _IOW(LLAMUX_IOC_MAGIC, 0x41, struct llamux_name)
#define LLAMUX_CTL_DEFAULT _IOW(LLAMUX_IOC_MAGIC, 0x42, struct llamux_name)
#define LLAMUX_CTL_PROGRESS _IOWR(LLAMUX_IOC_MAGIC, 0x43, struct llamux_progress)

#endif
