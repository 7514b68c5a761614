// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Known pages: what was computed once is found again by the sessions of its
 * realm, and by those of all realms when it was registered for everybody.
 * Nothing is taken on trust of a hash: the page before and all tokens are
 * compared.
 */
#include "session.h"

static u64 mix(u64 h, u64 x)
{
	h = (h ^ x) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

static struct lx_kv_page **bucket(const struct lx_kv *kv,
				  const struct lx_realm *r, u64 parent,
				  const s32 *tokens)
{
	u64 h = mix(parent, 1);

	for (u32 i = 0; i < LX_ARRAY_SIZE(r->id); i++)
		h = mix(h, r->id[i]);
	for (u32 i = 0; i < LX_PAGE; i++)
		h = mix(h, (u32)tokens[i]);
	return &kv->buckets[(h >> 32) & (kv->n_buckets - 1)];
}

static struct lx_kv_page *find(const struct lx_engine *e,
			       const struct lx_realm *r, u64 parent,
			       const s32 *tokens)
{
	struct lx_kv_page *p = *bucket(&e->kv, r, parent, tokens);

	while (p && (p->parent != parent || !lx_same_realm(&p->realm, r) ||
		     lx_memcmp(p->tokens, tokens, sizeof(p->tokens))))
		p = p->next;
	return p;
}

/* Of everybody's first: its pages are the parents of one's own. */
static struct lx_kv_page *find_any(const struct lx_session *s, u64 parent,
				   const s32 *tokens)
{
	struct lx_kv_page *p = find(s->e, &lx_realm_public, parent, tokens);

	return p ? p : find(s->e, &s->realm, parent, tokens);
}

static u64 parent_of(const struct lx_session *s, u32 i)
{
	return i ? s->kv[i - 1]->id : 0;
}

/* ---- known and unused ---- */

void lx_prefix_unused(struct lx_engine *e, struct lx_kv_page *p)
{
	p->newer = NULL;
	p->older = e->kv.newest;
	if (p->older)
		p->older->newer = p;
	else
		e->kv.oldest = p;
	e->kv.newest = p;
	e->kv.n_unused++;
}

void lx_prefix_used(struct lx_engine *e, struct lx_kv_page *p)
{
	if (p->older)
		p->older->newer = p->newer;
	else
		e->kv.oldest = p->newer;
	if (p->newer)
		p->newer->older = p->older;
	else
		e->kv.newest = p->older;
	e->kv.n_unused--;
}

static void unlink_known(struct lx_engine *e, struct lx_kv_page *p)
{
	struct lx_kv_page **at = bucket(&e->kv, &p->realm, p->parent,
					p->tokens);

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->known = false;
}

void lx_prefix_forget(struct lx_engine *e, struct lx_kv_page *p)
{
	lx_prefix_used(e, p);
	unlink_known(e, p);
}

/* ---- for sessions ---- */

static void get(struct lx_engine *e, struct lx_kv_page *p)
{
	if (!p->refs++)
		lx_prefix_used(e, p);
}

static void count_cached(struct lx_session *s, u32 from, u32 to)
{
	s->e->kv.n_shared += to - from;
	from = lx_max(from, s->turn_start);
	to = lx_min(to, s->gen_start);
	if (to > from)
		s->n_cached += to - from;
}

void lx_prefix_match(struct lx_session *s)
{
	u32 from = s->n_past;

	lx_kv_clamp(s);
	/* What is found is not computed: nothing may be wanted of it. */
	if (s->pool_sum || lx_score_chooses(s))
		return;
	if (!s->shares || from % LX_PAGE || s->n_known < from / LX_PAGE)
		return;
	while (s->n_past + LX_PAGE < s->n_tokens) {
		u32 i = s->n_past / LX_PAGE;
		struct lx_kv_page *p = find_any(s, parent_of(s, i),
						s->tokens + s->n_past);

		if (!p || lx_kv_room(s, i + 1))
			break;
		get(s->e, p);
		/* One may be there for the next tokens, with nothing in it. */
		if (i < s->n_pages)
			lx_kv_put(s->e, s->kv[i]);
		else
			s->n_pages++;
		lx_kv_set(s, i, p);
		s->n_past += LX_PAGE;
		s->n_known = i + 1;
	}
	count_cached(s, from, s->n_past);
}

/* Page @i of @s, full: known from now on, or the known one takes its place. */
static void publish(struct lx_session *s, u32 i)
{
	struct lx_engine *e = s->e;
	const s32 *tokens = s->tokens + i * LX_PAGE;
	struct lx_kv_page *p = s->kv[i], **b, *other;
	u64 parent = parent_of(s, i);

	if (p->known)
		return;
	other = find_any(s, parent, tokens);
	if (other) {
		get(e, other);
		lx_kv_set(s, i, other);
		lx_kv_put(e, p);
		return;
	}
	p->realm = s->realm;
	p->parent = parent;
	lx_memcpy(p->tokens, tokens, sizeof(p->tokens));
	p->known = true;
	b = bucket(&e->kv, &p->realm, parent, p->tokens);
	p->next = *b;
	*b = p;
}

void lx_prefix_publish(struct lx_session *s)
{
	if (!s->shares)
		return;
	while (s->n_known < s->n_past / LX_PAGE)
		publish(s, s->n_known++);
}
