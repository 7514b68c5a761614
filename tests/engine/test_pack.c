// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packing by every implementation, beside pack.c: the same bytes in the strips,
 * and the same word on scales that are no numbers, for random blocks of every
 * type. The file's rows and the strips end at guard pages.
 */
#include <stdio.h>
#include <string.h>

#include "guard.h"
#include "op.h"
#include "lx/lx.h"
#include "test.h"

struct rows {
	u32 type, rows, cols;
	u32 head, rot;		/* reordered so, 0: as they are */
	u64 row_bytes;
	u8 *file;
};

static unsigned long long seed = 1;

static u32 rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(seed >> 33);
}

/* The strips one after another; @tile packs @strips of them at a time. */
static u8 *pack(const struct rows *r, lx_tile_fn tile, u32 strips, u32 *bad,
		size_t *bytes)
{
	struct lx_mat m = { .type = r->type, .rows = r->rows, .cols = r->cols,
			    .n_expert = 1 };
	struct lx_op op = { .tile = tile };
	u8 *mem;

	*bad = 0;
	m.n_strips = lx_div_up(r->rows, LX_STRIP);
	m.strip_bytes = (u32)lx_pack_bytes(r->type, r->cols);
	*bytes = (size_t)m.n_strips * m.strip_bytes;
	mem = guarded(*bytes);
	m.strips = calloc(m.n_strips, sizeof(u8 *));
	for (u32 i = 0; i < m.n_strips; i++)
		m.strips[i] = mem + (size_t)i * m.strip_bytes;
	op.pack.src = r->file;
	op.pack.row_bytes = r->row_bytes;
	op.pack.n_rows = r->rows;
	op.pack.head = r->head;
	op.pack.rot = r->rot;
	op.pack.mat = &m;
	op.pack.strips = strips;
	op.pack.bad = bad;
	for (u32 i = 0; i < lx_div_up(m.n_strips, strips); i++)
		op.tile(&op, i, NULL);
	free(m.strips);
	return mem;
}

static void compare(const struct rows *r, const char *how)
{
	const char *name;
	size_t bytes;
	bool usable;
	u32 bad, got_bad;
	u8 *want = pack(r, lx_tile_pack, 1, &bad, &bytes);

	for (u32 i = 0; (name = lx_simd_name(i, &usable)); i++) {
		char what[128];
		u8 *got;

		if (!usable)
			continue;
		snprintf(what, sizeof(what), "%s %u x %u, %s: %s",
			 lx_type_name(r->type), r->rows, r->cols, how, name);
		got = pack(r, lx_ops_find(name)->pack, 2, &got_bad, &bytes);
		test_check(!memcmp(got, want, bytes), what, __FILE__, __LINE__);
		test_check(got_bad == bad, what, __FILE__, __LINE__);
		guarded_free(got, bytes);
	}
	guarded_free(want, bytes);
}

static void test_rows(u32 type, u32 rows, u32 cols, u32 head, u32 rot)
{
	const struct lx_type_info *ti = lx_type_info(type);
	struct rows r = { .type = type, .rows = rows, .cols = cols,
			  .head = head, .rot = rot };
	size_t n;

	r.row_bytes = (u64)cols / ti->block * ti->bytes;
	n = (size_t)(r.row_bytes * rows);
	r.file = guarded(n);
	/* Without this bit no f16 is infinite, wherever it is. */
	for (size_t i = 0; i < n; i++)
		r.file[i] = (u8)(rnd() & ~0x40u);
	compare(&r, head ? "heads" : "rows");
	for (u32 i = 0; i < 40; i++) {
		size_t at = rnd() % n;
		u8 old = r.file[at];

		r.file[at] |= 0x7c;
		compare(&r, "one byte");
		r.file[at] = old;
	}
	for (size_t i = 0; i < n; i++)
		r.file[i] = (u8)rnd();
	compare(&r, "random");
	guarded_free(r.file, n);
}

int main(void)
{
	for (u32 type = 0; type < LX_TYPE_COUNT; type++) {
		const struct lx_type_info *ti = lx_type_info(type);
		u32 unit;

		if (!ti || !lx_pack_bytes(type, 256))
			continue;
		unit = ti->block == 1 ? 8 : ti->block;
		test_rows(type, 16, unit, 0, 0);
		test_rows(type, 35, unit * 3, 0, 0);
		test_rows(type, 16, ti->block == 1 ? 7 : unit * 2, 0, 0);
		test_rows(type, 96, unit, 24, 16);
		test_rows(type, 64, unit * 2, 32, 32);
	}
	return test_end();
}
