// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hundred random ioctls per number with hostile pointers, sizes and
 * contents on both devices, then rounds of 16 clients killed at random
 * moments. Only the kernel can fail this test, apart from hanging.
 *
 *	ioctl_fuzz [SEED]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/llamux.h>

#define TRIES 100
#define CLIENTS 16
#define ROUNDS 4

static unsigned long long rng;

static unsigned int rnd(void)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return rng >> 33;
}

/* A page that ends at one that is not there, and what lies on either side. */
static unsigned char *edge;
static unsigned char *readonly;

static __u64 pointer(void)
{
	switch (rnd() % 9) {
	case 0:
		return 0;
	case 1:
		return rnd() % 4096;
	case 2:
		return 0xffff888000000000ull + rnd();
	case 3:
		return ~0ull - rnd() % 256;
	case 4:
		return 0x8000000000000000ull | rnd();
	case 5:
		return (unsigned long)edge - rnd() % 64;
	case 6:
		return (unsigned long)readonly;
	default:
		return (unsigned long)edge - 4096 + rnd() % 2048;
	}
}

static __u32 number(void)
{
	static const __u32 odd[] = {
		0, 1, 2, 3, 64, 255, 256, 257, 4096, 1 << 20, 16 << 20,
		(16 << 20) + 1, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff
	};

	return rnd() % 2 ? odd[rnd() % 16] : rnd() % 100;
}

/*
 * 32-bit fields of odd numbers, with pointers at 64-bit places. The model
 * under test, "m", must not be unloaded.
 */
static void fill(unsigned char *p, size_t n, const char *name)
{
	size_t i;
	__u64 v;

	for (i = 0; i + 8 <= n; i += 8) {
		v = rnd() % 3 ? number() | (__u64)number() << 32 : pointer();
		if (rnd() % 3 == 0)
			v = 0;
		memcpy(p + i, &v, 8);
	}
	if (rnd() % 2 && n >= LLAMUX_NAME_MAX)
		strcpy((char *)p + n - LLAMUX_NAME_MAX, name);
}

static unsigned int size_of(unsigned int nr)
{
	static const unsigned int sizes[] = {
		sizeof(struct llamux_info), sizeof(struct llamux_params),
		sizeof(struct llamux_params), sizeof(struct llamux_name),
		sizeof(struct llamux_write), sizeof(struct llamux_tokenize),
		sizeof(struct llamux_detokenize), sizeof(struct llamux_stats),
		sizeof(struct llamux_tokens), 0, 0, sizeof(struct llamux_eval)
	};

	static const unsigned int more[] = {
		sizeof(struct llamux_stops), sizeof(struct llamux_biases),
		sizeof(struct llamux_logprobs), sizeof(struct llamux_score),
		sizeof(struct llamux_embed), sizeof(struct llamux_grammar)
	};

	if (nr < sizeof(sizes) / sizeof(*sizes))
		return sizes[nr];
	if (nr - 0x10 < sizeof(more) / sizeof(*more))
		return more[nr - 0x10];
	switch (nr) {
	case 0x20:
		return sizeof(struct llamux_fork);
	case 0x21:
		return 0;
	case 0x22:
		return sizeof(struct llamux_salt);
	case 0x50:
		return sizeof(struct llamux_limit);
	case 0x51:
		return sizeof(struct llamux_prefix);
	case 0x52:
		return sizeof(struct llamux_attr);
	}
	if (nr == 0x40)
		return sizeof(struct llamux_load);
	return nr == 0x43 ? sizeof(struct llamux_progress) : LLAMUX_NAME_MAX;
}

static unsigned int dir_of(unsigned int nr)
{
	static const unsigned char dirs[] = { 2, 2, 1, 1, 1, 3, 3, 2, 3, 0, 0, 1 };

	static const unsigned char more[] = { 1, 1, 3, 1, 3, 1 };

	if (nr < sizeof(dirs))
		return dirs[nr];
	if (nr - 0x10 < sizeof(more))
		return more[nr - 0x10];
	if (nr == 0x21)
		return 0;
	return nr == 0x43 || nr == 0x52 ? 3 : 1;
}

static void one(int fd, unsigned int nr)
{
	unsigned int size = size_of(nr), dir = dir_of(nr);
	const char *name = nr == 0x41 || rnd() % 2 ? "f" : "m";
	unsigned char *arg;
	int ret;

	if (rnd() % 5 == 0)
		size = rnd() % 2 ? number() & 0x3fff : size + 8;
	if (rnd() % 10 == 0)
		dir = rnd() % 4;
	arg = edge - (size > 4096 ? 4096 : size);
	fill(edge - 4096, 4096, name);
	fill(arg, size > 4096 ? 4096 : size, name);
	if (rnd() % 4 == 0)
		arg = (void *)(unsigned long)pointer();
	ret = ioctl(fd, _IOC(dir, rnd() % 50 ? LLAMUX_IOC_MAGIC : rnd() & 255,
			     nr, size), arg);
	if (nr == 0x20 && ret > 2)
		close(ret);
}

static void on_alarm(int sig)
{
}

static void fuzz(const char *path, unsigned int from, unsigned int to)
{
	unsigned int nr, i;
	int fd = -1;

	for (nr = from; nr < to; nr++) {
		for (i = 0; i < TRIES; i++) {
			if (i % 25 == 0) {
				close(fd);
				fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
				if (fd < 0) {
					perror(path);
					exit(1);
				}
				if (rnd() % 2)
					(void)!write(fd, "Once", 4);
			}
			one(fd, nr);
		}
	}
	close(fd);
}

/* Memory to reserve, sealed or not, of huge pages where there are any. */
static int memory(void)
{
	int fd = memfd_create("f", MFD_CLOEXEC | MFD_ALLOW_SEALING |
			      (rnd() % 4 ? MFD_HUGETLB : 0));

	if (fd < 0 || rnd() % 8 == 0)
		return fd;
	(void)!ftruncate(fd, (__u64)(rnd() % 3) << 21 << (rnd() % 8 ? 0 : 20));
	if (rnd() % 4)
		fallocate(fd, 0, 0, 2 << 20);
	fcntl(fd, F_ADD_SEALS, rnd() % 4 ? 0xe : rnd() & 0x1f);
	return fd;
}

/* Loads of what is no model, with fields that make sense and others. */
static void fuzz_load(void)
{
	int ctl = open("/dev/llamactl", O_RDWR | O_CLOEXEC), i;
	__s32 fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	for (i = 0; i < TRIES; i++) {
		struct llamux_load l = {
			.fds = (unsigned long)&fd,
			.n_fds = rnd() % 8 ? 1 : number(),
			.flags = rnd() % 4 ? 4 : rnd() & 31,
			.memory = rnd() % 8 ? 0 : number(),
			.reserve_fd = rnd() % 8 ? memory() : (int)number(),
			.reserved2 = rnd() % 16 ? 0 : number(),
			.name = "f",
		};

		ioctl(ctl, LLAMUX_CTL_LOAD, &l);
		if (l.reserve_fd > fd)
			close(l.reserve_fd);
	}
	close(fd);
	close(ctl);
}

/* Users that are not there, but for one that is this one. */
static void fuzz_limits(void)
{
	struct llamux_limit l;
	int fd = open("/dev/llamactl", O_RDWR | O_CLOEXEC), i;

	for (i = 0; i < TRIES; i++) {
		l = (struct llamux_limit){ number(), number(), number(),
					   rnd() % 9, number() };
		ioctl(fd, LLAMUX_CTL_LIMIT, &l);
		one(fd, 0x50);
	}
	close(fd);
}

static void free_again(void)
{
	struct llamux_limit l = { .uid = getuid() };
	struct llamux_attr a = { .name = "m", .set = 7 };
	struct llamux_prefix p = { .name = "m", .flags = LLAMUX_PREFIX_DROP };
	int fd = open("/dev/llamactl", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, LLAMUX_CTL_LIMIT, &l) ||
	    ioctl(fd, LLAMUX_CTL_PREFIX, &p) ||
	    (ioctl(fd, LLAMUX_CTL_ATTR, &a) && errno != EBUSY)) {
		perror("free again");
		exit(1);
	}
	close(fd);
}

/* Does what comes to its mind till it is killed. */
static void client(void)
{
	struct pollfd p = { .events = POLLIN };
	char buf[256];
	int fd, i;

	for (;;) {
		fd = open("/dev/llama", O_RDWR | (rnd() % 2 ? O_NONBLOCK : 0));
		for (i = 0; i < 20; i++) {
			switch (rnd() % 5) {
			case 0:
				(void)!write(fd, "Once upon a time", 16);
				break;
			case 1:
				p.fd = fd;
				poll(&p, 1, rnd() % 50);
				break;
			case 2:
				one(fd, rnd() % 0x18);
				break;
			default:
				(void)!read(fd, buf, rnd() % sizeof(buf));
			}
		}
		close(fd);
	}
}

static void killed_clients(void)
{
	pid_t pid[CLIENTS];
	int i;

	for (i = 0; i < CLIENTS; i++) {
		rnd();
		pid[i] = fork();
		if (!pid[i])
			client();
	}
	for (i = 0; i < CLIENTS; i++) {
		usleep(rnd() % 100000);
		kill(pid[i], SIGKILL);
	}
	for (i = 0; i < CLIENTS; i++)
		waitpid(pid[i], NULL, 0);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval t = { { 0, 300000 }, { 0, 300000 } };
	int i;

	rng = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	if (edge == MAP_FAILED || readonly == MAP_FAILED)
		return 1;
	edge += 4096;
	munmap(edge, 4096);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	fuzz("/dev/llama", 0, 0x23);
	fuzz("/dev/llama", 0x40, 0x44);
	fuzz("/dev/llamactl", 0x40, 0x48);
	fuzz("/dev/llamactl", 0, 12);
	fuzz_load();
	fuzz("/dev/llamactl", 0x51, 0x58);
	/* Whatever it was made to: awake, for all, and without limits for us. */
	fuzz_limits();
	free_again();
	memset(&t, 0, sizeof(t));
	setitimer(ITIMER_REAL, &t, NULL);
	for (i = 0; i < ROUNDS; i++)
		killed_clients();
	printf("done\n");
	return 0;
}
