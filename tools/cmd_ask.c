// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux ask: one question, the answer on standard output.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "sampling.h"
#include "turn.h"

static int write_prompt(struct llamux *l, const struct sampling *s,
			const char *text, size_t n)
{
	uint32_t flags = s->raw ? LLAMUX_WRITE_SPECIAL : 0;
	int ret = 0;

	if (s->system)
		ret = llamux_write(l, s->system, strlen(s->system),
				   LLAMUX_ROLE_SYSTEM, 0);
	if (!ret)
		ret = llamux_write(l, text, n, LLAMUX_ROLE_USER, flags);
	return ret ? fail(ret, "%s", llamux_error(l)) : EXIT_OK;
}

static void print_logprob(struct json *j, struct llamux *l,
			  const struct llamux_logprob *p)
{
	char piece[1024];
	ssize_t n = llamux_piece(l, p->id, LLAMUX_TOK_SPECIAL, piece,
				 sizeof(piece));

	json_s64(j, "id", p->id);
	json_text(j, "piece", piece, n < 0 ? 0 : n > (ssize_t)sizeof(piece) ?
		  sizeof(piece) : (size_t)n);
	json_real(j, "logprob", (double)p->lp_u / 1e6);
}

static int print_logprobs(struct json *j, struct llamux *l, uint32_t n_top)
{
	ssize_t n = llamux_logprobs(l, n_top, NULL, 0);
	struct llamux_logprob *p;

	if (n < 0)
		return fail((int)n, "%s", llamux_error(l));
	p = calloc((size_t)n + 1, (n_top + 1) * sizeof(*p));
	if (!p)
		return fail(-ENOMEM, "%s", strerror(ENOMEM));
	n = llamux_logprobs(l, n_top, p, (size_t)n);
	json_open(j, "logprobs", '[');
	for (ssize_t i = 0; i < n; i++) {
		const struct llamux_logprob *r = p + i * (n_top + 1);

		json_open(j, NULL, '{');
		print_logprob(j, l, r);
		json_open(j, "top", '[');
		for (uint32_t k = 1; k <= n_top && r[k].id >= 0; k++) {
			json_open(j, NULL, '{');
			print_logprob(j, l, r + k);
			json_close(j, '}');
		}
		json_close(j, ']');
		json_close(j, '}');
	}
	json_close(j, ']');
	free(p);
	return EXIT_OK;
}

static int print_json(struct llamux *l, const struct sampling *s,
		      const struct turn *t)
{
	struct llamux_info info;
	struct llamux_stats st;
	int32_t *ids = NULL;
	struct json j;
	int ret = EXIT_OK;
	ssize_t n;

	if (llamux_info(l, &info) || llamux_stats(l, &st))
		return fail(-1, "%s", llamux_error(l));
	n = llamux_tokens(l, NULL, 0);
	if (n > 0)
		ids = malloc((size_t)n * sizeof(*ids));
	n = ids ? llamux_tokens(l, ids, (size_t)n) : 0;
	json_start(&j, stdout);
	json_open(&j, NULL, '{');
	json_str(&j, "model", info.model);
	json_text(&j, "text", t->text ? t->text : "", t->n);
	json_str(&j, "finish", turn_finish_name(st.finish));
	json_u64(&j, "n_prompt", st.n_prompt);
	json_u64(&j, "n_gen", st.n_gen);
	json_real(&j, "prompt_ms", (double)st.prompt_ns / 1e6);
	json_real(&j, "gen_ms", (double)st.gen_ns / 1e6);
	json_ids(&j, "tokens", ids, n > 0 ? (size_t)n : 0);
	if (s->params.n_logprobs)
		ret = print_logprobs(&j, l, s->params.n_logprobs);
	json_close(&j, '}');
	free(ids);
	return ret;
}

static int ask(struct globals *g, const struct sampling *s, const char *text,
	       size_t n)
{
	struct turn t = { .keep = g->json };
	struct llamux *l;
	int ret;

	ret = open_llamux(g, 0, s->n_ctx, s->kv_type, &l);
	if (ret)
		return ret;
	interrupt_watch(l);
	ret = sampling_apply(s, l);
	if (!ret)
		ret = write_prompt(l, s, text, n);
	if (!ret)
		ret = turn_run(&t, l);
	if (!ret && g->json)
		ret = print_json(l, s, &t);
	interrupt_watch(NULL);
	free(t.text);
	llamux_close(l);
	return ret;
}

static int main_ask(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "logprobs", required_argument, NULL, OPT_LOGPROBS },
		SAMPLING_OPTIONS
	};
	struct sampling s = { 0 };
	char *text;
	size_t n;
	int ret;

	ret = parse_options(g, argc, argv, &command_ask, SAMPLING_SHORT,
			    options, sampling_handle, &s);
	if (ret)
		return ret;
	if (s.params.n_logprobs && !g->json)
		return usage_error("--logprobs needs --json");
	if (s.raw && s.system)
		return usage_error("--system and --raw exclude each other");
	ret = text_argument(argc, argv, "prompt", &text, &n);
	if (ret)
		return ret;
	/* echo's newline, and a text file's last one, are not the question's */
	if ((optind == argc || !strcmp(argv[optind], "-")) && n &&
	    text[n - 1] == '\n')
		n--;
	if (!n && !s.raw)
		ret = usage_error("the prompt is empty");
	else
		ret = ask(g, &s, text, n);
	free(text);
	return ret;
}

const struct command command_ask = {
	.name = "ask",
	.args = "[PROMPT|-]",
	.summary = "Ask once; the answer goes to standard output",
	.options = SAMPLING_HELP
	"  --logprobs N        with --json: how likely the tokens and the N\n"
	"                      likeliest were to the model\n",
	.main = main_ask,
};
