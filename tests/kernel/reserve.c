// SPDX-License-Identifier: GPL-2.0-only
/*
 * Huge pages handed in for a model's weights: what is refused, what cannot be
 * done to them while a model lies there, and that they come back.
 *
 *	reserve FILE	the model, in a machine with some 40 huge pages of 2 MB
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/llamux.h>
#include "check.h"

#define PAGE (2ul << 20)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define ENOUGH 12	/* pages for the model */

static int ctl;
static const char *file;
static char message[LLAMUX_ERROR_MAX];

static int load(const char *name, unsigned int flags, int fd)
{
	int file_fd = open(file, O_RDONLY | O_CLOEXEC), ret, err;
	__s32 fds[1] = { file_fd };
	struct llamux_load l = {
		.fds = (unsigned long)fds,
		.n_fds = 1,
		.message = (unsigned long)message,
		.message_size = sizeof(message),
		.flags = flags,
		.n_ctx = 256,
		.reserve_fd = fd,
	};

	message[0] = '\0';
	snprintf(l.name, sizeof(l.name), "%s", name);
	ret = ioctl(ctl, LLAMUX_CTL_LOAD, &l);
	err = errno;
	close(file_fd);
	if (message[0])
		printf("     %s\n", message);
	errno = err;
	return ret;
}

static int load_huge(const char *name, int fd)
{
	return load(name, LLAMUX_LOAD_HUGETLB, fd);
}

static int unload(const char *name)
{
	struct llamux_name n = {};

	snprintf(n.name, sizeof(n.name), "%s", name);
	return ioctl(ctl, LLAMUX_CTL_UNLOAD, &n);
}

/* A memfd of @n pages, of which @there are allocated. */
static int made(unsigned int flags, unsigned long n, unsigned long there,
		unsigned int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	if (fd < 0 || ftruncate(fd, n * PAGE) ||
	    (there && fallocate(fd, 0, 0, there * PAGE)) ||
	    (seals && fcntl(fd, F_ADD_SEALS, seals))) {
		perror("memfd");
		exit(1);
	}
	return fd;
}

/* It is refused with @err. */
static void refused(const char *what, int fd, int err)
{
	FAILS(what, load_huge("x", fd), err);
	close(fd);
}

static void wrong_requests(void)
{
	struct llamux_load l = { .n_fds = 1, .reserved2 = 1 };

	FAILS("a reserved field", ioctl(ctl, LLAMUX_CTL_LOAD, &l), EINVAL);
	FAILS("a descriptor without its flag", load("x", 0, ctl), EINVAL);
	FAILS("both kinds", load("x", LLAMUX_LOAD_HUGETLB | LLAMUX_LOAD_MEMMAP, ctl),
	      EINVAL);
	FAILS("with streaming", load("x", LLAMUX_LOAD_HUGETLB | LLAMUX_LOAD_STREAM,
				     ctl), EINVAL);
	FAILS("the range, streaming", load("x", LLAMUX_LOAD_MEMMAP |
					   LLAMUX_LOAD_STREAM, 0), EINVAL);
}

static void wrong_files(void)
{
	char path[64];
	int fd;

	FAILS("no file", load_huge("x", -1), EBADF);
	refused("an ordinary file", open(file, O_RDONLY | O_CLOEXEC), EINVAL);
	refused("a device", open("/dev/zero", O_RDWR | O_CLOEXEC), EINVAL);
	refused("a memfd of small pages", made(0, 4, 4, SEALS), EINVAL);
	refused("not sealed", made(MFD_HUGETLB, ENOUGH, ENOUGH, 0), EINVAL);
	refused("not against writing", made(MFD_HUGETLB, ENOUGH, ENOUGH,
					    F_SEAL_SHRINK | F_SEAL_GROW), EINVAL);
	refused("against later mappings alone",
		made(MFD_HUGETLB, ENOUGH, ENOUGH, F_SEAL_SHRINK | F_SEAL_GROW |
		     F_SEAL_FUTURE_WRITE), EINVAL);
	refused("not against growing", made(MFD_HUGETLB, ENOUGH, ENOUGH,
					    F_SEAL_SHRINK | F_SEAL_WRITE), EINVAL);
	refused("empty", made(MFD_HUGETLB, 0, 0, SEALS), EINVAL);
	refused("with holes", made(MFD_HUGETLB, ENOUGH, 3, SEALS), EINVAL);
	refused("nothing but a hole", made(MFD_HUGETLB, 1 << 20, 0, SEALS), EINVAL);
	refused("too small", made(MFD_HUGETLB, 1, 1, SEALS), ENOMEM);
	fd = made(MFD_HUGETLB, ENOUGH, ENOUGH, SEALS);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	refused("open for reading alone", open(path, O_RDONLY | O_CLOEXEC), EBADF);
	close(fd);
}

static int write_map(int fd, int flags)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	return p == MAP_FAILED ? -1 : munmap(p, PAGE);
}

/* A mapping that could write keeps the seal away. */
static void writers(void)
{
	int fd = made(MFD_HUGETLB, ENOUGH, ENOUGH, 0);
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK("a mapping", p != MAP_FAILED);
	FAILS("no seal beside it", fcntl(fd, F_ADD_SEALS, SEALS), EBUSY);
	refused("and no model", dup(fd), EINVAL);
	munmap(p, PAGE);
	close(fd);
}

/* What lies in the pages: the sum of their words. */
static unsigned long sum(int fd)
{
	unsigned long *p, n = 0;

	for (int k = 0; k < ENOUGH; k++) {
		p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, k * PAGE);
		if (p == MAP_FAILED) {
			perror("mmap");
			exit(1);
		}
		for (unsigned long i = 0; i < PAGE / sizeof(*p); i++)
			n += p[i];
		munmap(p, PAGE);
	}
	return n;
}

static void in_use(void)
{
	int fd = made(MFD_HUGETLB, ENOUGH, ENOUGH, SEALS);
	unsigned long *p, before;

	CHECK("nothing is in it", sum(fd) == 0);
	CHECK("a model in it", !load_huge("x", fd));
	before = sum(fd);
	CHECK("weights are in it", before != 0);
	FAILS("it serves no other", load_huge("y", fd), EBUSY);
	FAILS("no mapping to write", write_map(fd, MAP_SHARED), EPERM);
	CHECK("no write", write(fd, "x", 1) < 0);
	FAILS("no hole", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   0, PAGE), EPERM);
	FAILS("no shrinking", ftruncate(fd, PAGE), EPERM);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK("a mapping of one's own", p != MAP_FAILED);
	p[0] ^= ~0ul;
	CHECK("is one's own", sum(fd) == before);
	munmap(p, PAGE);
	CHECK("unload", !unload("x"));
	CHECK("and again", !load_huge("y", fd));
	CHECK("the same weights", sum(fd) == before);
	CHECK("unload", !unload("y"));
	close(fd);
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 2)
		return 2;
	file = argv[1];
	ctl = open("/dev/llamactl", O_RDWR | O_CLOEXEC);
	if (ctl < 0) {
		perror("/dev/llamactl");
		return 1;
	}
	wrong_requests();
	fd = memfd_create("test", MFD_CLOEXEC | MFD_HUGETLB);
	if (fd < 0) {
		FAILS("no huge pages here", load_huge("x", ctl), EOPNOTSUPP);
		return check_end();
	}
	close(fd);
	wrong_files();
	writers();
	in_use();
	return check_end();
}
