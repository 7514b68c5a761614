// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux top: conversations, speed and memory of the module, as they are now.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "proc.h"
#include "tool.h"

enum { OPT_ROOT = 0x100 };

#define LEAST_DELAY_U 100000

/* What the module said at one moment. */
struct sample {
	double when;			/* seconds */
	char *status, *stats;
	struct proc_table models, sessions;
};

struct top {
	const char *root;
	uint32_t delay_u;		/* millionths of a second */
	uint32_t times;			/* 0: for ever */
	bool screen;			/* a terminal is drawn on */
	struct termios saved;
	int rows, columns;		/* of it */
	struct sample now, before;	/* before.when == 0: there is none */
	char error[PATH_MAX + 64];	/* why the last sample was not taken */
};

static void sample_free(struct sample *s)
{
	free(s->status);
	free(s->stats);
	proc_table_free(&s->models);
	proc_table_free(&s->sessions);
	memset(s, 0, sizeof(*s));
}

static const char *path_of(const struct top *t, char path[PATH_MAX],
			   const char *name)
{
	snprintf(path, PATH_MAX, "%s/proc/llamux/%s", t->root, name);
	return path;
}

static int sample_take(struct top *t, struct sample *s)
{
	char path[PATH_MAX];
	struct timespec ts;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	memset(s, 0, sizeof(*s));
	s->when = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	s->status = proc_list_read(path_of(t, path, "status"));
	if (!s->status) {
		ret = errno == ENOENT ? -ENXIO : -errno;
		snprintf(t->error, sizeof(t->error),
			 "there is no %s: load the module (modprobe llamux)",
			 path);
		return ret;
	}
	s->stats = proc_list_read(path_of(t, path, "stats"));
	ret = proc_table_read(&s->models, path_of(t, path, "models"));
	if (!ret)
		ret = proc_table_read(&s->sessions,
				      path_of(t, path, "sessions"));
	if (!ret && !s->stats)
		ret = -EIO;
	snprintf(t->error, sizeof(t->error), "%s: %s", path,
		 llamux_strerror(ret));
	return ret;
}

/* ---- speeds: what has changed since the sample before ---- */

static double per_second(const struct top *t, uint64_t now, uint64_t before)
{
	double passed = t->now.when - t->before.when;

	if (!t->before.when || passed <= 0 || now < before)
		return 0;
	return (double)(now - before) / passed;
}

static double rate_of(const struct top *t, const char *key)
{
	return per_second(t, proc_list_u64(t->now.stats, key),
			  t->before.stats ?
			  proc_list_u64(t->before.stats, key) : 0);
}

/* Of a session, which has an id of its own for ever; 0 when it is new. */
static double session_rate(const struct top *t, size_t row, const char *column)
{
	uint64_t id = proc_cell_u64(&t->now.sessions, row, "id");

	for (size_t i = 0; i < t->before.sessions.n_rows; i++)
		if (proc_cell_u64(&t->before.sessions, i, "id") == id)
			return per_second(t,
				proc_cell_u64(&t->now.sessions, row, column),
				proc_cell_u64(&t->before.sessions, i, column));
	return 0;
}

/* ---- text ---- */

/* A line, as wide as the screen at most. False: the screen is full. */
static bool line(struct top *t, int *row, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static bool line(struct top *t, int *row, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (t->screen && ++*row >= t->rows)
		return false;
	if (t->screen && t->columns < (int)sizeof(text))
		text[t->columns] = '\0';
	print_escaped(stdout, text, strlen(text));
	fputs(t->screen ? "\033[K\n" : "\n", stdout);
	return true;
}

static const char *user_of(uint64_t uid, char buf[16])
{
	const struct passwd *pw = getpwuid((uid_t)uid);

	if (pw)
		snprintf(buf, 16, "%.12s", pw->pw_name);
	else
		snprintf(buf, 16, "%" PRIu64, uid);
	return buf;
}

static void head_text(struct top *t, int *row)
{
	const struct sample *s = &t->now;
	char simd[32] = "-", total[16], weights[16], kv[16];

	proc_list_get(s->status, "simd", simd, sizeof(simd));
	line(t, row, "llamux: %" PRIu64 " conversations, %" PRIu64 " threads, %s",
	     proc_list_u64(s->status, "sessions"),
	     proc_list_u64(s->status, "threads"), simd);
	line(t, row, "memory: %s: weights %s, KV %s",
	     human(proc_list_u64(s->status, "total"), total),
	     human(proc_list_u64(s->status, "weights"), weights),
	     human(proc_list_u64(s->status, "kv"), kv));
	line(t, row, "tokens per second: prompts %.1f, answers %.1f; sections p99.9 %" PRIu64 " us",
	     rate_of(t, "prompt_tokens"), rate_of(t, "answer_tokens"),
	     proc_list_u64(s->stats, "fpu_sections_p99.9_us"));
}

static void models_text(struct top *t, int *row)
{
	const struct proc_table *m = &t->now.models;
	char bytes[16];

	line(t, row, "%s", "");
	line(t, row, "%-24s %-9s %-8s %-8s %10s", "MODEL", "STATE", "ARCH",
	     "TYPE", "MEMORY");
	for (size_t i = 0; i < m->n_rows; i++)
		line(t, row, "%-24s %-9s %-8s %-8s %10s",
		     proc_cell(m, i, "name"), proc_cell(m, i, "state"),
		     proc_cell(m, i, "arch"), proc_cell(m, i, "type"),
		     human(proc_cell_u64(m, i, "bytes"), bytes));
}

static void sessions_text(struct top *t, int *row)
{
	const struct proc_table *s = &t->now.sessions;
	char user[16], kv[16];

	line(t, row, "%s", "");
	line(t, row, "%6s %-12s %7s %-8s %7s %8s %8s %10s %5s %s", "ID", "USER",
	     "PID", "STATE", "PAST", "PROMPT/s", "ANSWER/s", "KV", "CPU%",
	     "MODEL");
	for (size_t i = 0; i < s->n_rows; i++)
		if (!line(t, row, "%6s %-12s %7s %-8s %7s %8.1f %8.1f %10s %5.0f %s",
			  proc_cell(s, i, "id"),
			  user_of(proc_cell_u64(s, i, "uid"), user),
			  proc_cell(s, i, "pid"), proc_cell(s, i, "state"),
			  proc_cell(s, i, "past"),
			  session_rate(t, i, "prompt_tokens"),
			  session_rate(t, i, "answer_tokens"),
			  human(proc_cell_u64(s, i, "kv_bytes"), kv),
			  session_rate(t, i, "cpu_ns") / 1e7,
			  proc_cell(s, i, "model")))
			break;
}

static void print_text(struct top *t)
{
	struct winsize w;
	int row = 0;

	if (t->screen) {
		t->rows = 24;
		t->columns = 80;
		if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_row) {
			t->rows = w.ws_row;
			t->columns = w.ws_col;
		}
		fputs("\033[H", stdout);
	}
	head_text(t, &row);
	models_text(t, &row);
	sessions_text(t, &row);
	fputs(t->screen ? "\033[J" : "", stdout);
}

static void print_json(struct top *t)
{
	const struct proc_table *s = &t->now.sessions;
	struct json j;

	json_start(&j, stdout);
	json_open(&j, NULL, '{');
	json_u64(&j, "sessions", proc_list_u64(t->now.status, "sessions"));
	json_u64(&j, "memory", proc_list_u64(t->now.status, "total"));
	json_real(&j, "prompt_tps", rate_of(t, "prompt_tokens"));
	json_real(&j, "answer_tps", rate_of(t, "answer_tokens"));
	json_open(&j, "list", '[');
	for (size_t i = 0; i < s->n_rows; i++) {
		json_open(&j, NULL, '{');
		json_u64(&j, "id", proc_cell_u64(s, i, "id"));
		json_u64(&j, "uid", proc_cell_u64(s, i, "uid"));
		json_s64(&j, "pid", atoll(proc_cell(s, i, "pid")));
		json_str(&j, "model", proc_cell(s, i, "model"));
		json_str(&j, "state", proc_cell(s, i, "state"));
		json_u64(&j, "past", proc_cell_u64(s, i, "past"));
		json_u64(&j, "kv_bytes", proc_cell_u64(s, i, "kv_bytes"));
		json_real(&j, "prompt_tps", session_rate(t, i, "prompt_tokens"));
		json_real(&j, "answer_tps", session_rate(t, i, "answer_tokens"));
		json_real(&j, "cpu", session_rate(t, i, "cpu_ns") / 1e9);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
}

/* ---- the screen ---- */

/* Ctrl-Z: the terminal is given back before we stop. */
static volatile sig_atomic_t stop_wanted;

static void on_stop(int sig)
{
	(void)sig;
	stop_wanted = 1;
}

/* It ends a poll, but not a line that is being written. */
static void end_by(int sig)
{
	struct sigaction sa;

	interrupt_by(sig);
	sigaction(sig, NULL, &sa);
	sa.sa_flags |= SA_RESTART;
	sigaction(sig, &sa, NULL);
}

/* The other screen, no cursor, keys as they are pressed. */
static void screen_open(struct top *t)
{
	struct sigaction sa = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
	struct termios raw;

	sigaction(SIGTSTP, &sa, NULL);
	end_by(SIGINT);
	end_by(SIGTERM);
	end_by(SIGHUP);
	tcgetattr(STDIN_FILENO, &t->saved);
	raw = t->saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\033[?1049h\033[?25l", stdout);
}

static void screen_close(struct top *t)
{
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &t->saved);
}

/* Till the next sample is due. False: enough, a key or a signal says. */
static bool wait_next(struct top *t, uint32_t delay_u)
{
	struct pollfd pfd = { .fd = STDIN_FILENO, .events = POLLIN };
	int n = poll(&pfd, t->screen, (int)(delay_u / 1000));
	char key;

	if (stop_wanted) {
		stop_wanted = 0;
		screen_close(t);
		raise(SIGSTOP);
		screen_open(t);
		return true;
	}
	if (n <= 0)
		return !interrupted();
	return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' &&
	       !interrupted();
}

/* Speeds need two samples: the first one is not shown, and soon over. */
static int watch(struct top *t, bool json)
{
	uint32_t delay = t->delay_u < 500000 ? t->delay_u : 500000;
	int ret = sample_take(t, &t->before);

	if (!ret && t->screen)
		screen_open(t);
	for (uint32_t n = 0; !ret && (!t->times || n < t->times); n++) {
		if (!wait_next(t, n ? t->delay_u : delay))
			break;
		ret = sample_take(t, &t->now);
		if (ret)
			break;
		if (n && !t->screen && !json)
			putchar('\n');
		if (json)
			print_json(t);
		else
			print_text(t);
		if (fflush(stdout))
			break;
		sample_free(&t->before);
		t->before = t->now;
		memset(&t->now, 0, sizeof(t->now));
	}
	if (t->before.when && t->screen)
		screen_close(t);
	sample_free(&t->before);
	sample_free(&t->now);
	return ret ? fail(ret, "%s", t->error) : EXIT_OK;
}

static int handle_top(void *ctx, int val, const char *arg)
{
	struct top *t = ctx;

	switch (val) {
	case 'd':
		if (!parse_millionths("--delay", arg, &t->delay_u))
			return EXIT_USAGE;
		return t->delay_u >= LEAST_DELAY_U ? EXIT_OK :
			usage_error("--delay: 0.1 at least");
	case 'n':
		return parse_u32("--times", arg, 1, UINT32_MAX, &t->times) ?
			EXIT_OK : EXIT_USAGE;
	default:
		t->root = strcmp(arg, "/") ? arg : "";
		return EXIT_OK;
	}
}

static int main_top(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "delay", required_argument, NULL, 'd' },
		{ "times", required_argument, NULL, 'n' },
		{ "root", required_argument, NULL, OPT_ROOT },
		{ 0 }
	};
	struct top t = { .root = "", .delay_u = 2000000 };
	int ret;

	ret = parse_options(g, argc, argv, &command_top, "d:n:", options,
			    handle_top, &t);
	if (ret)
		return ret;
	if (optind < argc)
		return usage_error("top takes no argument '%s'", argv[optind]);
	if (g->user)
		return usage_error("top is for the module, not for --user");
	t.screen = !g->json && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
	if (!t.screen && !t.times)
		t.times = 1;
	interrupt_watch(NULL);
	return watch(&t, g->json);
}

const struct command command_top = {
	.name = "top",
	.args = "",
	.summary = "Watch conversations, speed and memory; q ends",
	.options =
	"  -d, --delay S       seconds between two looks (2)\n"
	"  -n, --times N       look N times; 1 when this is no terminal\n"
	"  --root DIR          of the system below DIR\n",
	.main = main_top,
};
