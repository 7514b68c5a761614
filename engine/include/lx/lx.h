/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The engine's public interface.
 *
 * model	weights, vocabulary, hyper-parameters; immutable once loaded
 * engine	one model at work: scratch, KV pages, sessions, a batch
 * session	one mutable timeline: text in, text out, its KV
 *
 * The engine takes no locks. The host serialises every call that names the
 * same engine or one of its sessions, with one exception: lx_engine_run() may
 * run beside calls on sessions (write, read, cancel, open, and close of
 * sessions that are not in the batch), so that clients are served while tiles
 * are computed. Nothing here uses floating point in the caller's context: it
 * happens in tiles, which only host->ops->run() runs.
 *
 * Real numbers cross this interface as integers in millionths ("_u").
 */
#ifndef LX_LX_H
#define LX_LX_H

#include "deps.h"
#include "error.h"
#include "quant.h"
#include "sampling.h"
#include "vocab.h"
#include "chat.h"
#include "grammar.h"

struct lx_model;
struct lx_engine;
struct lx_session;
struct lx_job;

#define LX_NAME_MAX 64

/* ---- CPU ---- */

/* LX_CPU_* of the running CPU and OS; safe in any context. */
u32 lx_cpu_features(void);
/*
 * The name of the n-th registered implementation ("generic", "avx2",
 * "avxvnni", "avx512-256", "avx512"), NULL past the end; *@usable tells whether this CPU runs it.
 */
const char *lx_simd_name(u32 n, bool *usable);

/* ---- model ---- */

struct lx_model_params {
	const char *simd;	/* NULL or "auto": the fastest on this CPU */
	/*
	 * NULL: weights as in the file; else quantized (lx/preset.h) as they
	 * are read, to what a file made so holds: the same bits.
	 */
	const char *as;
	/*
	 * Layers are read from the file as they are needed, but for the first
	 * @n_kept. lx_plan() finds how many of them fit where @memory is not 0:
	 * bytes of all there is to hold. Only types of the file.
	 */
	bool stream;
	u32 n_kept;
	/*
	 * Of a mixture, so many experts stay instead, those that were used last,
	 * and all else. 0 with @memory 0: for a plan, as few as can be, unless
	 * @n_kept is given.
	 */
	u32 n_slots;
	u64 memory;
	/*
	 * For a plan: bytes that are set aside for weights, which take nothing
	 * of what is available then. 0: none are. Not with @stream.
	 */
	u64 reserved;
};

struct lx_model_info {
	char name[LX_NAME_MAX];		/* general.name, escaped, may be empty */
	char arch[32];
	char type[16];			/* of most weights: "Q4_K" */
	const char *simd;
	char vocab[40];			/* "spm", "bpe llama-bpe" */
	enum lx_chat_kind chat;
	u32 n_vocab, n_ctx_train, n_layer, n_embd;
	u32 n_head, n_head_kv, n_ff;	/* the most of any layer */
	u32 n_expert, n_expert_used;
	u64 n_params;
	u64 file_bytes;			/* of all tensors in the file */
	u64 weight_bytes;		/* repacked, as held in blocks */
	u64 control_bytes;		/* header, vocabulary, tables */
	u32 n_streamed;			/* layers that are read when needed */
	u64 stream_bytes;		/* that one step reads for them */
	/* Not 0: of a mixture's layers experts are read, and so many stay; the
	 * bytes are then what a token reads at most.
	 */
	u32 n_slots;
};

/*
 * Read, validate and repack a model. One pass over the file; memory is taken
 * before the first weight is read. May sleep; host->ops->progress() is called
 * as it goes. Errors as in error.h/gguf.h; nothing is held after an error.
 * Streamed layers are checked whenever they are read, and @src stays in use; a
 * step that cannot have them ends its turns with that error.
 */
int lx_model_load(struct lx_host *host, const struct lx_source *src, u32 n_src,
		  const struct lx_model_params *p, struct lx_model **out,
		  struct lx_error *err);
void lx_model_free(struct lx_model *m);	/* no engine may be open on it */
const struct lx_model_info *lx_model_info(const struct lx_model *m);
const struct lx_vocab *lx_model_vocab(const struct lx_model *m);
/* The chat template as stored (empty when there is none). */
struct lx_str lx_model_template(const struct lx_model *m);

/* ---- engine ---- */

struct lx_engine_params {
	/*
	 * Longest session. 0: the trained context, at most 16384, halved (not
	 * below 512) until KV and scratch take no more than half of the memory
	 * that is available beside the weights; where rotary frequencies depend
	 * on the context, at most what the short ones are for.
	 */
	u32 n_ctx;
	u32 n_batch;	/* most tokens of one step, 0: default */
	u32 n_sessions;	/* full contexts to plan KV for, 0: 1 */
	u32 kv_type;	/* enum lx_kv_type */
};

struct lx_engine_info {
	u32 n_ctx, n_batch, n_sessions_planned, kv_type;
	u32 n_sessions;			/* open now */
	u64 kv_page_bytes, kv_page_tokens;
	u64 kv_pages;			/* held now */
	u64 kv_planned;			/* bytes */
	u64 scratch_bytes;
	u64 n_steps, n_prompt_tokens, n_gen_tokens;	/* since opened */
	u64 kv_pages_unused;		/* of those held: free, or only known */
	u64 n_shared_tokens;		/* found in the KV cache of others */
	u64 n_drafted, n_drafts_right;	/* tokens guessed, and those of use */
};

int lx_engine_open(struct lx_model *m, const struct lx_engine_params *p,
		   struct lx_engine **out, struct lx_error *err);
void lx_engine_close(struct lx_engine *e);	/* frees its sessions too */
void lx_engine_info(const struct lx_engine *e, struct lx_engine_info *info);
struct lx_model *lx_engine_model(struct lx_engine *e);

/* ---- plan: exact sizes before anything is allocated ---- */

struct lx_plan {
	u64 weights, control, kv, scratch, total;	/* bytes */
	u64 file;			/* bytes of the files */
	u64 kv_per_token;
	u64 grammar;	/* beside the total, of a session that has one: at most */
	u64 lexicon;	/* beside the total, from the first grammar on */
	u32 n_ctx, n_sessions;
	u32 n_kept;			/* layers that stay in memory */
	u32 n_slots;			/* not 0: experts that do */
	u32 n_blocks;			/* of weights */
	u64 block_bytes;		/* the largest of them */
	u64 reserved;			/* as lx_model_params says */
	struct lx_model_info info;
};

/* Reads headers only. */
int lx_plan(struct lx_host *host, const struct lx_source *src, u32 n_src,
	    const struct lx_model_params *mp, const struct lx_engine_params *ep,
	    struct lx_plan *plan, struct lx_error *err);

/*
 * Bytes that @plan lacks, where so many are available; 0: it fits. With memory
 * set aside for them, weights lie there, wholly, and nothing else does.
 */
u64 lx_plan_missing(const struct lx_plan *plan, u64 available);

/* What would fit in @available bytes where @plan does not. */
struct lx_advice {
	u64 missing;		/* bytes; 0: it fits */
	u32 n_ctx;		/* a context that fits with these weights; 0: none */
	const char *type;	/* weights that fit with this context, or NULL */
	u64 stream;		/* bytes that do when layers are streamed, or 0 */
};

/* Reads headers only. -LX_ENOMEM. */
int lx_advise(struct lx_host *host, const struct lx_source *src, u32 n_src,
	      const struct lx_model_params *mp,
	      const struct lx_engine_params *ep, const struct lx_plan *plan,
	      u64 available, struct lx_advice *a);

/* ---- sessions ---- */

#define LX_SESSION_RAW (1u << 0)	/* no chat format */
#define LX_SESSION_IGNORE_EOG (1u << 1)	/* go on past end-of-generation */
#define LX_SESSION_SPECIAL (1u << 2)	/* control tokens are shown */
#define LX_SESSION_SHIFT (1u << 3)	/* a full context drops its older half */
#define LX_SESSION_NO_THINK (1u << 4)	/* an answer without thoughts first */
#define LX_SESSION_NO_LOOKUP (1u << 15)	/* no guesses: draft.c */
#define LX_SESSION_FLAGS (31u | LX_SESSION_NO_LOOKUP)

struct lx_session_params {
	u32 temperature_u;	/* 0: greedy; default 0.8 */
	u32 top_k;		/* 0: off; default 40 */
	u32 top_p_u;		/* 1000000: off; default 0.95 */
	u32 min_p_u;		/* 0: off; default 0.05 */
	u32 repeat_penalty_u;	/* 1000000: off (default) */
	u32 repeat_last_n;	/* tokens looked back, at most 1024; default 64 */
	s32 presence_penalty_u, frequency_penalty_u;	/* 0: off */
	u64 seed;
	u32 max_tokens;		/* of one turn; 0: to the end of the context */
	u32 flags;		/* LX_SESSION_* */
	u32 priority;		/* 0 interactive, 1 background */
	u32 n_logprobs;		/* likeliest tokens kept, at most 20; 0: none */
	u32 n_keep;		/* first tokens a shift keeps; 0: BOS */
};

void lx_session_defaults(struct lx_session_params *p);
/* -LX_EINVAL (and which field in @err) when out of range. */
int lx_session_check(const struct lx_session_params *p, struct lx_error *err);

enum lx_session_state {
	LX_SESSION_IDLE,	/* nothing written since the last turn */
	LX_SESSION_PENDING,	/* text was written, the turn has not started */
	LX_SESSION_RUNNING,	/* prompt or answer being computed */
	LX_SESSION_DONE		/* turn over; text may be left to read */
};

enum lx_finish {
	LX_FINISH_NONE,		/* not over */
	LX_FINISH_EOG,		/* the model ended it */
	LX_FINISH_LENGTH,	/* max_tokens */
	LX_FINISH_CONTEXT,	/* the context is full */
	LX_FINISH_CANCELLED,
	LX_FINISH_ERROR,	/* lx_session_stats.error */
	LX_FINISH_STOP		/* a stop string */
};

struct lx_session_stats {
	u32 state, finish;
	s32 error;
	u32 n_past;		/* tokens in the KV cache */
	u32 n_prompt;		/* tokens of this turn's prompt */
	u32 n_cached;		/* of these, already in the KV cache */
	u32 n_gen;		/* tokens generated this turn, of a stop
				 * string too */
	u64 prompt_ns, gen_ns;	/* of this turn */
	u64 total_prompt, total_gen;	/* of all turns */
	u64 kv_bytes;
	u32 n_tokens;		/* of the conversation, in the cache or not */
};

/* Small: no KV is taken until a turn runs. -LX_ENOMEM, -LX_EINVAL. */
int lx_session_open(struct lx_engine *e, const struct lx_session_params *p,
		    struct lx_session **out);
/* Not while lx_session_in_batch(): cancel, let the step end, then close. */
void lx_session_close(struct lx_session *s);
bool lx_session_in_batch(const struct lx_session *s);
/* Between form and commit: its tokens in the step, of *@of in all. */
u32 lx_session_step_tokens(const struct lx_session *s, u32 *of);

int lx_session_set(struct lx_session *s, const struct lx_session_params *p);
void lx_session_get(const struct lx_session *s, struct lx_session_params *p);

/*
 * From the next turn on, in place of those before: copies @n, at most
 * LX_MAX_BIAS. -LX_EINVAL too many, an id out of range or twice,
 * -LX_EBUSY in mid-turn, -LX_ENOMEM.
 */
int lx_session_set_bias(struct lx_session *s, const struct lx_bias *bias,
			u32 n);

#define LX_WRITE_SPECIAL (1u << 0)	/* trusted: control tokens are parsed */

/*
 * Add text to the prompt. Copies it. -LX_EBUSY while a turn is running or
 * has text left to read, -LX_EMSGSIZE when the text alone exceeds what the
 * context could hold (32 bytes a token), -LX_ENOMEM, -LX_EINVAL. Consecutive
 * writes with the same role and flags are one message.
 */
int lx_session_write(struct lx_session *s, enum lx_role role,
		     const char *text, size_t n, u32 flags);
/*
 * The long part of starting a turn (@answer), a prefill or a score, ahead of
 * it: what is pending is formatted and tokenized. Changes nothing of the engine
 * and may run beside its steps and other sessions' calls; @s is the caller's.
 * The next write undoes it. Errors as of lx_session_start(), which gives them
 * again and does what is to be done about them. May sleep.
 */
int lx_session_prepare(struct lx_session *s, bool answer, struct lx_error *err);
/*
 * End the prompt and start the turn: formats (unless RAW or the model has no
 * known chat format), tokenizes. -LX_EMSGSIZE when prompt and one token do not
 * fit the context (the prompt is dropped, the conversation so far is kept),
 * -LX_EINVAL when nothing is pending, -LX_ENOMEM (the prompt is still
 * pending). May sleep.
 */
int lx_session_start(struct lx_session *s, struct lx_error *err);
/*
 * Take whole UTF-8 characters, at most @n bytes; a character is split only
 * when @n is smaller than it. 0: nothing there now (see state).
 */
size_t lx_session_read(struct lx_session *s, char *buf, size_t n);
size_t lx_session_readable(const struct lx_session *s);
/* After DONE and all text read: back to IDLE; the KV stays. */
void lx_session_end_turn(struct lx_session *s);
/* Stop the turn; it becomes DONE at the next commit (at once if not in batch). */
void lx_session_cancel(struct lx_session *s);
/* Forget the conversation: KV given back. -LX_EBUSY while running. */
int lx_session_reset(struct lx_session *s);
void lx_session_stats(const struct lx_session *s, struct lx_session_stats *st);
/*
 * A turn of another kind: append @n tokens to the timeline, compute them and
 * give the logits of the last position, f32 [n_vocab], in @out (NULL: none),
 * which must stay until the turn is DONE. -LX_EBUSY, -LX_EMSGSIZE past the
 * context, -LX_EINVAL an id out of range, -LX_ENOMEM.
 */
int lx_session_eval(struct lx_session *s, const s32 *tokens, u32 n,
		    void *out);

#define LX_MAX_STOPS 16
#define LX_MAX_STOP_BYTES 256

/*
 * Stop strings from the next turn on, in place of those before: UTF-8, each
 * followed by a NUL, @n bytes in all. -LX_EINVAL too many (LX_MAX_STOPS), too
 * long, empty or no UTF-8; -LX_EBUSY in mid-turn, -LX_ENOMEM.
 */
int lx_session_set_stops(struct lx_session *s, const char *text, size_t n);

/*
 * Grammars need the vocabulary sorted, once an engine: make it without a
 * lock (lx_lexicon_new()), give it under one (it is freed when there is one).
 */
bool lx_engine_has_lexicon(const struct lx_engine *e);
void lx_engine_give_lexicon(struct lx_engine *e, struct lx_lexicon *x);
/*
 * Answers follow this grammar (grammar.h) from the next turn on; @n 0: none.
 * Its memory is charged to the session's account; idle KV goes for it.
 * -LX_EINVAL what is wrong with it, or no lexicon; -LX_E2BIG, -LX_EBUSY in
 * mid-turn, -LX_ENOMEM, -LX_EDQUOT.
 */
int lx_session_set_grammar(struct lx_session *s, const void *blob, size_t n,
			   struct lx_error *err);

/*
 * Log-probabilities of this turn's answer, with lx_session_params.n_logprobs:
 * of the model's own distribution, before bias, penalties and temperature.
 * Records of *@stride: the token, then the likeliest ones. Copies at most
 * @max records from @first on; returns how many there are.
 */
u32 lx_session_logprobs(const struct lx_session *s, u32 first,
			struct lx_logprob *out, u32 max, u32 *stride);
/*
 * Ids of this turn's answer as they are in the conversation: without those of
 * a stop string, and those that a shift dropped. Returns how many there are,
 * copies at most @max.
 */
u32 lx_session_tokens(const struct lx_session *s, s32 *ids, u32 max);

#define LX_MAX_CHOICES 256
#define LX_MAX_CHOICE_BYTES 65536	/* of all of them */

struct lx_choice {
	s64 lp_u;	/* sum of its tokens' log-probabilities */
	u32 n_tokens;
};

/*
 * Start a turn that scores @n continuations of the conversation and the
 * prompt that is pending, which stay as they are. Texts follow one another in
 * @text; @ends[i] is where the i-th ends. When it is DONE,
 * lx_session_score_end() must be called: it gives the scores (or the error
 * the turn ended with) and puts the session back. -LX_EINVAL nothing there to
 * continue, or a text empty, -LX_EBUSY, -LX_EMSGSIZE, -LX_ENOMEM.
 */
int lx_session_score(struct lx_session *s, const char *text, const u32 *ends,
		     u32 n, struct lx_error *err);
int lx_session_score_end(struct lx_session *s, struct lx_choice *out);

enum lx_pooling { LX_POOL_MEAN, LX_POOL_LAST };

/*
 * The text of the next lx_session_embed() as tokens; runs beside steps and
 * others' calls, as lx_session_prepare(). -LX_EMSGSIZE more than 32 bytes or one
 * token for each place in the context, -LX_ENOMEM.
 */
int lx_session_prepare_embed(struct lx_session *s, const char *text, size_t n,
			     struct lx_error *err);
/*
 * Start a turn that embeds what was prepared: f32 [n_embd] of length 1 in @out,
 * which must stay until lx_session_embed_end(), to be called when it is DONE.
 * The conversation must be empty (-LX_EBUSY), and is afterwards. -LX_EINVAL no
 * tokens, nothing prepared or unknown pooling, -LX_ENOMEM.
 */
int lx_session_embed(struct lx_session *s, u32 pooling, void *out,
		     struct lx_error *err);
int lx_session_embed_end(struct lx_session *s);

/* ---- many sessions: turns, KV pages and what is shared ---- */

/*
 * Who may find whose KV: sessions with the same three numbers, which are the
 * host's to choose (user, container, salt). Zeros: everybody finds it.
 */
struct lx_realm {
	u64 id[3];
};

extern const struct lx_realm lx_realm_public;

struct lx_join {
	u64 user;		/* steps are shared between users first */
	struct lx_realm realm;
	void *account;		/* for host->ops->charged_alloc(), as long as @s is open */
	bool share;		/* find and leave KV in its realm */
};

/*
 * Say whose a session is; without it, it shares nothing and takes turns with
 * all others that said nothing. Before its first turn. -LX_ENOMEM, -LX_EBUSY.
 */
int lx_session_join(struct lx_session *s, const struct lx_join *j);
/*
 * Its place among others: @weight of turns, 1024 the usual; @urgent: before
 * all others, for a kernel that waits. Any time.
 */
void lx_session_schedule(struct lx_session *s, u32 weight, bool urgent);
/*
 * A second session with the same conversation, parameters, grammar and place;
 * pages are shared until one of them writes. What was not read stays with @s.
 * -LX_EBUSY while a turn runs, -LX_ENOMEM, -LX_EDQUOT.
 */
int lx_session_fork(struct lx_session *s, void *account,
		    struct lx_session **out);
/* Compute what is pending as a turn without an answer: see lx_session_start(). */
int lx_session_prefill(struct lx_session *s, struct lx_error *err);

/*
 * Memory is wanted: give pages back that can be computed again (free ones,
 * unused ones, those of idle sessions). Returns how many went. Beside a step
 * that runs.
 */
u64 lx_engine_reclaim(struct lx_engine *e, u64 pages);
/* How many could go. Not @locked: a guess without touching sessions. */
u64 lx_engine_reclaimable(const struct lx_engine *e, bool locked);

/* ---- the loop: form (locked), run (unlocked), commit (locked) ---- */

/*
 * Choose the next batch: one token of every decoding session, prompt chunks
 * beside them. Takes KV pages from the host (may sleep). Returns the number
 * of tokens; 0: nothing is runnable. A session that cannot go on (no memory)
 * ends with LX_FINISH_ERROR; others go on.
 */
int lx_engine_form(struct lx_engine *e);
/* Compute it. 0, or an error of the host's run(). */
int lx_engine_run(struct lx_engine *e);
/*
 * Skip what is left of the step that is being run: any thread, any signal
 * handler. Sessions that were not cancelled compute it again.
 */
void lx_engine_interrupt(struct lx_engine *e);
/* Give the results to the sessions; their text is then readable. */
void lx_engine_commit(struct lx_engine *e);

/* ---- raw evaluation, for tests, scoring and benchmarks ---- */

/*
 * Run @n tokens through an idle session, at most @n_batch at a time (0: the
 * engine's), appending to its timeline, and give logits as f32 rows of
 * n_vocab in @out (the caller's memory, written in tiles): of every
 * position if @all, else of the last only. -LX_EMSGSIZE past the context.
 * Exclusive use of the engine; form, run and commit are done inside.
 */
int lx_engine_logits(struct lx_engine *e, struct lx_session *s,
		     const s32 *tokens, u32 n, u32 n_batch, bool all,
		     void *out);

#endif
