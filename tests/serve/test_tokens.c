// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tokens in the gateway: what a file of them may say, who shows one, and that
 * two clients never share a salt.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "salt.h"
#include "test.h"
#include "token.h"

#define A "0123456789abcdef"
#define B "fedcba9876543210"

static const char *parse(struct tokens *t, const char *text, size_t *line)
{
	char *copy = strdup(text);
	const char *wrong = tokens_parse(t, copy, line);

	free(copy);
	return wrong;
}

static void refused(const char *text, size_t line)
{
	struct tokens t = { 0 };
	size_t at = 99;

	if (!CHECK(parse(&t, text, &at) && at == line))
		printf("'%.60s': line %zu\n", text, at);
	tokens_free(&t);
}

static void test_files(void)
{
	struct tokens t = { 0 };
	char text[TOKEN_MAX + 100];
	size_t line;

	CHECK(!parse(&t, "# two\n\n  \t\nann " A "\r\n\t" B "  ", &line));
	CHECK(t.n == 2);
	CHECK(!strcmp(t.list[0].client, "ann") && !strcmp(t.list[0].text, A));
	CHECK(!*t.list[1].client && !strcmp(t.list[1].text, B));
	tokens_free(&t);
	refused("", 0);
	refused("# nothing\n", 0);
	refused("\n" A "\nshort\n", 3);
	refused("ann short\n", 1);
	refused("ann " A " more\n", 1);
	refused("a/b " A "\n", 1);
	refused(A "\n\nann " A "\n", 3);
	refused("\xc3\xa4" A "\n", 1);
	memset(text, 'x', sizeof(text));
	strcpy(text + TOKEN_MAX + 1, "\n");
	refused(text, 1);
	strcpy(text + TOKEN_MAX, "\n");
	CHECK(!parse(&t, text, &line) && strlen(t.list[0].text) == TOKEN_MAX);
	tokens_free(&t);
	strcpy(text + CLIENT_MAX + 1, " " A);
	refused(text, 1);
}

static void test_many(void)
{
	char *text = malloc((MAX_TOKENS + 1) * 32), *p = text;
	struct tokens t = { 0 };
	size_t line;

	for (unsigned int i = 0; i < MAX_TOKENS; i++)
		p += sprintf(p, "%020u\n", i);
	CHECK(!parse(&t, text, &line) && t.n == MAX_TOKENS);
	CHECK(tokens_find(&t, "Bearer 00000000000000000777") == &t.list[777]);
	tokens_free(&t);
	sprintf(p, "%020u\n", MAX_TOKENS);
	refused(text, MAX_TOKENS + 1);
	free(text);
}

/* Whatever a file holds, it is read or refused. */
static void test_any(void)
{
	static const char some[] = "aZ09_./# \t\r\n\x7f\xff";
	unsigned int seed = 1;

	for (int i = 0; i < 20000; i++) {
		struct tokens t = { 0 };
		const char *wrong;
		char text[128];
		size_t n = i % sizeof(text), line;
		bool good = true;

		for (size_t j = 0; j < n; j++)
			text[j] = some[rand_r(&seed) % (sizeof(some) - 1)];
		text[n] = '\0';
		wrong = tokens_parse(&t, text, &line);
		for (size_t j = 0; j < t.n; j++)
			good &= strlen(t.list[j].text) >= TOKEN_MIN;
		if (!good || (!wrong && !t.n))
			CHECK(!"a token that is none");
		tokens_free(&t);
	}
}

static void test_shown(void)
{
	struct tokens t = { 0 };
	size_t line;

	CHECK(!tokens_find(&t, "Bearer " A));
	CHECK(!parse(&t, A "\nann " B "\n", &line));
	CHECK(tokens_find(&t, "Bearer " A) == &t.list[0]);
	CHECK(tokens_find(&t, "bEARER " B) == &t.list[1]);
	CHECK(!tokens_find(&t, NULL));
	CHECK(!tokens_find(&t, A));
	CHECK(!tokens_find(&t, "Bearer "));
	CHECK(!tokens_find(&t, "Bearer " A B));
	CHECK(!tokens_find(&t, "Bearer  " A));
	CHECK(!tokens_find(&t, "Bearer 0123456789abcde"));
	CHECK(!tokens_find(&t, "Bearer ann"));
	tokens_free(&t);
	CHECK(!tokens_make(&t) && strlen(t.list[0].text) >= 32);
	tokens_free(&t);
}

static void test_salts(void)
{
	struct salts s, other;
	struct tokens t = { 0 };
	const struct token *a, *b, *b2;
	size_t line;
	uint64_t salt[7];

	CHECK(!salts_init(&s) && !salts_init(&other));
	CHECK(!parse(&t, A "\nann " B "\nann x" B "\n", &line));
	a = &t.list[0], b = &t.list[1], b2 = &t.list[2];
	salt[0] = salts_of(&s, NULL, 0, NULL);
	salt[1] = salts_of(&s, NULL, 1000, NULL);
	salt[2] = salts_of(&s, NULL, 1000, "ann");
	salt[3] = salts_of(&s, a, 1000, NULL);
	salt[4] = salts_of(&s, b, 1000, NULL);
	salt[5] = salts_of(&s, b, 1000, "ann");
	salt[6] = salts_of(&s, b, 1000, "bob");
	for (int i = 0; i < 7; i++)
		for (int j = 0; j < 7; j++)
			CHECK((salt[i] == salt[j]) == (i == j));
	CHECK(salts_of(&s, a, 5, NULL) == salt[3]);
	CHECK(salts_of(&s, b2, 5, NULL) == salt[4]);
	CHECK(salts_of(&s, b2, 5, "bob") == salt[6]);
	CHECK(salts_of(&other, a, 5, NULL) != salt[3]);
	tokens_free(&t);
}

int main(void)
{
	test_files();
	test_many();
	test_any();
	test_shown();
	test_salts();
	return test_end();
}
