// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * KV pages: taken as sessions grow, before a step, and given back. Free ones
 * are kept up to the plan, zeroed: what they held was somebody's. Layout of a
 * head in a page: fp/kv.h.
 */
#include "session.h"

/* K or V of one head, @n channels, in a page. */
static u64 page_bytes(u32 kv_type, u64 n)
{
	u64 blocks = LX_PAGE * lx_div_up(n, 32);

	switch (kv_type) {
	case LX_KV_Q8_0:
		return blocks * (2 + 32);
	case LX_KV_Q4_0:
		return blocks * (2 + 16);
	default:
		return LX_PAGE * n * (kv_type == LX_KV_F32 ? 4 : 2);
	}
}

void lx_kv_layout(struct lx_engine *e)
{
	const struct lx_hparams *hp = &e->model->hp;
	u32 hdv = lx_align_up(hp->hdv, LX_STRIP), group = 1;
	u64 v_offset = lx_align_up(page_bytes(e->kv_type, hp->hd), 64ull);
	u64 head_bytes = v_offset +
			 lx_align_up(page_bytes(e->kv_type, hdv), 64ull);
	u64 off = 0;

	for (u32 l = 0; l < hp->n_layer; l++) {
		const struct lx_layer *y = &e->model->layers[l];

		group = lx_max(group, y->n_head / y->n_head_kv);
		if (e->shapes)
			e->shapes[l] = (struct lx_attn_shape){
				.n_head = y->n_head,
				.n_head_kv = y->n_head_kv,
				.group = y->n_head / y->n_head_kv,
				.hd = hp->hd,
				.hdv = hdv,
				.hdv_real = hp->hdv,
				.kv_type = e->kv_type,
				.layer_off = off,
				.head_bytes = head_bytes,
				.v_offset = v_offset,
				.scale_bits = e->model->score_bits,
				.cap_bits = hp->cap,
			};
		off += head_bytes * y->n_head_kv;
	}
	e->item_tokens = lx_max(16 / group, 1u);
	e->page_bytes = lx_align_up(off, 4096ull);
}

/* ---- pages come and go ---- */

/* A free page that is charged to @account already. */
static struct lx_kv_page *take_free(struct lx_engine *e, const void *account)
{
	struct lx_kv_page **at = &e->kv.free, *p;

	while (*at && (*at)->account != account)
		at = &(*at)->next;
	p = *at;
	if (p) {
		*at = p->next;
		e->kv.n_free--;
	}
	return p;
}

int lx_charged_block(struct lx_host *h, struct lx_block *b, size_t size,
		     enum lx_mem kind, void *account)
{
	if (h->ops->charged_alloc)
		return h->ops->charged_alloc(h, b, size, kind, account);
	return h->ops->block_alloc(h, b, size, kind);
}

static struct lx_kv_page *take_new(struct lx_engine *e, void *account, int *err)
{
	struct lx_kv_page *p = lx_engine_alloc(e, 1, sizeof(*p));

	*err = p ? lx_charged_block(e->host, &p->block, e->page_bytes,
				    LX_MEM_KV, account) : -LX_ENOMEM;
	if (*err) {
		lx_engine_release(e, p, 1, sizeof(*p));
		return NULL;
	}
	p->block.size = e->page_bytes;
	p->account = account;
	e->kv.n_pages++;
	return p;
}

static void free_page(struct lx_engine *e, struct lx_kv_page *p)
{
	e->host->ops->block_free(e->host, &p->block, LX_MEM_KV);
	lx_engine_release(e, p, 1, sizeof(*p));
	e->kv.n_pages--;
}

void lx_kv_give(struct lx_engine *e, struct lx_kv_page *p)
{
	lx_memset(p->block.addr, 0, e->page_bytes);
	lx_memset(p->tokens, 0, sizeof(p->tokens));
	if (e->kv.n_pages > e->kv.max) {
		free_page(e, p);
		return;
	}
	p->next = e->kv.free;
	e->kv.free = p;
	e->kv.n_free++;
}

void lx_kv_put(struct lx_engine *e, struct lx_kv_page *p)
{
	if (--p->refs)
		return;
	if (p->known)
		lx_prefix_unused(e, p);
	else
		lx_kv_give(e, p);
	/* Beyond the plan nothing is kept that nobody uses. */
	while (e->kv.n_pages > e->kv.max && e->kv.oldest) {
		p = e->kv.oldest;
		lx_prefix_forget(e, p);
		lx_kv_give(e, p);
	}
}

/* ---- giving back what can be computed again ---- */

/* Unused ones; with @account, only those that are charged to it. */
static u64 drop_unused(struct lx_engine *e, u64 n, const void *account,
		       bool any)
{
	struct lx_kv_page *p = e->kv.oldest, *newer;
	u64 done = 0;

	for (; p && done < n; p = newer) {
		newer = p->newer;
		if (!any && p->account != account)
			continue;
		lx_prefix_forget(e, p);
		lx_memset(p->block.addr, 0, e->page_bytes);
		free_page(e, p);
		done++;
	}
	return done;
}

static bool is_idle(const struct lx_session *s)
{
	return s->n_pages && !s->in_batch && s->state != LX_SESSION_RUNNING;
}

static bool is_public(const struct lx_session *s)
{
	return s->shares && lx_same_realm(&s->realm, &lx_realm_public);
}

/* What is computed once for everybody goes last. */
static bool goes_before(const struct lx_session *a, const struct lx_session *b)
{
	bool a_public = is_public(a), b_public = is_public(b);

	return a_public == b_public ? a->t_last < b->t_last : b_public;
}

/* The idle session that was used last before all others. */
static struct lx_session *longest_idle(struct lx_engine *e, const void *account,
				       bool any)
{
	struct lx_session *s = e->first, *best = NULL;

	for (u32 i = 0; i < e->n_sessions; i++, s = s->next)
		if (is_idle(s) && (any || s->account == account) &&
		    (!best || goes_before(s, best)))
			best = s;
	return best;
}

/* Free ones; with @account, only those that are charged to it. */
static u64 drop_free(struct lx_engine *e, u64 n, const void *account, bool any)
{
	struct lx_kv_page **at = &e->kv.free, *p;
	u64 done = 0;

	while ((p = *at) && done < n) {
		if (!any && p->account != account) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		e->kv.n_free--;
		free_page(e, p);
		done++;
	}
	return done;
}

/*
 * @n pages to the host: free, unused, of idle sessions, in this order. What
 * those held is computed again when they go on.
 */
static u64 reclaim(struct lx_engine *e, u64 n, const void *account, bool any)
{
	struct lx_session *s;
	u64 done = drop_free(e, n, account, any);

	done += drop_unused(e, n - done, account, any);
	while (done < n && (s = longest_idle(e, account, any))) {
		u64 before = e->kv.n_pages;

		lx_kv_drop(s);
		drop_free(e, ~0ull, account, any);
		done += before - e->kv.n_pages;
		if (done < n)
			done += drop_unused(e, n - done, account, any);
	}
	return done;
}

void lx_kv_relieve(struct lx_engine *e, const void *account)
{
	drop_unused(e, ~0ull, account, false);
}

bool lx_kv_yield(struct lx_engine *e, u64 bytes, const void *account, int err)
{
	u64 n = lx_div_up(bytes, e->page_bytes);
	u64 done = reclaim(e, n, account, false);

	if (done < n && !lx_kv_own(err))
		done += reclaim(e, n - done, NULL, true);
	return done;
}

u64 lx_engine_reclaim(struct lx_engine *e, u64 pages)
{
	return reclaim(e, pages, NULL, true);
}

u64 lx_engine_reclaimable(const struct lx_engine *e, bool locked)
{
	u64 n = __atomic_load_n(&e->kv.n_free, __ATOMIC_RELAXED) +
		__atomic_load_n(&e->kv.n_unused, __ATOMIC_RELAXED);
	const struct lx_session *s = e->first;

	for (u32 i = 0; locked && i < e->n_sessions; i++, s = s->next)
		if (is_idle(s))
			n += s->n_pages;
	return n;
}

static struct lx_kv_page *take_page(struct lx_session *s, int *err)
{
	struct lx_engine *e = s->e;
	struct lx_kv_page *p = take_free(e, s->account);
	bool in_batch = s->in_batch;

	s->in_batch = true;	/* its own are not to be reclaimed */
	/* The plan is used up: what is unused goes rather than more memory. */
	if (!p && e->kv.n_pages >= e->kv.max)
		drop_unused(e, 1, NULL, true);
	if (!p)
		p = take_new(e, s->account, err);
	/* It may hold more than it may have by now. */
	while (!p && reclaim(e, 1, s->account, false))
		p = take_new(e, s->account, err);
	if (!p && !lx_kv_own(*err) && reclaim(e, 1, NULL, true))
		p = take_new(e, s->account, err);
	s->in_batch = in_batch;
	if (!p)
		return NULL;
	*err = 0;
	p->id = ++e->kv.last_id;
	p->refs = 1;
	p->known = false;
	return p;
}

/* ---- the pages of a session ---- */

static int grow_tables(struct lx_session *s, u32 want)
{
	struct lx_engine *e = s->e;
	u32 cap = lx_max(want, lx_max(s->cap_pages * 2, 4u));
	struct lx_kv_page **kv = lx_engine_alloc(e, cap, sizeof(*kv));
	void **pages = lx_engine_alloc(e, cap, sizeof(*pages));

	if (!kv || !pages) {
		lx_engine_release(e, kv, cap, sizeof(*kv));
		lx_engine_release(e, pages, cap, sizeof(*pages));
		return -LX_ENOMEM;
	}
	if (s->n_pages) {
		lx_memcpy(kv, s->kv, s->n_pages * sizeof(*kv));
		lx_memcpy(pages, s->pages, s->n_pages * sizeof(*pages));
	}
	lx_engine_release(e, s->kv, s->cap_pages, sizeof(*kv));
	lx_engine_release(e, s->pages, s->cap_pages, sizeof(*pages));
	s->kv = kv;
	s->pages = pages;
	s->cap_pages = cap;
	return 0;
}

void lx_kv_set(struct lx_session *s, u32 i, struct lx_kv_page *p)
{
	s->kv[i] = p;
	s->pages[i] = p->block.addr;
}

/* Where the timeline was cut off, what follows is not what is known. */
void lx_kv_clamp(struct lx_session *s)
{
	s->n_known = lx_min(s->n_known, s->n_past / LX_PAGE);
}

int lx_kv_room(struct lx_session *s, u32 n)
{
	return n > s->cap_pages ? grow_tables(s, n) : 0;
}

/* Page @i is going to be written: its own, or a copy of what others see. */
static int unshare(struct lx_session *s, u32 i)
{
	struct lx_kv_page *old = s->kv[i], *p;
	int err = 0;

	if (old->refs == 1 && !old->known)
		return 0;
	p = take_page(s, &err);
	if (!p)
		return err;
	if (i * LX_PAGE < s->n_past)
		lx_memcpy(p->block.addr, old->block.addr, s->e->page_bytes);
	lx_kv_set(s, i, p);
	lx_kv_put(s->e, old);
	return 0;
}

int lx_kv_reserve(struct lx_session *s, u32 n)
{
	u32 want = lx_div_up(n, LX_PAGE);
	int err = 0;

	if (lx_kv_room(s, want))
		return -LX_ENOMEM;
	lx_kv_clamp(s);
	for (u32 i = s->n_past / LX_PAGE; i < s->n_pages && i < want && !err;
	     i++)
		err = unshare(s, i);
	while (!err && s->n_pages < want) {
		struct lx_kv_page *p = take_page(s, &err);

		if (p)
			lx_kv_set(s, s->n_pages++, p);
	}
	return err;
}

void lx_kv_drop(struct lx_session *s)
{
	/* From the end: of a sequence the first page is worth most. */
	while (s->n_pages)
		lx_kv_put(s->e, s->kv[--s->n_pages]);
	lx_engine_release(s->e, s->kv, s->cap_pages, sizeof(*s->kv));
	lx_engine_release(s->e, s->pages, s->cap_pages, sizeof(*s->pages));
	s->kv = NULL;
	s->pages = NULL;
	s->cap_pages = 0;
	s->n_past = 0;
	s->n_known = 0;
}

int lx_kv_share(struct lx_session *to, const struct lx_session *from)
{
	u32 n = lx_div_up(from->n_past, LX_PAGE);	/* no more is written */

	if (lx_kv_room(to, n))
		return -LX_ENOMEM;
	for (u32 i = 0; i < n; i++) {
		from->kv[i]->refs++;
		lx_kv_set(to, i, from->kv[i]);
	}
	to->n_pages = n;
	to->n_past = from->n_past;
	to->n_known = from->n_known;
	lx_kv_clamp(to);
	return 0;
}

/* ---- opening and closing ---- */

static u32 n_buckets(u64 max)
{
	u32 n = 64;

	while (n < max && n < 1u << 20)
		n *= 2;
	return n;
}

u64 lx_kv_control(u64 max)
{
	return n_buckets(max) * sizeof(struct lx_kv_page *) +
	       max * sizeof(struct lx_kv_page);
}

int lx_kv_open(struct lx_engine *e)
{
	e->kv.n_buckets = n_buckets(e->kv.max);
	e->kv.buckets = lx_engine_alloc(e, e->kv.n_buckets,
					sizeof(*e->kv.buckets));
	return e->kv.buckets ? 0 : -LX_ENOMEM;
}

void lx_kv_close(struct lx_engine *e)
{
	drop_unused(e, ~0ull, NULL, true);
	drop_free(e, ~0ull, NULL, true);
	lx_engine_release(e, e->kv.buckets, e->kv.n_buckets,
			  sizeof(*e->kv.buckets));
}
