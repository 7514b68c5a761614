// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text for people: nothing a model says may drive the terminal.
 */
#include <string.h>

#include "tool.h"

/*
 * The length of the UTF-8 character at @s, 0 when it is not one or is a
 * control character (C0, DEL, C1).
 */
static size_t printable(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 :
		     p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	uint32_t c;

	if (!len || len > n)
		return 0;
	if (len == 1)
		return p[0] >= 0x20 && p[0] != 0x7f;
	c = p[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ||
	    (c >= 0x80 && c < 0xa0))
		return 0;
	return len;
}

void print_escaped(FILE *f, const char *s, size_t n)
{
	while (n) {
		size_t len = printable(s, n);

		if (*s == '\\') {
			fputs("\\\\", f);
		} else if (len) {
			fwrite(s, 1, len, f);
		} else if (*s == '\n') {
			fputs("\\n", f);
		} else if (*s == '\t') {
			fputs("\\t", f);
		} else if (*s == '\r') {
			fputs("\\r", f);
		} else {
			fprintf(f, "\\x%02x", (unsigned char)*s);
		}
		s += len ? len : 1;
		n -= len ? len : 1;
	}
}

size_t strip_controls(char *s, size_t n)
{
	size_t in = 0, out = 0;

	while (in < n) {
		size_t len = printable(s + in, n - in);

		if (!len && (s[in] == '\n' || s[in] == '\t'))
			len = 1;
		memmove(s + out, s + in, len);
		out += len;
		in += len ? len : 1;
	}
	return out;
}

const char *human(uint64_t bytes, char buf[16])
{
	static const char units[] = "kMGTPE";
	double v = (double)bytes;
	int u = -1;

	while (v >= 999.5 && u < 5) {
		v /= 1000;
		u++;
	}
	if (u < 0)
		snprintf(buf, 16, "%u B", (unsigned int)bytes);
	else
		snprintf(buf, 16, v < 99.95 ? "%.1f %cB" : "%.0f %cB", v,
			 units[u]);
	return buf;
}
