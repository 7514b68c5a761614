// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocations that fail where a model is loaded, or in its threads: fault.h.
 *
 *	fault_model thread TID	turns, the model's thread
 *	fault_model wake TID	models that are loaded again, the model's thread
 *	fault_model storm TID...	all allocations of some threads fail,
 *				for a while
 *	fault_model load FILE [MEMORY]	FILE is loaded beside "m" and is the
 *				default a while, streamed where there is a
 *				MEMORY; our thread
 */
#define _GNU_SOURCE
#include "fault.h"

static const char *file;
static unsigned long memory;	/* that it may take, streamed; 0: it is not */

/* ---- loading ---- */

/* Loaded, the default; then the old one again, and unloaded. */
static int run_swap(void)
{
	__s32 f = open(file, O_RDONLY | O_CLOEXEC | (memory ? O_DIRECT : 0));
	struct llamux_load l = {
		.fds = (unsigned long)&f, .n_fds = 1, .n_ctx = 1024,
		.flags = LLAMUX_LOAD_DEFAULT |
			 (memory ? LLAMUX_LOAD_STREAM : 0),
		.memory = memory, .name = "n",
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

static const struct call thread_calls[] = {
	{ "a turn, the model's thread", before_cold, drain, after_cold },
	{ "score, the model's thread", before_cold, run_score, after_score },
}, swap_call = {
	"load, swap, unload", nothing, run_swap, after_swap
}, wake_call = {
	"load, the model's thread", before_wake, run_wake, after_wake, 1
};

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

/* @tids: the model's own thread, or those that read for it. */
static void storm(char **tids, int n)
{
	int err, all = 1;

	for (int i = 0; i < n; i++)
		make_it_fail(atol(tids[i]), "1");
	for (int percent = 10; percent <= 100; percent += 10) {
		char value[8];

		snprintf(value, sizeof(value), "%d", percent);
		if (before_cold())
			exit(1);
		knob("probability", value);
		err = drain();
		knob("probability", "0");
		all &= is_clear(err) && !after_cold(err);
		printf("     %d%% of their allocations fail: %s\n", percent,
		       err ? strerror(-err) : "answered");
	}
	CHECK("a storm of failing allocations ends in clear errors", all);
	CHECK("where none succeeds, no turn does", err == -ENOMEM);
	for (int i = 0; i < n; i++)
		make_it_fail(atol(tids[i]), "0");
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	int thread = !strcmp(what, "thread"), wake = !strcmp(what, "wake");
	int ret = begin(thread || wake ? atol(argv[2]) : gettid());

	if (ret)
		return ret;
	for (int i = 0; thread && i < 2; i++)
		sweep(&thread_calls[i]);
	if (wake)
		sweep(&wake_call);
	if (!strcmp(what, "storm"))
		storm(argv + 2, argc - 2);
	if (!strcmp(what, "load")) {
		file = argv[2];
		memory = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;
		sweep(&swap_call);
	}
	return check_end();
}
