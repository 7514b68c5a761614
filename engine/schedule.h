/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Whose turn it is. Within a class, steps are shared between users by weight,
 * and what a user gets between its sessions: the one that had least, counted
 * in tokens over weight, comes first (start-time fair queueing: Goyal, Vin and
 * Cheng, 1996). Who comes back from a rest starts where the others are.
 */
#ifndef LX_SCHEDULE_H
#define LX_SCHEDULE_H

#include "lx/lx.h"

#define LX_WEIGHT 1024		/* the usual one */

struct lx_engine;
struct lx_session;

/* A user: sessions that share a turn. */
struct lx_user {
	struct lx_user *next;	/* of the engine */
	u64 id;
	u32 n_sessions;
	u64 had;		/* weighted tokens */
	u64 clock;		/* what its last session to get a turn had had */
	u64 seen;		/* the last step it could run in */
};

/* A session's part of it. */
struct lx_place {
	struct lx_user *user;
	u32 weight;
	bool urgent;
	bool skip;		/* not in this step */
	int starved;		/* why there were no pages for it; 0: there were */
	u64 retry;		/* the step to look for pages again */
	u64 had, seen;
	struct lx_session *next;	/* runnable in this step */
};

struct lx_sched {
	struct lx_user *users;
	struct lx_user nobody;	/* sessions that said nothing */
	u64 clock;		/* what the last user to get a turn had had */
	u64 step;
	struct lx_session *runnable;
	u32 n_decoding, n_prompts;	/* of these */
};

void lx_sched_init(struct lx_engine *e);
void lx_sched_enter(struct lx_session *s, struct lx_user *u);
void lx_sched_leave(struct lx_session *s);
/* Fill the step: lx_batch_take() for all that is in it. */
void lx_sched_fill(struct lx_engine *e);

#endif
