// SPDX-License-Identifier: GPL-2.0-only
/*
 * Logits of the module, by LLAMUX_IOC_EVAL.
 *
 *	logits MODEL TOKENS OUT [BATCH]
 *
 * The ids in file TOKENS are given BATCH at a time (default all at once); the
 * logits after each batch are appended to OUT, f32.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/llamux.h>

static int die(const char *what)
{
	fprintf(stderr, "logits: %s: %s\n", what, strerror(errno));
	return 1;
}

static int eval(int fd, const __s32 *ids, unsigned int n, float *out)
{
	struct llamux_eval e = {
		.ids = (unsigned long)ids,
		.logits = (unsigned long)out,
		.n_ids = n,
	};

	return ioctl(fd, LLAMUX_IOC_EVAL, &e);
}

int main(int argc, char **argv)
{
	static __s32 ids[65536];
	struct llamux_name name = { "" };
	struct llamux_info info;
	unsigned int n = 0, batch;
	FILE *in, *out;
	float *logits;
	int fd;

	if (argc < 4)
		return 2;
	in = fopen(argv[2], "r");
	out = fopen(argv[3], "w");
	if (!in || !out)
		return die(argv[in ? 3 : 2]);
	while (n < 65536 && fscanf(in, "%d", &ids[n]) == 1)
		n++;
	batch = argc > 4 ? (unsigned int)atoi(argv[4]) : n;
	if (!batch)
		return 2;
	fd = open("/dev/llama", O_RDWR);
	if (fd < 0)
		return die("/dev/llama");
	strncpy(name.name, argv[1], sizeof(name.name) - 1);
	if (ioctl(fd, LLAMUX_IOC_SET_MODEL, &name) ||
	    ioctl(fd, LLAMUX_IOC_INFO, &info))
		return die(argv[1]);
	logits = malloc(info.n_vocab * sizeof(*logits));
	if (!logits)
		return die("malloc");
	for (unsigned int i = 0; i < n; i += batch) {
		if (eval(fd, ids + i, n - i < batch ? n - i : batch, logits))
			return die("LLAMUX_IOC_EVAL");
		if (fwrite(logits, sizeof(*logits), info.n_vocab, out) !=
		    info.n_vocab)
			return die(argv[3]);
	}
	return fclose(out) ? die(argv[3]) : 0;
}
