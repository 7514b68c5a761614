// SPDX-License-Identifier: GPL-2.0-only
/* llamux.ko: a large language model inside the Linux kernel. */
#define pr_fmt(fmt) "llamux: " fmt

#include <linux/init.h>
#include <linux/module.h>

#include "control.h"
#include "debugfs.h"
#include "device.h"
#include "fpu.h"
#include "llamux_version.h"
#include "model.h"
#include "oom.h"
#include "owner.h"
#include "procfs.h"
#include "reserve.h"
#include "worker.h"

static int __init llamux_init(void)
{
	int err;

	err = llamux_fpu_init();
	if (err)
		return err;
	err = llamux_range_init();
	if (err)
		goto err_range;
	err = llamux_worker_init();
	if (err)
		goto err_worker;
	err = llamux_model_init();
	if (err)
		goto err_model;
	err = llamux_procfs_init();
	if (err)
		goto err_procfs;
	err = llamux_oom_init();
	if (err)
		goto err_oom;
	err = llamux_control_init();
	if (err)
		goto err_control;
	/* The last that may fail: it can be open as soon as it is there. */
	err = llamux_device_init();
	if (err)
		goto err_device;
	llamux_debugfs_init();
	pr_info("version %s, simd=%s, %u threads\n", LLAMUX_VERSION,
		llamux_model_simd(), llamux_worker_count());
	return 0;

err_device:
	llamux_control_exit();
err_control:
	llamux_oom_exit();
err_oom:
	llamux_procfs_exit();
err_procfs:
	llamux_model_exit();
err_model:
	llamux_worker_exit();
err_worker:
	llamux_range_exit();
err_range:
	llamux_fpu_exit();
	return err;
}

static void __exit llamux_exit(void)
{
	llamux_debugfs_exit();
	llamux_device_exit();
	llamux_control_exit();
	llamux_oom_exit();
	llamux_procfs_exit();
	llamux_model_exit();
	llamux_owner_exit();
	llamux_worker_exit();
	llamux_range_exit();
	llamux_fpu_exit();
}

module_init(llamux_init);
module_exit(llamux_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A large language model inside the Linux kernel");
MODULE_VERSION(LLAMUX_VERSION);
