// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the machine is out of memory, one line says how much Llamux holds, and
 * what can be computed again is given back. Whoever asked for memory may hold
 * any lock: none is waited for.
 */
#define pr_fmt(fmt) "llamux: " fmt

#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/printk.h>

#include "memory.h"
#include "model.h"
#include "oom.h"
#include "shrink.h"

static int oom_report(struct notifier_block *nb, unsigned long unused,
		      void *freed)
{
	u64 weights = llamux_memory_held(LX_MEM_WEIGHTS) >> 10;
	u64 kv = llamux_memory_held(LX_MEM_KV) >> 10;
	u64 scratch = llamux_memory_held(LX_MEM_SCRATCH) >> 10;
	u64 control = llamux_memory_held(LX_MEM_CONTROL) >> 10;
	u64 sum = weights + kv + scratch + control, given = 0;

	if (sum) {
		given = llamux_shrink_all();
		llamux_model_doze_all();
	}
	*(unsigned long *)freed += given >> PAGE_SHIFT;
	if (sum)
		pr_info_ratelimited("out of memory: models hold %llu kB (weights %llu, KV %llu, scratch %llu, control %llu), %llu kB of it given back\n",
				    sum, weights, kv, scratch, control,
				    given >> 10);
	return NOTIFY_OK;
}

static struct notifier_block oom_block = {
	.notifier_call = oom_report,
};

int llamux_oom_init(void)
{
	return register_oom_notifier(&oom_block);
}

void llamux_oom_exit(void)
{
	unregister_oom_notifier(&oom_block);
}
