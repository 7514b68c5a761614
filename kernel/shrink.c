// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that can be computed again goes back when the machine wants it: KV
 * that nobody uses, then that of idle sessions. Called from wherever memory is
 * asked for, maybe with the very lock held that is wanted here, so locks are
 * only tried.
 */
#include <linux/mm.h>

#include "model.h"
#include "shrink.h"

/* It costs a prompt to have it back: less pressure than on other caches. */
#define SEEKS (2 * DEFAULT_SEEKS)

static struct llamux_model *model_of(struct shrinker *s)
{
	return container_of(llamux_shrinker_of(s), struct llamux_model,
			    shrinker);
}

static unsigned long shrink_count(struct shrinker *s, struct shrink_control *sc)
{
	struct llamux_model *m = model_of(s);
	bool locked = mutex_trylock(&m->lock);
	u64 n = lx_engine_reclaimable(m->engine, locked);

	if (locked)
		mutex_unlock(&m->lock);
	n *= m->kv_page_bytes >> PAGE_SHIFT;
	return n ? min_t(u64, n, LONG_MAX) : SHRINK_EMPTY;
}

static unsigned long shrink_scan(struct shrinker *s, struct shrink_control *sc)
{
	struct llamux_model *m = model_of(s);
	unsigned long per = m->kv_page_bytes >> PAGE_SHIFT;
	u64 n;

	if (!mutex_trylock(&m->lock))
		return SHRINK_STOP;
	n = lx_engine_reclaim(m->engine, DIV_ROUND_UP(sc->nr_to_scan, per));
	mutex_unlock(&m->lock);
	return n ? n * per : SHRINK_STOP;
}

int llamux_shrink_start(struct llamux_model *m)
{
	struct lx_engine_info info;

	lx_engine_info(m->engine, &info);
	m->kv_page_bytes = info.kv_page_bytes;
	return llamux_shrinker_start(&m->shrinker, shrink_count, shrink_scan,
				     SEEKS, m->kv_page_bytes >> PAGE_SHIFT,
				     m->name);
}

void llamux_shrink_stop(struct llamux_model *m)
{
	llamux_shrinker_stop(&m->shrinker);
}

static u64 shrink_model(struct llamux_model *m)
{
	u64 n = 0;

	if (!mutex_trylock(&m->lock))
		return 0;
	if (m->engine)
		n = lx_engine_reclaim(m->engine, U64_MAX) * m->kv_page_bytes;
	mutex_unlock(&m->lock);
	return n;
}

u64 llamux_shrink_all(void)
{
	return llamux_model_try_all(shrink_model);
}
