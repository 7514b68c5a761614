// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* CPUID and XGETBV, raw: the same in user space, the kernel and UML. */
#include "lx/lx.h"

#ifdef __x86_64__
static void cpuid(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d)
{
	asm volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d)
		     : "0"(leaf), "2"(sub));
}

u32 lx_cpu_features(void)
{
	u32 a, b, c, d, c1, max, xlo, xhi, f = 0;

	cpuid(0, 0, &max, &b, &c, &d);
	if (max < 7)
		return 0;
	cpuid(1, 0, &a, &b, &c1, &d);
	if (!(c1 & 1u << 27))		/* OSXSAVE */
		return 0;
	asm volatile("xgetbv" : "=a"(xlo), "=d"(xhi) : "c"(0));
	cpuid(7, 0, &a, &b, &c, &d);
	/* XMM and YMM state; AVX2, FMA, F16C */
	if ((xlo & 6) == 6 && b & 1u << 5 && c1 & 1u << 12 && c1 & 1u << 29)
		f |= LX_CPU_AVX2;
	/* opmask and ZMM state; F, DQ, BW, VL, VNNI */
	if (f && (xlo & 0xe0) == 0xe0 && b & 1u << 16 && b & 1u << 17 &&
	    b & 1u << 30 && b & 1u << 31 && c & 1u << 11)
		f |= LX_CPU_AVX512;
	if (f && a >= 1) {
		cpuid(7, 1, &a, &b, &c, &d);
		if (a & 1u << 4)
			f |= LX_CPU_AVXVNNI;
	}
	return f;
}
#endif
