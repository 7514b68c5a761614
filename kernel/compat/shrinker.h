/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A shrinker with a context of its own. Since 6.7 the kernel allocates them
 * and they have private data; before, they are part of what they shrink.
 */
#ifndef LLAMUX_COMPAT_SHRINKER_H
#define LLAMUX_COMPAT_SHRINKER_H

#include <linux/shrinker.h>
#include <linux/version.h>

struct llamux_shrinker {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	struct shrinker *shrinker;
#else
	struct shrinker shrinker;
#endif
};

/* What was given to start, from a callback's argument. */
static inline struct llamux_shrinker *llamux_shrinker_of(struct shrinker *s)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	return s->private_data;
#else
	return container_of(s, struct llamux_shrinker, shrinker);
#endif
}

typedef unsigned long (*llamux_shrink_fn)(struct shrinker *s,
					  struct shrink_control *sc);

static inline int llamux_shrinker_start(struct llamux_shrinker *l,
					llamux_shrink_fn count,
					llamux_shrink_fn scan, int seeks, long batch,
					const char *name)
{
	struct shrinker *s;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	s = shrinker_alloc(0, "llamux-%s", name);
	if (!s)
		return -ENOMEM;
	l->shrinker = s;
	s->private_data = l;
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = seeks;
	s->batch = batch;
	shrinker_register(s);
	return 0;
#else
	s = &l->shrinker;
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = seeks;
	s->batch = batch;
	return register_shrinker(s, "llamux-%s", name);
#endif
}

/* No callback runs when it returns. */
static inline void llamux_shrinker_stop(struct llamux_shrinker *l)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	shrinker_free(l->shrinker);
	l->shrinker = NULL;	/* the next start may fail, and be stopped */
#else
	unregister_shrinker(&l->shrinker);
#endif
}

#endif
