// SPDX-License-Identifier: GPL-2.0-only
/*
 * hog: take all memory that is available and some more, keep it a moment, let
 * it go, again and again, till killed. It offers itself to the OOM killer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECE (8ul << 20)

static unsigned long available(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long kb = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %lu kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb << 10;
}

static void take(void)
{
	unsigned long n = available() / 2 * 3 / PIECE;

	for (; n; n--) {
		void *p = mmap(NULL, PIECE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			break;
		memset(p, 1, PIECE);
	}
	usleep(300000);
}

int main(void)
{
	FILE *f = fopen("/proc/self/oom_score_adj", "w");
	int status;

	if (!f || fputs("1000", f) < 0 || fclose(f))
		return 1;
	for (;;) {
		pid_t child = fork();

		if (!child) {
			take();
			_exit(0);
		}
		waitpid(child, &status, 0);
		puts(WIFSIGNALED(status) ? "killed" : "had it all");
		fflush(stdout);
		usleep(500000);
	}
}
