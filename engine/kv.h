/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * KV pages and who may share them. A page holds LX_PAGE positions of every
 * layer. It is written by one session only, and not at all once it is known
 * (found by others) or shared: who wants to write gets a copy first.
 *
 * A full page is known by the page before it and its own tokens, both exact,
 * within one realm. Pages that nobody uses stay known till their memory is
 * wanted; the longest unused go first, and of a sequence the last page.
 */
#ifndef LX_KV_H
#define LX_KV_H

#include "lx/lx.h"
#include "op.h"

struct lx_engine;
struct lx_session;

struct lx_kv_page {
	struct lx_block block;
	u64 id;			/* never used again */
	u32 refs;		/* sessions that hold it */
	bool known;
	u64 parent;		/* id of the page before, 0: the first */
	struct lx_realm realm;
	void *account;		/* whom the host charged */
	struct lx_kv_page *next;	/* in a bucket, or of the free ones */
	struct lx_kv_page *older, *newer;	/* known and unused */
	s32 tokens[LX_PAGE];
};

/* Why there is no page: the account, where nobody else's KV would help. */
static inline bool lx_kv_own(int err)
{
	return err == -LX_EDQUOT || err == -LX_ENOSPC;
}

/*
 * A block that is a session's, charged to @account where the host can. 0,
 * -LX_ENOMEM, -LX_EDQUOT, -LX_ENOSPC.
 */
int lx_charged_block(struct lx_host *h, struct lx_block *b, size_t size,
		     enum lx_mem kind, void *account);

static inline bool lx_same_realm(const struct lx_realm *a,
				 const struct lx_realm *b)
{
	return !lx_memcmp(a, b, sizeof(*a));
}

/* The same as clients are told. */
static inline int lx_kv_error(int err)
{
	return err == -LX_ENOSPC ? -LX_ENOMEM : err;
}

struct lx_kv {
	struct lx_kv_page *free;	/* zeroed */
	struct lx_kv_page **buckets;	/* [n_buckets], of known pages */
	u32 n_buckets;			/* a power of two */
	struct lx_kv_page *oldest, *newest;	/* known and unused */
	u64 n_pages;			/* all there are */
	u64 n_free, n_unused;
	u64 max;			/* kept when unused: the plan */
	u64 last_id;
	u64 n_shared;			/* tokens found instead of computed */
};

/* ---- kv.c: may sleep; never while a step that uses them runs ---- */

/*
 * The layout of a page, which holds every layer with as many KV heads as it
 * has: page_bytes, item_tokens and, where they are there, shapes[n_layer].
 */
void lx_kv_layout(struct lx_engine *e);
/*
 * Pages for @n positions of @s, writable from n_past on. When there is no
 * memory, unused pages go, then those of idle sessions. -LX_ENOMEM;
 * -LX_EDQUOT, -LX_ENOSPC: not the machine's memory is used up but the account's.
 */
int lx_kv_reserve(struct lx_session *s, u32 n);
void lx_kv_drop(struct lx_session *s);	/* all pages back; n_past is 0 */
/* @to, which has none, gets the pages of @from. -LX_ENOMEM. */
int lx_kv_share(struct lx_session *to, const struct lx_session *from);
/*
 * Idle KV goes for @bytes of something else, that of the account first, and
 * none but that where @err says that it is the account's fault. False: there
 * was none.
 */
bool lx_kv_yield(struct lx_engine *e, u64 bytes, const void *account, int err);
/* Nothing unused stays charged to @account: it has come to its end. */
void lx_kv_relieve(struct lx_engine *e, const void *account);
void lx_kv_close(struct lx_engine *e);	/* no session is left */
u64 lx_kv_control(u64 max);		/* bytes of control memory for @max pages */
int lx_kv_open(struct lx_engine *e);

/* Back to the host, or to the free ones while the plan has room. Zeroes. */
void lx_kv_give(struct lx_engine *e, struct lx_kv_page *p);
void lx_kv_put(struct lx_engine *e, struct lx_kv_page *p);	/* one reference */

/* ---- prefix.c ---- */

/* Go on from n_past with known pages, short of the last token. */
void lx_prefix_match(struct lx_session *s);
/* What is full and computed becomes known. Not while a step runs. */
void lx_prefix_publish(struct lx_session *s);
void lx_prefix_unused(struct lx_engine *e, struct lx_kv_page *p);
void lx_prefix_used(struct lx_engine *e, struct lx_kv_page *p);
/* Its memory is wanted for something else; it is unused. */
void lx_prefix_forget(struct lx_engine *e, struct lx_kv_page *p);

#endif
