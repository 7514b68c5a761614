// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * GGUF headers: a good one, every way to be bad that is known from public
 * parser bugs (each a named case), truncation at every byte, flipped bits,
 * failing allocations.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggufw.h"
#include "lx/quant.h"
#include "lx/vocab.h"

static struct test_host host;

/* A sample file; a case changes what it is about. */
struct spec {
	const char *magic;
	u32 version;
	u64 n_tensors, n_kv;	/* 0: what is there */
	const char *key;	/* an extra key, u32 1 ... */
	u64 key_len;		/* ... said to be so long */
	const u8 *value;	/* a whole extra value: type and bytes */
	size_t value_n;
	u32 alignment;
	u32 n_dims;		/* of tensor "a", 8 x 4 F32 */
	u64 ne0, ne1;
	u32 type;
	u64 offset;
	const char *name;
	u64 offset_b;		/* of tensor "b" */
	const char *name_b;
	size_t cut;		/* bytes missing at the end */
};

static const struct spec good = {
	.magic = "GGUF", .version = 3, .alignment = 32, .n_dims = 2,
	.ne0 = 8, .ne1 = 4, .name = "a", .offset_b = 128, .name_b = "b",
};

static void put_extra(struct ggufw *w, const struct spec *s)
{
	gw_u64(w, s->key_len ? s->key_len : strlen(s->key));
	gw_bytes(w, s->key, strlen(s->key));
	if (s->value) {
		gw_bytes(w, s->value, s->value_n);
	} else {
		gw_u32(w, LX_GGUF_U32);
		gw_u32(w, 1);
	}
}

static void build(struct ggufw *w, const struct spec *s)
{
	u64 ne[5] = { s->ne0, s->ne1, 1, 1, 1 }, ne_b[1] = { 64 };

	gw_head(w, s->version, s->n_tensors ? s->n_tensors : 2,
		s->n_kv ? s->n_kv : s->key ? 5 : 4);
	memcpy(w->p, s->magic, 4);
	gw_kv_str(w, "general.architecture", "llama");
	gw_kv_u32(w, "general.alignment", s->alignment);
	gw_kv_bool(w, "flag", 1);
	gw_kv_array(w, "words", LX_GGUF_STRING, 2);
	gw_str(w, "one");
	gw_str(w, "");
	if (s->key)
		put_extra(w, s);
	gw_tensor(w, s->name, s->n_dims, ne, s->type, s->offset);
	gw_tensor(w, s->name_b, 1, ne_b, LX_TYPE_Q4_0, s->offset_b);
	gw_pad(w, 32);
	for (u32 i = 0; i < 128 + 36; i++)
		gw_u8(w, (u8)i);
	w->n -= s->cut;
}

static int open_mem(const void *p, size_t n, struct lx_gguf *g,
		    struct lx_error *err)
{
	struct test_mem m = { p, n };
	struct lx_source src = test_source(&m);

	memset(err, 0, sizeof(*err));
	return lx_gguf_open(g, &host.host, &src, 1, err);
}

static void expect(const char *name, const struct spec *s, int code,
		   const char *says)
{
	static struct lx_gguf g;
	struct ggufw w = { 0 };
	struct lx_error err;
	int ret;

	build(&w, s);
	ret = open_mem(w.p, w.n, &g, &err);
	check(ret == code, "%s: %d, expected %d (%s)", name, ret, code,
	      err.msg);
	if (says)
		check(strstr(err.msg, says) && err.code == code,
		      "%s: says '%s', not '%s'", name, err.msg, says);
	lx_gguf_close(&g);
	check(!host.live, "%s: %zu bytes leaked", name, host.live);
	gw_free(&w);
}

#define CASE(name, code, says, ...)					\
	do {								\
		struct spec s = good;					\
		__VA_ARGS__;						\
		expect(name, &s, code, says);				\
	} while (0)

static void test_good(void)
{
	static struct lx_gguf g;
	struct ggufw w = { 0 };
	struct lx_error err;
	const struct lx_gguf_tensor *t;
	const struct lx_gguf_kv *kv;
	u64 pos = 0;

	build(&w, &good);
	check(!open_mem(w.p, w.n, &g, &err), "good: %s", err.msg);
	check(g.version == 3 && g.n_kv == 4 && g.n_tensors == 2 &&
	      g.data_size == 128 + 36 && g.alignment == 32, "good: header");
	t = lx_gguf_tensor(&g, "b");
	check(t && t->size == 36 && t->offset == w.n - 36 && t->ne[1] == 1,
	      "good: tensor b");
	check(!lx_gguf_tensor(&g, "c"), "good: no tensor c");
	kv = lx_gguf_find(&g, "words");
	check(kv && kv->count == 2 &&
	      lx_str_eq(lx_gguf_next_str(kv, &pos), "one") &&
	      lx_str_eq(lx_gguf_next_str(kv, &pos), ""), "good: words");
	check(g.memory == host.live, "good: memory %llu, allocated %zu",
	      g.memory, host.live);
	lx_gguf_close(&g);
	lx_gguf_close(&g);
	check(!host.live, "good: %zu bytes leaked", host.live);
	gw_free(&w);
}

static void test_head(void)
{
	CASE("magic", -LX_ENOEXEC, "the file is not a GGUF (magic",
	     s.magic = "GGML");
	CASE("version 0", -LX_ENOPKG, "version 0", s.version = 0);
	CASE("version 1", -LX_ENOPKG, "version 1", s.version = 1);
	CASE("version 2", 0, NULL, s.version = 2);
	CASE("version 4", -LX_ENOPKG, "version 4", s.version = 4);
	CASE("big-endian", -LX_ENOPKG, "big-endian", s.version = 0x03000000);
	CASE("n_kv wraps", -LX_EBADMSG, "keys", s.n_kv = 1ull << 63);
	CASE("n_kv times size wraps", -LX_EBADMSG, "keys",
	     s.n_kv = 0x0555555555555556ull);
	CASE("n_kv too large", -LX_EBADMSG, NULL, s.n_kv = 10);
	CASE("n_tensors wraps", -LX_EBADMSG, "tensors",
	     s.n_tensors = ~0ull);
	CASE("n_tensors 2^32", -LX_EBADMSG, "tensors",
	     s.n_tensors = 1ull << 32);
	CASE("n_tensors too large", -LX_EBADMSG, NULL, s.n_tensors = 3);
}

static const u8 long_string[] = { 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0 };
static const u8 huge_string[] = { 8, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
				  0xff, 0xff, 0xff };
static const u8 bad_bool[] = { 7, 0, 0, 0, 2 };
static const u8 bad_bools[] = { 9, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0,
				0, 1, 7 };
static const u8 bad_type[] = { 13, 0, 0, 0, 0 };
static const u8 nested[] = { 9, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 };
static const u8 bad_elem[] = { 9, 0, 0, 0, 77, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
			       0 };
static const u8 wrapping_f32[] = { 9, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0,
				   0, 0x40 };
static const u8 wrapping_str[] = { 9, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0,
				   0, 0x20 };
static const u8 string_in_array[] = { 9, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0,
				      0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
				      0xff, 0xff, 0x7f };

#define VALUE(a) s.key = "k", s.value = a, s.value_n = sizeof(a)

static void test_keys(void)
{
	static char long_key[70001];

	memset(long_key, 'k', 70000);
	CASE("another key", 0, NULL, s.key = "k");
	CASE("key of 0 bytes", -LX_EBADMSG, "a key of 0", s.key = "");
	CASE("key of 4 GB", -LX_EBADMSG, "a key", s.key = "k",
	     s.key_len = 1ull << 32);
	CASE("key of 2^64 bytes", -LX_EBADMSG, "a key", s.key = "k",
	     s.key_len = ~0ull);
	CASE("key of 70000 bytes", -LX_EBADMSG, "70000", s.key = long_key);
	CASE("duplicate key", -LX_EBADMSG, "'flag' stands there twice",
	     s.key = "flag");
	CASE("string of 4 GB", -LX_EBADMSG, "'k'", VALUE(long_string));
	CASE("string of 2^64 bytes", -LX_EBADMSG, "'k'", VALUE(huge_string));
	CASE("bool of 2", -LX_EBADMSG, "'k'", VALUE(bad_bool));
	CASE("bool of 7 in an array", -LX_EBADMSG, "'k'", VALUE(bad_bools));
	CASE("value type 13", -LX_EBADMSG, "'k'", VALUE(bad_type));
	CASE("array of arrays", -LX_EBADMSG, "'k': an array of arrays",
	     VALUE(nested));
	CASE("array of type 77", -LX_EBADMSG, "'k'", VALUE(bad_elem));
	CASE("array size wraps", -LX_EBADMSG, "'k'", VALUE(wrapping_f32));
	CASE("string array size wraps", -LX_EBADMSG, "'k'",
	     VALUE(wrapping_str));
	CASE("long string in an array", -LX_EBADMSG, "'k'",
	     VALUE(string_in_array));
	CASE("alignment 0", -LX_EBADMSG, "general.alignment",
	     s.alignment = 0);
	CASE("alignment 3", -LX_EBADMSG, "general.alignment",
	     s.alignment = 3);
	CASE("alignment 24", -LX_EBADMSG, "general.alignment",
	     s.alignment = 24);
	CASE("alignment 2^31", -LX_EBADMSG, "general.alignment",
	     s.alignment = 1u << 31);
	CASE("key is escaped", -LX_EBADMSG, "'k\\x0a\\xff'", VALUE(bad_bool),
	     s.key = "k\n\xff");
}

static void test_tensors(void)
{
	static const char long_name[65] =
		"0123456789012345678901234567890123456789012345678901234567890123";

	CASE("0 dimensions", -LX_EBADMSG, "'a' has 0 dim", s.n_dims = 0);
	CASE("5 dimensions", -LX_EBADMSG, "'a' has 5 dim", s.n_dims = 5);
	CASE("zero dimension", -LX_EBADMSG, "'a' has a dimension of 0",
	     s.ne1 = 0);
	CASE("zero row", -LX_EBADMSG, "'a' has a dimension of 0", s.ne0 = 0);
	CASE("ne wraps", -LX_EBADMSG, "'a'", s.ne0 = 1ull << 32,
	     s.ne1 = 1ull << 32);
	CASE("ne is negative", -LX_EBADMSG, "'a'", s.ne0 = ~0ull << 5,
	     s.ne1 = 1);
	CASE("bytes wrap", -LX_EBADMSG, "'a'", s.ne0 = 1ull << 61,
	     s.ne1 = 2, s.type = LX_TYPE_F64);
	CASE("bytes beyond the file", -LX_EBADMSG, "'a'", s.ne0 = 1ull << 40);
	CASE("row is no multiple", -LX_EBADMSG, "multiple of 32 (Q8_0)",
	     s.type = LX_TYPE_Q8_0);
	CASE("retired type 4", -LX_ENOPKG, "type 4 (Q4_2)", s.type = 4);
	CASE("retired type 31", -LX_ENOPKG, "type 31 (Q4_0_4_4)",
	     s.type = 31);
	CASE("unknown type 99", -LX_ENOPKG, "'a' has the unknown type 99",
	     s.type = 99);
	CASE("unknown type 2^32-1", -LX_ENOPKG, "'a'", s.type = ~0u);
	CASE("offset is no multiple", -LX_EBADMSG, "'a' is at offset 16",
	     s.offset = 16);
	CASE("offset beyond the file", -LX_EBADMSG, "'b'",
	     s.offset_b = 1 << 20);
	CASE("offset wraps", -LX_EBADMSG, "'b'", s.offset_b = ~0ull << 5);
	CASE("offset plus data wraps", -LX_EBADMSG, "'b'",
	     s.offset_b = (~0ull << 5) - 256);
	CASE("offset plus size beyond the file", -LX_EBADMSG, "'b'",
	     s.offset_b = 160);
	CASE("one byte too few", -LX_EBADMSG, "'b'", s.cut = 1);
	CASE("overlap", -LX_EBADMSG, "overlaps tensor", s.offset_b = 96);
	CASE("same place", -LX_EBADMSG, "overlaps tensor", s.offset_b = 0);
	CASE("duplicate name", -LX_EBADMSG, "'a' stands there twice",
	     s.name_b = "a");
	CASE("empty name", -LX_EBADMSG, "name of 0 bytes", s.name = "");
	CASE("name of 64 bytes", -LX_EBADMSG, "name of 64 bytes",
	     s.name = long_name);
	CASE("one dimension", 0, NULL, s.n_dims = 1, s.ne0 = 32);
	CASE("four dimensions", 0, NULL, s.n_dims = 4);
}

/* Parts of a split model; @no, @count and @total as given. */
static void build_part(struct ggufw *w, u32 no, u32 count, u32 total,
		       const char *name)
{
	u64 ne = 8;

	gw_head(w, 3, 1, 3);
	gw_kv_u32(w, "split.no", no);
	gw_kv_u32(w, "split.count", count);
	gw_kv_u32(w, "split.tensors.count", total);
	gw_tensor(w, name, 1, &ne, LX_TYPE_F32, 0);
	gw_pad(w, 32);
	for (u32 i = 0; i < 32; i++)
		gw_u8(w, 0);
}

static void expect_split(const char *what, const u32 v[6], const char *name,
			 int code, const char *says)
{
	static struct lx_gguf g;
	struct ggufw w[2] = { { 0 }, { 0 } };
	struct test_mem m[2];
	struct lx_source src[2];
	struct lx_error err = { 0 };
	int ret;

	for (u32 i = 0; i < 2; i++) {
		build_part(&w[i], v[3 * i], v[3 * i + 1], v[3 * i + 2],
			   i ? name : "a");
		m[i] = (struct test_mem){ w[i].p, w[i].n };
		src[i] = test_source(&m[i]);
	}
	ret = lx_gguf_open(&g, &host.host, src, 2, &err);
	check(ret == code && strstr(err.msg, says), "%s: %d '%s'", what, ret,
	      err.msg);
	if (!ret)
		check(g.n_tensors == 2 && g.tensors[1].source == 1 &&
		      g.memory == host.live, "%s: tensors", what);
	lx_gguf_close(&g);
	check(!host.live, "%s: %zu bytes leaked", what, host.live);
	gw_free(&w[0]);
	gw_free(&w[1]);
}

static void test_split(void)
{
	static const u32 fine[] = { 0, 2, 2, 1, 2, 2 };
	static const u32 swapped[] = { 1, 2, 2, 0, 2, 2 };
	static const u32 three[] = { 0, 3, 2, 1, 3, 2 };
	static const u32 more[] = { 0, 2, 9, 1, 2, 9 };

	expect_split("split", fine, "b", 0, "");
	expect_split("split in the wrong order", swapped, "b", -LX_EBADMSG,
		     "file 1 of 2: key 'split.no' is 1, expected 0");
	expect_split("split with a part missing", three, "b", -LX_EBADMSG,
		     "'split.count' is 3, expected 2");
	expect_split("split with tensors missing", more, "b", -LX_EBADMSG,
		     "'split.tensors.count' is 9, expected 2");
	expect_split("split with a tensor in both", fine, "a", -LX_EBADMSG,
		     "'a' stands there twice");
}

/* One key of a type and 8 bytes of value; asked for as u32 and f32. */
static int one_key(u32 type, u64 bits, size_t n, bool f32, u32 *v)
{
	static struct lx_gguf g;
	struct ggufw w = { 0 };
	struct lx_error err;
	int ret;

	gw_head(&w, 3, 0, 1);
	gw_key(&w, "k", type);
	gw_bytes(&w, &bits, n);
	ret = open_mem(w.p, w.n, &g, &err);
	check(!ret, "one key: %s", err.msg);
	if (!ret)
		ret = f32 ? lx_gguf_get_f32(&g, "k", v, &err) :
			    lx_gguf_get_u32(&g, "k", v, &err);
	lx_gguf_close(&g);
	gw_free(&w);
	return ret;
}

static void test_scalars(void)
{
	u32 v = 0;

	check(one_key(LX_GGUF_U8, 200, 1, false, &v) == 1 && v == 200, "u8");
	check(one_key(LX_GGUF_I16, 300, 2, false, &v) == 1 && v == 300,
	      "i16");
	check(one_key(LX_GGUF_I32, ~0ull, 4, false, &v) == -LX_EBADMSG,
	      "-1 is no u32");
	check(one_key(LX_GGUF_U64, 1ull << 32, 8, false, &v) == -LX_EBADMSG,
	      "2^32 is no u32");
	check(one_key(LX_GGUF_U64, 77, 8, false, &v) == 1 && v == 77, "u64");
	check(one_key(LX_GGUF_F32, 0, 4, false, &v) == -LX_EBADMSG,
	      "a float is no integer");
	check(one_key(LX_GGUF_U32, 0, 4, true, &v) == -LX_EBADMSG,
	      "an integer is no float");
	check(one_key(LX_GGUF_F32, 0x3f800000, 4, true, &v) == 1 &&
	      v == 0x3f800000, "f32");
}

/* Rounding f64 to f32 against the compiler's. */
static void test_rounding(void)
{
	u64 rng = 7;
	u32 wrong = 0;

	for (u32 i = 0; i < 20000; i++) {
		u64 bits = test_random(&rng);
		double d;
		float f;
		u32 v = 0, want;

		if (i & 1)	/* near the f32 range and its halfway points */
			bits = (bits & 0x800fffffe0000000ull) |
			       (u64)(860 + bits % 310) << 52 |
			       (i & 2 ? 0x10000000ull : 0) | (i & 4 ? 1 : 0);
		memcpy(&d, &bits, 8);
		if (d != d)
			continue;
		f = (float)d;
		memcpy(&want, &f, 4);
		wrong += one_key(LX_GGUF_F64, bits, 8, true, &v) != 1 ||
			 v != want;
	}
	check(!wrong, "%u f64 values rounded wrongly", wrong);
}

static void test_truncation(void)
{
	static struct lx_gguf g;
	struct ggufw w = { 0 };
	struct lx_error err;
	u32 opened = 0;

	build(&w, &good);
	for (size_t n = 0; n < w.n; n++) {
		u8 *copy = malloc(n ? n : 1);

		memcpy(copy, w.p, n);
		opened += !open_mem(copy, n, &g, &err);
		lx_gguf_close(&g);
		free(copy);
	}
	check(!opened, "%u truncated files opened", opened);
	check(!host.live, "truncation: %zu bytes leaked", host.live);
	gw_free(&w);
}

static void test_failing_allocations(void)
{
	static struct lx_gguf g;
	struct ggufw w = { 0 };
	struct lx_error err;
	u32 bad = 0, k;
	int ret = -1;

	build(&w, &good);
	for (k = 1; ret && k < 50; k++) {
		host.allocs = 0;
		host.fail_at = k;
		ret = open_mem(w.p, w.n, &g, &err);
		bad += ret && ret != -LX_ENOMEM;
		lx_gguf_close(&g);
	}
	host.fail_at = 0;
	check(!ret && k > 4 && !bad && !host.live,
	      "failing allocations: %d after %u, %u bad, %zu leaked", ret, k,
	      bad, host.live);
	gw_free(&w);
}

/* Open, load the vocabulary and use it; errors are fine, crashes are not. */
static bool use(const void *p, size_t n)
{
	static struct lx_gguf g;
	static char piece[300000];
	struct lx_vocab *v;
	struct lx_error err;
	s32 ids[64];
	bool ok = false;

	if (open_mem(p, n, &g, &err))
		return false;
	if (!lx_vocab_load(&host.host, &g, &v, &err)) {
		s64 k = lx_tokenize(v, "Once upon <s> \xff\xe2\x96", 17,
				    LX_TOK_BOS | LX_TOK_SPECIAL, ids, 64);

		for (s64 i = 0; i < k && i < 64; i++)
			lx_token_piece(v, ids[i], true, piece, sizeof(piece));
		for (s32 i = -2; i < 300; i++)
			lx_token_piece(v, i, false, piece, sizeof(piece));
		ok = true;
	}
	lx_vocab_free(v);
	lx_gguf_close(&g);
	return ok;
}

/* @flips random bits of the first @span bytes, one or a few at a time. */
static void flip_file(const char *path, size_t span, u32 flips)
{
	size_t n;
	u8 *p = test_read_file(test_shared(path), &n);
	u64 rng = 42;
	u32 good_ones = 0;

	if (!p) {
		test_skip(path, 1);
		return;
	}
	if (span > n)
		span = n;
	for (u32 i = 0; i < flips; i++) {
		size_t at[3];
		u8 bit[3];
		u32 k = 1 + i % 3;

		for (u32 j = 0; j < k; j++) {
			at[j] = test_random(&rng) % span;
			bit[j] = (u8)(1u << test_random(&rng) % 8);
			p[at[j]] ^= bit[j];
		}
		good_ones += use(p, n);
		for (u32 j = k; j--;)
			p[at[j]] ^= bit[j];
	}
	check(use(p, n) && !host.live, "%s: %zu bytes leaked", path,
	      host.live);
	printf("%s: %u flips, %u files still good\n", path, flips, good_ones);
	free(p);
}

/* Every truncation of a real model at 64-byte steps. */
static void truncate_file(const char *path)
{
	size_t n;
	u8 *p = test_read_file(test_shared(path), &n);
	u32 opened = 0;

	if (!p) {
		test_skip(path, 1);
		return;
	}
	for (size_t k = 0; k < n; k += 64)
		opened += use(p, k);
	check(!opened && !host.live, "%s: %u truncations opened", path,
	      opened);
	free(p);
}

static void test_format(void)
{
	char buf[64];

	lx_format(buf, sizeof(buf), "%s|%d|%u|%x|%lld|%llu|%zu|%c|%%", "a\x01",
		  -5, 5u, 255u, -1ll, ~0ull, (size_t)9, 'z');
	check(!strcmp(buf, "a\\x01|-5|5|ff|-1|18446744073709551615|9|z|%"),
	      "format: %s", buf);
	check(lx_format(buf, 5, "%s", "abcdefgh") == 4 && !strcmp(buf, "abcd"),
	      "format: cut");
	lx_format(buf, 8, "ab%.*s", 3, "\x01\x02\x03");
	check(!strcmp(buf, "ab\\x01"), "format: whole escapes: %s", buf);
}

int main(void)
{
	test_host_init(&host);
	test_format();
	test_good();
	test_head();
	test_keys();
	test_tensors();
	test_split();
	test_scalars();
	test_rounding();
	test_truncation();
	test_failing_allocations();
	truncate_file("models/stories260K.gguf");
	flip_file("models/stories260K.gguf", 16384, 10000);
	flip_file("tokenizer/vocab-llama-spm.gguf", 1 << 20, 200);
	flip_file("tokenizer/vocab-gpt-2.gguf", 2 << 20, 60);
	flip_file("tokenizer/vocab-llama-bpe.gguf", 8 << 20, 12);
	return test_done();
}
