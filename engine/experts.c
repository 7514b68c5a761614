// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Experts of a mixture, cached by use. A slot holds one expert of one layer.
 * The operations of a layer run up to the one that sorts tokens by expert; then
 * who computes sees which experts are chosen, gives slots to those that are not
 * there, has readers fetch them, and goes on.
 *
 * What is in the slots tells what was asked. So they belong to an owner, as
 * known prefixes do (prefix.c), or to nobody: a step of another owner begins
 * with empty slots in their first order, and one of several owners takes all
 * experts of every layer, whatever was chosen.
 */
#include "experts.h"
#include "fetch.h"
#include "session.h"

struct slot {
	u32 older, newer;	/* slots by their last use; LX_NONE: none */
	u32 expert;		/* of all layers'; LX_NONE: empty */
};

struct owner {
	struct lx_realm realm;
	u64 session;		/* of one that shares nothing; 0: a realm's */
};

struct lx_experts {
	struct lx_fetch f;
	struct lx_crew *crew;
	struct slot *slots;	/* [n_slots]; empty ones are the oldest */
	u32 oldest, newest;
	u32 *slot_of;		/* [n_layer * n_expert] or LX_NONE */
	bool owned;
	struct owner owner;
	struct lx_experts_count count;

	/* what is being read: experts of one layer, in pieces */
	u32 layer;
	u32 *absent;		/* [n_expert] */
	u32 n_absent;
	u32 pieces;		/* of one of them */
	const u32 *cancel;	/* of the step */
	u64 first;		/* pieces are counted on and on: its first one */
	u64 open;		/* those below may be claimed */
	u64 next;		/* claim */
	u64 done;		/* == open: no reader is at work */
};

/* ---- pieces ---- */

static u32 pieces_of(const struct lx_item *it)
{
	return lx_piece_count(it, LX_FETCH_PIECE) / it->n_expert;
}

static bool has_expert(const struct lx_model *m, const struct lx_item *it,
		       u32 expert)
{
	return lx_item_streamed(m, it) && expert >= it->expert &&
	       expert - it->expert < it->n_expert;
}

/* All experts of a layer have as many: they are of one shape and type. */
static u32 pieces_of_expert(const struct lx_model *m, u32 layer)
{
	u32 n = 0;

	for (u32 i = m->layers[layer].item0; i < m->n_items &&
	     lx_item_layer(m, &m->items[i]) == layer; i++)
		if (has_expert(m, &m->items[i], 0))
			n += pieces_of(&m->items[i]);
	return n;
}

static struct lx_piece find_piece(const struct lx_model *m, u32 layer,
				  u32 expert, u32 number)
{
	const struct lx_item *it;
	u32 n;

	for (u32 i = m->layers[layer].item0; ; i++) {
		it = &m->items[i];
		if (!has_expert(m, it, expert))
			continue;
		n = pieces_of(it);
		if (number < n)
			return lx_piece_at(it, LX_FETCH_PIECE,
					   (expert - it->expert) * n + number);
		number -= n;
	}
}

/* ---- readers ---- */

static bool work(void *ctx, u32 reader)
{
	struct lx_experts *x = ctx;
	u64 c = __atomic_load_n(&x->next, __ATOMIC_SEQ_CST);
	struct lx_piece p;
	u32 i;

	do {
		if (c >= __atomic_load_n(&x->open, __ATOMIC_SEQ_CST))
			return false;
	} while (!__atomic_compare_exchange_n(&x->next, &c, c + 1, false,
					      __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	i = (u32)(c - x->first);
	p = find_piece(x->f.m, x->layer, x->absent[i / x->pieces],
		       i % x->pieces);
	if (!__atomic_load_n(x->cancel, __ATOMIC_RELAXED))
		lx_fetch_piece(&x->f, &p, reader);
	__atomic_add_fetch(&x->done, 1, __ATOMIC_RELEASE);
	return true;
}

static bool is_done(void *ctx)
{
	const struct lx_experts *x = ctx;

	return __atomic_load_n(&x->done, __ATOMIC_ACQUIRE) == x->open;
}

/* ---- slots ---- */

static void unlink(struct lx_experts *x, u32 i)
{
	struct slot *s = &x->slots[i];

	if (s->older == LX_NONE)
		x->oldest = s->newer;
	else
		x->slots[s->older].newer = s->newer;
	if (s->newer == LX_NONE)
		x->newest = s->older;
	else
		x->slots[s->newer].older = s->older;
}

static void make_newest(struct lx_experts *x, u32 i)
{
	struct slot *s = &x->slots[i];

	unlink(x, i);
	s->older = x->newest;
	s->newer = LX_NONE;
	if (s->older == LX_NONE)
		x->oldest = i;
	else
		x->slots[s->older].newer = i;
	x->newest = i;
}

static void make_oldest(struct lx_experts *x, u32 i)
{
	struct slot *s = &x->slots[i];

	unlink(x, i);
	s->newer = x->oldest;
	s->older = LX_NONE;
	if (s->newer == LX_NONE)
		x->newest = i;
	else
		x->slots[s->newer].older = i;
	x->oldest = i;
}

/* As at first, and in a time that does not depend on what was there. */
static void forget(struct lx_experts *x)
{
	const struct lx_model *m = x->f.m;
	u32 n = m->n_slots;

	for (u32 i = 0; i < n; i++)
		x->slots[i] = (struct slot){
			.older = i ? i - 1 : LX_NONE,
			.newer = i + 1 < n ? i + 1 : LX_NONE,
			.expert = LX_NONE,
		};
	x->oldest = 0;
	x->newest = n - 1;
	for (u32 i = 0; i < m->hp.n_layer * m->hp.n_expert; i++)
		x->slot_of[i] = LX_NONE;
	x->owned = false;
}

/*
 * A slot that @layer does not need: there are no fewer than a layer has experts.
 * What was chosen is used up to now, so the oldest is not of it. Where all
 * experts are taken in turn, those of the layer before are wanted last.
 */
static u32 victim(const struct lx_experts *x, u32 layer, bool all)
{
	u32 i = x->newest;

	if (!all || x->slots[x->oldest].expert == LX_NONE)
		return x->oldest;
	while (x->slots[i].expert / x->f.m->hp.n_expert == layer)
		i = x->slots[i].older;
	return i;
}

static void place(struct lx_experts *x, u32 layer, u32 expert, bool all)
{
	u32 id = layer * x->f.m->hp.n_expert + expert;
	u32 i = victim(x, layer, all);
	struct slot *s = &x->slots[i];

	if (s->expert != LX_NONE)
		x->slot_of[s->expert] = LX_NONE;
	s->expert = id;
	x->slot_of[id] = i;
	make_newest(x, i);
	lx_layout_place_expert(x->f.m, layer, expert, i);
}

/* What was being read is not there. */
static void give_up(struct lx_experts *x)
{
	for (u32 i = 0; i < x->n_absent; i++) {
		u32 id = x->layer * x->f.m->hp.n_expert + x->absent[i];
		u32 slot = x->slot_of[id];

		x->slot_of[id] = LX_NONE;
		x->slots[slot].expert = LX_NONE;
		make_oldest(x, slot);
	}
}

/* ---- who computes ---- */

static struct owner owner_of(const struct lx_session *s)
{
	if (!s->shares)
		return (struct owner){ .session = s->number };
	return (struct owner){ .realm = s->realm };
}

static bool same(const struct owner *a, const struct owner *b)
{
	return a->session == b->session && lx_same_realm(&a->realm, &b->realm);
}

/* The step begins. True: it is of several owners. */
static bool begin(struct lx_experts *x, const struct lx_engine *e)
{
	struct owner o = owner_of(e->entries[0].s), other;
	bool several = false;

	for (u32 i = 1; i < e->n_entries && !several; i++) {
		other = owner_of(e->entries[i].s);
		several = !same(&o, &other);
	}
	/* What is nobody's was chosen by nobody. */
	if (several ? x->owned : !x->owned || !same(&x->owner, &o))
		forget(x);
	x->owned = !several;
	x->owner = o;
	return several;
}

/* Which experts of @layer are to be read, and where to. */
static void choose(struct lx_experts *x, const struct lx_engine *e, u32 layer,
		   bool all)
{
	u32 n_expert = x->f.m->hp.n_expert;
	u32 n = all ? n_expert : *e->n_runs;

	x->layer = layer;
	x->n_absent = 0;
	for (u32 i = 0; i < n; i++) {
		u32 id = all ? i : e->runs[i].expert;
		u32 slot = x->slot_of[layer * n_expert + id];

		if (slot == LX_NONE)
			x->absent[x->n_absent++] = id;
		else if (!all)
			make_newest(x, slot);
	}
	x->count.hits += n - x->n_absent;
	x->count.misses += x->n_absent;
	for (u32 i = 0; i < x->n_absent; i++)
		place(x, layer, x->absent[i], all);
}

static int read_absent(struct lx_experts *x, struct lx_engine *e)
{
	int r;

	if (!x->n_absent)
		return 0;
	lx_fetch_reset(&x->f);
	x->cancel = &e->job.cancel;
	x->pieces = pieces_of_expert(x->f.m, x->layer);
	x->first = x->open;
	__atomic_store_n(&x->open, x->first + (u64)x->n_absent * x->pieces,
			 __ATOMIC_SEQ_CST);
	e->host->ops->crew_kick(x->crew);
	/* After an error or a cancel what is left of it is skipped. */
	e->host->ops->crew_wait(x->crew, is_done, x);
	if (__atomic_load_n(&e->job.cancel, __ATOMIC_RELAXED))
		r = -LX_ECANCELED;
	else
		r = lx_fetch_error(&x->f);
	if (r)
		give_up(x);
	return r;
}

int lx_experts_run(struct lx_engine *e)
{
	struct lx_experts *x = e->model->experts;
	bool all = begin(x, e);
	int r = 0;

	for (u32 l = 0; l < e->model->hp.n_layer && !r; l++) {
		r = lx_engine_run_to(e, e->marks[l]);
		if (!r) {
			choose(x, e, l, all);
			r = read_absent(x, e);
		}
	}
	return r ? r : lx_engine_run_to(e, e->n_ops);
}

struct lx_experts_count lx_experts_count(const struct lx_model *m)
{
	return m->experts->count;
}

/* ---- opening ---- */

static u32 n_all(const struct lx_model *m)
{
	return m->hp.n_layer * m->hp.n_expert;
}

u64 lx_experts_table_bytes(const struct lx_model *m)
{
	return sizeof(struct lx_experts) +
	       (u64)m->n_slots * sizeof(struct slot) +
	       ((u64)n_all(m) + m->hp.n_expert) * sizeof(u32) +
	       (u64)m->max_items * sizeof(*m->items);
}

int lx_experts_open(struct lx_model *m, const struct lx_source *src, u32 n_src,
		    struct lx_error *err)
{
	struct lx_experts *x;
	int r = lx_fetch_check(m, src, n_src, err);

	if (r)
		return r;
	x = lx_model_alloc(m, 1, sizeof(*x));
	if (!x)
		return lx_fail(err, -LX_ENOMEM, "no memory to stream");
	m->experts = x;
	x->f.m = m;
	x->f.src = src;
	x->slots = lx_model_alloc(m, m->n_slots, sizeof(*x->slots));
	x->slot_of = lx_model_alloc(m, n_all(m), sizeof(*x->slot_of));
	x->absent = lx_model_alloc(m, m->hp.n_expert, sizeof(*x->absent));
	if (!x->slots || !x->slot_of || !x->absent)
		return lx_fail(err, -LX_ENOMEM, "no memory to stream");
	forget(x);
	x->crew = m->host->ops->crew_start(m->host, LX_FETCH_READERS, work, x);
	if (!x->crew)
		return lx_fail(err, -LX_ENOMEM, "no threads to read with");
	return 0;
}

void lx_experts_close(struct lx_model *m)
{
	struct lx_experts *x = m->experts;

	if (!x)
		return;
	if (x->crew)
		m->host->ops->crew_stop(x->crew);
	lx_model_release(m, x->slots, m->n_slots, sizeof(*x->slots));
	lx_model_release(m, x->slot_of, n_all(m), sizeof(*x->slot_of));
	lx_model_release(m, x->absent, m->hp.n_expert, sizeof(*x->absent));
	lx_model_release(m, x, 1, sizeof(*x));
	m->experts = NULL;
}
