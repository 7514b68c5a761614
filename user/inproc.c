// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * libllamux over the engine in this process: what the module does for
 * /dev/llama, without threads of its own.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "inproc.h"

int inproc_fail(struct llamux *l, int code, const struct lx_error *err)
{
	return llamux_fail(l, code, "%s",
			   err->msg[0] ? err->msg : llamux_strerror(code));
}

static int on_progress(void *ctx, u64 done, u64 total)
{
	struct shared *s = ctx;

	return s->progress ? s->progress(s->progress_ctx, done, total) : 0;
}

static int load(struct llamux *l, struct inproc *in)
{
	const struct llamux_options *o = &in->opt;
	struct lx_engine_params ep = { .n_ctx = o->n_ctx,
				       .kv_type = o->kv_type };
	struct lx_model_params mp = {
		.simd = o->simd,
		.as = o->as,
		.stream = o->stream,
		.memory = o->memory,
	};
	struct user_host_options opt = {
		.n_threads = o->threads,
		.ctx = in->shared,
		.progress = on_progress,
	};
	struct local *local = &in->shared->local;
	int ret;

	if (!o->model)
		return llamux_fail(l, -EINVAL, "no model file is given");
	llamux_model_name(o->model, in->name);
	in->shared->progress = o->progress;
	in->shared->progress_ctx = o->ctx;
	if (o->flags & LLAMUX_VOCAB_ONLY)
		ret = local_open_vocab(local, o->model, &opt);
	else
		ret = local_open_engine(local, o->model, &opt, &mp, &ep);
	return ret ? llamux_fail(l, ret, "%s", local->message) : 0;
}

static int join(struct llamux *l, struct inproc *in)
{
	struct llamux *other = in->opt.beside;

	if (other->ops != &llamux_inproc || in->opt.flags & LLAMUX_VOCAB_ONLY)
		return llamux_fail(l, -EINVAL, "no engine to share");
	in->shared = shared_get(to_inproc(other)->shared);
	memcpy(in->name, to_inproc(other)->name, sizeof(in->name));
	if (!in->shared->local.engine)
		return llamux_fail(l, -EINVAL, "only the vocabulary is loaded");
	return 0;
}

static int open_session(struct llamux *l, struct inproc *in)
{
	struct lx_session_params p;
	int ret;

	lx_session_defaults(&p);
	pthread_mutex_lock(&in->shared->lock);
	ret = lx_session_open(in->shared->local.engine, &p, &in->session);
	pthread_mutex_unlock(&in->shared->lock);
	return ret ? llamux_fail(l, ret, "%s", llamux_strerror(ret)) : 0;
}

static int inproc_open(struct llamux *l, const struct llamux_options *o)
{
	struct inproc *in = calloc(1, sizeof(*in));
	int ret;

	if (!in)
		return llamux_fail(l, -ENOMEM, "%s", strerror(ENOMEM));
	in->opt = *o;
	if (o->beside) {
		ret = join(l, in);
	} else {
		in->shared = shared_new();
		ret = in->shared ? load(l, in) :
		      llamux_fail(l, -ENOMEM, "%s", strerror(ENOMEM));
	}
	if (!ret && !(o->flags & LLAMUX_VOCAB_ONLY))
		ret = open_session(l, in);
	if (ret) {
		if (in->shared)
			shared_put(in->shared);
		free(in);
		return ret;
	}
	l->priv = in;
	return 0;
}

static void inproc_close(struct llamux *l)
{
	struct inproc *in = to_inproc(l);

	if (in->session) {
		inproc_lock(l);
		shared_close_session(in->shared, in->session);
		inproc_unlock(l);
	}
	shared_put(in->shared);
	free(in);
}

int inproc_no_session(struct llamux *l)
{
	if (to_inproc(l)->session)
		return 0;
	return llamux_fail(l, -EINVAL, "only the vocabulary is loaded");
}

static int inproc_info(struct llamux *l, struct llamux_info *info)
{
	struct inproc *in = to_inproc(l);
	const struct lx_model_info *m;
	struct lx_engine_info e;
	int ret = inproc_no_session(l);

	if (ret)
		return ret;
	m = lx_model_info(to_local(l)->model);
	inproc_lock(l);
	lx_engine_info(to_local(l)->engine, &e);
	inproc_unlock(l);
	memset(info, 0, sizeof(*info));
	if (m->chat > LX_CHAT_UNKNOWN)
		info->features |= LLAMUX_FEATURE_CHAT;
	info->n_ctx = e.n_ctx;
	info->n_vocab = m->n_vocab;
	info->n_params = m->n_params;
	snprintf(info->model, sizeof(info->model), "%s", in->name);
	snprintf(info->arch, sizeof(info->arch), "%s", m->arch);
	snprintf(info->type, sizeof(info->type), "%s", m->type);
	snprintf(info->chat, sizeof(info->chat), "%s", lx_chat_name(m->chat));
	info->n_layer = m->n_layer;
	info->n_embd = m->n_embd;
	return 0;
}

static int inproc_get_params(struct llamux *l, struct llamux_params *p)
{
	struct lx_session_params s;
	int ret = inproc_no_session(l);

	if (ret)
		return ret;
	inproc_lock(l);
	lx_session_get(to_inproc(l)->session, &s);
	inproc_unlock(l);
	*p = (struct llamux_params){
		.temperature_u = s.temperature_u,
		.top_k = s.top_k,
		.top_p_u = s.top_p_u,
		.min_p_u = s.min_p_u,
		.repeat_penalty_u = s.repeat_penalty_u,
		.repeat_last_n = s.repeat_last_n,
		.presence_penalty_u = s.presence_penalty_u,
		.frequency_penalty_u = s.frequency_penalty_u,
		.seed = s.seed,
		.max_tokens = s.max_tokens,
		.flags = s.flags,
		.priority = s.priority,
		.n_logprobs = s.n_logprobs,
		.n_keep = s.n_keep,
	};
	return 0;
}

static int inproc_set_params(struct llamux *l, const struct llamux_params *p)
{
	struct lx_session_params s = {
		.temperature_u = p->temperature_u,
		.top_k = p->top_k,
		.top_p_u = p->top_p_u,
		.min_p_u = p->min_p_u,
		.repeat_penalty_u = p->repeat_penalty_u,
		.repeat_last_n = p->repeat_last_n,
		.presence_penalty_u = p->presence_penalty_u,
		.frequency_penalty_u = p->frequency_penalty_u,
		.seed = p->seed,
		.max_tokens = p->max_tokens,
		.flags = p->flags,
		.priority = p->priority,
		.n_logprobs = p->n_logprobs,
		.n_keep = p->n_keep,
	};
	struct lx_error err = { 0 };
	int ret = inproc_no_session(l);

	if (ret)
		return ret;
	ret = lx_session_check(&s, &err);
	if (ret)
		return inproc_fail(l, ret, &err);
	inproc_lock(l);
	ret = lx_session_set(to_inproc(l)->session, &s);
	inproc_unlock(l);
	return ret ? inproc_fail(l, ret, &err) : 0;
}

static int inproc_stats(struct llamux *l, struct llamux_stats *out)
{
	struct inproc *in = to_inproc(l);
	struct lx_session_stats s;
	struct lx_engine_info e;
	int ret = inproc_no_session(l);

	if (ret)
		return ret;
	inproc_lock(l);
	lx_engine_info(to_local(l)->engine, &e);
	lx_session_stats(in->session, &s);
	inproc_unlock(l);
	if (s.state == LX_SESSION_IDLE)	/* what the turn was */
		s = in->last;
	*out = (struct llamux_stats){
		.state = s.state,
		.finish = s.finish,
		.error = s.error,
		.n_past = s.n_past,
		.n_prompt = s.n_prompt,
		.n_cached = s.n_cached,
		.n_gen = s.n_gen,
		.n_ctx = e.n_ctx,
		.prompt_ns = s.prompt_ns,
		.gen_ns = s.gen_ns,
		.total_prompt = s.total_prompt,
		.total_gen = s.total_gen,
		.kv_bytes = s.kv_bytes,
	};
	return 0;
}

static int inproc_write(struct llamux *l, const char *text, size_t n,
			uint32_t role, uint32_t flags)
{
	int ret = inproc_no_session(l);

	if (ret)
		return ret;
	inproc_lock(l);
	ret = lx_session_write(to_inproc(l)->session, (enum lx_role)role, text,
			       n, flags);
	inproc_unlock(l);
	return ret ? llamux_fail(l, ret, "%s", llamux_strerror(ret)) : 0;
}

static void see_cancel(void *ctx)
{
	struct llamux *l = ctx;

	if (__atomic_load_n(&l->cancelled, __ATOMIC_SEQ_CST))
		lx_session_cancel(to_inproc(l)->session);
}

/*
 * One step of the engine, which is locked. A cancel before the job is made
 * ready is seen here, one after that ends the job.
 */
int inproc_step(struct llamux *l)
{
	see_cancel(l);
	return shared_step(to_inproc(l)->shared, see_cancel, l);
}

static ssize_t end_turn(struct llamux *l)
{
	struct inproc *in = to_inproc(l);

	lx_session_stats(in->session, &in->last);
	lx_session_end_turn(in->session);
	in->last.state = LX_SESSION_IDLE;
	if (in->last.finish != LX_FINISH_ERROR)
		return 0;
	return llamux_fail(l, in->last.error ? in->last.error : -EIO, "%s",
			   llamux_strerror(in->last.error));
}

/* With the engine locked. */
static ssize_t read_turn(struct llamux *l, char *buf, size_t n)
{
	struct lx_session *s = to_inproc(l)->session;
	struct lx_error err = { 0 };
	struct lx_session_stats st;
	size_t got;
	int ret = 0;

	while (!ret) {
		lx_session_stats(s, &st);
		if (st.state == LX_SESSION_IDLE)
			return 0;
		if (st.state == LX_SESSION_PENDING) {
			inproc_unlock(l);
			lx_session_prepare(s, true, NULL);
			inproc_lock(l);
			ret = lx_session_start(s, &err);
			if (ret)
				return inproc_fail(l, ret, &err);
		}
		got = lx_session_read(s, buf, n);
		if (got)
			return (ssize_t)got;
		if (st.state == LX_SESSION_DONE)
			return end_turn(l);
		ret = inproc_step(l);
	}
	return llamux_fail(l, ret, "%s", llamux_strerror(ret));
}

static ssize_t inproc_read(struct llamux *l, char *buf, size_t n)
{
	ssize_t ret = inproc_no_session(l);

	if (ret)
		return ret;
	inproc_lock(l);
	ret = read_turn(l, buf, n);
	inproc_unlock(l);
	return ret;
}

static void inproc_cancel(struct llamux *l)
{
	if (to_local(l)->engine)
		lx_engine_interrupt(to_local(l)->engine);
}

static int inproc_reset(struct llamux *l)
{
	int ret = inproc_no_session(l);

	if (ret)
		return ret;
	inproc_lock(l);
	ret = lx_session_reset(to_inproc(l)->session);
	inproc_unlock(l);
	return ret ? llamux_fail(l, ret, "%s", llamux_strerror(ret)) : 0;
}

/* Nothing is shared in here: any salt will do, at the times a salt may come. */
static int inproc_set_salt(struct llamux *l, uint64_t salt)
{
	struct lx_session_stats st;
	int ret = inproc_no_session(l);

	(void)salt;
	if (ret)
		return ret;
	inproc_lock(l);
	lx_session_stats(to_inproc(l)->session, &st);
	inproc_unlock(l);
	if (st.state == LX_SESSION_IDLE && !st.n_tokens)
		return 0;
	return llamux_fail(l, -EBUSY, "the conversation has begun");
}

static ssize_t inproc_tokenize(struct llamux *l, const char *text, size_t n,
			       uint32_t flags, int32_t *ids, size_t max)
{
	s64 r = lx_tokenize(local_vocab(to_local(l)), text, n, flags,
			    ids, max);

	if (r < 0)
		return llamux_fail(l, (int)r, "%s", llamux_strerror((int)r));
	return (ssize_t)r;
}

static ssize_t inproc_piece(struct llamux *l, int32_t id, uint32_t flags,
			    char *text, size_t max)
{
	int r = lx_token_piece(local_vocab(to_local(l)), id,
			       flags & LLAMUX_TOK_SPECIAL, text, max);

	if (r < 0)
		return llamux_fail(l, r, "id %d is out of range", id);
	return r;
}

static ssize_t inproc_detokenize(struct llamux *l, const int32_t *ids,
				 size_t n, uint32_t flags, char *text,
				 size_t max)
{
	const struct lx_vocab *v = local_vocab(to_local(l));
	bool strip = lx_vocab_adds_space(v);
	size_t room = lx_vocab_max_piece(v), len = 0, i, skip;
	char *piece = malloc(room + 1);
	ssize_t r = 0;

	if (!piece)
		return llamux_fail(l, -ENOMEM, "%s", strerror(ENOMEM));
	for (i = 0; i < n; i++) {
		r = inproc_piece(l, ids[i], flags, piece, room);
		if (r < 0)
			break;
		skip = strip && r && piece[0] == ' ';
		strip = strip && !r;	/* of the first word only */
		r -= (ssize_t)skip;
		if (len < max)
			memcpy(text + len, piece + skip,
			       lx_min((size_t)r, max - len));
		len += (size_t)r;
	}
	free(piece);
	return r < 0 ? r : (ssize_t)len;
}

static ssize_t inproc_tokens(struct llamux *l, int32_t *ids, size_t max)
{
	int ret = inproc_no_session(l);

	if (ret)
		return ret;
	inproc_lock(l);
	ret = (int)lx_session_tokens(to_inproc(l)->session, ids,
				     (u32)lx_min(max, (size_t)0xffffffffu));
	inproc_unlock(l);
	return ret;
}

const struct llamux_backend llamux_inproc = {
	.open = inproc_open,
	.close = inproc_close,
	.info = inproc_info,
	.get_params = inproc_get_params,
	.set_params = inproc_set_params,
	.stats = inproc_stats,
	.write = inproc_write,
	.read = inproc_read,
	.cancel = inproc_cancel,
	.reset = inproc_reset,
	.set_salt = inproc_set_salt,
	.tokenize = inproc_tokenize,
	.detokenize = inproc_detokenize,
	.piece = inproc_piece,
	.tokens = inproc_tokens,
	.set_stops = inproc_set_stops,
	.set_bias = inproc_set_bias,
	.logprobs = inproc_logprobs,
	.score = inproc_score,
	.embed = inproc_embed,
	.set_grammar = inproc_set_grammar,
};
