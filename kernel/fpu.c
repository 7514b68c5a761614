// SPDX-License-Identifier: GPL-2.0-only
/*
 * Floating-point sections: the only file that brackets the vector unit. The
 * kernel cannot preempt inside the bracket, so it is short: tiles are run
 * while the next one is expected to fit and nobody wants the CPU. Dedicated
 * kthreads only, never a caller's context. No lock is taken inside either
 * (PREEMPT_RT's sleep): whoever is to be woken is woken afterwards.
 *
 * A section's length is taken inside the bracket, from its first instruction
 * to its last; the bracket itself costs some 100 ns more.
 */
#define pr_fmt(fmt) "llamux: " fmt

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/timekeeping.h>
#include <asm/fpu/api.h>

#include "compat/compat.h"
#include "fpu.h"
#include "trace.h"

static bool unsafe_no_fpu_guard;
module_param(unsafe_no_fpu_guard, bool, 0400);
MODULE_PARM_DESC(unsafe_no_fpu_guard,
		 "TEST ONLY: leave the FPU unguarded and corrupt user state (taints)");

static unsigned int fpu_tiles;
module_param(fpu_tiles, uint, 0444);
MODULE_PARM_DESC(fpu_tiles,
		 "most tiles of one FPU section (0: as many as fit the time; 2 under software emulation)");

struct llamux_hist __percpu *llamux_fpu_sections;
struct llamux_hist __percpu *llamux_fpu_control;

/* ---- the bracket ---- */

#if defined(CONFIG_X86) || defined(CONFIG_UML)
#define MXCSR_PLAIN 0x1f80u	/* round to nearest, no FTZ, no DAZ, masked */

static void control_word_set(u32 v)
{
	asm volatile("ldmxcsr %0" : : "m"(v));
}

static u32 control_word_get(void)
{
	u32 v;

	asm volatile("stmxcsr %0" : "=m"(v));
	return v;
}
#endif

/*
 * User-mode Linux: the bracket is empty there, the vector unit is the host
 * thread's own and saved by signal frames; the control word must be put back.
 */
static u32 guard_begin(void)
{
	u32 saved = 0;

	if (!unsafe_no_fpu_guard) {
		if (IS_ENABLED(CONFIG_UML)) {
			preempt_disable();
			saved = control_word_get();
		} else {
			kernel_fpu_begin();
		}
	}
	control_word_set(MXCSR_PLAIN);
	return saved;
}

static void guard_end(u32 saved)
{
	if (unsafe_no_fpu_guard)
		return;
	if (IS_ENABLED(CONFIG_UML)) {
		control_word_set(saved);
		preempt_enable();
	} else {
		kernel_fpu_end();
	}
}

/* ---- sections ---- */

/*
 * The next tile may be of another kind than the last: expect the longest of
 * the last hundred sections or so. One during which the CPU was away counts
 * as a full section.
 */
static void pace_note(struct llamux_fpu_pace *pace, u64 ns)
{
	pace->tile_ns = max(pace->tile_ns,
			    min_t(u64, ns, LLAMUX_FPU_SECTION_NS));
}

enum lx_claim llamux_fpu_section(struct lx_job *job, u32 worker,
				 struct llamux_fpu_pace *pace,
				 wait_queue_head_t *waiters)
{
	u64 tile, start, before, now;
	enum lx_claim claim;
	u32 saved, n = 0;
	bool wake;

	if (WARN_ON_ONCE(!(current->flags & PF_KTHREAD)))
		return LX_JOB_DONE;
	claim = lx_job_claim(job, worker, &tile);
	if (claim != LX_JOB_TILE)
		return claim;

	saved = guard_begin();
	start = ktime_get_ns();
	now = start;
	do {
		before = now;
		wake = lx_job_tile(job, tile, worker) &&
		       wq_has_sleeper(waiters);
		n++;
		now = ktime_get_ns();
		pace_note(pace, now - before);
		if (wake || n == fpu_tiles || llamux_cpu_wanted() ||
		    now - start + pace->tile_ns > LLAMUX_FPU_SECTION_NS)
			break;
		claim = lx_job_claim(job, worker, &tile);
	} while (claim == LX_JOB_TILE);
	guard_end(saved);
	if (wake)
		wake_up_all(waiters);

	pace->tile_ns -= pace->tile_ns / 64;
	pace->spent_ns += now - start;
	llamux_hist_add(llamux_fpu_sections, now - start, n);
	trace_section(worker, now - start, n);
	return claim;
}

void llamux_fpu_tile(const struct lx_op *op, u32 tile)
{
	u32 saved;
	u64 start;

	if (WARN_ON_ONCE(!(current->flags & PF_KTHREAD)))
		return;
	saved = guard_begin();
	start = ktime_get_ns();
	lx_op_tile(op, tile);
	start = ktime_get_ns() - start;
	guard_end(saved);
	llamux_hist_add(llamux_fpu_sections, start, 1);
	cond_resched();
}

/* ---- the control ---- */

static DEFINE_MUTEX(control_lock);
static struct task_struct *control_task;
static u32 control_us;

static void control_section(u64 ns)
{
	u32 saved = guard_begin();
	u64 start = ktime_get_ns(), now;

	do {
		now = ktime_get_ns();
	} while (now - start < ns);
	guard_end(saved);
	llamux_hist_add(llamux_fpu_control, now - start, 0);
}

static int control_main(void *data)
{
	while (!kthread_should_stop()) {
		control_section((u64)READ_ONCE(control_us) * 1000);
		usleep_range(50, 100);
	}
	return 0;
}

int llamux_fpu_control_set(u32 us)
{
	struct task_struct *t;
	int err = 0;

	if (us > LLAMUX_FPU_SECTION_NS / 1000)
		return -EINVAL;
	mutex_lock(&control_lock);
	WRITE_ONCE(control_us, us);
	if (!us && control_task) {
		kthread_stop(control_task);
		control_task = NULL;
	} else if (us && !control_task) {
		t = kthread_run(control_main, NULL, "llamux/control");
		err = PTR_ERR_OR_ZERO(t);
		control_task = err ? NULL : t;
	}
	mutex_unlock(&control_lock);
	return err;
}

u32 llamux_fpu_control_get(void)
{
	return READ_ONCE(control_us);
}

/*
 * QEMU without hardware help makes a tile forty times longer and its clock
 * coarse: a fixed number of tiles is the safer promise there.
 */
static bool emulated(void)
{
#ifdef CONFIG_X86_64
#ifndef CONFIG_UML
	u32 eax, sig[3];

	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return false;
	cpuid(0x40000000, &eax, &sig[0], &sig[1], &sig[2]);
	return !memcmp(sig, "TCGTCGTCGTCG", sizeof(sig));
#endif
#endif
	return false;
}

int llamux_fpu_init(void)
{
	if (!fpu_tiles && emulated())
		fpu_tiles = 2;
	if (unsafe_no_fpu_guard) {
		pr_warn("the FPU guard is off: user programs will be corrupted\n");
		add_taint(TAINT_USER, LOCKDEP_STILL_OK);
	}
	llamux_fpu_sections = alloc_percpu(struct llamux_hist);
	if (!llamux_fpu_sections)
		return -ENOMEM;
	llamux_fpu_control = alloc_percpu(struct llamux_hist);
	if (!llamux_fpu_control)
		goto err_control;
	return 0;

err_control:
	free_percpu(llamux_fpu_sections);
	return -ENOMEM;
}

void llamux_fpu_exit(void)
{
	llamux_fpu_control_set(0);
	free_percpu(llamux_fpu_control);
	free_percpu(llamux_fpu_sections);
}
