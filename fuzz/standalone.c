// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A driver for fuzz targets where there is no libFuzzer:
 *	fuzz_X FILE...				run each file once
 *	fuzz_X -s SECONDS [-r SEED] [FILE...]	and then mutations of them
 *	-v: keep each input in crash-standalone before it runs, so that after
 *	a crash the same seed finds it (slow)
 * Not coverage-guided.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define SEEDS_MAX 256

static struct {
	unsigned char *p;
	size_t n;
} seed[SEEDS_MAX];
static size_t n_seeds;
static unsigned long long rng = 88172645463325252ull;

static unsigned long long random64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void load(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f || n_seeds == SEEDS_MAX) {
		fprintf(stderr, "cannot use %s\n", path);
		exit(2);
	}
	seed[n_seeds].p = malloc(1 << 20);
	n = fread(seed[n_seeds].p, 1, 1 << 20, f);
	fclose(f);
	seed[n_seeds++].n = n;
}

/* One of a few changes; returns the new length, at most @max. */
static size_t mutate(unsigned char *p, size_t n, size_t max)
{
	static const unsigned char odd[] = { 0, 1, 0x7f, 0x80, 0xff, ' ',
					     '<', '\n', 0xe2, '\'' };
	size_t at = n ? random64() % n : 0, k;

	switch (random64() % 6) {
	case 0:
		if (n)
			p[at] ^= (unsigned char)(1u << random64() % 8);
		break;
	case 1:
		if (n)
			p[at] = odd[random64() % sizeof(odd)];
		break;
	case 2:			/* cut */
		return at;
	case 3:			/* a copy of a piece, elsewhere */
		k = n - at < 64 ? n - at : random64() % 64;
		if (n + k <= max) {
			memmove(p + at + k, p + at, n - at);
			return n + k;
		}
		break;
	case 4:			/* drop a piece */
		k = n - at < 16 ? n - at : random64() % 16;
		memmove(p + at, p + at + k, n - at - k);
		return n - k;
	case 5:			/* a number */
		for (k = 0; k < 8 && at + k < n; k++)
			p[at + k] = random64() & 1 ? 0xff : 0;
		break;
	}
	return n;
}

static void save(const unsigned char *p, size_t n)
{
	FILE *f = fopen("crash-standalone", "wb");

	if (!f)
		return;
	fwrite(p, 1, n, f);
	fclose(f);
}

static void fuzz(long seconds, int keep)
{
	time_t end = time(NULL) + seconds;
	size_t max = (1 << 20) + 64;
	unsigned char *buf = malloc(max);
	unsigned long runs = 0;

	while (time(NULL) < end) {
		size_t n = 0, changes = 1 + random64() % 6;

		if (n_seeds) {
			size_t i = random64() % n_seeds;

			n = seed[i].n;
			memcpy(buf, seed[i].p, n);
		} else {
			n = random64() % 300;
			for (size_t i = 0; i < n; i++)
				buf[i] = (unsigned char)random64();
		}
		while (changes--)
			n = mutate(buf, n, max);
		if (keep)
			save(buf, n);
		LLVMFuzzerTestOneInput(buf, n);
		runs++;
	}
	printf("%lu runs in %ld s\n", runs, seconds);
	free(buf);
}

int main(int argc, char **argv)
{
	long seconds = 0;
	int c, keep = 0;

	while ((c = getopt(argc, argv, "s:r:v")) != -1) {
		if (c == 's')
			seconds = atol(optarg);
		else if (c == 'r')
			rng ^= strtoull(optarg, NULL, 10) * 0x9e3779b97f4a7c15ull;
		else if (c == 'v')
			keep = 1;
		else
			return 2;
	}
	for (; optind < argc; optind++)
		load(argv[optind]);
	for (size_t i = 0; i < n_seeds; i++)
		LLVMFuzzerTestOneInput(seed[i].p, seed[i].n);
	if (seconds)
		fuzz(seconds, keep);
	return 0;
}
