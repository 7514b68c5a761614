// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Machines without features of their own to tell apart. */
#include "lx/lx.h"

#ifndef __x86_64__
u32 lx_cpu_features(void)
{
	return 0;
}
#endif
