// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of /dev/llama that say how answers are made, beyond numbers,
 * and what is known of them afterwards.
 */
#include <linux/llamux.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ioctl.h"
#include "model.h"
#include "session.h"

int llamux_do_stops(struct llamux_session *s, void *arg)
{
	const struct llamux_stops *in = arg;
	char *text;
	int err;

	BUILD_BUG_ON(LLAMUX_MAX_STOPS != LX_MAX_STOPS ||
		     LLAMUX_MAX_STOP_BYTES != LX_MAX_STOP_BYTES);
	if (in->reserved ||
	    in->len > LLAMUX_MAX_STOPS * (LLAMUX_MAX_STOP_BYTES + 1))
		return -EINVAL;
	text = llamux_bind_copy(s, in->text, in->len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	mutex_lock(&s->model->lock);
	err = lx_session_set_stops(s->lx, text, in->len);
	mutex_unlock(&s->model->lock);
	llamux_copied_free(text);
	return err;
}

int llamux_do_bias(struct llamux_session *s, void *arg)
{
	const struct llamux_biases *in = arg;
	struct lx_bias *bias;
	int err;

	BUILD_BUG_ON(sizeof(struct llamux_bias) != sizeof(*bias) ||
		     LLAMUX_MAX_BIAS != LX_MAX_BIAS ||
		     LLAMUX_BIAS_NEVER != LX_BIAS_NEVER);
	if (in->reserved || in->n > LLAMUX_MAX_BIAS)
		return -EINVAL;
	bias = llamux_bind_copy(s, in->bias, in->n * sizeof(*bias));
	if (IS_ERR(bias))
		return PTR_ERR(bias);
	mutex_lock(&s->model->lock);
	err = lx_session_set_bias(s->lx, bias, in->n);
	mutex_unlock(&s->model->lock);
	llamux_copied_free(bias);
	return err;
}

int llamux_do_logprobs(struct llamux_session *s, void *arg)
{
	struct llamux_logprobs *io = arg;
	struct lx_logprob *p = NULL;
	u32 n, room, stride;
	int err;

	BUILD_BUG_ON(sizeof(struct llamux_logprob) != sizeof(*p));
	if (io->reserved)
		return -EINVAL;
	err = llamux_session_bind(s);
	if (err)
		return err;
	mutex_lock(&s->model->lock);
	n = lx_session_logprobs(s->lx, 0, NULL, 0, &stride);
	mutex_unlock(&s->model->lock);
	if (io->n && io->stride != stride)
		return -EINVAL;
	room = io->first < n ? min(io->n, n - io->first) : 0;
	if (room) {
		/* Zeroed: a shift may leave fewer meanwhile. */
		p = kvcalloc(room, stride * sizeof(*p),
			     GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!p)
			return -ENOMEM;
		mutex_lock(&s->model->lock);
		n = lx_session_logprobs(s->lx, io->first, p, room, &stride);
		mutex_unlock(&s->model->lock);
		if (copy_to_user(u64_to_user_ptr(io->records), p,
				 (size_t)room * stride * sizeof(*p)))
			err = -EFAULT;
		kvfree(p);
	}
	io->n = n;
	io->stride = stride;
	return err;
}

/* Scores into @choices; text and its ends are in. */
static int score(struct llamux_session *s, const struct llamux_score *in,
		 const char *text, const u32 *ends)
{
	struct llamux_choice __user *to = u64_to_user_ptr(in->choices);
	struct llamux_choice *choices;
	struct lx_choice *got;
	int err = -ENOMEM;
	u32 i;

	got = kvcalloc(in->n, sizeof(*got), GFP_KERNEL_ACCOUNT);
	choices = kvcalloc(in->n, sizeof(*choices), GFP_KERNEL_ACCOUNT);
	if (got && choices)
		err = llamux_session_score(s, text, ends, in->n, got);
	for (i = 0; !err && i < in->n; i++) {
		choices[i].lp_u = got[i].lp_u;
		choices[i].n_tokens = got[i].n_tokens;
	}
	if (!err && copy_to_user(to, choices, in->n * sizeof(*choices)))
		err = -EFAULT;
	kvfree(choices);
	kvfree(got);
	return err;
}

int llamux_do_score(struct llamux_session *s, void *arg)
{
	const struct llamux_score *in = arg;
	char *text;
	u32 *ends;
	int err;

	BUILD_BUG_ON(LLAMUX_MAX_CHOICES != LX_MAX_CHOICES ||
		     LLAMUX_MAX_CHOICE_BYTES != LX_MAX_CHOICE_BYTES);
	if (!in->n || in->n > LX_MAX_CHOICES || in->len > LX_MAX_CHOICE_BYTES)
		return -EINVAL;
	text = llamux_bind_copy(s, in->text, in->len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	ends = llamux_copy_in(in->ends, in->n * sizeof(*ends));
	err = PTR_ERR_OR_ZERO(ends);
	if (!err && ends[in->n - 1] != in->len)
		err = -EINVAL;
	if (!err)
		err = score(s, in, text, ends);
	if (!IS_ERR(ends))
		llamux_copied_free(ends);
	llamux_copied_free(text);
	return err;
}

int llamux_do_embed(struct llamux_session *s, void *arg)
{
	struct llamux_embed *io = arg;
	void *out = NULL;
	char *text;
	u32 room = io->n;
	int err;

	BUILD_BUG_ON(LLAMUX_POOL_MEAN != LX_POOL_MEAN ||
		     LLAMUX_POOL_LAST != LX_POOL_LAST);
	if (io->reserved || io->pooling > LLAMUX_POOL_LAST)
		return -EINVAL;
	if (io->len > LLAMUX_MAX_EMBED_BYTES)
		return -EMSGSIZE;
	err = llamux_session_bind(s);
	if (err)
		return err;
	io->n = lx_model_info(s->model->lx)->n_embd;
	if (room < io->n)
		return -ENOSPC;
	text = llamux_copy_in(io->text, io->len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	out = kvzalloc(io->n * sizeof(u32), GFP_KERNEL_ACCOUNT);
	err = out ? llamux_session_embed(s, text, io->len, io->pooling, out) :
		    -ENOMEM;
	if (!err && copy_to_user(u64_to_user_ptr(io->embedding), out,
				 io->n * sizeof(u32)))
		err = -EFAULT;
	kvfree(out);
	llamux_copied_free(text);
	return err;
}

/* Sorting the vocabulary takes a while: not under the model's lock. */
static int need_lexicon(struct llamux_model *m)
{
	struct lx_lexicon *x;
	bool have;

	mutex_lock(&m->lock);
	have = lx_engine_has_lexicon(m->engine);
	mutex_unlock(&m->lock);
	if (have)
		return 0;
	x = lx_lexicon_new(&m->host, lx_model_vocab(m->lx));
	if (!x)
		return -ENOMEM;
	mutex_lock(&m->lock);
	lx_engine_give_lexicon(m->engine, x);
	mutex_unlock(&m->lock);
	return 0;
}

int llamux_do_grammar(struct llamux_session *s, void *arg)
{
	const struct llamux_grammar *in = arg;
	void *blob;
	int err;

	if (in->reserved || in->len > LX_GRAMMAR_MAX_BYTES)
		return -EINVAL;
	err = llamux_session_bind(s);
	if (!err && in->len)
		err = need_lexicon(s->model);
	if (err)
		return err;
	blob = llamux_copy_in(in->blob, in->len);
	if (IS_ERR(blob))
		return PTR_ERR(blob);
	mutex_lock(&s->model->lock);
	err = lx_session_set_grammar(s->lx, blob, in->len, NULL);
	mutex_unlock(&s->model->lock);
	llamux_copied_free(blob);
	return err;
}
