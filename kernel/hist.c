// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitops.h>
#include <linux/math64.h>
#include <linux/percpu.h>
#include <linux/string.h>

#include "hist.h"

static u32 bucket_of(u64 us)
{
	u32 octave, i;

	if (us < LLAMUX_HIST_FINE)
		return us;
	octave = fls64(us) - 8;		/* 0 for 128..255 */
	i = LLAMUX_HIST_FINE + octave * 8 + ((us >> (octave + 4)) & 7);
	return min_t(u32, i, LLAMUX_HIST_BUCKETS - 1);
}

/* Lower edge in us. */
static u64 edge_of(u32 i)
{
	u32 octave;

	if (i < LLAMUX_HIST_FINE)
		return i;
	i -= LLAMUX_HIST_FINE;
	octave = i / 8;
	return (u64)(8 + i % 8) << (octave + 4);
}

void llamux_hist_add(struct llamux_hist __percpu *hist, u64 ns, u32 tiles)
{
	struct llamux_hist *h = get_cpu_ptr(hist);

	h->count++;
	h->sum_ns += ns;
	h->max_ns = max(h->max_ns, ns);
	h->tiles += tiles;
	h->max_tiles = max_t(u64, h->max_tiles, tiles);
	h->bucket[bucket_of(div_u64(ns, 1000))]++;
	put_cpu_ptr(hist);
}

void llamux_hist_reset(struct llamux_hist __percpu *hist)
{
	int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(hist, cpu), 0, sizeof(*hist));
}

void llamux_hist_sum(struct llamux_hist __percpu *hist,
		     struct llamux_hist *sum)
{
	int cpu, i;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const struct llamux_hist *h = per_cpu_ptr(hist, cpu);

		sum->count += h->count;
		sum->sum_ns += h->sum_ns;
		sum->tiles += h->tiles;
		sum->max_ns = max(sum->max_ns, h->max_ns);
		sum->max_tiles = max(sum->max_tiles, h->max_tiles);
		for (i = 0; i < LLAMUX_HIST_BUCKETS; i++)
			sum->bucket[i] += h->bucket[i];
	}
}

u64 llamux_hist_quantile(const struct llamux_hist *sum, u32 ppm)
{
	u64 total = 0, seen = 0, rank;
	u32 i;

	for (i = 0; i < LLAMUX_HIST_BUCKETS; i++)
		total += sum->bucket[i];
	if (!total)
		return 0;
	rank = mul_u64_u32_div(total, ppm, 1000000);
	for (i = 0; i < LLAMUX_HIST_BUCKETS - 1; i++) {
		seen += sum->bucket[i];
		if (seen > rank)
			break;
	}
	return min(edge_of(i + 1) * 1000, sum->max_ns);
}

void llamux_hist_show(struct seq_file *m, const struct llamux_hist *sum)
{
	u32 i;

	seq_printf(m, "# count %llu sum_ns %llu max_ns %llu tiles %llu max_tiles %llu\n",
		   sum->count, sum->sum_ns, sum->max_ns, sum->tiles,
		   sum->max_tiles);
	seq_puts(m, "# from_us to_us count\n");
	for (i = 0; i < LLAMUX_HIST_BUCKETS; i++)
		if (sum->bucket[i])
			seq_printf(m, "%llu %llu %llu\n", edge_of(i),
				   edge_of(i + 1), sum->bucket[i]);
}
