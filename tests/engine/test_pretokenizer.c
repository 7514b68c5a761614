// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Pre-tokenizers against the reference (pretokenizer_ref.tsv), and on texts
 * made to be slow or wrong: words must cover any text, in linear time.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggufw.h"
#include "lx/vocab.h"
#include "pretokenizer.h"
#include "unicode.h"
#include "vectors.h"

static struct test_host host;

static const char *const names[] = {
	"default", "llama-bpe", "gpt-2", "qwen2", "qwen35", "smollm",
	"deepseek-llm", "deepseek-coder", "deepseek-v3", "falcon", "tekken",
	"gpt-4o", "minicpm5", "bloom", "viking", "seed-coder",
};

static const struct lx_pre *pre(const char *name)
{
	struct lx_str s = { name, (u32)strlen(name) };

	return lx_pre_find(s);
}

/* A byte as byte-level BPE writes it. */
static void put_char(char *out, u32 byte)
{
	out[lx_utf8_encode(lx_byte_to_char((u8)byte), (u8 *)out)] = 0;
}

/*
 * The vocabulary of pretokenizer_ref.tsv: every byte, every two of them, and
 * merges of any two: the tokens of a text show where its words end.
 */
static void build_pairs(struct ggufw *w, const char *name)
{
	char a[8], b[8], text[16];

	gw_head(w, 3, 0, 4);
	gw_kv_str(w, "tokenizer.ggml.model", "gpt2");
	gw_kv_str(w, "tokenizer.ggml.pre", name);
	gw_kv_array(w, "tokenizer.ggml.tokens", LX_GGUF_STRING, 256 + 65536);
	for (u32 i = 0; i < 256; i++) {
		put_char(a, i);
		gw_str(w, a);
	}
	for (u32 i = 0; i < 65536; i++) {
		put_char(a, i >> 8);
		put_char(b, i & 255);
		snprintf(text, sizeof(text), "%s%s", a, b);
		gw_str(w, text);
	}
	gw_kv_array(w, "tokenizer.ggml.merges", LX_GGUF_STRING, 65536);
	for (u32 i = 0; i < 65536; i++) {
		put_char(a, i >> 8);
		put_char(b, i & 255);
		snprintf(text, sizeof(text), "%s %s", a, b);
		gw_str(w, text);
	}
}

static bool is_listed(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; (p = strstr(p, name)); p += n)
		if ((p == list || p[-1] == ',') && (!p[n] || p[n] == ','))
			return true;
	return false;
}

/* @want: the length of each token, a digit each. */
static bool cuts_as(const struct lx_vocab *v, const char *text, size_t n,
		    const char *want)
{
	static s32 ids[4096];
	s64 got = lx_tokenize(v, text, n, 0, ids, LX_ARRAY_SIZE(ids));

	if (got != (s64)strlen(want))
		return false;
	for (s64 i = 0; i < got; i++)
		if (want[i] != (ids[i] < 256 ? '1' : '2'))
			return false;
	return true;
}

struct ref_line {
	char *text;	/* as in the file, and decoded */
	size_t n;
	const char *cuts, *names;
};

static void test_name(const char *name, const struct ref_line *line, u32 n)
{
	static struct lx_gguf g;
	struct ggufw w = { 0 };
	struct test_mem m;
	struct lx_source src;
	struct lx_error err = { 0 };
	struct lx_vocab *v = NULL;
	u32 seen = 0;

	build_pairs(&w, name);
	m = (struct test_mem){ w.p, w.n };
	src = test_source(&m);
	if (!lx_gguf_open(&g, &host.host, &src, 1, &err))
		lx_vocab_load(&host.host, &g, &v, &err);
	check(v != NULL, "%s: %s", name, err.msg);
	for (u32 i = 0; v && i < n; i++) {
		if (!is_listed(line[i].names, name))
			continue;
		seen++;
		check(cuts_as(v, line[i].text, line[i].n, line[i].cuts),
		      "pretokenizer_ref.tsv:%u: %s cuts '%.*s' elsewhere",
		      i + 1, name, (int)line[i].n, line[i].text);
	}
	check(seen > 70, "%s: only %u texts", name, seen);
	lx_vocab_free(v);
	lx_gguf_close(&g);
	gw_free(&w);
}

/* Whether an earlier line has the name, too. */
static bool is_old(const struct ref_line *line, u32 at, const char *name)
{
	for (u32 i = 0; i < at; i++)
		if (is_listed(line[i].names, name))
			return true;
	return false;
}

static void test_reference(void)
{
	static struct ref_line line[1024];
	size_t size;
	char *s = test_read_file("tests/engine/pretokenizer_ref.tsv", &size);
	char *end, *name;
	u32 n = 0, count = 0;

	check(s != NULL, "pretokenizer_ref.tsv");
	for (char *p = s; p && *p && n < LX_ARRAY_SIZE(line); p = end, n++) {
		end = strchr(p, '\n');
		if (end)
			*end++ = 0;
		line[n].text = test_field(&p);
		line[n].cuts = test_field(&p);
		line[n].names = test_field(&p);
		line[n].n = test_unescape(line[n].text);
	}
	for (u32 i = 0; i < n; i++) {
		char *list = strdup(line[i].names), *rest = list;

		while ((name = strsep(&rest, ",")))
			if (!is_old(line, i, name)) {
				test_name(name, line, n);
				count++;
			}
		free(list);
	}
	check(count > 55, "only %u names", count);
	free(s);
}

/* True when the words are not empty and cover the text. */
static bool covers(const struct lx_pre *p, const char *text, size_t n)
{
	struct lx_pre_walk w;
	size_t at = 0, end;

	lx_pre_start(&w, p, (const u8 *)text, 0, n);
	while ((end = lx_pre_next(&w))) {
		if (end <= at || end > n)
			return false;
		at = end;
	}
	return at == n;
}

static void fill(char *p, size_t n, const char *what)
{
	size_t k = strlen(what);

	for (size_t i = 0; i < n; i++)
		p[i] = what[i % k];
}

static void test_slow(const struct lx_pre *p)
{
	static const char *const what[] = {
		"a", " ", "\n", " \n", "1", "'", "A", "aB", "\xcc\x81",
		"A\xcc\x81", "\xe3\x80\x80", "\xff", "\xe4\xb8\xad", " a",
		"\t.", "/", "\r\n ",
	};
	size_t n = 1 << 18;
	char *text = malloc(n);
	u64 start = host.host.ops->time_ns(&host.host);
	u32 bad = 0;

	for (size_t i = 0; i < LX_ARRAY_SIZE(what); i++) {
		fill(text, n, what[i]);
		bad += !covers(p, text, n);
		text[n - 1] = 'x';
		bad += !covers(p, text, n);
	}
	start = host.host.ops->time_ns(&host.host) - start;
	check(!bad, "%s: %u texts are not covered", p->name, bad);
	check(start < 8000000000ull, "%s: %llu ms for 9 MB", p->name,
	      start / 1000000);
	free(text);
}

static void test_random_texts(const struct lx_pre *p)
{
	static const char set[] = "aA1 \n\t'.sS\xe3\x80\xcc\x81\xff\xe4\xb8";
	u64 rng = 11;
	u32 bad = 0;

	for (u32 i = 0; i < 3000; i++) {
		size_t n = test_random(&rng) % 24;
		char *text = malloc(n ? n : 1);

		for (size_t k = 0; k < n; k++)
			text[k] = set[test_random(&rng) % (sizeof(set) - 1)];
		bad += !covers(p, text, n);
		free(text);
	}
	check(!bad, "%s: %u random texts are not covered", p->name, bad);
}

static void test_unicode(void)
{
	u32 wrong = 0, cp;
	u8 buf[4];

	for (u32 c = 0; c < 0x110000; c++) {
		u32 n = lx_utf8_encode(c, buf);

		if (c >= 0xd800 && c < 0xe000)
			wrong += lx_utf8_decode(buf, n, &cp) != 1;
		else
			wrong += lx_utf8_decode(buf, n, &cp) != n || cp != c ||
				 lx_utf8_check(buf, n) != (int)n;
		wrong += !lx_unicode_class(c);
	}
	check(!wrong, "%u code points do not survive UTF-8", wrong);
	for (u32 b = 0; b < 256; b++)
		check(lx_char_to_byte(lx_byte_to_char((u8)b)) == (int)b,
		      "byte %u and its character", b);
	check(lx_char_to_byte(0x144) < 0 && lx_char_to_byte(0xad) < 0,
	      "characters of no byte");
}

int main(void)
{
	test_host_init(&host);
	test_unicode();
	test_reference();
	check(!pre("no-such-thing") && !pre(""), "unknown names");
	for (size_t i = 0; i < LX_ARRAY_SIZE(names); i++) {
		const struct lx_pre *p = pre(names[i]);

		check(p != NULL, "no pre-tokenizer %s", names[i]);
		if (!p)
			continue;
		test_slow(p);
		test_random_texts(p);
	}
	return test_done();
}
