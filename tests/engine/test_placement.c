// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where weights lie: user-space blocks are whole huge pages, and the strips
 * that one tile reads follow each other.
 */
#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "host.h"
#include "local.h"
#include "test.h"

#define HUGE_PAGE (2ul << 20)
#define MODEL "models/llamux-default.gguf"

/* Whether all of [p, p + n) is in mappings that ask for huge pages. */
static bool wants_huge(const void *p, size_t n)
{
	unsigned long at = (unsigned long)p, end = at + n, lo, hi, from = 0;
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	bool ok = f;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
			from = lo;
		else if (!strncmp(line, "VmFlags:", 8) && from < end && hi > at)
			ok &= !!strstr(line, " hg");
	}
	if (f)
		fclose(f);
	return ok;
}

static void test_blocks(void)
{
	static const size_t sizes[] = {
		HUGE_PAGE, HUGE_PAGE + 4096, 2 * HUGE_PAGE - 4096, 9 << 20,
	};
	struct lx_host *h;

	if (!CHECK(!user_host_open(&h, NULL)))
		return;
	for (u32 i = 0; i < LX_ARRAY_SIZE(sizes); i++) {
		struct lx_block b;
		size_t whole = lx_align_up(sizes[i], HUGE_PAGE);

		if (!CHECK(!h->ops->block_alloc(h, &b, sizes[i],
						LX_MEM_WEIGHTS)))
			continue;
		CHECK(b.size == sizes[i]);
		CHECK((unsigned long)b.addr % HUGE_PAGE == 0);
		CHECK(wants_huge(b.addr, whole));
		/* All of it is memory. */
		memset((char *)b.addr + whole - 4096, 1, 4096);
		h->ops->block_free(h, &b, LX_MEM_WEIGHTS);
		CHECK(!user_host_held(h, LX_MEM_WEIGHTS));
	}
	user_host_close(h);
}

/* KV pages are smaller, but lie on huge pages as well; and are zero again. */
static void test_pieces(void)
{
	const size_t size = 1441792;
	struct lx_block b[70];
	struct lx_host *h;
	u32 overlaps = 0, dirty = 0;

	if (!CHECK(!user_host_open(&h, NULL)))
		return;
	for (u32 round = 0; round < 2; round++) {
		for (u32 i = 0; i < 70; i++) {
			const char *p;

			if (!CHECK(!h->ops->block_alloc(h, &b[i], size,
							LX_MEM_KV)))
				return;
			p = b[i].addr;
			dirty += p[0] || p[size / 2] || p[size - 1];
			memset(b[i].addr, (int)i + 1, size);
		}
		CHECK(wants_huge(b[69].addr, size));
		for (u32 i = 0; i < 70; i++) {
			const unsigned char *p = b[i].addr;

			overlaps += p[0] != i + 1 || p[size - 1] != i + 1;
		}
		/* Holes first: what is taken again has been used before. */
		for (u32 i = 0; i < 70; i += 2)
			h->ops->block_free(h, &b[i], LX_MEM_KV);
		for (u32 i = 0; i < 70; i += 2)
			CHECK(!h->ops->block_alloc(h, &b[i], size, LX_MEM_KV) &&
			      !*(char *)b[i].addr);
		for (u32 i = 0; i < 70; i++)
			h->ops->block_free(h, &b[i], LX_MEM_KV);
	}
	CHECK(!overlaps && !dirty);
	CHECK(!user_host_held(h, LX_MEM_KV));
	user_host_close(h);
}

/* A gated product reads a strip of each matrix in turn. */
static void test_gated(void)
{
	struct local l;
	u32 apart = 0;

	if (!CHECK(!local_open_engine(&l, MODEL, NULL, NULL, NULL))) {
		puts(l.message);
		return;
	}
	for (u32 i = 0; i < l.model->hp.n_layer; i++) {
		const struct lx_mat *g = &l.model->layers[i].gate;
		const struct lx_mat *u = &l.model->layers[i].up;

		CHECK(g->n_strips && g->n_strips == u->n_strips);
		for (u32 s = 0; s < g->n_strips; s++)
			apart += g->strips[s] + g->strip_bytes != u->strips[s];
	}
	/* Save where a block ends. */
	CHECK(apart < l.model->n_blocks);
	local_close(&l);
}

int main(void)
{
	test_blocks();
	test_pieces();
	test_gated();
	return test_end();
}
