/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Llamux for other modules: a conversation with a language model, from inside
 * the kernel. All symbols are EXPORT_SYMBOL_GPL; a module that uses them keeps
 * llamux.ko loaded.
 *
 *	struct llamux_client *c = llamux_client_open(NULL, 0);
 *
 *	if (IS_ERR(c))
 *		return PTR_ERR(c);
 *	n = llamux_client_ask(c, "What is an inode?", buf, sizeof(buf), 10 * HZ);
 *	llamux_client_close(c);
 *
 * Context. Everything but llamux_client_cancel() sleeps: process context, no
 * spinlock held, not under memory reclaim (no GFP_NOFS or GFP_NOIO section:
 * memory is taken with GFP_KERNEL). No lock may be held that reclaim takes.
 * llamux_client_cancel() may be called from anywhere, hard interrupts too.
 *
 * No floating point happens in the caller's context: tokens are computed by
 * the model's own threads, in everybody's batches. A caller waits; a fatal
 * signal ends the waiting.
 *
 * A client is used by one thread at a time, llamux_client_cancel() excepted.
 * Different clients are independent. The caller's credentials, memory cgroup
 * and nice level at open are whose the conversation is, as with open(2) of
 * /dev/llama: limits apply, and KV of equal prompts is shared with other
 * conversations of the same user and cgroup unless a salt says otherwise.
 *
 * Text from the model is not to be trusted: it may be anything.
 */
#ifndef _LINUX_LLAMUX_CLIENT_H
#define _LINUX_LLAMUX_CLIENT_H

#include <linux/llamux.h>
#include <linux/types.h>

struct llamux_client;

/* Before all other conversations, users' among them: somebody waits who can
 * stop the machine. For short questions.
 */
#define LLAMUX_CLIENT_URGENT (1u << 0)
/* Between urgent ones and background: see struct llamux_params.priority. */
#define LLAMUX_CLIENT_FLAGS 1u

/*
 * @model: its name, NULL for the default one. ERR_PTR(-ENODEV) no (such)
 * model, -EAGAIN, -EDQUOT too many conversations, -ENOMEM, -EINVAL flags.
 */
struct llamux_client *llamux_client_open(const char *model, u32 flags);
/* Cancels what is under way; does not wait for the step that runs. */
void llamux_client_close(struct llamux_client *c);

/* As LLAMUX_IOC_INFO, _GET_PARAMS, _SET_PARAMS, _SALT, _RESET, _STATS. */
int llamux_client_get(struct llamux_client *c, struct llamux_params *p);
int llamux_client_set(struct llamux_client *c, const struct llamux_params *p);
int llamux_client_set_salt(struct llamux_client *c, u64 salt);
int llamux_client_reset(struct llamux_client *c);

/*
 * Add text to the prompt, exactly as it is: @role LLAMUX_ROLE_*, @flags
 * LLAMUX_WRITE_SPECIAL for trusted text with control tokens. -EBUSY while an
 * answer is computed or not read to its end, -EMSGSIZE, -ENOMEM, -EINVAL.
 */
int llamux_client_write(struct llamux_client *c, u32 role, const char *text,
			size_t n, u32 flags);
/*
 * The next piece of the answer, whole UTF-8 characters where @n allows, not
 * terminated; the first call starts the turn. 0: the answer has ended.
 * @timeout in jiffies (MAX_SCHEDULE_TIMEOUT: none). -ETIMEDOUT: no text yet,
 * the turn goes on; -EINTR a fatal signal; -EDQUOT, -EMSGSIZE, -ENOMEM, -EIO.
 */
ssize_t llamux_client_read(struct llamux_client *c, char *buf, size_t n,
			   long timeout);
/* Compute what was written, without an answer. -EINTR, and as read. */
int llamux_client_prefill(struct llamux_client *c);

/*
 * Ask @prompt as the user and collect the answer in @buf, always terminated.
 * @timeout is for all of it. What does not fit @size ends the turn. Returns
 * the length, or an error; after -ETIMEDOUT and -EINTR the turn is cancelled,
 * and @buf holds what there was.
 */
ssize_t llamux_client_ask(struct llamux_client *c, const char *prompt,
			  char *buf, size_t size, long timeout);

/*
 * How likely each of @n texts is as the continuation of the conversation and
 * of what was written since, which stay as they are; see LLAMUX_IOC_SCORE. To
 * have a question decided rather than answered: nothing is generated, so it
 * takes one pass over the prompt. @choices[n] is filled in.
 *
 * Sleeps till it is computed, and takes memory with GFP_KERNEL: process
 * context, as all the others. A signal ends the waiting (-EINTR), as does
 * llamux_client_cancel() (-ECANCELED), which is the way to bound it in time.
 * -EINVAL nothing to continue, a text empty, too many, too long; -EBUSY,
 * -EMSGSIZE, -EDQUOT, -ENOMEM.
 */
int llamux_client_score(struct llamux_client *c, const char *const *texts,
			u32 n, struct llamux_choice *choices);

/* Stop the turn soon; a reader gets what is there, then 0. Any context. */
void llamux_client_cancel(struct llamux_client *c);

#endif
