// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Pre-tokenizers against regular expressions (pretokenizer_vectors.h), and
 * on texts made to be slow or wrong: words must cover any text, in linear
 * time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pretokenizer.h"
#include "pretokenizer_vectors.h"
#include "testhost.h"
#include "unicode.h"

static struct test_host host;

static const char *const names[] = {
	"default", "llama-bpe", "llama3", "llama-v3", "gpt-2", "qwen2",
	"qwen35", "smollm", "starcoder", "refact", "command-r",
	"deepseek-llm", "deepseek-coder", "deepseek-v3", "falcon", "mpt",
	"olmo", "tekken", "gpt-4o", "seed-coder", "deepseek-r1-qwen", "glm4",
};

static const struct lx_pre *pre(const char *name)
{
	struct lx_str s = { name, (u32)strlen(name) };

	return lx_pre_find(s);
}

static void test_vectors(void)
{
	for (size_t i = 0; i < LX_ARRAY_SIZE(vectors); i++) {
		const char *text = texts[vectors[i].text];
		const struct lx_pre *p = pre(vectors[i].pre);
		struct lx_pre_walk w;
		size_t end, k = 0;

		check(p != NULL, "no pre-tokenizer %s", vectors[i].pre);
		if (!p)
			continue;
		lx_pre_start(&w, p, (const u8 *)text, 0, strlen(text));
		do {
			end = lx_pre_next(&w);
		} while (end == vectors[i].end[k++] && end);
		k--;
		check(end == vectors[i].end[k],
		      "%s, text %u: word %zu ends at %zu, not %u",
		      vectors[i].pre, vectors[i].text, k, end,
		      vectors[i].end[k]);
	}
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
	test_vectors();
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
