// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Schemas and grammars that a client makes as long, deep or many as it likes:
 * each is compiled or refused in little time, on a small stack, and a refusal
 * says why.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gbnf.h"
#include "jsonread.h"
#include "test.h"

/* Sanitizers make frames several times as large, and code as slow. */
#ifdef __SANITIZE_ADDRESS__
#define STACK_BYTES (2 << 20)
#define SECONDS 20.0
#else
#define STACK_BYTES (256 << 10)
#define SECONDS 1.5
#endif

/* ---- texts ---- */

static struct {
	char *p;
	size_t n, cap;
} text;

static void __attribute__((format(printf, 1, 2))) add(const char *fmt, ...)
{
	va_list ap;

	if (text.n + 4096 > text.cap) {
		text.cap = 2 * text.cap + 4096;
		text.p = realloc(text.p, text.cap);
	}
	va_start(ap, fmt);
	text.n += (size_t)vsnprintf(text.p + text.n, text.cap - text.n, fmt, ap);
	va_end(ap);
}

static void repeat(const char *s, int n)
{
	while (n--)
		add("%s", s);
}

/* ---- compiling ---- */

struct job {
	const char *text;
	int schema;		/* or a grammar */
	int ret;
	double seconds;
	struct llamux_message msg;
	size_t bytes;		/* of the automaton */
};

static void *compile(void *arg)
{
	struct job *j = arg;
	struct timespec ts;
	char *gbnf = NULL;
	void *blob = NULL;

	if (j->schema)
		j->ret = schema_to_gbnf(j->text, strlen(j->text), &gbnf, &j->msg);
	if (!j->ret)
		j->ret = gbnf_compile(gbnf ? gbnf : j->text,
				      strlen(gbnf ? gbnf : j->text), &blob,
				      &j->bytes, &j->msg);
	free(gbnf);
	free(blob);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	j->seconds = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	return NULL;
}

/* What is in the text now; @why: in the message of a refusal. */
static void ends(int schema, const char *what, int ret, const char *why)
{
	struct job j = { .text = text.p, .schema = schema };
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_create(&thread, &attr, compile, &j);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	if (!CHECK(j.ret == ret && (!ret || strstr(j.msg.text, why))))
		printf("%s: %d %s\n", what, j.ret, j.msg.text);
	if (!CHECK(j.seconds < SECONDS))
		printf("%s: %.1f s\n", what, j.seconds);
	text.n = 0;
}

static void fits(const char *what)
{
	ends(1, what, 0, "");
}

static void large(const char *what)
{
	ends(1, what, -E2BIG, "too large");
}

/* ---- keys ---- */

#define OTHERS "\"additionalProperties\": true}"

static void long_key(int n)
{
	add("{\"type\": \"object\", \"properties\": {\"");
	repeat("a", n);
	add("\": true}, " OTHERS);
}

static void many_keys(int n, const char *more)
{
	add("{\"type\": \"object\", \"properties\": {");
	for (int i = 0; i < n; i++)
		add("%s\"k%04x\": true", i ? ", " : "", i);
	add("}%s}", more);
}

static void test_keys(void)
{
	long_key(1000);
	fits("a key of 1000");
	long_key(100000);
	large("a key of 100,000");
	many_keys(100, ", \"additionalProperties\": {\"type\": \"null\"}");
	fits("100 keys and others");
	many_keys(500, "");
	fits("500 keys");
	many_keys(60000, ", \"additionalProperties\": true");
	large("60,000 keys and others");
	many_keys(60000, "");
	large("60,000 keys");
	many_keys(30000, ", \"required\": [\"k0000\"");
	text.n--;
	for (int i = 29999; i; i--)
		add(", \"k%04x\"", i);
	add("]}");
	large("30,000 keys that are required");
	many_keys(60000, "");
	text.n -= 2;
	add(", \"kea5f\": true}}");
	ends(1, "a key twice", -EINVAL, "twice");
}

/* ---- values ---- */

static void many_values(int n)
{
	add("{\"enum\": [");
	for (int i = 0; i < n; i++)
		add("%s\"v%d\"", i ? ", " : "", i);
	add("]}");
}

static void many_members(int n, int step)
{
	add("{\"const\": {");
	for (int i = 0; i < n; i++)
		add("%s\"v%d\": 1", i ? ", " : "", i * step % n);
	add("}}");
}

static void test_values(void)
{
	add("{\"const\": \"");
	repeat("a", 8000);
	add("\"}");
	fits("a text of 8000");
	add("{\"const\": \"");
	repeat("a", 100000);
	add("\"}");
	large("a text of 100,000");
	add("{\"allOf\": [");
	many_values(30000);
	add(", ");
	many_values(30001);
	add("]}");
	large("two lists of 30,000");
	add("{\"allOf\": [");
	many_members(30001, 1);
	add(", ");
	many_members(30001, 7919);
	add("]}");
	large("two objects of 30,000");
	add("{\"const\": ");
	repeat("[", 195);
	repeat("]", 195);
	add("}");
	fits("195 brackets");
	repeat("[", 100000);
	ends(1, "100,000 brackets", -EINVAL, "nested too deep");
}

/* ---- what stands for more than is written ---- */

static void test_products(void)
{
	add("{\"type\": \"integer\", \"allOf\": [{}");
	for (int i = 0; i < 24; i++)
		add(", {\"anyOf\": [{\"minimum\": %d}, {\"maximum\": %d}]}", i,
		    100 + i);
	add("]}");
	large("two ways, 24 times");
	add("{\"$ref\": \"#/$defs/d0\", \"$defs\": {\"d20\": {}");
	for (int i = 0; i < 20; i++)
		add(", \"d%d\": {\"allOf\": [{\"$ref\": \"#/$defs/d%d\"}, "
		    "{\"$ref\": \"#/$defs/d%d\"}]}", i, i + 1, i + 1);
	add("}}");
	large("each twice the next");
	add("{\"allOf\": [{\"type\": [\"null\"");
	repeat(", \"null\"", 30000);
	add("]}, {\"type\": [\"null\"");
	repeat(", \"null\"", 30000);
	add("]}]}");
	ends(1, "30,000 types twice", -EINVAL, "no list of types");
	add("{\"anyOf\": [{\"type\": \"null\"}");
	repeat(", {\"$ref\": \"#/anyOf/29999\"}", 30000);
	add("]}");
	large("30,000 references to the last of them");
	add("{\"allOf\": [");
	many_keys(20000, "");
	repeat(", {}", 20000);
	add("]}");
	large("20,000 keys, joined with nothing 20,000 times");
	add("{\"allOf\": [{\"k\": 1");
	for (int i = 0; i < 60000; i++)
		add(", \"k%d\": 1", i);
	add("}]}");
	ends(1, "60,000 keywords", -EINVAL, "'k' is not supported");
}

/* ---- depth ---- */

static void nested(const char *open, int n, const char *close)
{
	repeat(open, n);
	add("true");
	repeat(close, n);
}

static void test_depth(void)
{
	static const char object[] =
		"{\"type\": \"object\", \"properties\": {\"p\": ";
	static const char either[] = "{\"type\": [\"null\", \"string\", "
		"\"object\"], \"minLength\": 1, \"additionalProperties\": ";
	static const char both[] = "{\"anyOf\": [{\"type\": \"null\"}, "
		"{\"allOf\": [{\"type\": \"array\"}, {\"items\": ";

	nested(object, 95, "}}");
	fits("95 objects");
	nested(object, 101, "}}");
	ends(1, "101 objects", -EINVAL, "values are nested too deep");
	nested("{\"type\": \"array\", \"items\": ", 120, "}");
	ends(1, "120 arrays", -EINVAL, "schema: nested too deep");
	nested(either, 95, "}");
	fits("95 of several types");
	nested(both, 30, "}]}]}");
	fits("30 of both");
	add("{\"type\": \"string\", \"pattern\": \"^");
	nested("(", 49, ")?");
	add("$\"}");
	fits("49 brackets in a pattern");
	add("{\"type\": \"string\", \"pattern\": \"^");
	repeat("a*", 12000);
	add("$\"}");
	fits("12,000 stars");
	add("{\"type\": \"string\", \"pattern\": \"^");
	repeat("(){9999}", 50000);
	add("$\"}");
	fits("nothing, 9999 times, 50,000 times");
	add("{\"type\": \"string\", \"pattern\": \"^");
	repeat("a|", 100000);
	add("$\"}");
	ends(1, "100,000 ways", -E2BIG, "too large");
}

/* ---- grammars ---- */

static void test_grammars(void)
{
	add("root ::= ");
	nested("(\"a\" | ", 199, ")*");
	add("\ntrue ::= \"b\"\n");
	ends(0, "199 brackets", 0, "");
	add("root ::= \"a\"");
	repeat("?", 600);
	ends(0, "600 repetitions", 0, "");
	add("root ::= \"a\"");
	repeat("?", 100000);
	ends(0, "100,000 repetitions", -EINVAL, "nested too deep");
	add("root ::= r0\n");
	for (int i = 0; i < 30000; i++)
		add("r%d ::= r%d\n", i, i + 1);
	add("r30000 ::= \"a\"\n");
	ends(0, "30,000 rules in a chain", 0, "");
	add("root ::= r0\n");
	for (int i = 0; i < 30000; i++)
		add("r%d ::= \"\" r%d\n", i, (i + 1) % 30000);
	ends(0, "a circle of 30,000", -EINVAL, "left recursion");
	add("root ::= ");
	repeat("\"a\" ", 200000);
	ends(0, "200,000 pieces", -E2BIG, "too large");
}

int main(void)
{
	test_keys();
	test_values();
	test_products();
	test_depth();
	test_grammars();
	free(text.p);
	return test_end();
}
