// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux doctor: is the module loaded, and if not, why?
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

/*
 * Where llamux.ko of a kernel is, as modules.dep has it; also what is neither
 * there nor loaded says something, hence no call of modprobe.
 */
static bool built_for(const struct doctor *d, const char *release, char *ko,
		      size_t size)
{
	char path[PATH_MAX], line[512];
	bool yes = false;
	FILE *f;

	f = fopen(in_root(d, path, "/lib/modules/%s/modules.dep", release),
		  "re");
	while (f && !yes && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':'), *base;

		if (!colon)
			continue;
		*colon = '\0';
		base = strrchr(line, '/');
		base = base ? base + 1 : line;
		yes = !strncmp(base, "llamux.ko", 9) &&
		      (!base[9] || base[9] == '.');
		if (yes)
			snprintf(ko, size, "/lib/modules/%s/%s", release, line);
	}
	if (f)
		fclose(f);
	return yes;
}

/* A kernel, not the running one, that has the module. */
static bool built_for_another(const struct doctor *d, char *release,
			      size_t size)
{
	char path[PATH_MAX], ko[PATH_MAX];
	struct dirent *e;
	bool yes = false;
	DIR *dir;

	dir = opendir(in_root(d, path, "/lib/modules"));
	while (dir && !yes && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || !strcmp(e->d_name, d->release))
			continue;
		yes = built_for(d, e->d_name, ko, sizeof(ko));
		if (yes)
			snprintf(release, size, "%s", e->d_name);
	}
	if (dir)
		closedir(dir);
	return yes;
}

/* Does the kernel refuse modules without a signature it trusts? */
static bool signatures_forced(const struct doctor *d)
{
	char line[128];

	if (first_line(d, "/sys/module/module/parameters/sig_enforce", line,
		       sizeof(line)) && line[0] == 'Y')
		return true;
	return first_line(d, "/sys/kernel/security/lockdown", line,
			  sizeof(line)) && !strstr(line, "[none]");
}

/*
 * A signature is the last that a module has: a block that ends with these
 * words. Of a compressed one it cannot be said: taken for signed.
 */
static bool is_signed(const struct doctor *d, const char *ko)
{
	static const char magic[] = "~Module signature appended~\n";
	const size_t n = sizeof(magic) - 1;
	char path[PATH_MAX], end[sizeof(magic)] = "";
	bool yes;
	FILE *f;

	if (strcmp(ko + strlen(ko) - 3, ".ko") != 0)
		return true;
	f = fopen(in_root(d, path, "%s", ko), "re");
	yes = f && !fseek(f, -(long)n, SEEK_END) && fread(end, n, 1, f) == 1 &&
	      !memcmp(end, magic, n);
	if (f)
		fclose(f);
	return yes;
}

/* "build" is a link with an absolute path, which the root comes before. */
static bool has_headers(const struct doctor *d)
{
	char link[PATH_MAX], target[PATH_MAX], path[PATH_MAX];
	ssize_t n;

	in_root(d, link, "/lib/modules/%s/build", d->release);
	n = readlink(link, target, sizeof(target) - 1);
	if (n <= 0 || target[0] != '/')
		return !access(link, F_OK);
	target[n] = '\0';
	return !access(in_root(d, path, "%s", target), F_OK);
}

static void not_built(struct doctor *d)
{
	bool dkms = exists(d, "/var/lib/dkms/llamux");
	char other[256], mend[400];

	if (!has_headers(d)) {
		snprintf(mend, sizeof(mend),
			 "apt install linux-headers-%s%s", d->release,
			 dkms ? "" : " llamux-dkms");
		found(d, STATE_WRONG, "headers", mend,
		      "no headers of the running kernel %s, which the module is built with",
		      d->release);
	} else if (!dkms) {
		snprintf(mend, sizeof(mend), "apt install llamux-dkms");
	} else {
		snprintf(mend, sizeof(mend), "dkms autoinstall -k %s",
			 d->release);
	}
	if (built_for_another(d, other, sizeof(other)))
		found(d, STATE_WRONG, "module", mend,
		      "there is a module for kernel %s, but %s is running",
		      other, d->release);
	else
		found(d, STATE_WRONG, "module", mend,
		      "not built for the running kernel %s", d->release);
}

static void not_loaded(struct doctor *d)
{
	char ko[PATH_MAX];

	if (!built_for(d, d->release, ko, sizeof(ko)))
		not_built(d);
	else if (signatures_forced(d) && !is_signed(d, ko))
		found(d, STATE_WRONG, "module",
		      "mokutil --import /var/lib/dkms/mok.pub; restart, enrol the key; dkms install --force",
		      "%s is not signed, and this kernel (Secure Boot) loads signed modules only",
		      ko);
	else
		found(d, STATE_WRONG, "module", "modprobe llamux",
		      "not loaded: %s", ko);
}

bool check_module(struct doctor *d)
{
	char version[64];

	if (!has_line(d, "/proc/modules", "llamux ")) {
		not_loaded(d);
		return false;
	}
	if (first_line(d, "/sys/module/llamux/version", version,
		       sizeof(version)) && strcmp(version, LLAMUX_VERSION) != 0)
		found(d, STATE_WARNING, "module", "rmmod llamux; modprobe llamux",
		      "version %s is loaded, this command is %s", version,
		      LLAMUX_VERSION);
	else
		found(d, STATE_OK, "module", "", "loaded, kernel %s",
		      d->release);
	return true;
}
