// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds known values in every vector register, the x87 stack, the mask
 * registers and the control words, and looks again and again whether they
 * are still there.
 *
 *	fpu_guard SECONDS [CLIENTS]
 *
 * One process a CPU does so, while CLIENTS processes ask the device again and
 * again. All of them are forks of this one, which only waits: when the
 * module's guard is left out, whoever computes may be hit, and a shell that
 * starts programs would be.
 *
 * Exit 0: never a change; 1: a change was seen, or a process died of one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SPIN 2000000ul
#define MXCSR_ODD 0x3f80u	/* rounds down: not the kernel's default */
#define FCW_ODD 0x0f7fu		/* x87: rounds to zero */

struct state {
	unsigned char v[32][64];
	unsigned long k[8];
	unsigned char st[8][16];
	unsigned int mxcsr;
	unsigned short fcw;
} __attribute__((aligned(64)));

static struct state in, out;

#define EACH16(OP, W, P) \
	OP(0, W, P) OP(1, W, P) OP(2, W, P) OP(3, W, P) OP(4, W, P) \
	OP(5, W, P) OP(6, W, P) OP(7, W, P) OP(8, W, P) OP(9, W, P) \
	OP(10, W, P) OP(11, W, P) OP(12, W, P) OP(13, W, P) OP(14, W, P) \
	OP(15, W, P)
#define EACH32(OP, W, P) EACH16(OP, W, P) \
	OP(16, W, P) OP(17, W, P) OP(18, W, P) OP(19, W, P) OP(20, W, P) \
	OP(21, W, P) OP(22, W, P) OP(23, W, P) OP(24, W, P) OP(25, W, P) \
	OP(26, W, P) OP(27, W, P) OP(28, W, P) OP(29, W, P) OP(30, W, P) \
	OP(31, W, P)
#define EACH8(OP) OP(0) OP(1) OP(2) OP(3) OP(4) OP(5) OP(6) OP(7)

#define LOAD(n, W, I) I " 64*" #n "(%0), %%" W #n "\n\t"
#define STORE(n, W, I) I " %%" W #n ", 64*" #n "(%1)\n\t"
#define KLOAD(n) "kmovq 8*" #n "+2048(%0), %%k" #n "\n\t"
#define KSTORE(n) "kmovq %%k" #n ", 8*" #n "+2048(%1)\n\t"
#define FLOAD(n) "fldt 16*" #n "+2112(%0)\n\t"
/* Popped in reverse: register n of the stack is the (7 - n)-th loaded. */
#define FSTORE(n) "fstpt 112-16*" #n "+2112(%1)\n\t"

#define BEGIN "fninit\n\tfldcw 2244(%0)\n\tldmxcsr 2240(%0)\n\t" EACH8(FLOAD)
#define WAIT "mov %2, %%rcx\n1:\tdec %%rcx\n\tjnz 1b\n\t"
#define END "stmxcsr 2240(%1)\n\tfnstcw 2244(%1)\n\t" EACH8(FSTORE) \
	"fninit\n\tldmxcsr %3\n\t"
#define OPERANDS : : "r"(&in), "r"(&out), "r"(SPIN), "m"(plain) \
	: "rcx", "memory", "cc"

static const unsigned int plain = 0x1f80;

static void hold_sse(void)
{
	asm volatile(BEGIN EACH16(LOAD, "xmm", "movdqa") WAIT
		     EACH16(STORE, "xmm", "movdqa") END OPERANDS);
}

static void hold_avx(void)
{
	asm volatile(BEGIN EACH16(LOAD, "ymm", "vmovdqa") WAIT
		     EACH16(STORE, "ymm", "vmovdqa") "vzeroupper\n\t" END
		     OPERANDS);
}

static void hold_avx512(void)
{
	asm volatile(BEGIN EACH32(LOAD, "zmm", "vmovdqa64") EACH8(KLOAD) WAIT
		     EACH32(STORE, "zmm", "vmovdqa64") EACH8(KSTORE)
		     "vzeroupper\n\t" END OPERANDS);
}

static int compare(unsigned int regs, unsigned int bytes, int masks)
{
	unsigned int i;

	for (i = 0; i < regs; i++)
		if (memcmp(in.v[i], out.v[i], bytes))
			return printf("vector register %u changed\n", i);
	if (masks && memcmp(in.k, out.k, sizeof(in.k)))
		return printf("a mask register changed\n");
	for (i = 0; i < 8; i++)
		if (memcmp(in.st[i], out.st[i], 10))
			return printf("x87 register %u changed\n", i);
	if (in.fcw != out.fcw || in.mxcsr != out.mxcsr)
		return printf("control word changed: %x %x\n", out.fcw,
			      out.mxcsr);
	return 0;
}

static void fill(void)
{
	unsigned int i;
	long double x;

	for (i = 0; i < sizeof(in.v); i++)
		in.v[i / 64][i % 64] = i * 37 + i / 64 + 1;
	for (i = 0; i < 8; i++) {
		in.k[i] = 0x0123456789abcdefull * (i + 1);
		x = 1.0L / (i + 3);
		memcpy(in.st[i], &x, 10);
	}
	in.mxcsr = MXCSR_ODD;
	in.fcw = FCW_ODD;
}

static int hold(time_t end)
{
	int avx512 = __builtin_cpu_supports("avx512bw");
	int avx = __builtin_cpu_supports("avx");
	unsigned long rounds = 0;

	fill();
	do {
		memset(&out, 0, sizeof(out));
		if (avx512)
			hold_avx512();
		else if (avx)
			hold_avx();
		else
			hold_sse();
		if (compare(avx512 ? 32 : 16, avx512 ? 64 : avx ? 32 : 16,
			    avx512))
			return 1;
		rounds++;
	} while (time(NULL) < end);
	printf("%lu rounds, %s\n", rounds,
	       avx512 ? "zmm" : avx ? "ymm" : "xmm");
	return 0;
}

/* A process that holds on @cpu. It flushes what it says, and nothing else. */
static pid_t start_holder(int cpu, time_t end)
{
	pid_t pid = fork();
	cpu_set_t set;
	int bad;

	if (pid)
		return pid;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	bad = hold(end);
	fflush(stdout);
	_exit(bad);
}

static pid_t start_client(void)
{
	static const char prompt[] = "Once upon a time";
	pid_t pid = fork();
	char buf[256];
	int fd;

	if (pid)
		return pid;
	for (;;) {
		fd = open("/dev/llama", O_RDWR);
		if (fd < 0 || write(fd, prompt, sizeof(prompt) - 1) < 0)
			_exit(2);
		while (read(fd, buf, sizeof(buf)) > 0)
			;
		close(fd);
	}
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 10;
	int n_clients = argc > 2 ? atoi(argv[2]) : 0;
	int n_cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	time_t end = time(NULL) + seconds;
	pid_t holders[64], clients[64];
	int i, status, bad = 0;

	_Static_assert(__builtin_offsetof(struct state, k) == 2048, "k");
	_Static_assert(__builtin_offsetof(struct state, st) == 2112, "st");
	_Static_assert(__builtin_offsetof(struct state, mxcsr) == 2240, "mxcsr");
	_Static_assert(__builtin_offsetof(struct state, fcw) == 2244, "fcw");
	if (n_cpus > 64 || n_clients > 64)
		return 2;
	for (i = 0; i < n_clients; i++)
		clients[i] = start_client();
	for (i = 0; i < n_cpus; i++)
		holders[i] = start_holder(i, end);
	for (i = 0; i < n_cpus; i++)
		if (waitpid(holders[i], &status, 0) < 0 || status)
			bad = 1;
	for (i = 0; i < n_clients; i++)
		kill(clients[i], SIGKILL);
	for (i = 0; i < n_clients; i++)
		waitpid(clients[i], &status, 0);
	return bad;
}
