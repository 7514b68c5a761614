// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux pull: fetch a model file, by its URL or by a name that is known, and
 * make sure that it is one.
 *
 * curl(1) does the fetching, into FILE.part, from where an earlier try ended.
 * What arrives is looked at, compared with the sum that was given, and only
 * then gets its name.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json.h"
#include "sha256.h"
#include "tool.h"
#include "zoo.h"

enum { OPT_SHA256 = 0x100, OPT_LIST };

#define LONG_SUM (256u << 20)	/* bytes whose sum people wait for */
#define SHOW_EVERY (32u << 20)
#define CURL_NOT_FOUND 127
#define CURL_NO_RANGES 33	/* curl(1): HTTP server cannot resume */

extern char **environ;

struct pull {
	const char *url, *file, *sha256;
	char name[NAME_MAX + 1];	/* from the URL, without -o */
	char part[PATH_MAX];
	bool list;		/* only say what is known by name */
	char sum[65];
	uint64_t size;
};

static int handle_pull(void *ctx, int val, const char *arg)
{
	struct pull *p = ctx;

	if (val == 'o') {
		p->file = arg;
		return EXIT_OK;
	}
	if (val == OPT_LIST) {
		p->list = true;
		return EXIT_OK;
	}
	if (strlen(arg) != 64 || strspn(arg, "0123456789abcdefABCDEF") != 64)
		return usage_error("--sha256: 64 hexadecimal digits, please");
	p->sha256 = arg;
	return EXIT_OK;
}

/* A name that is known stands for a URL, and for a sum unless one is given. */
static int url_of(struct pull *p, const char *what)
{
	const char *sum = NULL;

	p->url = what;
	if (strstr(what, "://"))
		return EXIT_OK;
	if (!zoo_find(what, &p->url, &sum)) {
		fail(-ENOENT, "no model '%s' is known (llamux pull --list)", what);
		return EXIT_NO_MODEL;
	}
	if (!sum && !p->sha256)
		fprintf(stderr, "llamux: no sum of this file is known: what is fetched is taken as it is\n");
	if (!p->sha256)
		p->sha256 = sum;
	return EXIT_OK;
}

/* The last part of the URL's path names the file. */
static int name_from_url(struct pull *p)
{
	const char *path = strstr(p->url, "://"), *base;
	size_t n = strcspn(p->url, "?#");

	if (!path || (strncmp(p->url, "https://", 8) &&
		      strncmp(p->url, "http://", 7) &&
		      strncmp(p->url, "file://", 7)))
		return usage_error("'%s' is no URL (https, http, file)",
				   p->url);
	base = p->url + n;
	while (base > path + 3 && base[-1] != '/')
		base--;
	n -= (size_t)(base - p->url);
	if (p->file)
		return EXIT_OK;
	if (!n || n > NAME_MAX - 5 || *base == '.' || base == path + 3)
		return usage_error("the URL names no file: give one with -o");
	memcpy(p->name, base, n);
	p->file = p->name;
	return EXIT_OK;
}

/* Exit status of curl, or negative errno. */
static int run_curl(const struct pull *p)
{
	const char *how = isatty(STDERR_FILENO) ? "--progress-bar" : "--silent";
	const char *const argv[] = {
		"curl", "--fail", "--location", "--show-error", how,
		"--proto", "=https,http,file", "--proto-redir", "=https,http",
		"--retry", "3", "--continue-at", "-", "--output", p->part,
		"--url", p->url, NULL
	};
	int status, err;
	pid_t pid;

	err = posix_spawnp(&pid, "curl", NULL, NULL, (char *const *)argv,
			   environ);
	if (err)
		return err == ENOENT ? CURL_NOT_FOUND : -err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

static int fetch(const struct pull *p)
{
	int status = run_curl(p);

	if (status == CURL_NO_RANGES) {
		fputs("llamux: this server cannot resume: from the start\n",
		      stderr);
		unlink(p->part);
		status = run_curl(p);
	}
	if (interrupted() || status == -EINTR)
		return fail(-EINTR, "interrupted; what there is waits in %s",
			    p->part);
	if (status == CURL_NOT_FOUND)
		return fail(-EIO, "there is no curl: apt install curl");
	if (status < 0)
		return fail(status, "curl: %s", strerror(-status));
	if (status)
		return fail(-EIO, "curl could not fetch it (status %d)",
			    status);
	return EXIT_OK;
}

/* How far the sum is, where that takes a while. */
static void show_sum(const struct sha256 *s, const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size;

	if (size >= LONG_SUM && (s->n % SHOW_EVERY == 0 || s->n == size))
		show_progress("checking", s->n, size);
}

/* Its size and sum, and whether it begins as a model does. 0 or -errno. */
static int look_at(struct pull *p, const char *file)
{
	static unsigned char buf[1 << 16];
	FILE *f = fopen(file, "re");
	struct sha256 s;
	struct stat st;
	bool gguf;
	size_t n;
	int ret;

	if (!f || fstat(fileno(f), &st)) {
		ret = -errno;
		if (f)
			fclose(f);
		return ret;
	}
	sha256_start(&s);
	n = fread(buf, 1, sizeof(buf), f);
	gguf = n >= 4 && !memcmp(buf, "GGUF", 4);
	for (; n && !interrupted(); n = fread(buf, 1, sizeof(buf), f)) {
		sha256_add(&s, buf, n);
		show_sum(&s, &st);
	}
	ret = ferror(f) ? -EIO : interrupted() ? -EINTR : gguf ? 0 : -ENOEXEC;
	fclose(f);
	p->size = s.n;
	sha256_end(&s, p->sum);
	return ret;
}

static bool sum_is_wrong(const struct pull *p)
{
	return p->sha256 && strcasecmp(p->sha256, p->sum) != 0;
}

/* What is wrong goes, or the next try would go on with it. */
static int check(struct pull *p)
{
	int ret = look_at(p, p->part);

	if (ret == -EINTR)
		return fail(ret, "interrupted; what there is waits in %s",
			    p->part);
	if (ret && ret != -ENOEXEC)
		return fail(ret, "%s: %s", p->part, strerror(-ret));
	if (!ret && !sum_is_wrong(p))
		return EXIT_OK;
	unlink(p->part);
	if (sum_is_wrong(p))
		return fail(-EBADMSG, "the sum is %s, which is not the one given",
			    p->sum);
	return fail(ret, "what was fetched is not a GGUF file");
}

/* A file of that name is taken when it is known to be the right one. */
static int pull(struct pull *p)
{
	int ret;

	if (!access(p->file, F_OK)) {
		ret = p->sha256 ? look_at(p, p->file) : 0;
		if (ret == -EINTR)
			return fail(ret, "interrupted");
		if (ret || !p->sha256 || sum_is_wrong(p))
			return fail(-EEXIST, "%s is there already, and %s",
				    p->file, p->sha256 ? "is another file" :
				    "is not replaced");
		return EXIT_OK;
	}
	ret = fetch(p);
	if (!ret)
		ret = check(p);
	if (!ret && rename(p->part, p->file))
		ret = fail(-errno, "%s: %s", p->file, strerror(errno));
	return ret;
}

static int main_pull(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "sha256", required_argument, NULL, OPT_SHA256 },
		{ "list", no_argument, NULL, OPT_LIST },
		{ 0 }
	};
	struct pull p = { 0 };
	struct json j;
	int ret;

	ret = parse_options(g, argc, argv, &command_pull, "o:", options,
			    handle_pull, &p);
	if (ret)
		return ret;
	if (argc - optind != !p.list)
		return usage_error("pull takes one name or URL");
	if (p.list) {
		if (g->json)
			zoo_print_json(stdout);
		else
			zoo_print(stdout);
		return EXIT_OK;
	}
	ret = url_of(&p, argv[optind]);
	if (!ret)
		ret = name_from_url(&p);
	if (ret)
		return ret;
	if ((size_t)snprintf(p.part, sizeof(p.part), "%s.part", p.file) >=
	    sizeof(p.part))
		return usage_error("the name is too long");
	interrupt_watch(NULL);
	ret = pull(&p);
	if (ret)
		return ret;
	if (g->json) {
		json_start(&j, stdout);
		json_open(&j, NULL, '{');
		json_str(&j, "file", p.file);
		json_u64(&j, "bytes", p.size);
		json_str(&j, "sha256", p.sum);
		json_close(&j, '}');
	} else {
		printf("%s  %s\n", p.sum, p.file);
	}
	return EXIT_OK;
}

const struct command command_pull = {
	.name = "pull",
	.args = "NAME|URL",
	.summary = "Fetch a model file, or the rest of one",
	.options =
	"  -o, --output FILE   where to (the URL's last part)\n"
	"  --sha256 SUM        what its SHA-256 must be\n"
	"  --list              names that are known\n",
	.main = main_pull,
};
