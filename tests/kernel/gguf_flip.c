// SPDX-License-Identifier: GPL-2.0-only
/*
 * Damaged models for the module's loader.
 *
 *	gguf_flip FILE SCRATCH flips N SEED	bits flipped, mostly in the header
 *	gguf_flip FILE SCRATCH cuts N		truncated at N places, 64-byte steps
 *
 * SCRATCH is the file that is written and loaded. A load must succeed or fail
 * with an error that says what is wrong; anything else is a failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/llamux.h>

static unsigned long long seed;
static int n_passed, n_failed, n_loaded;

static unsigned int rnd(unsigned int below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(seed >> 33) % below;
}

static int ask(const char *name)
{
	struct llamux_name n = { "" };
	char buf[256];
	int fd = open("/dev/llama", O_RDWR), ok;

	if (fd < 0)
		return 0;
	strncpy(n.name, name, sizeof(n.name) - 1);
	ok = !ioctl(fd, LLAMUX_IOC_SET_MODEL, &n) && write(fd, "x", 1) == 1;
	if (ok)
		(void)!read(fd, buf, sizeof(buf));
	close(fd);
	return ok;
}

static void try(int ctl, const char *path)
{
	char message[LLAMUX_ERROR_MAX] = "";
	struct llamux_name name = { "flip" };
	__s32 fd = open(path, O_RDONLY);
	struct llamux_load l = {
		.fds = (unsigned long)&fd,
		.n_fds = 1,
		.message = (unsigned long)message,
		.message_size = sizeof(message),
		.n_ctx = 64,
		.name = "flip",
	};
	int err;

	if (ioctl(ctl, LLAMUX_CTL_LOAD, &l) == 0) {
		n_loaded++;
		ask("flip");
		n_passed += !ioctl(ctl, LLAMUX_CTL_UNLOAD, &name);
		/* The name is free when the last session has gone. */
		for (int i = 0; i < 500; i++) {
			struct llamux_progress p = { "flip" };

			if (ioctl(ctl, LLAMUX_CTL_PROGRESS, &p))
				break;
			usleep(10000);
		}
		close(fd);
		return;
	}
	err = errno;
	close(fd);
	if ((err == ENOEXEC || err == EBADMSG || err == ENOPKG ||
	     err == ENOMEM || err == EINVAL || err == EEXIST) &&
	    (*message || err == EEXIST)) {
		n_passed++;
		return;
	}
	n_failed++;
	printf("FAIL %s '%s'\n", strerror(err), message);
}

static int put(const char *path, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int ok = fd >= 0 && write(fd, p, n) == (ssize_t)n;

	if (fd >= 0)
		close(fd);
	return ok;
}

int main(int argc, char **argv)
{
	unsigned char *data, *copy;
	struct stat st;
	int fd, ctl, n;

	if (argc < 5)
		return 2;
	fd = open(argv[1], O_RDONLY);
	ctl = open("/dev/llamactl", O_RDWR);
	if (fd < 0 || ctl < 0 || fstat(fd, &st))
		return perror("open"), 1;
	data = malloc(st.st_size);
	copy = malloc(st.st_size);
	if (!data || !copy || read(fd, data, st.st_size) != st.st_size)
		return perror("read"), 1;
	n = atoi(argv[4]);
	seed = argc > 5 ? strtoull(argv[5], NULL, 0) : 1;
	for (int i = 0; i < n; i++) {
		size_t size = st.st_size;

		memcpy(copy, data, size);
		if (!strcmp(argv[3], "cuts")) {
			size = (size_t)i * (st.st_size / n) / 64 * 64;
		} else {
			for (unsigned int k = rnd(8) + 1; k; k--) {
				unsigned int at = rnd(4) ? rnd(20000) : rnd(size);

				copy[at % size] ^= 1u << rnd(8);
			}
		}
		if (!put(argv[2], copy, size))
			return perror(argv[2]), 1;
		try(ctl, argv[2]);
	}
	unlink(argv[2]);
	printf("%d loaded all the same\n", n_loaded);
	printf("%d passed, %d failed, 0 skipped\n", n_passed, n_failed);
	return n_failed != 0;
}
