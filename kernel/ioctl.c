// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of /dev/llama. They are told by their number; the size in the
 * command is the size of the caller's structure, which may be older (not
 * below the first one published) or newer (unknown fields zero) than ours.
 */
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/llamux.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat/compat.h"
#include "device.h"
#include "ioctl.h"
#include "model.h"
#include "session.h"

#define TEXT_MAX (16u << 20)

/* Caller memory of unknown size is bounded and charged to the caller. */
void *llamux_copy_in(u64 from, size_t n)
{
	void *p;

	if (!n)
		return ZERO_SIZE_PTR;
	p = kvmalloc(n, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!p)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(p, u64_to_user_ptr(from), n)) {
		kvfree(p);
		return ERR_PTR(-EFAULT);
	}
	return p;
}

void *llamux_bind_copy(struct llamux_session *s, u64 from, size_t n)
{
	int err = llamux_session_bind(s);

	return err ? ERR_PTR(err) : llamux_copy_in(from, n);
}

void llamux_copied_free(void *p)
{
	if (!ZERO_OR_NULL_PTR(p))
		kvfree(p);
}

static int do_info(struct llamux_session *s, void *arg)
{
	const struct lx_model_info *info;
	struct llamux_info *out = arg;
	struct lx_engine_info e;
	int err;

	err = llamux_session_bind(s);
	if (err)
		return err;
	mutex_lock(&s->model->lock);
	lx_engine_info(s->model->engine, &e);
	mutex_unlock(&s->model->lock);
	info = lx_model_info(s->model->lx);
	if (info->chat > LX_CHAT_UNKNOWN)
		out->features = LLAMUX_FEATURE_CHAT;
	out->n_ctx = e.n_ctx;
	out->n_vocab = info->n_vocab;
	out->n_params = info->n_params;
	out->n_layer = info->n_layer;
	out->n_embd = info->n_embd;
	strscpy(out->model, s->model->name, sizeof(out->model));
	strscpy(out->arch, info->arch, sizeof(out->arch));
	strscpy(out->type, info->type, sizeof(out->type));
	strscpy(out->chat, lx_chat_name(info->chat), sizeof(out->chat));
	return 0;
}

void llamux_ioctl_get_params(struct llamux_session *s,
			     struct llamux_params *out)
{
	struct lx_session_params p;

	llamux_session_get_params(s, &p);
	out->temperature_u = p.temperature_u;
	out->top_k = p.top_k;
	out->top_p_u = p.top_p_u;
	out->min_p_u = p.min_p_u;
	out->repeat_penalty_u = p.repeat_penalty_u;
	out->repeat_last_n = p.repeat_last_n;
	out->presence_penalty_u = p.presence_penalty_u;
	out->frequency_penalty_u = p.frequency_penalty_u;
	out->seed = p.seed;
	out->max_tokens = p.max_tokens;
	out->flags = p.flags;
	out->priority = p.priority;
	out->n_logprobs = p.n_logprobs;
	out->n_keep = p.n_keep;
}

static int do_get_params(struct llamux_session *s, void *arg)
{
	llamux_ioctl_get_params(s, arg);
	return 0;
}

int llamux_ioctl_set_params(struct llamux_session *s,
			    const struct llamux_params *in)
{
	struct lx_session_params p = {
		.temperature_u = in->temperature_u,
		.top_k = in->top_k,
		.top_p_u = in->top_p_u,
		.min_p_u = in->min_p_u,
		.repeat_penalty_u = in->repeat_penalty_u,
		.repeat_last_n = in->repeat_last_n,
		.presence_penalty_u = in->presence_penalty_u,
		.frequency_penalty_u = in->frequency_penalty_u,
		.seed = in->seed,
		.max_tokens = in->max_tokens,
		.flags = in->flags,
		.priority = in->priority,
		.n_logprobs = in->n_logprobs,
		.n_keep = in->n_keep,
	};

	BUILD_BUG_ON(LLAMUX_RAW != LX_SESSION_RAW ||
		     LLAMUX_IGNORE_EOG != LX_SESSION_IGNORE_EOG ||
		     LLAMUX_SPECIAL != LX_SESSION_SPECIAL ||
		     LLAMUX_SHIFT != LX_SESSION_SHIFT ||
		     LLAMUX_NO_THINK != LX_SESSION_NO_THINK ||
		     LLAMUX_NO_LOOKUP != LX_SESSION_NO_LOOKUP);
	if (in->reserved || in->flags & ~LX_SESSION_FLAGS)
		return -EINVAL;
	return llamux_session_set_params(s, &p);
}

static int do_set_params(struct llamux_session *s, void *arg)
{
	return llamux_ioctl_set_params(s, arg);
}

static int do_set_model(struct llamux_session *s, void *arg)
{
	const struct llamux_name *in = arg;

	if (strnlen(in->name, sizeof(in->name)) == sizeof(in->name))
		return -EINVAL;
	return llamux_session_set_model(s, in->name);
}

static int do_write(struct llamux_session *s, void *arg)
{
	const struct llamux_write *in = arg;
	char *text;
	int err;

	BUILD_BUG_ON(LLAMUX_WRITE_SPECIAL != LX_WRITE_SPECIAL);
	if (in->reserved || in->flags & ~LLAMUX_WRITE_SPECIAL ||
	    in->role >= LX_ROLES)
		return -EINVAL;
	if (in->len > TEXT_MAX)
		return -EMSGSIZE;
	text = llamux_bind_copy(s, in->text, in->len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	err = llamux_session_add(s, in->role, text, in->len, in->flags);
	llamux_copied_free(text);
	return err;
}

/*
 * The vocabulary is immutable: no lock of the model is held. Text gives a
 * token a byte or less, except with vocabularies that have no space.
 */
static int tokenize(struct llamux_session *s, struct llamux_tokenize *io,
		    const char *text)
{
	const struct lx_vocab *v = lx_model_vocab(s->model->lx);
	u32 room, want = io->len + 16;
	s32 *ids = NULL;
	s64 n;

	do {
		kvfree(ids);
		room = min(io->n_ids, want);
		ids = kvmalloc_array(room ?: 1, sizeof(*ids),
				     GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!ids)
			return -ENOMEM;
		n = lx_tokenize(v, text, io->len, io->flags, ids, room);
		want = n;
	} while (n > room && room < io->n_ids);
	if (n >= 0) {
		room = min_t(s64, room, n);
		if (copy_to_user(u64_to_user_ptr(io->ids), ids,
				 room * sizeof(*ids)))
			n = -EFAULT;
	}
	kvfree(ids);
	if (n < 0)
		return n;
	room = io->n_ids;
	io->n_ids = n;
	return n > room ? -ENOSPC : 0;
}

static int do_tokenize(struct llamux_session *s, void *arg)
{
	struct llamux_tokenize *io = arg;
	char *text;
	int err;

	BUILD_BUG_ON(LLAMUX_TOK_BOS != LX_TOK_BOS ||
		     LLAMUX_TOK_SPECIAL != LX_TOK_SPECIAL ||
		     LLAMUX_TOK_EOS != LX_TOK_EOS);
	if (io->reserved ||
	    io->flags & ~(LX_TOK_BOS | LX_TOK_SPECIAL | LX_TOK_EOS))
		return -EINVAL;
	if (io->len > TEXT_MAX)
		return -EMSGSIZE;
	text = llamux_bind_copy(s, io->text, io->len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	err = tokenize(s, io, text);
	llamux_copied_free(text);
	return err;
}

/* Text goes out piece by piece; @buf holds what one token can give. */
static int detokenize(struct llamux_session *s, struct llamux_detokenize *io,
		      const s32 *ids, char *buf, size_t size)
{
	const struct lx_vocab *v = lx_model_vocab(s->model->lx);
	struct lx_detok d = { .strip = lx_vocab_adds_space(v) };
	char __user *out = u64_to_user_ptr(io->text);
	u64 done = 0;
	size_t n;
	u32 i;

	for (i = 0; i <= io->n_ids; i++) {
		if (!(i % 1024)) {
			cond_resched();
			if (fatal_signal_pending(current))
				return -EINTR;
		}
		if (i < io->n_ids)
			n = lx_detok_push(&d, v, ids[i],
					  io->flags & LLAMUX_TOK_SPECIAL, buf,
					  size);
		else
			n = lx_detok_flush(&d, buf, size);
		if (done < io->len &&
		    copy_to_user(out + done, buf, min_t(u64, n, io->len - done)))
			return -EFAULT;
		done += n;
	}
	n = io->len;
	io->len = min_t(u64, done, U32_MAX);
	return done > n ? -ENOSPC : 0;
}

static int do_detokenize(struct llamux_session *s, void *arg)
{
	struct llamux_detokenize *io = arg;
	const struct lx_vocab *v;
	size_t size;
	s32 *ids;
	char *buf;
	int err;
	u32 i;

	if (io->reserved || io->flags & ~LLAMUX_TOK_SPECIAL)
		return -EINVAL;
	if (io->n_ids > TEXT_MAX / sizeof(*ids))
		return -EMSGSIZE;
	ids = llamux_bind_copy(s, io->ids, io->n_ids * sizeof(*ids));
	if (IS_ERR(ids))
		return PTR_ERR(ids);
	v = lx_model_vocab(s->model->lx);
	err = -EINVAL;
	for (i = 0; i < io->n_ids; i++)
		if (ids[i] < 0 || ids[i] >= lx_vocab_n_tokens(v))
			goto out;
	err = -ENOMEM;
	size = 3 * ((size_t)lx_vocab_max_piece(v) + 4);
	buf = kvmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!buf)
		goto out;
	err = detokenize(s, io, ids, buf, size);
	kvfree(buf);
out:
	llamux_copied_free(ids);
	return err;
}

static int do_stats(struct llamux_session *s, void *arg)
{
	struct llamux_stats *out = arg;
	struct lx_session_stats st;
	struct lx_engine_info e;
	int err;

	err = llamux_session_bind(s);
	if (err)
		return err;
	mutex_lock(&s->model->lock);
	lx_session_stats(s->lx, &st);
	lx_engine_info(s->model->engine, &e);
	mutex_unlock(&s->model->lock);
	out->state = st.state;
	out->finish = st.finish;
	out->error = st.error;
	out->n_past = st.n_past;
	out->n_prompt = st.n_prompt;
	out->n_cached = st.n_cached;
	out->n_gen = st.n_gen;
	out->n_ctx = e.n_ctx;
	out->prompt_ns = st.prompt_ns;
	out->gen_ns = st.gen_ns;
	out->total_prompt = st.total_prompt;
	out->total_gen = st.total_gen;
	out->kv_bytes = st.kv_bytes;
	return 0;
}

static int do_tokens(struct llamux_session *s, void *arg)
{
	struct llamux_tokens *io = arg;
	s32 *ids;
	u32 room, n;
	int err;

	if (io->reserved)
		return -EINVAL;
	err = llamux_session_bind(s);
	if (err)
		return err;
	mutex_lock(&s->model->lock);
	room = min(io->n, lx_session_tokens(s->lx, NULL, 0));
	mutex_unlock(&s->model->lock);
	ids = kvmalloc_array(room ?: 1, sizeof(*ids),
			     GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!ids)
		return -ENOMEM;
	mutex_lock(&s->model->lock);
	n = lx_session_tokens(s->lx, ids, room);
	mutex_unlock(&s->model->lock);
	if (copy_to_user(u64_to_user_ptr(io->ids), ids,
			 min(room, n) * sizeof(*ids)))
		err = -EFAULT;
	io->n = n;
	kvfree(ids);
	return err;
}

/* Without the session's lock. */
static int do_cancel(struct llamux_session *s, void *arg)
{
	llamux_session_cancel(s);
	return 0;
}

static int do_reset(struct llamux_session *s, void *arg)
{
	return llamux_session_reset(s);
}

static int do_eval(struct llamux_session *s, void *arg)
{
	const struct llamux_eval *in = arg;
	void *out = NULL;
	size_t size;
	s32 *ids;
	int err = 0;

	if (in->reserved)
		return -EINVAL;
	if (in->n_ids > TEXT_MAX / sizeof(*ids))
		return -EMSGSIZE;
	ids = llamux_bind_copy(s, in->ids, in->n_ids * sizeof(*ids));
	if (IS_ERR(ids))
		return PTR_ERR(ids);
	size = (size_t)lx_model_info(s->model->lx)->n_vocab * sizeof(u32);
	if (in->logits) {
		out = kvzalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		err = out ? 0 : -ENOMEM;
	}
	if (!err)
		err = llamux_session_eval(s, ids, in->n_ids, out);
	if (!err && out && copy_to_user(u64_to_user_ptr(in->logits), out, size))
		err = -EFAULT;
	kvfree(out);
	llamux_copied_free(ids);
	return err;
}

static int do_fork(struct llamux_session *s, void *arg)
{
	const struct llamux_fork *in = arg;
	struct llamux_session *child;
	int err;

	if (in->reserved || in->flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	err = llamux_session_bind(s);
	if (err)
		return err;
	child = llamux_session_fork(s);
	return IS_ERR(child) ? PTR_ERR(child) :
			       llamux_device_fd(child, in->flags);
}

static int do_prefill(struct llamux_session *s, void *arg)
{
	int err = llamux_session_bind(s);

	return err ?: llamux_session_prefill(s);
}

static int do_salt(struct llamux_session *s, void *arg)
{
	const struct llamux_salt *in = arg;

	return in->reserved ? -EINVAL : llamux_session_set_salt(s, in->salt);
}

/* The largest argument. */
union argument {
	struct llamux_info info;
	struct llamux_params params;
	struct llamux_name name;
	struct llamux_write write;
	struct llamux_tokenize tokenize;
	struct llamux_detokenize detokenize;
	struct llamux_stats stats;
	struct llamux_tokens tokens;
	struct llamux_eval eval;
	struct llamux_stops stops;
	struct llamux_biases biases;
	struct llamux_logprobs logprobs;
	struct llamux_fork fork;
	struct llamux_salt salt;
	struct llamux_score score;
	struct llamux_embed embed;
	struct llamux_grammar grammar;
};

/* @cmd carries direction and our size; @first the size first published. */
#define COMMAND(command, function, size) \
	[_IOC_NR(command)] = { \
		.cmd = (command), .first = (size), .run = (function) \
	}

static const struct command {
	unsigned int cmd;
	unsigned int first;
	int (*run)(struct llamux_session *s, void *arg);
} commands[] = {
	COMMAND(LLAMUX_IOC_INFO, do_info, 160),
	COMMAND(LLAMUX_IOC_GET_PARAMS, do_get_params, 56),
	COMMAND(LLAMUX_IOC_SET_PARAMS, do_set_params, 56),
	COMMAND(LLAMUX_IOC_SET_MODEL, do_set_model, 64),
	COMMAND(LLAMUX_IOC_WRITE, do_write, 24),
	COMMAND(LLAMUX_IOC_TOKENIZE, do_tokenize, 32),
	COMMAND(LLAMUX_IOC_DETOKENIZE, do_detokenize, 32),
	COMMAND(LLAMUX_IOC_STATS, do_stats, 72),
	COMMAND(LLAMUX_IOC_TOKENS, do_tokens, 16),
	COMMAND(LLAMUX_IOC_CANCEL, do_cancel, 0),
	COMMAND(LLAMUX_IOC_RESET, do_reset, 0),
	COMMAND(LLAMUX_IOC_EVAL, do_eval, 24),
	COMMAND(LLAMUX_IOC_SET_STOPS, llamux_do_stops, 16),
	COMMAND(LLAMUX_IOC_SET_BIAS, llamux_do_bias, 16),
	COMMAND(LLAMUX_IOC_LOGPROBS, llamux_do_logprobs, 24),
	COMMAND(LLAMUX_IOC_FORK, do_fork, 8),
	COMMAND(LLAMUX_IOC_PREFILL, do_prefill, 0),
	COMMAND(LLAMUX_IOC_SALT, do_salt, 16),
	COMMAND(LLAMUX_IOC_SCORE, llamux_do_score, 32),
	COMMAND(LLAMUX_IOC_EMBED, llamux_do_embed, 32),
	COMMAND(LLAMUX_IOC_SET_GRAMMAR, llamux_do_grammar, 16),
};

static const struct command *command_find(unsigned int cmd)
{
	const struct command *c;

	if (_IOC_TYPE(cmd) != LLAMUX_IOC_MAGIC ||
	    _IOC_NR(cmd) >= ARRAY_SIZE(commands))
		return NULL;
	c = &commands[array_index_nospec(_IOC_NR(cmd), ARRAY_SIZE(commands))];
	if (!c->run || _IOC_DIR(cmd) != _IOC_DIR(c->cmd))
		return NULL;
	return c;
}

/* -ENOSPC also tells how much room is wanted. */
static bool gives_output(const struct command *c, int err)
{
	return _IOC_DIR(c->cmd) & _IOC_READ && (!err || err == -ENOSPC);
}

long llamux_ioctl(struct llamux_session *s, unsigned int cmd,
		  void __user *uarg)
{
	const struct command *c = command_find(cmd);
	size_t usize = _IOC_SIZE(cmd), ksize;
	union argument arg = {};
	int err;

	if (!c)
		return -ENOTTY;
	ksize = _IOC_SIZE(c->cmd);
	if (usize < c->first || (!c->first && usize))
		return c->first ? -EINVAL : -ENOTTY;
	if (_IOC_DIR(c->cmd) & _IOC_WRITE) {
		err = copy_struct_from_user(&arg, ksize, uarg, usize);
		if (err)
			return err;
	}
	if (c->run == do_cancel)
		return do_cancel(s, &arg);
	err = llamux_session_lock(s);
	if (err)
		return err;
	err = c->run(s, &arg);
	llamux_session_unlock(s);
	if (gives_output(c, err) &&
	    llamux_copy_to_user(uarg, usize, &arg, ksize))
		return -EFAULT;
	return err;
}
