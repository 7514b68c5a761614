// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grammars: what is read, what is refused and why, what sentences fit, and
 * how long a mask takes with a large vocabulary. Sentences are walked at
 * random, token by token, without a model.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gbnf.h"
#include "grammar.h"
#include "jsonread.h"
#include "local.h"
#include "test.h"

static struct local local;
static struct lx_lexicon *lexicon;
static u64 rng = 88172645463325252ull;

static u64 random64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static struct lx_grammar *compile(const char *gbnf)
{
	struct llamux_message msg = { "" };
	struct lx_error err = { 0 };
	struct lx_grammar *g = NULL;
	void *blob = NULL;
	size_t n;

	if (!CHECK(!gbnf_compile(gbnf, strlen(gbnf), &blob, &n, &msg)))
		printf("%s\n", msg.text);
	else if (!CHECK(!lx_grammar_new(local.host, lexicon, NULL, blob, n, &g,
					&err)))
		printf("%s\n", err.msg);
	free(blob);
	return g;
}

/* Bytes one by one, as tokens of a byte each. */
static bool fits(struct lx_grammar *g, const char *text)
{
	lx_grammar_reset(g, true);
	for (; *text; text++) {
		char name[8];
		s32 id;

		snprintf(name, sizeof(name), "<0x%02X>", (u8)*text);
		id = lx_token_find(local_vocab(&local), name, 6);
		if (lx_grammar_accept(g, id))
			return false;
	}
	return lx_grammar_accepts(g);
}

static void check_gbnf(const char *gbnf, const char *const *good,
		       const char *const *bad)
{
	struct lx_grammar *g = compile(gbnf);

	for (; g && *good; good++)
		if (!CHECK(fits(g, *good)))
			printf("'%s' does not fit %s\n", *good, gbnf);
	for (; g && *bad; bad++)
		if (!CHECK(!fits(g, *bad)))
			printf("'%s' fits %s\n", *bad, gbnf);
	lx_grammar_free(g);
}

#define LIST(...) (const char *const []){ __VA_ARGS__, NULL }

static void test_language(void)
{
	check_gbnf("root ::= \"a\" [b-d]+ (\"x\" | \"yz\")? # end\n",
		   LIST("ab", "abcd", "abyz", "adx"),
		   LIST("a", "abxx", "aby", "ae", ""));
	check_gbnf("root ::= item{2,3} tail{2}\nitem ::= [0-9]\n"
		   "tail ::= \"-\" | \"+\"\n",
		   LIST("12--", "123+-"), LIST("1--", "1234--", "12-", "12---"));
	check_gbnf("root ::= (\"ab\" | \"c\"){,2} \".\"{1,}",
		   LIST(".", "ab.", "cab..", "abab."), LIST("ababab.", "a."));
	check_gbnf("root ::= \"(\" root \")\" root | \"\"",
		   LIST("", "()", "(())()", "((()))"), LIST("(", ")", "())"));
	check_gbnf("root ::= (\"a\"*)* \"b\"", LIST("b", "aaab"), LIST("a"));
	/* A bar at the begin of a line goes on; brackets span lines. */
	check_gbnf("root ::= \"a\"\n  | \"b\" # or\n  | (\n \"c\"\n\n \"d\" )\n\n"
		   "x ::= \"y\"", LIST("a", "b", "cd"), LIST("c", "y"));
	/* Characters are sequences of bytes, of every length. */
	check_gbnf("root ::= [\\u00e0-\\u00ff\\u4e00-\\u9fff\\U0001F600-\\U0001F64F]",
		   LIST("\u00e9", "\u4e2d", "\U0001F610"),
		   LIST("e", "\u00df", "\u0100", "\ua000", "\U0001F650",
			"\xc3", "\xed\xa0\x80"));
	check_gbnf("root ::= [^a-y\\n]{2}", LIST("zz", "\u00e9Z", "\uffff!"),
		   LIST("za", "\nz", "\xffz", "z\xed\xa0\x80", "z"));
	check_gbnf("root ::= .", LIST("x", "\n", "\U0010ffff"),
		   LIST("xx", "\xf4\x90\x80\x80", "\xc0\x80"));
	check_gbnf("root ::= \"\\x41\\t\\\"\\\\\\u00e9\"", LIST("A\t\"\\\u00e9"),
		   LIST("A"));
}

static void refused(const char *gbnf, const char *why)
{
	struct llamux_message msg = { "" };
	void *blob = NULL;
	size_t n;
	int ret = gbnf_compile(gbnf, strlen(gbnf), &blob, &n, &msg);

	if (!CHECK(ret < 0 && strstr(msg.text, why)))
		printf("%s\n%d %s\n", gbnf, ret, msg.text);
	free(ret ? NULL : blob);
}

static void test_refused(void)
{
	refused("root ::= \"a", "literal does not end");
	refused("x ::= \"a\"", "no rule 'root'");
	refused("root ::= a\n", "line 1: rule 'a' is not defined");
	refused("root ::= []", "a class that no character is in");
	refused("root ::= \"a\"\n\nroot ::= \"b\"", "line 3: a rule is defined twice");
	refused("root ::= root \"a\" | \"b\"", "left recursion");
	refused("root ::= a\na ::= \"x\"? b\nb ::= (a | \"c\") \"d\"", "'a' begins");
	refused("root ::= [b-a]", "ends before it begins");
	refused("root ::= [^\\x00-\\U0010ffff]", "no character is in");
	refused("root ::= \"\\q\"", "unknown escape");
	refused("root ::= \"\\uD800\"", "no character");
	refused("root ::= (\"a\"", "does not close");
	refused("root ::= \"a\")", "not open");
	refused("root ::= \"a\"{99999}", "10000");
	refused("root ::= a{10000} a{10000} a{10000} a{10000}\na ::= \"b\"",
		"too large");
	refused("root ::= <think>", "not supported");
	refused("root = \"a\"", "::= is missing");
	refused("root ::= \"\xff\"", "UTF-8");
}

/* ---- what the engine does not take ---- */

static void test_blobs(void)
{
	struct lx_grammar *g;
	struct lx_error err;
	u8 *blob, *copy;
	size_t n;
	u32 taken = 0;

	CHECK(!gbnf_compile("root ::= [a-c\\u00e9] (\"x\" root)? | [0-57]", 41,
			    (void **)&blob, &n, NULL));
	copy = malloc(n);
	for (size_t i = 0; i < n; i++) {
		CHECK(lx_grammar_new(local.host, lexicon, NULL, blob, i, &g,
				     &err) == -LX_EINVAL);
		for (u32 k = 0; k < 3; k++) {
			memcpy(copy, blob, n);
			copy[i] = k ? (u8)random64() : 0xff;
			if (!lx_grammar_new(local.host, lexicon, NULL, copy, n,
					    &g, &err)) {
				const u32 *mask;

				taken++;
				lx_grammar_mask(g, &mask);
				lx_grammar_free(g);
			}
		}
	}
	CHECK(taken > 0);
	free(copy);
	free(blob);
}

/* Deep, ambiguous: an error, in bounded time. */
static void test_limits(void)
{
	struct lx_grammar *g = compile("root ::= \"a\" root \"b\" | \"c\"");
	char deep[800];

	memset(deep, 'a', sizeof(deep) - 1);
	deep[200] = '\0';
	fits(g, deep);
	CHECK(!lx_grammar_accepts(g));
	deep[200] = 'a';
	deep[sizeof(deep) - 1] = '\0';
	CHECK(!fits(g, deep));
	lx_grammar_free(g);
	g = compile("root ::= (a | b | c | d){40}\na ::= [a-z]{1,20}\n"
		    "b ::= [a-x]{1,20}\nc ::= [a-y]{1,20}\nd ::= [b-z]{1,20}");
	CHECK(!fits(g, "abcdefghabcdefghabcdefghabcdefgh"));
	lx_grammar_free(g);
}

/* A copy goes on from where the first is, whatever becomes of that. */
/*
 * @flush: the copy is of one whose states were crowded once; what is on its
 * stacks was pushed after that.
 */
static void test_copy(bool flush)
{
	struct lx_grammar *g = compile("root ::= \"x\"* in\n"
				       "in ::= \"a\" in \"b\" | \"c\""), *c;
	const struct lx_vocab *v = local_vocab(&local);
	s32 a = lx_token_find(v, "<0x61>", 6), b = lx_token_find(v, "<0x62>", 6);
	s32 mid = lx_token_find(v, "<0x63>", 6);
	const u32 *mask;

	CHECK(!flush || !lx_gstate_flush(g));
	CHECK(!lx_grammar_accept(g, a) && !lx_grammar_accept(g, a));
	CHECK(!lx_grammar_mask(g, &mask));
	CHECK(!lx_grammar_copy(g, NULL, &c));
	CHECK(lx_grammar_memory(c) == lx_grammar_memory(g));
	CHECK(!lx_grammar_accept(g, mid) && lx_grammar_accept(g, a));
	lx_grammar_free(g);
	CHECK(!lx_grammar_mask(c, &mask) && !(mask[b / 32] >> b % 32 & 1));
	CHECK((mask[a / 32] >> a % 32 & 1) && (mask[mid / 32] >> mid % 32 & 1));
	CHECK(!lx_grammar_accept(c, mid) && !lx_grammar_accept(c, b));
	CHECK(!lx_grammar_accepts(c));
	CHECK(!lx_grammar_accept(c, b) && lx_grammar_done(c));
	CHECK(fits(c, "aacbb") && !fits(c, "aacb"));
	lx_grammar_free(c);
}

/* ---- random sentences ---- */

static s32 pick(const u32 *mask, u32 n_vocab)
{
	u32 n = 0, at;

	for (u32 i = 0; i < n_vocab; i++)
		n += mask[i / 32] >> i % 32 & 1;
	if (!n)
		return -1;
	at = (u32)(random64() % n);
	for (u32 i = 0;; i++)
		if (mask[i / 32] >> i % 32 & 1 && !at--)
			return (s32)i;
}

/* A sentence of at most @max tokens; its length, or -1 when it got longer. */
static int sentence(struct lx_grammar *g, char *text, size_t room, u32 max)
{
	const struct lx_vocab *v = local_vocab(&local);
	size_t n = 0;

	CHECK(!lx_grammar_reset(g, true));
	for (u32 i = 0; i < max; i++) {
		const u32 *mask;
		s32 id;

		if (lx_grammar_done(g) || (lx_grammar_accepts(g) &&
					   !(random64() % 4)))
			return (int)n;
		if (!CHECK(!lx_grammar_mask(g, &mask)))
			return -1;
		id = pick(mask, lx_vocab_n_tokens(v));
		if (!CHECK(id >= 0))
			return -1;
		if (lx_token_is_eog(v, id)) {
			CHECK(lx_grammar_accepts(g));
			return (int)n;
		}
		CHECK(!lx_grammar_accept(g, id));
		n += (size_t)lx_token_piece(v, id, false, text + n, room - n);
	}
	return -1;
}

static const char *const schemas[] = {
	"{\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\","
	" \"maxLength\": 12}, \"age\": {\"type\": \"integer\"}, \"tags\": {\"type\":"
	" \"array\", \"items\": {\"enum\": [\"a\", 1, null, {\"b\": [2]}]},"
	" \"minItems\": 1, \"maxItems\": 3}}, \"required\": [\"name\", \"tags\"]}",
	"{\"$defs\": {\"tree\": {\"type\": \"object\", \"properties\": {\"v\":"
	" {\"type\": \"number\"}, \"kids\": {\"type\": \"array\", \"items\":"
	" {\"$ref\": \"#/$defs/tree\"}, \"maxItems\": 2}}, \"required\": [\"v\"]}},"
	" \"$ref\": \"#/$defs/tree\"}",
	"{\"anyOf\": [{\"type\": \"boolean\"}, {\"type\": \"string\", \"pattern\":"
	" \"^[A-F]{2,4}-(x|yy)\\\\d?$\"}, {\"const\": \"\\u00e9\\\"\\n\"},"
	" {\"type\": [\"null\", \"number\"]}]}",
	"{\"type\": \"object\", \"properties\": {\"ab\": true, \"a\\\"c\": {\"type\":"
	" \"null\"}}, \"additionalProperties\": {\"type\": \"string\","
	" \"maxLength\": 4}}",
};

static void check_object(const struct json_value *v, u32 which)
{
	const struct json_value *m;

	switch (which) {
	case 0:
		m = json_get(v, "tags");
		CHECK(v->type == JSON_OBJECT && json_get(v, "name") && m &&
		      m->type == JSON_ARRAY && m->n >= 1 && m->n <= 3);
		m = json_get(v, "age");
		CHECK(!m || (m->type == JSON_NUMBER && !strpbrk(m->text, ".e")));
		break;
	case 1:
		CHECK(v->type == JSON_OBJECT && json_get(v, "v"));
		m = json_get(v, "kids");
		CHECK(!m || m->n <= 2);
		for (m = m ? m->first : NULL; m; m = m->next)
			check_object(m, which);
		break;
	case 2:
		CHECK(v->type != JSON_ARRAY && v->type != JSON_OBJECT);
		break;
	default:
		CHECK(v->type == JSON_OBJECT);
		for (m = v->first; m; m = m->next)
			CHECK(!strcmp(m->key, "ab") ||
			      (!strcmp(m->key, "a\"c") ? m->type == JSON_NULL :
							 m->type == JSON_STRING));
	}
}

static void test_samples(void)
{
	static char text[1 << 16];
	u32 done = 0, tries = 0;

	for (u32 i = 0; i < LX_ARRAY_SIZE(schemas); i++) {
		struct llamux_message msg = { "" };
		struct lx_grammar *g = NULL;
		char *gbnf = NULL;
		u32 got = 0;

		if (!CHECK(!schema_to_gbnf(schemas[i], strlen(schemas[i]),
					   &gbnf, &msg)))
			printf("%s\n", msg.text);
		else
			g = compile(gbnf);
		for (; g && got < 60 && tries < 4000; tries++) {
			const char *why;
			struct json_value *v;
			int n = sentence(g, text, sizeof(text), 400);
			size_t at;

			if (n < 0)
				continue;
			v = json_read(text, (size_t)n, &why, &at);
			/* Other members may have one name: so do schemas say. */
			if (!v && i == 3 && strstr(why, "twice"))
				continue;
			if (CHECK(v != NULL))
				check_object(v, i);
			else
				printf("%.*s: %s at %zu\n", n, text, why, at);
			json_free(v);
			got++;
		}
		done += got;
		lx_grammar_free(g);
		free(gbnf);
	}
	CHECK(done >= 200);
}

static void test_schema_fits(void)
{
	char *gbnf = NULL;
	struct lx_grammar *g;

	CHECK(!schema_to_gbnf(schemas[3], strlen(schemas[3]), &gbnf, NULL));
	g = compile(gbnf);
	CHECK(fits(g, "{\"ab\": [1, {}], \"x\": \"y\"}"));
	CHECK(fits(g, "{\"a\\\"c\": null, \"abc\": \"y\", \"a\": \"\"}"));
	CHECK(!fits(g, "{\"x\": \"y\", \"ab\": \"z\"}"));	/* twice, or late */
	CHECK(!fits(g, "{\"x\": 1}"));
	CHECK(!fits(g, "{\"a\\\"c\": 1}"));
	CHECK(!fits(g, "{,}"));
	lx_grammar_free(g);
	free(gbnf);
	CHECK(!schema_to_gbnf(schemas[2], strlen(schemas[2]), &gbnf, NULL));
	g = compile(gbnf);
	CHECK(fits(g, "\"ABC-yy7\"") && fits(g, "\"\u00e9\\\"\\n\""));
	CHECK(fits(g, "-12.5e+3") && fits(g, "null"));
	CHECK(!fits(g, "\"ABCDE-x\"") && !fits(g, "\"ABC-y\"") &&
	      !fits(g, "01") && !fits(g, "[]"));
	lx_grammar_free(g);
	free(gbnf);
}

static void schema_refused(const char *schema, const char *why)
{
	struct llamux_message msg = { "" };
	char *gbnf = NULL;
	int ret = schema_to_gbnf(schema, strlen(schema), &gbnf, &msg);

	if (!CHECK(ret == -EINVAL && strstr(msg.text, why)))
		printf("%s\n%d %s\n", schema, ret, msg.text);
	free(gbnf);
}

static void test_schema_refused(void)
{
	schema_refused("{\"type\": \"string\", \"format\": \"regex\"}",
		       "'format' 'regex'");
	schema_refused("{\"type\": \"string\", \"format\": 3}", "'format'");
	schema_refused("{\"type\": \"string\", \"format\": \"date\","
		       " \"maxLength\": 9}", "'format' beside");
	schema_refused("{\"minimum\": 3}", "'minimum'");
	schema_refused("{\"type\": \"string\", \"minimum\": 3}", "'minimum'");
	schema_refused("{\"type\": \"number\", \"minimum\": \"3\"}", "'minimum'");
	schema_refused("{\"type\": \"number\", \"maximum\": 1e99}", "'maximum'");
	schema_refused("{\"type\": \"number\", \"maximum\": 1e99999999999999999999}",
		       "'maximum'");
	schema_refused("{\"type\": \"integer\", \"minimum\": 3, \"maximum\": 2.5}",
		       "'minimum' is above");
	schema_refused("{\"type\": \"integer\", \"exclusiveMinimum\": 3,"
		       " \"exclusiveMaximum\": 4}", "no integer");
	schema_refused("{\"type\": \"number\", \"exclusiveMinimum\": 3,"
		       " \"maximum\": 3}", "no number");
	schema_refused("{\"type\": \"integer\", \"multipleOf\": 3}", "'multipleOf'");
	schema_refused("{\"type\": \"object\", \"patternProperties\": {}}",
		       "'patternProperties'");
	schema_refused("{\"allOf\": []}", "'allOf'");
	schema_refused("{\"$ref\": \"#/$defs/none\"}", "which is not there");
	schema_refused("{\"$ref\": \"http://x\"}", "elsewhere");
	schema_refused("{\"type\": \"object\", \"required\": [\"a\"]}", "'a'");
	schema_refused("{\"type\": \"text\"}", "'text'");
	schema_refused("{\"type\": \"string\", \"pattern\": \"(?=a)\"}", "group");
	schema_refused("{\"type\": \"string\", \"minLength\": -1}", "'minLength'");
	schema_refused("{\"enum\": []}", "'enum'");
	schema_refused("{\"enum\": [1, 2], \"type\": \"string\"}", "'type'");
	schema_refused("{\"const\": 1.5, \"type\": \"integer\"}", "'type'");
	schema_refused("{\"allOf\": [{\"type\": \"string\"}, {\"type\": \"null\"}]}",
		       "'type'");
	schema_refused("{\"allOf\": [{\"const\": 1}, {\"enum\": [2, 3]}]}",
		       "no value");
	schema_refused("{\"allOf\": [{\"$ref\": \"#\"}]}", "nested too deep");
	schema_refused("{\"allOf\": [{\"type\": \"object\", \"properties\": {},"
		       " \"additionalProperties\": false}, {\"properties\": {\"a\": {}},"
		       " \"required\": [\"a\"]}]}", "'a'");
	schema_refused("{\"allOf\": [{\"pattern\": \"a\"}, {\"pattern\": \"b\"}]}",
		       "'pattern'");
	schema_refused("{\"type\": [\"string\", \"null\"], \"minimum\": 1}",
		       "'minimum'");
	schema_refused("false", "nothing");
	schema_refused("{\"a\": 1, \"a\": 2}", "twice");
	schema_refused("{\"type\": ", "not JSON");
}

/* ---- for tests/user/schema.py ---- */

/*
 * test_grammar SCHEMA N: prints N sentences, each with a NUL behind it.
 * test_grammar SCHEMA -: reads such texts, and prints 1 for each that fits, or 0.
 */
static int serve(const char *path, const char *what)
{
	static char text[1 << 20];
	struct llamux_message msg = { "" };
	struct lx_grammar *g = NULL;
	u32 want = (u32)strtoul(what, NULL, 10);
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text, 1, sizeof(text), f) : 0;
	char *gbnf = NULL;
	int len;

	if (f)
		fclose(f);
	if (schema_to_gbnf(text, n, &gbnf, &msg)) {
		fprintf(stderr, "%s\n", msg.text);
		return 1;
	}
	g = compile(gbnf);
	for (u32 i = 0; g && want && i < 100 * want + 1000; i++) {
		len = sentence(g, text, sizeof(text), 300);
		if (len < 0)
			continue;
		fwrite(text, 1, (size_t)len, stdout);
		putchar(0);
		want--;
	}
	n = want || strcmp(what, "-") ? 0 : fread(text, 1, sizeof(text) - 1, stdin);
	for (char *p = text; g && p < text + n; p += strlen(p) + 1)
		putchar(fits(g, p) ? '1' : '0');
	lx_grammar_free(g);
	free(gbnf);
	return g ? 0 : 1;
}

/* ---- time, with 128k tokens ---- */

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

static void test_speed(void)
{
	const char *shared = getenv("LLAMUX_SHARED");
	char path[4096];
	static u64 again[20000];
	struct local big;
	struct lx_lexicon *x, *small = lexicon;
	struct lx_grammar *g;
	u64 start, most = 0;
	u32 n = 0;
	char *gbnf = NULL;

	snprintf(path, sizeof(path), "%s/tokenizer/vocab-llama-bpe.gguf",
		 shared ? shared : "../shared");
	if (local_open_vocab(&big, path, NULL)) {
		SKIP("no vocabulary of 128k tokens in the shared directory");
		return;
	}
	start = now_ns();
	x = lx_lexicon_new(big.host, local_vocab(&big));
	printf("%u tokens sorted in %llu ms\n",
	       lx_vocab_n_tokens(local_vocab(&big)),
	       (now_ns() - start) / 1000000);
	CHECK(!schema_to_gbnf("{\"type\": \"object\"}", 18, &gbnf, NULL));
	lexicon = x;
	g = compile(gbnf);
	lexicon = small;
	for (u32 i = 0; g && i < 40; i++) {
		lx_grammar_reset(g, true);
		for (u32 k = 0; k < 100 && n < 20000; k++) {
			const u32 *mask;
			s32 id;
			u64 t;

			start = now_ns();
			CHECK(!lx_grammar_mask(g, &mask));
			most = lx_max(most, now_ns() - start);
			id = pick(mask, lx_vocab_n_tokens(local_vocab(&big)));
			if (id < 0 || lx_token_is_eog(local_vocab(&big), id))
				break;
			start = now_ns();
			lx_grammar_mask(g, &mask);
			t = now_ns() - start;
			start = now_ns();
			CHECK(!lx_grammar_accept(g, id));
			again[n++] = t + now_ns() - start;
		}
	}
	qsort(again, n, sizeof(*again), by_value);
	printf("mask, state seen before: median %llu ns of %u; first visit at most %llu us\n",
	       n ? again[n / 2] : 0, n, most / 1000);
	CHECK(n > 500 && again[n / 2] < 50000);
	lx_grammar_free(g);
	lx_lexicon_free(x);
	free(gbnf);
	local_close(&big);
}

int main(int argc, char **argv)
{
	const struct user_host_options opt = { .n_threads = 1 };

	if (local_open_vocab(&local, "models/llamux-default.gguf", &opt)) {
		printf("%s\n", local.message);
		return 1;
	}
	lexicon = lx_lexicon_new(local.host, local_vocab(&local));
	if (!CHECK(lexicon != NULL))
		return test_end();
	if (argc > 2) {
		int ret = serve(argv[1], argv[2]);

		lx_lexicon_free(lexicon);
		local_close(&local);
		return ret;
	}
	test_language();
	test_refused();
	test_blobs();
	test_limits();
	test_copy(false);
	test_copy(true);
	test_samples();
	test_schema_fits();
	test_schema_refused();
	test_speed();
	lx_lexicon_free(lexicon);
	local_close(&local);
	return test_end();
}
