// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose memory and whose turn: what a session is opened with. KV is taken by a
 * model's thread, but charged to the opener and its memory cgroup; it is found
 * by sessions of the same user in the same user namespace and cgroup
 * only, and with the same salt where a gateway sets one for each client.
 */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/memcontrol.h>
#include <linux/sched.h>
#include <linux/user_namespace.h>

#include "account.h"
#include "model.h"
#include "owner.h"
#include "session.h"

/* As the scheduler has it: a level is a factor of 1.25. */
static u32 weight_of(int nice)
{
	u32 w = 1024;

	for (; nice > 0; nice--)
		w = w * 4 / 5;
	for (; nice < 0; nice++)
		w = w * 5 / 4;
	return w;
}

static u64 memcg_id(struct mem_cgroup *memcg)
{
#ifdef CONFIG_MEMCG
	return memcg ? cgroup_id(memcg->css.cgroup) : 0;
#else
	return 0;
#endif
}

int llamux_session_whose(struct llamux_session *s)
{
	s->owner = llamux_owner_get(current_euid());
	if (IS_ERR(s->owner))
		return PTR_ERR(s->owner);
	s->account = llamux_account_get(s->owner);
	if (IS_ERR(s->account)) {
		llamux_owner_put(s->owner);
		return PTR_ERR(s->account);
	}
	s->realm.id[0] = (u64)current_user_ns()->ns.inum << 32 |
			 __kuid_val(s->owner->uid);
	s->realm.id[1] = memcg_id(s->account->memcg);
	return 0;
}

void llamux_session_whose_no_more(struct llamux_session *s)
{
	llamux_account_put(s->account);
	llamux_owner_put(s->owner);
}

int llamux_session_join(struct llamux_session *s)
{
	struct lx_join j = {
		.user = __kuid_val(s->owner->uid),
		.realm = s->realm,
		.account = s->account,
		.share = true,
	};

	lockdep_assert_held(&s->model->lock);
	return lx_session_join(s->lx, &j);
}

/* The nice level of who asks counts, whoever opened the session. */
int llamux_session_admit(struct llamux_session *s)
{
	lockdep_assert_held(&s->model->lock);
	lx_session_schedule(s->lx, weight_of(task_nice(current)), s->urgent);
	return llamux_owner_has_tokens(s->owner) ? 0 : -EDQUOT;
}

int llamux_session_set_salt(struct llamux_session *s, u64 salt)
{
	int err = 0;

	if (s->written)
		return -EBUSY;
	s->realm.id[2] = salt;
	if (s->model) {
		mutex_lock(&s->model->lock);
		err = llamux_session_join(s);
		mutex_unlock(&s->model->lock);
	}
	return err;
}
