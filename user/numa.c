// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Every worker reads all weights over a token: pages that go round the nodes
 * make no node's memory the narrow place. A wish, so errors do not count.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "numa.h"

#define LONG_BITS (8 * sizeof(unsigned long))
#define MAX_NODES 1024

void numa_interleave(void *p, size_t size)
{
	unsigned long nodes[MAX_NODES / LONG_BITS] = { 0 };
	unsigned int n = 0;
	int mode;

	if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) ||
	    mode != MPOL_DEFAULT)
		return;
	if (syscall(SYS_get_mempolicy, NULL, nodes, MAX_NODES, NULL,
		    MPOL_F_MEMS_ALLOWED))
		return;
	for (size_t i = 0; i < MAX_NODES / LONG_BITS; i++)
		n += (unsigned int)__builtin_popcountl(nodes[i]);
	if (n > 1)
		(void)syscall(SYS_mbind, p, size, MPOL_INTERLEAVE, nodes,
			      MAX_NODES, 0);
}
