/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels 6.1 and 7.x, and user-mode Linux. The only
 * place with tests of kernel versions; a feature's own macro is preferred.
 */
#ifndef LLAMUX_COMPAT_H
#define LLAMUX_COMPAT_H

#include <linux/mmzone.h>
#include <linux/sched.h>
#include <linux/thread_info.h>
#include <linux/uaccess.h>
#include <linux/version.h>

/* cpuid() moved out of <asm/processor.h>, twice. */
#if defined(CONFIG_X86) && !defined(CONFIG_UML)
#if __has_include(<asm/cpuid/api.h>)
#include <asm/cpuid/api.h>
#elif __has_include(<asm/cpuid.h>)
#include <asm/cpuid.h>
#endif
#include <asm/processor.h>
#endif

/* The largest order alloc_pages() serves: MAX_ORDER was one more till 6.4. */
#if defined(MAX_PAGE_ORDER)
#define LLAMUX_MAX_ORDER MAX_PAGE_ORDER
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define LLAMUX_MAX_ORDER MAX_ORDER
#else
#define LLAMUX_MAX_ORDER (MAX_ORDER - 1)
#endif

/*
 * Does anybody want this CPU? With lazy preemption (6.13) a waiting normal
 * task sets a bit of its own, which need_resched() does not look at.
 */
static inline bool llamux_cpu_wanted(void)
{
#ifdef CONFIG_PREEMPT_LAZY
	return need_resched() || test_thread_flag(TIF_NEED_RESCHED_LAZY);
#else
	return need_resched();
#endif
}

/* copy_struct_to_user() came with 6.13. Unknown fields of the caller are
 * zeroed.
 */
static inline int llamux_copy_to_user(void __user *dst, size_t usize,
				      const void *src, size_t ksize)
{
	size_t n = min(usize, ksize);

	if (copy_to_user(dst, src, n))
		return -EFAULT;
	if (usize > n && clear_user(dst + n, usize - n))
		return -EFAULT;
	return 0;
}

#endif
