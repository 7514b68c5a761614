// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of loaded models: pins, roles, and sleep. A model that may
 * sleep gives all its memory back after a while without sessions; its thread,
 * its name and its files stay, and the next session has it loaded again.
 */
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "model.h"

#define LONGEST_S (366 * 24 * 3600)
#define ROLES (LLAMUX_ROLES_CHAT | LLAMUX_ROLES_LOG | LLAMUX_ROLES_OOM | \
	       LLAMUX_ROLES_COMPLETE)

static const char * const role_names[] = { "chat", "log", "oom", "complete" };

u32 llamux_role_bit(const char *name)
{
	int i = match_string(role_names, ARRAY_SIZE(role_names), name);

	return i < 0 ? 0 : BIT(i);
}

void llamux_model_show_policy(struct seq_file *seq, const struct llamux_model *m)
{
	u32 roles = READ_ONCE(m->roles), i;

	seq_printf(seq, "pinned: %u\nkeep_alive: %u\nroles:", m->pinned,
		   READ_ONCE(m->keep_alive_s));
	for (i = 0; i < ARRAY_SIZE(role_names); i++)
		if (roles & BIT(i))
			seq_printf(seq, " %s", role_names[i]);
	seq_puts(seq, roles ? "\n" : " -\n");
}

/* ---- attributes ---- */

static bool valid(const struct llamux_attr *a)
{
	if (a->set & ~(LLAMUX_ATTR_PIN | LLAMUX_ATTR_KEEP_ALIVE |
		       LLAMUX_ATTR_ROLES))
		return false;
	if (a->set & LLAMUX_ATTR_PIN && a->pin > 1)
		return false;
	if (a->set & LLAMUX_ATTR_KEEP_ALIVE && a->keep_alive_s > LONGEST_S)
		return false;
	return !(a->set & LLAMUX_ATTR_ROLES && a->roles & ~ROLES);
}

static void take_roles(struct llamux_model *m, void *arg)
{
	const struct llamux_attr *a = arg;

	m->roles &= ~a->roles;
}

/* Under models_lock, which no load and no sleep of @m changes. */
static int set_keep_alive(struct llamux_model *m, u32 seconds)
{
	int err;

	if (seconds) {
		err = llamux_source_keep(&m->source);
		if (err)
			return err;
	} else if (m->state == LLAMUX_MODEL_ASLEEP) {
		return -EBUSY;	/* its files are still needed */
	} else {
		llamux_source_allow_write(&m->source);
	}
	WRITE_ONCE(m->keep_alive_s, seconds);
	return 0;
}

static int change(struct llamux_model *m, void *arg)
{
	struct llamux_attr *a = arg;
	int err = 0;

	if (!m || (m->state != LLAMUX_MODEL_READY &&
		   m->state != LLAMUX_MODEL_ASLEEP))
		return -ENOENT;
	if (a->set & LLAMUX_ATTR_KEEP_ALIVE)
		err = set_keep_alive(m, a->keep_alive_s);
	if (err)
		return err;
	if (a->set & LLAMUX_ATTR_PIN)
		WRITE_ONCE(m->pinned, a->pin);
	if (a->set & LLAMUX_ATTR_ROLES) {
		llamux_model_each(take_roles, a);
		WRITE_ONCE(m->roles, a->roles);
	}
	a->pin = m->pinned;
	a->keep_alive_s = m->keep_alive_s;
	a->roles = m->roles;
	return 0;
}

static int kick(struct llamux_model *m, void *arg)
{
	if (m)
		llamux_model_kick(m);
	return 0;
}

int llamux_model_attr(struct llamux_attr *a)
{
	int err;

	if (!valid(a))
		return -EINVAL;
	err = llamux_model_locked(a->name, change, a);
	/* It may have less patience now. */
	if (!err && a->set)
		llamux_model_locked(a->name, kick, NULL);
	return err;
}

/* ---- sleep ---- */

long llamux_model_patience(const struct llamux_model *m)
{
	u32 seconds = READ_ONCE(m->keep_alive_s);

	if (!seconds || READ_ONCE(m->pinned) ||
	    READ_ONCE(m->n_sessions) > READ_ONCE(m->n_unattended))
		return MAX_SCHEDULE_TIMEOUT;
	return READ_ONCE(m->doze) ? 0 : (long)seconds * HZ;
}

int llamux_model_wake(struct llamux_model *m)
{
	u32 before = READ_ONCE(m->wakings);

	WRITE_ONCE(m->wanted, true);
	llamux_model_kick(m);
	if (wait_event_interruptible(m->awake,
				smp_load_acquire(&m->wakings) != before))
		return -ERESTARTSYS;
	return READ_ONCE(m->wake_result);
}

static u64 doze(struct llamux_model *m)
{
	if (llamux_model_patience(m) == MAX_SCHEDULE_TIMEOUT)
		return 0;
	WRITE_ONCE(m->doze, true);
	llamux_model_kick(m);
	return 0;
}

void llamux_model_doze_all(void)
{
	llamux_model_try_all(doze);
}
