/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef NUMA_H
#define NUMA_H

#include <stddef.h>

/*
 * Have the pages of fresh memory come from all nodes the process may use in
 * turn, where there are several and nobody (numactl) chose otherwise.
 */
void numa_interleave(void *p, size_t size);

#endif
