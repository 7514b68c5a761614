// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

static unsigned int hex4(const char *s)
{
	char buf[5] = { s[0], s[1], s[2], s[3], 0 };

	return (unsigned int)strtoul(buf, NULL, 16);
}

static char *put_utf8(char *o, unsigned int c)
{
	if (c < 0x80) {
		*o++ = (char)c;
	} else if (c < 0x800) {
		*o++ = (char)(0xc0 | c >> 6);
		*o++ = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		*o++ = (char)(0xe0 | c >> 12);
		*o++ = (char)(0x80 | (c >> 6 & 63));
		*o++ = (char)(0x80 | (c & 63));
	} else {
		*o++ = (char)(0xf0 | c >> 18);
		*o++ = (char)(0x80 | (c >> 12 & 63));
		*o++ = (char)(0x80 | (c >> 6 & 63));
		*o++ = (char)(0x80 | (c & 63));
	}
	return o;
}

size_t test_unescape(char *s)
{
	static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
	char *o = s, *p = s + 1;

	for (; *p && *p != '"'; p++) {
		unsigned int c;
		const char *k;

		if (*p != '\\') {
			*o++ = *p;
			continue;
		}
		p++;
		if (*p != 'u') {
			k = strchr(from, *p);
			*o++ = k && *p ? to[k - from] : *p;
			continue;
		}
		c = hex4(p + 1);
		p += 4;
		if (c >= 0xd800 && c < 0xdc00) {
			c = 0x10000 + ((c - 0xd800) << 10) + hex4(p + 3) - 0xdc00;
			p += 6;
		}
		o = put_utf8(o, c);
	}
	return (size_t)(o - s);
}

size_t test_ids(const char *s, s32 *ids, size_t max)
{
	size_t n = 0;
	char *end;

	while (*s && *s != '\n' && n < max) {
		long x = strtol(s, &end, 10);

		if (end == s) {
			s++;
			continue;
		}
		ids[n++] = (s32)x;
		s = end;
	}
	return n;
}

char *test_field(char **line)
{
	char *s = *line;
	char *tab = s ? strchr(s, '\t') : NULL;

	if (tab)
		*tab++ = 0;
	*line = tab;
	return s;
}
