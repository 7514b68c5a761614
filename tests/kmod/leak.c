// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaks sixteen objects: does kmemleak see them? (tests/kernel/leak_test.sh)
 *
 * They are zeroed and of many sizes: what the allocator had written into a
 * free object points to the next one, so that a single stale pointer would
 * otherwise keep a whole chain of them alive in kmemleak's eyes.
 */
#include <linux/module.h>
#include <linux/slab.h>

static int __init leak_init(void)
{
	int i;

	for (i = 0; i < 16; i++) {
		char *p = kzalloc(300u << i % 8, GFP_KERNEL);

		if (!p)
			return -ENOMEM;
		OPTIMIZER_HIDE_VAR(p);
	}
	return 0;
}

static void __exit leak_exit(void)
{
}

module_init(leak_init);
module_exit(leak_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Leaks memory, for a test of the test");
