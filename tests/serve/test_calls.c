// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of tools in the gateway: the grammar they have to fit, and finding them
 * in an answer however it is cut into pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "gbnf.h"
#include "local.h"
#include "test.h"

#define CALL(name, args) "<tool_call>\n{\"name\": \"" name "\", \"arguments\": " \
	args "}\n</tool_call>"
#define CALL3(name, args) "{\"name\": \"" name "\", \"parameters\": " args "}"

static const char request[] =
	"{\"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"find\","
	" \"parameters\": {\"type\": \"object\", \"required\": [\"what\"],"
	" \"$defs\": {\"w\": {\"enum\": [\"a\", \"b\"]}},"
	" \"properties\": {\"what\": {\"$ref\": \"#/$defs/w\"},"
	" \"root ::= r\": {\"const\": \"\\nroot ::= r0\"}}}}},"
	" {\"type\": \"function\", \"function\": {\"name\": \"now\"}}]%s}";

static struct local local;
static struct lx_lexicon *lexicon;

/* ---- grammars ---- */

/* Bytes one by one, as tokens of a byte each. */
static bool fits(struct lx_grammar *g, const char *text)
{
	lx_grammar_reset(g, true);
	for (; *text; text++) {
		char name[8];

		snprintf(name, sizeof(name), "<0x%02X>", (u8)*text);
		if (lx_grammar_accept(g, lx_token_find(local_vocab(&local),
						       name, 6)))
			return false;
	}
	return lx_grammar_accepts(g);
}

static struct lx_grammar *grammar(const char *more, const char *chat)
{
	struct lx_grammar *g = NULL;
	struct problem p = { 0 };
	struct buffer rules = { 0 };
	struct lx_error err;
	struct tools t = { 0 };
	char text[1024];
	json_t *json;
	void *blob = NULL;
	size_t n;

	snprintf(text, sizeof(text), request, more);
	json = json_loads(text, 0, NULL);
	if (CHECK(json && !tools_openai(&t, &p, json)) &&
	    CHECK(!tools_grammar(&t, tools_dialect_of(chat), &rules, &p)) &&
	    CHECK(!gbnf_compile(rules.data, strlen(rules.data), &blob, &n,
				NULL)))
		CHECK(!lx_grammar_new(local.host, lexicon, NULL, blob, n, &g,
				      &err));
	free(blob);
	buffer_free(&rules);
	json_decref(json);
	return g;
}

#define LIST(...) (const char *const []){ __VA_ARGS__, NULL }

static void check_grammar(const char *more, const char *chat,
			  const char *const *good, const char *const *bad)
{
	struct lx_grammar *g = grammar(more, chat);

	for (; g && *good; good++)
		if (!CHECK(fits(g, *good)))
			printf("'%s' does not fit%s (%s)\n", *good, more, chat);
	for (; g && *bad; bad++)
		if (!CHECK(!fits(g, *bad)))
			printf("'%s' fits%s (%s)\n", *bad, more, chat);
	lx_grammar_free(g);
}

static void test_grammars(void)
{
	static const char a[] = CALL("find", "{\"what\": \"a\"}");
	static const char two[] = CALL("now", "{}") "\n" CALL("now", "{ }");

	check_grammar("", "chatml",
		LIST("", "plain", "1 < 2 <<tool", "<tool_cal", a, two,
		     CALL("find", "{\"what\": \"a\", \"root ::= r\": "
			  "\"\\nroot ::= r0\"}"),
		     "Let me see.\n\n<" CALL("now", "{}"), "\xc3\xa4<t\xc3\xb6"),
		LIST("<tool_call>", "x<tool_call>y", CALL("what", "{}"),
		     CALL("now", "{\"x\": 1}"), CALL("find", "{\"what\": \"c\"}"),
		     CALL("find", "{}"), CALL("now", "{}") " and more"));
	check_grammar(", \"parallel_tool_calls\": false", "chatml",
		      LIST("plain", a), LIST(two));
	check_grammar(", \"tool_choice\": \"required\"", "chatml",
		      LIST(a, two), LIST("", "plain", "x" CALL("now", "{}")));
	check_grammar(", \"tool_choice\": {\"type\": \"function\", "
		      "\"function\": {\"name\": \"find\"}}", "unknown",
		      LIST(a), LIST("", two, CALL("now", "{}")));
	check_grammar("", "llama3",
		LIST("", "plain { x", CALL3("now", "{}"),
		     CALL3("find", "{\"what\": \"b\"}")),
		LIST("{", "{x}", CALL3("find", "{\"what\": 5}"),
		     CALL3("now", "{}") " "));
	check_grammar(", \"tool_choice\": \"required\"", "llama3",
		      LIST(CALL3("now", "{}")), LIST("", "plain", "{}"));
}

/* ---- answers ---- */


static void told_text(void *ctx, const char *s, size_t n)
{
	CHECK(n > 0);
	buffer_add(ctx, s, n);
}

static void told_call(void *ctx, const struct call_part *part)
{
	if (part->over)
		buffer_str(ctx, ")]");
	else if (!part->n)
		buffer_printf(ctx, "[%zu:%s(", part->number, part->name);
	else
		buffer_add(ctx, part->args, part->n);
}

/* In pieces of @step bytes. */
static void check_cut(const char *chat, const char *answer, const char *want,
		      size_t step)
{
	struct buffer told = { 0 };
	const struct calls_listener l = { told_text, told_call, &told };
	struct calls c;
	size_t n = strlen(answer);

	calls_init(&c, chat ? tools_dialect_of(chat) : NULL, &l);
	for (size_t i = 0; i < n; i += step)
		calls_feed(&c, answer + i, step < n - i ? step : n - i);
	calls_end(&c);
	calls_free(&c);
	buffer_add(&told, "", 1);
	if (!CHECK(!told.failed && !strcmp(told.data, want)))
		printf("'%s' in pieces of %zu: '%s'\n", answer, step, told.data);
	buffer_free(&told);
}

static void check_answer(const char *chat, const char *answer,
			 const char *want)
{
	for (size_t step = 1; step <= strlen(answer) + 1; step++)
		check_cut(chat, answer, want, step);
}

static void test_answers(void)
{
	check_answer("chatml", "", "");
	check_answer("chatml", "plain \n ", "plain \n ");
	check_answer("chatml", "1 < 2 <tool_cal<<to", "1 < 2 <tool_cal<<to");
	check_answer("chatml", CALL("f", "{}"), "[0:f({})]");
	check_answer("chatml", "See: <t\n \n" CALL("f", "{\"a\": [{}, \"}<\\\"\"]}"),
		     "See: <t[0:f({\"a\": [{}, \"}<\\\"\"]})]");
	check_answer("chatml", CALL("f", "{}") "\n" CALL("g.h", "{\"x\":1}"),
		     "[0:f({})][1:g.h({\"x\":1})]");
	check_answer("chatml", "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a",
		     "[0:f({\"a");
	check_answer("chatml", "<tool_call>\n{\"name\"", "");
	check_answer("llama3", CALL3("f", "{\"a\": {}}"), "[0:f({\"a\": {}})]");
	check_answer("llama3", "x" CALL3("f", "{}"), "x" CALL3("f", "{}"));
	check_answer("llama3", "<tool_call>", "<tool_call>");
	check_answer(NULL, CALL("f", "{}"), CALL("f", "{}"));
}

int main(void)
{
	const struct user_host_options opt = { .n_threads = 1 };

	if (local_open_vocab(&local, "models/llamux-default.gguf", &opt)) {
		printf("%s\n", local.message);
		return 1;
	}
	lexicon = lx_lexicon_new(local.host, local_vocab(&local));
	if (!CHECK(lexicon != NULL))
		return test_end();
	test_grammars();
	test_answers();
	lx_lexicon_free(lexicon);
	local_close(&local);
	return test_end();
}
