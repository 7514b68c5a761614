// SPDX-License-Identifier: GPL-2.0-only
/* Leaks ten objects: does kmemleak see any? (tests/kernel/leak_test.sh) */
#include <linux/module.h>
#include <linux/slab.h>

static int __init leak_init(void)
{
	int i;

	for (i = 0; i < 10; i++) {
		char *p = kmalloc(300 + 40 * i, GFP_KERNEL);

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
