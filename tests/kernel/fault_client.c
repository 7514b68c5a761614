// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of /dev/llama, /dev/llamactl and /proc/llamux whose own allocations and
 * copies fail: fault.h.
 */
#define _GNU_SOURCE
#include "fault.h"

static int child = -1;

/* ---- calls ---- */

static int after_open(int err)
{
	int bad = 0;

	if (err)
		bad = run_open();
	done();
	return bad;
}

static int before_write(void)
{
	return session(6);
}

/* Whatever happened to what was asked, the answer is to be the one wanted. */
static int after_write(int err)
{
	int bad = (err && say()) || drain() || as_wanted();

	done();
	return bad;
}

static int run_prefill(void)
{
	return ioctl(fd, LLAMUX_IOC_PREFILL) ? failed() : 0;
}

/* What was prefilled is there: continuations are as likely as behind it. */
static int after_prefill(int err)
{
	int bad = (err && run_prefill()) || run_score() ||
		  memcmp(scores, good_scores, sizeof(scores));

	done();
	return bad;
}

/* (lo|hi)*: every byte, whatever it is, any number of times. */
static int run_grammar(void)
{
	static const unsigned char blob[] = {
		0x4c, 0x58, 0x47, 0x31, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		3, 0, 0, 0, 1, 0, 2, 0,		/* 0: 1 or 2 */
		1, 0, 255, 0, 0, 0, 0, 0,	/* 1: a byte, then 0 */
		0, 0, 0, 0, 0, 0, 0, 0,		/* 2: the end */
	};
	struct llamux_grammar g = { (unsigned long)blob, sizeof(blob), 0 };

	return ioctl(fd, LLAMUX_IOC_SET_GRAMMAR, &g) ? failed() : 0;
}

/* A fork has a grammar, too. */
static int before_fork(void)
{
	return before_write() ?: run_grammar() ?: say();
}

static int run_fork(void)
{
	struct llamux_fork f = { .flags = O_CLOEXEC };

	child = ioctl(fd, LLAMUX_IOC_FORK, &f);
	return child < 0 ? failed() : 0;
}

static int after_fork(int err)
{
	int bad = (err && run_fork()) || drain_of(child) || as_wanted();

	close(child);
	n_text = 0;
	return after_turn(0) || bad;
}

/* Everything that says how answers are made, and reads what is known. */
static int run_options(void)
{
	static const char strings[] = "x\0yy";
	struct llamux_stops stops = { (unsigned long)strings, 5, 0 };
	struct llamux_bias one = { 5, 1000 };
	struct llamux_biases bias = { (unsigned long)&one, 1, 0 };
	struct llamux_salt salt = { .salt = 7 };
	struct llamux_name name = { "m" };
	struct llamux_info info;

	if (ioctl(fd, LLAMUX_IOC_SET_MODEL, &name) ||
	    ioctl(fd, LLAMUX_IOC_SALT, &salt) ||
	    ioctl(fd, LLAMUX_IOC_SET_STOPS, &stops) ||
	    ioctl(fd, LLAMUX_IOC_SET_BIAS, &bias) ||
	    ioctl(fd, LLAMUX_IOC_INFO, &info))
		return failed();
	return 0;
}

static int after_options(int err)
{
	struct llamux_stops stops = { 0 };
	struct llamux_biases bias = { 0 };
	int bad = (err && run_options()) ||
		  ioctl(fd, LLAMUX_IOC_SET_STOPS, &stops) ||
		  ioctl(fd, LLAMUX_IOC_SET_BIAS, &bias) || say() || drain() ||
		  as_wanted();

	done();
	return bad;
}

static int after_grammar(int err)
{
	int bad = (err && run_grammar()) || say() || drain() || as_wanted();

	done();
	return bad;
}

static int ids_of(__s32 *ids, unsigned int max)
{
	struct llamux_tokenize t = {
		.text = (unsigned long)prompt, .len = FEW,
		.ids = (unsigned long)ids, .n_ids = max,
	};

	return ioctl(fd, LLAMUX_IOC_TOKENIZE, &t) ? failed() : (int)t.n_ids;
}

static int run_tokens(void)
{
	static __s32 ids[1024];
	struct llamux_detokenize d = {
		.ids = (unsigned long)ids, .text = (unsigned long)text,
		.len = SIZE - 1,
	};
	int n = ids_of(ids, 1024);

	if (n < 0)
		return n;
	d.n_ids = n;
	if (ioctl(fd, LLAMUX_IOC_DETOKENIZE, &d))
		return failed();
	text[d.len] = '\0';
	return 0;
}

static int after_tokens(int err)
{
	int bad = (err && run_tokens()) || strncmp(text, prompt, FEW);

	done();
	return bad;
}

/* What is left of a turn: its tokens and their probabilities. */
static int before_results(void)
{
	return session(6) ?: say() ?: drain();
}

static int run_results(void)
{
	__s32 ids[8];
	struct llamux_logprob lp[8][2];
	struct llamux_tokens t = { (unsigned long)ids, 8, 0 };
	struct llamux_logprobs l = { (unsigned long)lp, 0, 8, 2, 0 };
	struct llamux_stats st;

	if (ioctl(fd, LLAMUX_IOC_TOKENS, &t) ||
	    ioctl(fd, LLAMUX_IOC_LOGPROBS, &l) ||
	    ioctl(fd, LLAMUX_IOC_STATS, &st))
		return failed();
	return t.n == 6 && l.n == 6 && lp[5][0].id == ids[5] ? 0 : -EPROTO;
}

static int after_results(int err)
{
	int bad = err && run_results();

	done();
	return bad;
}

static int after_embed(int err)
{
	int bad = (err && run_embed()) ||
		  memcmp(vector, good_vector, sizeof(vector)) || say() ||
		  drain() || as_wanted();

	done();
	return bad;
}

/* The user's own conversation of /proc, which is never closed. */
static int run_prompt(void)
{
	char buf[64];
	int p = open("/proc/llamux/prompt", O_RDWR | O_CLOEXEC);
	int err = p < 0 || write(p, "Once", 4) < 0 || read(p, buf, 8) < 0 ?
		  failed() : 0;

	close(p);
	return err;
}

static int after_again(int err)
{
	return err && run_prompt();
}

static int run_proc(void)
{
	static const char *const name[] = { "status", "models", "sessions",
					    "stats", "users", "prefixes" };
	char buf[4096];

	for (int i = 0; i < 6; i++) {
		char path[32];
		int p, err;

		snprintf(path, sizeof(path), "/proc/llamux/%s", name[i]);
		p = open(path, O_RDONLY | O_CLOEXEC);
		err = p < 0 || read(p, buf, sizeof(buf)) <= 0 ? failed() : 0;
		close(p);
		if (err)
			return err;
	}
	return 0;
}

static int after_proc(int err)
{
	return err && run_proc();
}

/* ---- the superuser's ---- */

static int run_control(void)
{
	struct llamux_attr a = { .name = "m", .set = LLAMUX_ATTR_ROLES |
				 LLAMUX_ATTR_PIN, .roles = 1 };
	struct llamux_limit l = { .uid = 4321, .tokens_per_minute = 5 };
	struct llamux_prefix p = { .name = "m", .text = (unsigned long)prompt,
				   .len = n_prompt };
	int c = open("/dev/llamactl", O_RDWR | O_CLOEXEC), err;

	err = c < 0 || ioctl(c, LLAMUX_CTL_ATTR, &a) ||
	      ioctl(c, LLAMUX_CTL_LIMIT, &l) ||
	      ioctl(c, LLAMUX_CTL_PREFIX, &p) ? failed() : 0;
	close(c);
	return err;
}

static int after_control(int err)
{
	struct llamux_attr a = { .name = "m", .set = LLAMUX_ATTR_ROLES |
				 LLAMUX_ATTR_PIN };
	struct llamux_limit l = { .uid = 4321 };
	struct llamux_prefix p = { .name = "m", .flags = LLAMUX_PREFIX_DROP };

	return (err && run_control()) || ioctl(ctl, LLAMUX_CTL_ATTR, &a) ||
	       ioctl(ctl, LLAMUX_CTL_LIMIT, &l) ||
	       ioctl(ctl, LLAMUX_CTL_PREFIX, &p);
}

static const struct call client_calls[] = {
	{ "open", nothing, run_open, after_open },
	{ "write", before_write, say, after_write },
	{ "read", before_turn, drain, after_turn },
	{ "prefill", before_turn, run_prefill, after_prefill },
	{ "fork", before_fork, run_fork, after_fork },
	{ "options", before_write, run_options, after_options },
	{ "grammar", before_write, run_grammar, after_grammar },
	{ "tokens", before_write, run_tokens, after_tokens },
	{ "results", before_results, run_results, after_results },
	{ "score", before_turn, run_score, after_score },
	{ "embed", before_write, run_embed, after_embed },
	{ "/proc/llamux/prompt", nothing, run_prompt, after_again },
	{ "/proc/llamux", nothing, run_proc, after_proc },
	{ "attributes, limits, prefixes", nothing, run_control,
	  after_control },
};

int main(void)
{
	int ret = begin(gettid());

	if (ret)
		return ret;
	for (size_t i = 0; i < sizeof(client_calls) / sizeof(client_calls[0]);
	     i++)
		sweep(&client_calls[i]);
	return check_end();
}
