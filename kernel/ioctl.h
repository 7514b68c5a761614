/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_IOCTL_H
#define LLAMUX_IOCTL_H

#include <linux/types.h>

struct llamux_params;
struct llamux_session;

/* The commands of /dev/llama (uapi/linux/llamux.h). */
long llamux_ioctl(struct llamux_session *s, unsigned int cmd, void __user *arg);

/* ---- for those that do the work; the session is locked ---- */

/*
 * @n bytes of the caller's, charged to it; bound @n first. ERR_PTR(-EFAULT),
 * ERR_PTR(-ENOMEM).
 */
void *llamux_copy_in(u64 from, size_t n);
/* The same, once the session has a model; or why it has none. */
void *llamux_bind_copy(struct llamux_session *s, u64 from, size_t n);
void llamux_copied_free(void *p);

/* generate.c */
int llamux_do_stops(struct llamux_session *s, void *arg);
int llamux_do_bias(struct llamux_session *s, void *arg);
int llamux_do_logprobs(struct llamux_session *s, void *arg);
int llamux_do_score(struct llamux_session *s, void *arg);
int llamux_do_embed(struct llamux_session *s, void *arg);
int llamux_do_grammar(struct llamux_session *s, void *arg);

/* The parameters in their public form, with the session's lock held. */
void llamux_ioctl_get_params(struct llamux_session *s,
			     struct llamux_params *out);
int llamux_ioctl_set_params(struct llamux_session *s,
			    const struct llamux_params *in);

#endif
