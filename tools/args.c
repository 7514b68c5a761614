// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arguments: numbers, texts, lists of ids.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "quantize.h"

bool parse_u64(const char *what, const char *s, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(s, &end, 0);
	if (errno || end == s || *end || !isdigit((unsigned char)*s)) {
		usage_error("%s: '%s' is not a number", what, s);
		return false;
	}
	return true;
}

bool parse_u32(const char *what, const char *s, uint32_t min, uint32_t max,
	       uint32_t *v)
{
	uint64_t wide;

	if (!parse_u64(what, s, &wide))
		return false;
	if (wide < min || wide > max) {
		usage_error("%s: %s is not from %u to %u", what, s, min, max);
		return false;
	}
	*v = (uint32_t)wide;
	return true;
}

bool parse_size(const char *what, const char *s, uint64_t *v)
{
	static const char units[] = "KMGT";
	const char *unit;
	double d;
	char *end;

	errno = 0;
	d = strtod(s, &end);
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		d *= (double)(1ull << 10 * (unit - units + 1));
		end++;
	}
	if (errno || !isdigit((unsigned char)*s) || *end || !(d >= 1) ||
	    d > 1e18) {
		usage_error("%s: '%s' is not a size, like 512M or 1.5G", what, s);
		return false;
	}
	*v = (uint64_t)d;
	return true;
}

bool parse_millionths(const char *what, const char *s, uint32_t *v)
{
	char *end;
	double d;

	errno = 0;
	d = strtod(s, &end);
	if (errno || end == s || *end || !(d >= 0 && d <= 4000)) {
		usage_error("%s: '%s' is not a number from 0 to 4000", what, s);
		return false;
	}
	*v = (uint32_t)(d * 1e6 + 0.5);
	return true;
}

/* By LLAMUX_KV_* */
static const char *const kv_names[] = { "f16", "f32", "q8_0", "q4_0" };

bool parse_kv(const char *s, uint32_t *v)
{
	for (uint32_t i = 0; i < sizeof(kv_names) / sizeof(*kv_names); i++) {
		*v = i;
		if (!strcmp(s, kv_names[i]))
			return true;
	}
	usage_error("--kv: '%s' is none of f16, f32, q8_0 and q4_0", s);
	return false;
}

const char *kv_name(uint32_t kv_type)
{
	return kv_names[kv_type];
}

int check_type(const char *name)
{
	const struct lx_preset *p;
	char known[512];
	size_t n = 0;

	if (lx_preset_find(name))
		return EXIT_OK;
	for (u32 i = 0; (p = lx_preset_at(i)); i++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, " %s",
				      p->name);
	return usage_error("there is no type '%s'; there are%s", name, known);
}

char *read_all(FILE *f, size_t *n)
{
	size_t room = 4096, len = 0, r;
	char *buf = malloc(room), *more;

	while (buf) {
		r = fread(buf + len, 1, room - len - 1, f);
		len += r;
		if (r == 0) {
			if (ferror(f))
				break;
			buf[len] = '\0';
			*n = len;
			return buf;
		}
		if (room - len > 1)
			continue;
		room *= 2;
		more = realloc(buf, room);
		if (!more)
			break;
		buf = more;
	}
	free(buf);
	return NULL;
}

int text_argument(int argc, char **argv, const char *what, char **text,
		  size_t *n)
{
	const char *arg = optind < argc ? argv[optind] : NULL;

	if (argc - optind > 1)
		return usage_error("one %s, please: quote it", what);
	if (!arg && isatty(STDIN_FILENO))
		return usage_error("no %s: give one, or - for standard input", what);
	if (arg && strcmp(arg, "-")) {
		*text = strdup(arg);
		*n = strlen(arg);
	} else {
		*text = read_all(stdin, n);
	}
	return *text ? EXIT_OK : fail(-errno, "standard input: %s",
				      strerror(errno));
}

int32_t *parse_ids(const char *text, size_t *n)
{
	size_t room = 256, len = 0;
	int32_t *ids = malloc(room * sizeof(*ids)), *more;
	char *end;

	while (ids) {
		long long v;

		text += strspn(text, " \t\r\n,[]");
		if (!*text) {
			*n = len;
			return ids;
		}
		errno = 0;
		v = strtoll(text, &end, 10);
		if (errno || end == text || v < 0 || v > INT_MAX ||
		    (*end && !strchr(" \t\r\n,[]", *end))) {
			usage_error("'%.20s' is not a token id", text);
			break;
		}
		text = end;
		if (len == room) {
			room *= 2;
			more = realloc(ids, room * sizeof(*ids));
			if (!more) {
				fail(-ENOMEM, "%s", strerror(ENOMEM));
				break;
			}
			ids = more;
		}
		ids[len++] = (int32_t)v;
	}
	free(ids);
	return NULL;
}
