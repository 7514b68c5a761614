/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * An engine in this process at work for several conversations, each used by
 * a thread of its own.
 *
 * There is no thread for the batches: of those who wait for text one computes
 * the next step, for everybody, and the others wait for its end. @lock guards
 * the engine and its sessions; it is not held while tiles are computed.
 */
#ifndef USER_SHARED_H
#define USER_SHARED_H

#include <pthread.h>
#include <stdint.h>

#include "local.h"

struct shared {
	struct local local;
	pthread_mutex_t lock;
	pthread_cond_t stepped;
	bool stepping;		/* somebody computes a batch */
	u32 refs;		/* atomic */
	/* Of the conversation that loaded the model, which may be gone. */
	int (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

/* With one reference and nothing opened; NULL: no memory. */
struct shared *shared_new(void);
struct shared *shared_get(struct shared *s);
/* The last one closes what is open. */
void shared_put(struct shared *s);

/*
 * One step of the engine by the caller or somebody else. With @lock held,
 * which is given up meanwhile. When it is by the caller, @ready is called when
 * the batch is formed. Sessions may have changed even when 0, nothing to do,
 * or an error is returned.
 */
int shared_step(struct shared *s, void (*ready)(void *ctx), void *ctx);
/* Cancel and close, with @lock held, which may be given up meanwhile. */
void shared_close_session(struct shared *s, struct lx_session *session);

#endif
