// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux tokenize, llamux detokenize.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "tool.h"

struct tokenize {
	uint32_t flags;
	bool ids;
};

enum { OPT_NO_BOS = 0x100, OPT_NO_SPECIAL, OPT_IDS };

/* A file that is there is meant as a file. */
static int open_vocab(struct globals *g, struct llamux **l)
{
	if (g->model && !access(g->model, R_OK))
		g->user = true;
	return open_llamux(g, g->user ? LLAMUX_VOCAB_ONLY : 0, 0, 0, l);
}

/* NULL after complaining. */
static char *text_of(struct llamux *l, const int32_t *ids, size_t n,
		     size_t *len)
{
	size_t room = n * 16 + 64;
	char *buf = NULL, *more;
	ssize_t r;

	for (;;) {
		more = realloc(buf, room);
		if (!more) {
			fail(-ENOMEM, "%s", strerror(ENOMEM));
			break;
		}
		buf = more;
		r = llamux_detokenize(l, ids, n, 0, buf, room);
		if (r < 0) {
			fail((int)r, "%s", llamux_error(l));
			break;
		}
		if ((size_t)r <= room) {
			*len = (size_t)r;
			return buf;
		}
		room = (size_t)r;
	}
	free(buf);
	return NULL;
}

static int32_t *tokenize(struct llamux *l, const char *text, size_t n,
			 uint32_t flags, size_t *count)
{
	size_t room = n + 16;
	int32_t *ids = NULL, *more;
	ssize_t r;

	for (;;) {
		more = realloc(ids, room * sizeof(*ids));
		if (!more) {
			fail(-ENOMEM, "%s", strerror(ENOMEM));
			break;
		}
		ids = more;
		r = llamux_tokenize(l, text, n, flags, ids, room);
		if (r < 0) {
			fail((int)r, "%s", llamux_error(l));
			break;
		}
		if ((size_t)r <= room) {
			*count = (size_t)r;
			return ids;
		}
		room = (size_t)r;
	}
	free(ids);
	return NULL;
}

static int print_ids(const struct globals *g, const int32_t *ids, size_t n)
{
	struct json j;

	if (g->json) {
		json_start(&j, stdout);
		json_ids(&j, NULL, ids, n);
		return EXIT_OK;
	}
	for (size_t i = 0; i < n; i++)
		printf("%s%d", i ? " " : "", ids[i]);
	putchar('\n');
	return EXIT_OK;
}

static int print_pieces(const struct globals *g, struct llamux *l,
			const int32_t *ids, size_t n)
{
	char s[4096];	/* no token is longer on purpose */
	struct json j;

	json_start(&j, stdout);
	if (g->json)
		json_open(&j, NULL, '[');
	for (size_t i = 0; i < n; i++) {
		ssize_t len = llamux_piece(l, ids[i], LLAMUX_TOK_SPECIAL, s,
					   sizeof(s));

		if (len < 0)
			return fail((int)len, "%s", llamux_error(l));
		if (len > (ssize_t)sizeof(s))
			len = sizeof(s);
		if (g->json) {
			json_open(&j, NULL, '{');
			json_s64(&j, "id", ids[i]);
			json_text(&j, "piece", s, (size_t)len);
			json_close(&j, '}');
		} else {
			printf("%d\t", ids[i]);
			print_escaped(stdout, s, (size_t)len);
			putchar('\n');
		}
	}
	if (g->json)
		json_close(&j, ']');
	return EXIT_OK;
}

static int handle_tokenize(void *ctx, int val, const char *arg)
{
	struct tokenize *t = ctx;

	(void)arg;
	if (val == OPT_NO_BOS)
		t->flags &= ~(LLAMUX_TOK_BOS | LLAMUX_TOK_EOS);
	else if (val == OPT_NO_SPECIAL)
		t->flags &= ~LLAMUX_TOK_SPECIAL;
	else
		t->ids = true;
	return EXIT_OK;
}

static int main_tokenize(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "no-bos", no_argument, NULL, OPT_NO_BOS },
		{ "no-special", no_argument, NULL, OPT_NO_SPECIAL },
		{ "ids", no_argument, NULL, OPT_IDS },
		{ 0 }
	};
	struct tokenize t = { .flags = LLAMUX_TOK_BOS | LLAMUX_TOK_SPECIAL |
				       LLAMUX_TOK_EOS };
	struct llamux *l;
	size_t n, count;
	int32_t *ids;
	char *text;
	int ret;

	ret = parse_options(g, argc, argv, &command_tokenize, "", options,
			    handle_tokenize, &t);
	if (!ret)
		ret = text_argument(argc, argv, "text", &text, &n);
	if (ret)
		return ret;
	ret = open_vocab(g, &l);
	if (ret)
		goto out_text;
	ids = tokenize(l, text, n, t.flags, &count);
	if (!ids)
		ret = EXIT_FAILED;
	else if (t.ids)
		ret = print_ids(g, ids, count);
	else
		ret = print_pieces(g, l, ids, count);
	free(ids);
	llamux_close(l);
out_text:
	free(text);
	return ret;
}

static int detokenize(struct llamux *l, const int32_t *ids, size_t n)
{
	size_t len;
	char *s = text_of(l, ids, n, &len);

	if (!s)
		return EXIT_FAILED;
	fwrite(s, 1, len, stdout);
	free(s);
	return EXIT_OK;
}

static int main_detokenize(struct globals *g, int argc, char **argv)
{
	struct llamux *l;
	int32_t *ids;
	char *text;
	size_t n;
	int ret;

	ret = parse_options(g, argc, argv, &command_detokenize, "", NULL,
			    NULL, NULL);
	if (!ret)
		ret = text_argument(argc, argv, "list of ids", &text, &n);
	if (ret)
		return ret;
	ids = parse_ids(text, &n);
	free(text);
	if (!ids)
		return EXIT_USAGE;
	ret = open_vocab(g, &l);
	if (!ret) {
		ret = detokenize(l, ids, n);
		llamux_close(l);
	}
	free(ids);
	return ret;
}

const struct command command_tokenize = {
	.name = "tokenize",
	.args = "[TEXT|-]",
	.summary = "Show the tokens of a text",
	.options =
	"  --no-bos            no beginning- or end-of-text token\n"
	"  --no-special        control tokens in the text are plain text\n"
	"  --ids               only ids, on one line\n",
	.main = main_tokenize,
};

const struct command command_detokenize = {
	.name = "detokenize",
	.args = "[IDS|-]",
	.summary = "Turn token ids into text",
	.options = "",
	.main = main_detokenize,
};
