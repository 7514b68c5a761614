/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_HIST_H
#define LLAMUX_HIST_H

#include <linux/seq_file.h>
#include <linux/types.h>

/*
 * Lengths of floating-point sections: 1 us a bucket below 128 us, then 8
 * buckets an octave up to a second. One writer per CPU; readers add them up
 * and may be a few sections behind.
 */
#define LLAMUX_HIST_FINE 128
#define LLAMUX_HIST_BUCKETS (LLAMUX_HIST_FINE + 13 * 8)

struct llamux_hist {
	u64 count, sum_ns, max_ns;
	u64 tiles, max_tiles;	/* in all, and most in one section */
	u64 bucket[LLAMUX_HIST_BUCKETS];
};

void llamux_hist_add(struct llamux_hist __percpu *h, u64 ns, u32 tiles);
void llamux_hist_reset(struct llamux_hist __percpu *h);
void llamux_hist_sum(struct llamux_hist __percpu *h, struct llamux_hist *sum);
/* Upper edge, in ns, of the bucket in which the @ppm-th millionth lies. */
u64 llamux_hist_quantile(const struct llamux_hist *sum, u32 ppm);
/* Every non-empty bucket: lower edge, upper edge (us), count. */
void llamux_hist_show(struct seq_file *m, const struct llamux_hist *sum);

#endif
