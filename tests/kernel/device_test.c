// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /dev/llama does for open, read, write, poll, O_NONBLOCK, signals,
 * close and its ioctls. A model must be loaded and be the default.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/llamux.h>
#include "check.h"

#define PROMPT "Once upon a time"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* A greedy session of at most @max tokens, prompt taken as it is. */
static int session(int flags, unsigned int max)
{
	struct llamux_params p;
	int fd = open("/dev/llama", O_RDWR | O_CLOEXEC | flags);

	if (fd < 0 || ioctl(fd, LLAMUX_IOC_GET_PARAMS, &p))
		return -1;
	p.temperature_u = 0;
	p.max_tokens = max;
	p.flags = LLAMUX_RAW | LLAMUX_IGNORE_EOG;
	return ioctl(fd, LLAMUX_IOC_SET_PARAMS, &p) ? -1 : fd;
}

static short events(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&p, 1, timeout) < 0 ? -1 : p.revents;
}

static int readable(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout) == 1 && p.revents & POLLIN;
}

/* All of an answer; its length, or -1. */
static ssize_t drain(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t k;

	while ((k = read(fd, buf + n, size - 1 - n)) > 0)
		n += k;
	buf[n] = '\0';
	return k < 0 ? -1 : (ssize_t)n;
}

static void test_open(void)
{
	void *volatile bad = (void *)8;
	char buf[16];
	int fd = open("/dev/llama", O_RDWR | O_CLOEXEC);

	CHECK("open", fd >= 0);
	CHECK("idle: poll says writable only", events(fd, 0) == POLLOUT);
	CHECK("idle: read gives end of file", read(fd, buf, sizeof(buf)) == 0);
	CHECK("idle: write of nothing", write(fd, "", 0) == 0);
	FAILS("lseek", lseek(fd, 0, SEEK_SET), ESPIPE);
	FAILS("write from a bad address", write(fd, bad, 4), EFAULT);
	close(fd);
}

static void test_turn(void)
{
	char one[4096], two[4096], buf[4096];
	ssize_t n, m;
	int fd = session(0, 24);

	CHECK("write", write(fd, PROMPT, strlen(PROMPT)) == strlen(PROMPT));
	CHECK("pending: readable and writable",
	      events(fd, 0) == (POLLIN | POLLOUT));
	n = drain(fd, one, sizeof(one));
	CHECK("answer", n > 0);
	CHECK("after the end: end of file again", read(fd, buf, 1) == 0);
	CHECK("next turn: write", write(fd, PROMPT, strlen(PROMPT)) > 0);
	CHECK("next turn: answer", drain(fd, buf, sizeof(buf)) > 0);
	close(fd);

	fd = session(0, 24);
	CHECK("two writes are one prompt", write(fd, PROMPT, 4) == 4 &&
	      write(fd, PROMPT + 4, strlen(PROMPT) - 4) > 0);
	for (n = 0; (m = read(fd, two + n, 1)) == 1; n++)
		;
	two[n] = '\0';
	CHECK("byte by byte: the same answer", m == 0 && !strcmp(one, two));
	close(fd);
}

static void test_busy(void)
{
	char buf[4096];
	int fd = session(0, 0);
	struct llamux_params p;
	struct llamux_stats st;

	write(fd, PROMPT, strlen(PROMPT));
	CHECK("first bytes", read(fd, buf, 1) == 1);
	FAILS("write in mid-turn", write(fd, "x", 1), EBUSY);
	ioctl(fd, LLAMUX_IOC_STATS, &st);
	if (st.state == 2) {
		ioctl(fd, LLAMUX_IOC_GET_PARAMS, &p);
		FAILS("set parameters in mid-turn",
		      ioctl(fd, LLAMUX_IOC_SET_PARAMS, &p), EBUSY);
		FAILS("reset in mid-turn", ioctl(fd, LLAMUX_IOC_RESET), EBUSY);
	} else {
		SKIP("set parameters, reset in mid-turn: it was over already");
	}
	CHECK("drain", drain(fd, buf, sizeof(buf)) >= 0);
	CHECK("then write", write(fd, "x", 1) == 1);
	CHECK("reset drops it", ioctl(fd, LLAMUX_IOC_RESET) == 0 &&
	      read(fd, buf, 1) == 0);
	close(fd);
}

static void test_nonblock(void)
{
	char blocking[4096], buf[4096];
	size_t n = 0;
	ssize_t k;
	int fd = session(0, 24), waits = 0;

	write(fd, PROMPT, strlen(PROMPT));
	drain(fd, blocking, sizeof(blocking));
	close(fd);

	fd = session(O_NONBLOCK, 24);
	CHECK("O_NONBLOCK: idle read is end of file", read(fd, buf, 1) == 0);
	write(fd, PROMPT, strlen(PROMPT));
	CHECK("pending is readable", readable(fd, 0));
	FAILS("the read starts the turn", read(fd, buf, sizeof(buf)), EAGAIN);
	while (readable(fd, 20000)) {
		k = read(fd, buf + n, sizeof(buf) - 1 - n);
		if (k == 0)
			break;
		if (k < 0 && errno == EAGAIN && ++waits < 1000)
			continue;
		if (k < 0)
			break;
		n += k;
	}
	buf[n] = '\0';
	CHECK("poll and read: the same answer", !strcmp(buf, blocking));
	CHECK("poll did not lie", waits == 0);
	CHECK("idle again: not readable", !readable(fd, 0));
	close(fd);
}

static void on_alarm(int sig)
{
}

static void test_signals(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	char buf[4096];
	pid_t pid;
	int fd, status;
	double t;

	sigaction(SIGALRM, &sa, NULL);
	fd = session(0, 400);
	write(fd, PROMPT, strlen(PROMPT));
	ualarm(2000, 2000);
	status = 0;
	while (1) {
		ssize_t k = read(fd, buf, sizeof(buf));

		if (k < 0 && errno == EINTR)
			status = 1;
		else if (k <= 0)
			break;
	}
	ualarm(0, 0);
	if (status)
		CHECK("a signal interrupts a read, the turn goes on", 1);
	else
		SKIP("a signal interrupts a read: never waited");
	close(fd);

	pid = fork();
	if (!pid) {
		signal(SIGALRM, SIG_DFL);
		fd = session(0, 0);
		write(fd, PROMPT, strlen(PROMPT));
		while (read(fd, buf, sizeof(buf)) > 0)
			;
		pause();
	}
	usleep(100000);
	t = now();
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	CHECK("kill in mid-turn", WIFSIGNALED(status));
	CHECK("and it goes within a second", now() - t < 1.0);
}

static void test_close(void)
{
	char buf[64];
	double t, worst = 0;
	int i, fd;

	for (i = 0; i < 20; i++) {
		fd = session(0, 0);
		write(fd, PROMPT, strlen(PROMPT));
		read(fd, buf, i % 3 + 1);
		t = now();
		close(fd);
		if (now() - t > worst)
			worst = now() - t;
	}
	printf("     slowest close in mid-turn: %.1f ms\n", worst * 1e3);
	CHECK("close in mid-turn does not wait", worst < 0.5);
}

static void *canceller(void *arg)
{
	usleep(50000);
	ioctl(*(int *)arg, LLAMUX_IOC_CANCEL);
	return NULL;
}

static void test_cancel(void)
{
	struct llamux_stats st;
	char buf[65536];
	pthread_t t;
	int fd = session(0, 0);

	write(fd, PROMPT, strlen(PROMPT));
	pthread_create(&t, NULL, canceller, &fd);
	CHECK("cancel ends the answer", drain(fd, buf, sizeof(buf)) >= 0);
	pthread_join(t, NULL);
	ioctl(fd, LLAMUX_IOC_RESET);
	write(fd, PROMPT, strlen(PROMPT));
	read(fd, buf, 1);
	CHECK("cancel", ioctl(fd, LLAMUX_IOC_CANCEL) == 0);
	CHECK("the rest", drain(fd, buf, sizeof(buf)) >= 0);
	ioctl(fd, LLAMUX_IOC_STATS, &st);
	CHECK("finish says cancelled", st.finish == LLAMUX_FINISH_CANCELLED);
	CHECK("the session lives on", write(fd, PROMPT, 4) == 4 &&
	      read(fd, buf, 1) >= 0);
	CHECK("cancel when idle is nothing",
	      ioctl(fd, LLAMUX_IOC_CANCEL) == 0);
	close(fd);
}

static void test_newline(void)
{
	char a[4096], b[4096];
	struct llamux_params p;
	int fd;

	fd = session(0, 16);
	ioctl(fd, LLAMUX_IOC_GET_PARAMS, &p);
	p.flags &= ~LLAMUX_RAW;
	ioctl(fd, LLAMUX_IOC_SET_PARAMS, &p);
	write(fd, PROMPT, strlen(PROMPT));
	drain(fd, a, sizeof(a));
	ioctl(fd, LLAMUX_IOC_RESET);
	write(fd, PROMPT "\n", strlen(PROMPT) + 1);
	drain(fd, b, sizeof(b));
	CHECK("echo's newline does not count", !strcmp(a, b));
	ioctl(fd, LLAMUX_IOC_RESET);
	write(fd, "\n", 1);
	CHECK("a newline alone is no prompt", read(fd, b, sizeof(b)) == 0);
	close(fd);
}

static void test_info(void)
{
	struct llamux_info info, big[2];
	struct llamux_name name = {};
	struct llamux_params p;
	int fd = open("/dev/llama", O_RDWR | O_CLOEXEC);

	memset(&info, 0xff, sizeof(info));
	CHECK("info", ioctl(fd, LLAMUX_IOC_INFO, &info) == 0);
	CHECK("info: a name, a vocabulary, a context",
	      *info.model && info.n_vocab && info.n_ctx);
	memset(big, 0xff, sizeof(big));
	CHECK("info: a newer caller's fields are zeroed",
	      ioctl(fd, _IOR(LLAMUX_IOC_MAGIC, 0, big), big) == 0 &&
	      !big[1].features && !big[1].n_embd);
	FAILS("info: too small", ioctl(fd, _IOR(LLAMUX_IOC_MAGIC, 0, int), big),
	      EINVAL);
	FAILS("unknown number", ioctl(fd, _IO(LLAMUX_IOC_MAGIC, 0x3f)), ENOTTY);
	FAILS("wrong magic", ioctl(fd, _IO('x', 0)), ENOTTY);
	FAILS("wrong direction",
	      ioctl(fd, _IOW(LLAMUX_IOC_MAGIC, 0, info), &info), ENOTTY);
	FAILS("bad pointer", ioctl(fd, LLAMUX_IOC_INFO, 8), EFAULT);

	strcpy(name.name, "no-such-model");
	FAILS("set model: none such", ioctl(fd, LLAMUX_IOC_SET_MODEL, &name),
	      ENODEV);
	strcpy(name.name, info.model);
	CHECK("set model", ioctl(fd, LLAMUX_IOC_SET_MODEL, &name) == 0);
	write(fd, "x", 1);
	FAILS("set model after a write",
	      ioctl(fd, LLAMUX_IOC_SET_MODEL, &name), EBUSY);
	memset(name.name, 'x', sizeof(name.name));
	FAILS("set model: not terminated",
	      ioctl(fd, LLAMUX_IOC_SET_MODEL, &name), EINVAL);

	ioctl(fd, LLAMUX_IOC_GET_PARAMS, &p);
	p.reserved = 1;
	FAILS("reserved field", ioctl(fd, LLAMUX_IOC_SET_PARAMS, &p), EINVAL);
	p.reserved = 0;
	p.flags = 0x80000000u;
	FAILS("unknown flag", ioctl(fd, LLAMUX_IOC_SET_PARAMS, &p), EINVAL);
	p.flags = 0;
	p.top_p_u = 1000001;
	FAILS("out of range", ioctl(fd, LLAMUX_IOC_SET_PARAMS, &p), EINVAL);
	close(fd);
}

static void test_grown(void)
{
	struct {
		struct llamux_params p;
		__u64 more;
	} g = {};
	int fd = open("/dev/llama", O_RDWR | O_CLOEXEC);

	ioctl(fd, LLAMUX_IOC_GET_PARAMS, &g.p);
	CHECK("a newer caller, nothing new used",
	      ioctl(fd, _IOW(LLAMUX_IOC_MAGIC, 2, g), &g) == 0);
	g.more = 1;
	FAILS("a newer caller, something new used",
	      ioctl(fd, _IOW(LLAMUX_IOC_MAGIC, 2, g), &g), E2BIG);
	close(fd);
}

static void test_tokens(void)
{
	__s32 ids[256], few[2], answer[64];
	char text[256];
	struct llamux_tokenize t = {
		.text = (unsigned long)PROMPT, .len = strlen(PROMPT),
		.ids = (unsigned long)ids, .n_ids = 256,
	};
	struct llamux_detokenize d = {
		.ids = (unsigned long)ids, .text = (unsigned long)text,
		.len = sizeof(text),
	};
	struct llamux_tokens a = { .ids = (unsigned long)answer, .n = 64 };
	struct llamux_stats st;
	char buf[4096];
	int fd = session(0, 8);

	CHECK("tokenize", ioctl(fd, LLAMUX_IOC_TOKENIZE, &t) == 0 &&
	      t.n_ids > 0 && t.n_ids <= 256);
	d.n_ids = t.n_ids;
	CHECK("detokenize", ioctl(fd, LLAMUX_IOC_DETOKENIZE, &d) == 0);
	CHECK("round trip", d.len == strlen(PROMPT) &&
	      !memcmp(text, PROMPT, d.len));
	t.ids = (unsigned long)few;
	t.n_ids = 1;
	FAILS("tokenize: no room", ioctl(fd, LLAMUX_IOC_TOKENIZE, &t), ENOSPC);
	CHECK("it says how much", t.n_ids == d.n_ids && few[0] == ids[0]);
	d.len = 1;
	FAILS("detokenize: no room", ioctl(fd, LLAMUX_IOC_DETOKENIZE, &d),
	      ENOSPC);
	CHECK("it says how much", d.len == strlen(PROMPT));
	ids[0] = -1;
	FAILS("detokenize: no such id", ioctl(fd, LLAMUX_IOC_DETOKENIZE, &d),
	      EINVAL);
	t.len = (16 << 20) + 1;
	FAILS("tokenize: too long", ioctl(fd, LLAMUX_IOC_TOKENIZE, &t),
	      EMSGSIZE);
	t.len = 4;
	t.text = 8;
	FAILS("tokenize: bad pointer", ioctl(fd, LLAMUX_IOC_TOKENIZE, &t),
	      EFAULT);
	t.flags = 0x100;
	FAILS("tokenize: bad flag", ioctl(fd, LLAMUX_IOC_TOKENIZE, &t), EINVAL);

	write(fd, PROMPT, strlen(PROMPT));
	drain(fd, buf, sizeof(buf));
	CHECK("stats", ioctl(fd, LLAMUX_IOC_STATS, &st) == 0 && st.n_gen > 0);
	CHECK("tokens", ioctl(fd, LLAMUX_IOC_TOKENS, &a) == 0 &&
	      a.n == st.n_gen);
	close(fd);
}

static void test_write_ioctl(void)
{
	struct llamux_write w = {
		.text = (unsigned long)PROMPT, .len = strlen(PROMPT),
		.role = LLAMUX_ROLE_USER,
	};
	char buf[4096];
	int fd = session(0, 8);

	CHECK("write by ioctl", ioctl(fd, LLAMUX_IOC_WRITE, &w) == 0);
	CHECK("and its answer", drain(fd, buf, sizeof(buf)) > 0);
	w.role = 3;
	FAILS("no such role", ioctl(fd, LLAMUX_IOC_WRITE, &w), EINVAL);
	w.role = 0;
	w.flags = 2;
	FAILS("no such flag", ioctl(fd, LLAMUX_IOC_WRITE, &w), EINVAL);
	w.flags = 0;
	w.len = (16 << 20) + 1;
	FAILS("too long", ioctl(fd, LLAMUX_IOC_WRITE, &w), EMSGSIZE);
	w.len = 16;
	w.text = ~0ull - 4;
	FAILS("bad pointer", ioctl(fd, LLAMUX_IOC_WRITE, &w), EFAULT);
	close(fd);
}

static void test_too_long(void)
{
	static char text[1 << 20];
	size_t done = 0;
	ssize_t n;
	char buf[64];
	int fd = session(0, 8);

	memset(text, 'x', sizeof(text));
	while ((n = write(fd, text, sizeof(text))) > 0 && done < 64 << 20)
		done += n;
	if (n < 0)
		CHECK("a prompt beyond any context", errno == EMSGSIZE);
	else
		SKIP("a prompt beyond any context: 64 MiB were taken");
	FAILS("starting it", read(fd, buf, sizeof(buf)), EMSGSIZE);
	CHECK("it is dropped", read(fd, buf, sizeof(buf)) == 0);
	CHECK("the session lives on", write(fd, PROMPT, strlen(PROMPT)) > 0 &&
	      read(fd, buf, sizeof(buf)) > 0);
	close(fd);
}

/* An answer that fills the context: EMSGSIZE from then on, till RESET. */
static void test_full(void)
{
	static char buf[1 << 16];
	struct llamux_stats st;
	int fd = session(0, 0), i;

	write(fd, PROMPT, strlen(PROMPT));
	CHECK("an answer to the context's end", drain(fd, buf, sizeof(buf)) > 0);
	ioctl(fd, LLAMUX_IOC_STATS, &st);
	CHECK("finish says so", st.finish == LLAMUX_FINISH_CONTEXT);
	for (i = 0; i < 2; i++) {
		write(fd, PROMPT, strlen(PROMPT));
		FAILS("no prompt fits any more", read(fd, buf, 1), EMSGSIZE);
	}
	CHECK("reset", ioctl(fd, LLAMUX_IOC_RESET) == 0);
	write(fd, PROMPT, strlen(PROMPT));
	CHECK("and on it goes", read(fd, buf, 1) == 1);
	close(fd);
}

static struct {
	int fd, odd;
	volatile int stop;
} evals;

static void *evaluate(void *arg)
{
	static __s32 ids[100];
	struct llamux_eval e = { .ids = (unsigned long)ids, .n_ids = 100 };

	while (!evals.stop) {
		if (ioctl(evals.fd, LLAMUX_IOC_EVAL, &e) && errno != EBUSY &&
		    errno != EMSGSIZE && errno != ECANCELED)
			evals.odd = errno;
		ioctl(evals.fd, LLAMUX_IOC_RESET);
	}
	return NULL;
}

/* An evaluation holds the session: neither poll nor cancel wait for it. */
static void test_eval(void)
{
	static float logits[1 << 18];
	__s32 ids[4] = { 1, 2, 3, 4 };
	struct llamux_eval e = {
		.ids = (unsigned long)ids, .n_ids = 4,
		.logits = (unsigned long)logits,
	};
	double t, worst = 0, end;
	int tries = 0;
	pthread_t thread;

	evals.fd = session(O_NONBLOCK, 0);
	CHECK("evaluate", ioctl(evals.fd, LLAMUX_IOC_EVAL, &e) == 0);
	CHECK("there are logits", logits[0] != logits[1]);
	e.n_ids = 0;
	FAILS("of nothing", ioctl(evals.fd, LLAMUX_IOC_EVAL, &e), EMSGSIZE);
	e.n_ids = 1;
	ids[0] = -1;
	FAILS("no such id", ioctl(evals.fd, LLAMUX_IOC_EVAL, &e), EINVAL);
	e.ids = 8;
	FAILS("bad pointer", ioctl(evals.fd, LLAMUX_IOC_EVAL, &e), EFAULT);
	pthread_create(&thread, NULL, evaluate, NULL);
	for (end = now() + 1; now() < end; tries++) {
		t = now();
		events(evals.fd, 0);
		if (tries % 4 == 0)
			ioctl(evals.fd, LLAMUX_IOC_CANCEL);
		if (now() - t > worst)
			worst = now() - t;
		usleep(1000);
	}
	evals.stop = 1;
	pthread_join(thread, NULL);
	errno = evals.odd;
	CHECK("cancelled evaluations", !evals.odd);
	printf("     poll and cancel beside an evaluation: %.1f ms\n",
	       worst * 1e3);
	close(evals.fd);
}

/* A session on its way through a socket that nobody reads. */
static void test_passed(void)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int pair[2], fd = session(0, 0);

	write(fd, PROMPT, strlen(PROMPT));
	read(fd, &byte, 1);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK("sent over a socket", sendmsg(pair[0], &msg, 0) == 1);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

/* Four at once give what one alone gives. */
static void test_many(void)
{
	char alone[4096], buf[4096];
	int fd[4], i, same = 0;

	fd[0] = session(0, 24);
	write(fd[0], PROMPT, strlen(PROMPT));
	drain(fd[0], alone, sizeof(alone));
	close(fd[0]);
	for (i = 0; i < 4; i++) {
		fd[i] = session(O_NONBLOCK, 24);
		write(fd[i], PROMPT, strlen(PROMPT));
		(void)!read(fd[i], buf, 1);
	}
	for (i = 0; i < 4; i++) {
		fcntl(fd[i], F_SETFL, 0);
		drain(fd[i], buf, sizeof(buf));
		same += !strcmp(buf, alone);
		close(fd[i]);
	}
	CHECK("four sessions at once: the same answers", same == 4);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_open();
	test_turn();
	test_busy();
	test_nonblock();
	test_signals();
	test_close();
	test_cancel();
	test_newline();
	test_info();
	test_grown();
	test_tokens();
	test_write_ioctl();
	test_too_long();
	test_full();
	test_eval();
	test_passed();
	test_many();
	return check_end();
}
