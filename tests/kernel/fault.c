// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocations and copies that fail, one after the other: each call is made
 * again and again with its first, second, ... allocation failing (fail-nth of
 * /proc/PID/task/TID, Documentation/fault-injection), till it needs no more
 * than did not fail. Only one thread is hit: ours, or a model's.
 *
 *	fault client		calls of /dev/llama and /dev/llamactl, our thread
 *	fault thread TID	turns, the model's thread
 *	fault wake TID		models that are loaded again, the model's thread
 *	fault storm TID		all of a thread's allocations fail, for a while
 *	fault load FILE		FILE is loaded beside "m" and is the default a
 *				while; our thread
 *
 * A call that fails says ENOMEM or EFAULT and has lost nothing: made again, it
 * gives what it gives where nothing fails. Models are called "m" and "n".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/llamux.h>
#include "check.h"

#define SIZE 8192
#define MOST 4000	/* faults of one call */
#define WORDS 150	/* of the prompt: three pages of KV */
#define FEW 64		/* bytes where each costs a copy */

static int nth_fd, ctl, fd = -1, child = -1;
static char text[SIZE], want[SIZE], prompt[SIZE];
static size_t n_text, n_prompt;
static const char *file;

/* ---- the fault ---- */

static int open_nth(long tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/fail-nth", tid, tid);
	return open(path, O_RDWR | O_CLOEXEC);
}

static void arm(unsigned int n)
{
	char buf[16];
	int k = snprintf(buf, sizeof(buf), "%u", n);

	if (pwrite(nth_fd, buf, k, 0) != k) {
		perror("fail-nth");
		exit(1);
	}
}

/*
 * Was there a fault? Reading and writing the number are copies that count
 * themselves.
 */
static int disarm(void)
{
	char buf[16] = "";
	ssize_t k = pread(nth_fd, buf, sizeof(buf) - 1, 0);

	while (pwrite(nth_fd, "0", 1, 0) != 1)
		;
	return k > 0 && !atoi(buf);
}

/* ---- conversations ---- */

static int failed(void)
{
	return -errno;
}

static int session(unsigned int max)
{
	struct llamux_params p;

	fd = open("/dev/llama", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LLAMUX_IOC_GET_PARAMS, &p))
		return failed();
	p.temperature_u = 0;
	p.max_tokens = max;
	p.flags = LLAMUX_RAW | LLAMUX_IGNORE_EOG;
	p.n_logprobs = 1;
	n_text = 0;
	return ioctl(fd, LLAMUX_IOC_SET_PARAMS, &p) ? failed() : 0;
}

/* What was not yet written of the prompt. */
static int say(void)
{
	static size_t done;
	ssize_t k;

	if (!n_text)
		done = 0;
	n_text = 1;
	while (done < n_prompt) {
		k = write(fd, prompt + done, n_prompt - done);
		if (k < 0)
			return failed();
		done += k;
	}
	n_text = 0;
	return 0;
}

static int drain_of(int from)
{
	ssize_t k;

	while ((k = read(from, text + n_text, SIZE - 1 - n_text)) > 0)
		n_text += k;
	text[n_text] = '\0';
	return k < 0 ? failed() : 0;
}

static int drain(void)
{
	return drain_of(fd);
}

static int as_wanted(void)
{
	return strcmp(text, want);
}

static void done(void)
{
	close(fd);
	fd = -1;
}

/* ---- calls ---- */

static int nothing(void)
{
	return 0;
}

static int run_open(void)
{
	fd = open("/dev/llama", O_RDWR | O_CLOEXEC);
	return fd < 0 ? failed() : 0;
}

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

static int before_turn(void)
{
	return session(6) ?: say();
}

static int after_turn(int err)
{
	int bad = drain() || as_wanted();

	done();
	return bad;
}

static struct llamux_choice scores[2], good_scores[2];

static int run_score(void)
{
	static const __u32 ends[2] = { 4, 9 };
	struct llamux_score s = {
		.text = (unsigned long)" cat house", .len = 9,
		.ends = (unsigned long)ends, .n = 2,
		.choices = (unsigned long)scores,
	};

	return ioctl(fd, LLAMUX_IOC_SCORE, &s) ? failed() : 0;
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

/* The conversation is what it was: it is answered as if it were not asked. */
static int after_score(int err)
{
	int bad = (err && run_score()) ||
		  memcmp(scores, good_scores, sizeof(scores)) || drain() ||
		  as_wanted();

	done();
	return bad;
}

static float vector[8192], good_vector[8192];

static int run_embed(void)
{
	struct llamux_embed e = {
		.text = (unsigned long)prompt, .len = FEW,
		.embedding = (unsigned long)vector, .n = 8192,
	};

	return ioctl(fd, LLAMUX_IOC_EMBED, &e) ? failed() : 0;
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

/* Loaded, the default; then the old one again, and unloaded. */
static int run_swap(void)
{
	__s32 f = open(file, O_RDONLY | O_CLOEXEC);
	struct llamux_load l = {
		.fds = (unsigned long)&f, .n_fds = 1, .n_ctx = 1024,
		.flags = LLAMUX_LOAD_DEFAULT, .name = "n",
	};
	struct llamux_name m = { "m" }, n = { "n" };
	int err = f < 0 || ioctl(ctl, LLAMUX_CTL_LOAD, &l) ||
		  ioctl(ctl, LLAMUX_CTL_DEFAULT, &m) ||
		  ioctl(ctl, LLAMUX_CTL_UNLOAD, &n) ? failed() : 0;

	close(f);
	return err;
}

static int after_swap(int err)
{
	struct llamux_name m = { "m" }, n = { "n" };

	if (ioctl(ctl, LLAMUX_CTL_DEFAULT, &m))
		return -1;
	ioctl(ctl, LLAMUX_CTL_UNLOAD, &n);	/* if it is there */
	return (err && run_swap()) || session(6) || say() || after_turn(0);
}

/* ---- the model's thread ---- */

static void drop_caches(void)
{
	int c = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (write(c, "2", 1) != 1)
		perror("drop_caches");
	close(c);
}

static int before_cold(void)
{
	drop_caches();
	return before_turn();
}

/* A turn that could not be computed has ended; it is asked anew. */
static int after_cold(int err)
{
	int bad = 0;

	if (err) {
		bad = ioctl(fd, LLAMUX_IOC_RESET);
		n_text = 0;
		bad = bad || say();
	}
	return after_turn(0) || bad;
}

static const char *state_of_m(void)
{
	static char line[4096];
	char *p;
	int f = open("/proc/llamux/models", O_RDONLY);
	ssize_t k = read(f, line, sizeof(line) - 1);

	close(f);
	line[k < 0 ? 0 : k] = '\0';
	p = strstr(line, "\nm ");
	return p ? p + 3 + strspn(p + 3, " ") : "";
}

static int before_wake(void)
{
	for (int i = 0; strncmp(state_of_m(), "asleep", 6); i++) {
		if (i == 1000)
			return -ETIME;
		usleep(10000);
	}
	n_text = 0;
	return run_open();
}

static int run_wake(void)
{
	struct llamux_info info;

	return ioctl(fd, LLAMUX_IOC_INFO, &info) ? failed() : 0;
}

/* Every waking costs a second of sleep: only now and then. */
static int after_wake(int err)
{
	static unsigned int n;
	int bad = 0;

	if (!err || !(++n % 16)) {
		done();
		bad = session(6) || say() || drain() || as_wanted();
	}
	done();
	return bad;
}

/* ---- one after the other ---- */

struct call {
	const char *name;
	int (*before)(void);		/* no faults */
	int (*run)(void);		/* 0 or -errno */
	int (*after)(int err);		/* no faults; not 0: it is wrong */
	int thin;			/* long: the later, the fewer */
};

static int is_clear(int err)
{
	return !err || err == -ENOMEM || err == -EFAULT;
}

static void sweep(const struct call *c)
{
	unsigned int nth = 0, tries = 0, errors = 0;
	int err = 0, fired = 1, bad = 0;
	char what[160];

	while (fired && nth < MOST && !bad) {
		nth += 1 + (c->thin ? nth / 8 : 0);
		tries++;
		bad = c->before();
		if (bad)
			break;
		arm(nth);
		err = c->run();
		fired = disarm();
		errors += err != 0;
		if (!is_clear(err) || (err && !fired))
			bad = 1;
		if (c->after(err))
			bad |= 2;
	}
	snprintf(what, sizeof(what), "%s: %u faults, %u errors%s", c->name,
		 tries - !fired, errors, bad & 1 ? ", not a clear one" :
		 bad & 2 ? ", the next try fails" : "");
	if (bad)
		printf("     fault %u, error %d, text \"%s\"\n", nth, err,
		       text);
	CHECK(what, !bad && !fired);
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
}, thread_calls[] = {
	{ "a turn, the model's thread", before_cold, drain, after_cold },
	{ "score, the model's thread", before_cold, run_score, after_score },
}, swap_call = {
	"load, swap, unload", nothing, run_swap, after_swap
}, wake_call = {
	"load, the model's thread", before_wake, run_wake, after_wake, 1
};

#define SWEEP(calls) \
	for (size_t i_ = 0; i_ < sizeof(calls) / sizeof(calls[0]); i_++) \
		sweep(&(calls)[i_])

/* ---- a storm: nothing can be had ---- */

static void knob(const char *name, const char *value)
{
	static const char *const dirs[] = { "failslab", "fail_page_alloc" };
	char path[96];

	for (int i = 0; i < 2; i++) {
		int f;

		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", dirs[i],
			 name);
		f = open(path, O_WRONLY);
		if (f < 0 || write(f, value, strlen(value)) < 0)
			printf("     %s: %s\n", path, strerror(errno));
		close(f);
	}
}

static void make_it_fail(long tid, const char *value)
{
	char path[64];
	int f;

	snprintf(path, sizeof(path), "/proc/%ld/make-it-fail", tid);
	f = open(path, O_WRONLY);
	if (f < 0 || write(f, value, 1) != 1)
		perror(path);
	close(f);
}

static void storm(long tid)
{
	int err, all = 1;

	make_it_fail(tid, "1");
	for (int percent = 10; percent <= 100; percent += 10) {
		char value[8];

		snprintf(value, sizeof(value), "%d", percent);
		if (before_cold())
			exit(1);
		knob("probability", value);
		err = drain();
		knob("probability", "0");
		all &= is_clear(err) && !after_cold(err);
		printf("     %d%% of the model's allocations fail: %s\n",
		       percent, err ? strerror(-err) : "answered");
	}
	CHECK("a storm of failing allocations ends in clear errors", all);
	CHECK("where none succeeds, no turn does", err == -ENOMEM);
	make_it_fail(tid, "0");
}

/* What the calls give where nothing fails. */
static int learn(void)
{
	static const char *const w[] = { "time ", "the ", "cat ", "saw ",
					 "little " };

	for (int i = 0; i < WORDS; i++)
		n_prompt += sprintf(prompt + n_prompt, "%s", w[i * i % 5]);
	n_prompt--;	/* the last space: detokenized as it was */
	prompt[n_prompt] = '\0';
	if (before_turn() || drain() || !n_text)
		return -1;
	strcpy(want, text);
	done();
	if (before_turn() || run_score())
		return -1;
	memcpy(good_scores, scores, sizeof(scores));
	done();
	if (session(6) || run_embed())
		return -1;
	memcpy(good_vector, vector, sizeof(vector));
	done();
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long tid = argc > 2 && atol(argv[2]) ? atol(argv[2]) : gettid();

	/* Our own memory is there: only calls are to fail. */
	mlockall(MCL_CURRENT | MCL_FUTURE);
	nth_fd = open_nth(strcmp(what, "storm") ? tid : gettid());
	file = argc > 2 ? argv[2] : NULL;
	if (nth_fd < 0)
		return 77;
	ctl = open("/dev/llamactl", O_RDWR | O_CLOEXEC);
	if (learn()) {
		perror("learn");
		return 1;
	}
	if (!strcmp(what, "client"))
		SWEEP(client_calls);
	else if (!strcmp(what, "thread"))
		SWEEP(thread_calls);
	else if (!strcmp(what, "wake"))
		sweep(&wake_call);
	else if (!strcmp(what, "load"))
		sweep(&swap_call);
	else if (!strcmp(what, "storm"))
		storm(tid);
	return check_end();
}
