// SPDX-License-Identifier: GPL-2.0-only
/*
 * No memory for KV, with nothing that could give any: conversations that need
 * more end with ENOMEM, have lost nothing, and go on when there is memory
 * again, as if the turn that failed had only been computed and not answered.
 *
 *	starve LLAMUX		the command, which must have a word for it, too
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/llamux.h>
#include "check.h"

#define CLIENTS 8
#define SHORT_KB (12 << 10)	/* the module takes none below 16 MB */
#define PIECE (1ul << 20)
#define FEW 24			/* words: a page of KV */
#define MANY 400		/* more pages than all of them had */

/* ---- memory ---- */

static int keep_short;		/* atomic */

static long available(void)
{
	static int fd = -1;
	char buf[512], *at;
	ssize_t n;

	if (fd < 0)
		fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	n = pread(fd, buf, sizeof(buf) - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	at = strstr(buf, "MemAvailable:");
	return at ? atol(at + 13) : -1;
}

/* All that is available, for as long as it is to be short. */
static void *hog_main(void *arg)
{
	static void *piece[1 << 16];
	int n = 0;

	while (__atomic_load_n(&keep_short, __ATOMIC_RELAXED)) {
		if (available() < SHORT_KB || n == 1 << 16) {
			usleep(20000);
			continue;
		}
		piece[n] = mmap(NULL, PIECE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (piece[n] != MAP_FAILED)
			memset(piece[n++], 1, PIECE);
	}
	while (n--)
		munmap(piece[n], PIECE);
	return NULL;
}

/* ---- conversations ---- */

struct client {
	pthread_t thread;
	unsigned int i;
	int fd;
	int err;		/* of the long turn */
	char begin[2048];	/* the first answer */
	char end[2048];		/* the last one */
};

static void say(int fd, unsigned int seed, unsigned int n)
{
	static const char *const w[] = { "time ", "the ", "cat ", "saw ", "a ",
					 "little ", "house ", "and " };
	char buf[8192];
	size_t len = 0;

	for (; n; n--) {
		seed = seed * 1664525 + 1013904223;
		len += sprintf(buf + len, "%s", w[seed >> 16 & 7]);
	}
	if (write(fd, buf, len) != (ssize_t)len)
		perror("write");
}

static int drain(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t k;

	while ((k = read(fd, buf + n, size - 1 - n)) > 0)
		n += k;
	buf[n] = '\0';
	return k < 0 ? -errno : 0;
}

static int begin(struct client *c)
{
	struct llamux_params p;

	c->fd = open("/dev/llama", O_RDWR | O_CLOEXEC);
	if (c->fd < 0 || ioctl(c->fd, LLAMUX_IOC_GET_PARAMS, &p))
		return -1;
	p.temperature_u = 0;
	p.max_tokens = 8;
	p.flags = LLAMUX_RAW | LLAMUX_IGNORE_EOG;
	if (ioctl(c->fd, LLAMUX_IOC_SET_PARAMS, &p))
		return -1;
	say(c->fd, c->i, FEW);
	return drain(c->fd, c->begin, sizeof(c->begin));
}

static int end(struct client *c)
{
	say(c->fd, 200 + c->i, 4);
	return drain(c->fd, c->end, sizeof(c->end));
}

static void *long_main(void *arg)
{
	struct client *c = arg;
	char buf[2048];

	say(c->fd, 100 + c->i, MANY);
	c->err = drain(c->fd, buf, sizeof(buf));
	return NULL;
}

/* What they say where memory is not short, and nothing answers the long turn. */
static int wanted(struct client *c)
{
	int bad = 0;

	for (unsigned int i = 0; i < CLIENTS; i++) {
		c[i].i = i;
		bad |= begin(&c[i]);
		say(c[i].fd, 100 + i, MANY);
		bad |= ioctl(c[i].fd, LLAMUX_IOC_PREFILL);
		bad |= end(&c[i]);
		close(c[i].fd);
	}
	return bad;
}

/* The module gives back what it keeps for others, as when memory is wanted. */
static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "2", 1) != 1)
		perror("drop_caches");
	close(fd);
}

static int command_says(const char *llamux)
{
	char cmd[512], line[512] = "";
	FILE *f;
	int status;

	snprintf(cmd, sizeof(cmd), "seq 1 %u | %s ask --raw -n 4 - 2>&1", MANY,
		 llamux);
	f = popen(cmd, "r");
	if (!f || !fgets(line, sizeof(line), f))
		line[0] = '\0';
	status = f ? pclose(f) : -1;
	printf("     the command: %s", line);
	return status > 0 && strcasestr(line, "memory");
}

int main(int argc, char **argv)
{
	static struct client want[CLIENTS], c[CLIENTS];
	int bad = 0, short_of = 0, other = 0;
	pthread_t hog;

	CHECK("conversations, with memory", !wanted(want));
	drop_caches();
	for (unsigned int i = 0; i < CLIENTS; i++) {
		c[i].i = i;
		bad |= begin(&c[i]) || strcmp(c[i].begin, want[i].begin);
	}
	CHECK("begun", !bad);
	keep_short = 1;
	pthread_create(&hog, NULL, hog_main, NULL);
	for (int i = 0; i < 600 && available() >= SHORT_KB; i++)
		usleep(100000);
	printf("     available: %ld kB\n", available());
	CHECK("memory is short", available() < SHORT_KB);
	for (unsigned int i = 0; i < CLIENTS; i++)
		pthread_create(&c[i].thread, NULL, long_main, &c[i]);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		pthread_join(c[i].thread, NULL);
		short_of += c[i].err == -ENOMEM;
		other += c[i].err && c[i].err != -ENOMEM;
	}
	printf("     of %d turns %d ended with ENOMEM\n", CLIENTS, short_of);
	CHECK("turns ended with ENOMEM", short_of == CLIENTS);
	CHECK("with nothing else", !other);
	CHECK("the command says it", command_says(argv[1]));
	CHECK("memory is short still", available() < 2 * SHORT_KB);
	keep_short = 0;
	pthread_join(hog, NULL);
	bad = 0;
	for (unsigned int i = 0; i < CLIENTS; i++) {
		bad |= end(&c[i]) || !*c[i].end || strcmp(c[i].end, want[i].end);
		close(c[i].fd);
	}
	CHECK("they go on, and have lost nothing", !bad);
	return check_end();
}
