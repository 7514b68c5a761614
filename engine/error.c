// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Messages beside an errno. File contents (keys, tensor names) are put into
 * them, so every byte of a string that is not printable ASCII is escaped.
 */
#include "lx/error.h"

struct sink {
	char *buf;
	size_t size;	/* room, the terminator included */
	size_t n;	/* written */
};

static void put(struct sink *s, char c)
{
	if (s->n + 1 < s->size)
		s->buf[s->n++] = c;
}

/* An escape is written whole or not at all. */
static void put_escaped(struct sink *s, u8 c)
{
	static const char hex[] = "0123456789abcdef";

	if (c >= 0x20 && c < 0x7f) {
		put(s, (char)c);
		return;
	}
	if (s->n + 5 > s->size) {
		s->size = s->n + 1;	/* full */
		return;
	}
	put(s, '\\');
	put(s, 'x');
	put(s, hex[c >> 4]);
	put(s, hex[c & 15]);
}

static void put_str(struct sink *s, const char *p, size_t max)
{
	if (!p)
		p = "(null)";
	for (size_t i = 0; i < max && p[i]; i++)
		put_escaped(s, (u8)p[i]);
}

/* A counted string may hold NULs. */
static void put_counted(struct sink *s, const char *p, size_t n)
{
	for (size_t i = 0; p && i < n; i++)
		put_escaped(s, (u8)p[i]);
}

static void put_num(struct sink *s, u64 v, u32 base)
{
	char tmp[24];
	u32 n = 0;

	do {
		tmp[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put(s, tmp[--n]);
}

static void put_signed(struct sink *s, s64 v)
{
	if (v < 0)
		put(s, '-');
	put_num(s, v < 0 ? -(u64)v : (u64)v, 10);
}

static void put_int(struct sink *s, char conv, u32 longs, bool size,
		    __builtin_va_list *ap)
{
	u64 v;

	if (conv == 'd') {
		put_signed(s, longs ? __builtin_va_arg(*ap, s64) :
				      __builtin_va_arg(*ap, int));
		return;
	}
	if (size)
		v = __builtin_va_arg(*ap, size_t);
	else if (longs)
		v = __builtin_va_arg(*ap, u64);
	else
		v = __builtin_va_arg(*ap, u32);
	put_num(s, v, conv == 'x' ? 16 : 10);
}

/* One conversion, @f behind the '%'; returns the last character of it. */
static const char *convert(struct sink *s, const char *f,
			   __builtin_va_list *ap)
{
	bool counted = false, size = false;
	size_t len = 0;
	u32 longs = 0;

	if (f[0] == '.' && f[1] == '*') {
		int n = __builtin_va_arg(*ap, int);

		len = n > 0 ? (size_t)n : 0;
		counted = true;
		f += 2;
	}
	for (; *f == 'l'; f++)
		longs++;
	if (*f == 'z') {
		size = true;
		f++;
	}
	switch (*f) {
	case 's':
		if (counted)
			put_counted(s, __builtin_va_arg(*ap, const char *), len);
		else
			put_str(s, __builtin_va_arg(*ap, const char *), ~(size_t)0);
		break;
	case 'd':
	case 'u':
	case 'x':
		put_int(s, *f, longs, size, ap);
		break;
	case 'c':
		put_escaped(s, (u8)__builtin_va_arg(*ap, int));
		break;
	default:
		put(s, '%');
		if (*f != '%')
			return f - 1;	/* unknown: shown as it is */
	}
	return f;
}

static size_t format_va(char *buf, size_t size, const char *fmt,
			__builtin_va_list *ap)
{
	struct sink s = { buf, size, 0 };

	if (!size)
		return 0;
	for (const char *f = fmt; *f; f++) {
		if (*f == '%')
			f = convert(&s, f + 1, ap);
		else
			put(&s, *f);
	}
	buf[s.n] = 0;
	return s.n;
}

size_t lx_format(char *buf, size_t size, const char *fmt, ...)
{
	__builtin_va_list ap;
	size_t n;

	__builtin_va_start(ap, fmt);
	n = format_va(buf, size, fmt, &ap);
	__builtin_va_end(ap);
	return n;
}

int lx_fail(struct lx_error *err, int code, const char *fmt, ...)
{
	__builtin_va_list ap;

	if (!err || err->code)
		return code;
	err->code = code;
	__builtin_va_start(ap, fmt);
	format_va(err->msg, sizeof(err->msg), fmt, &ap);
	__builtin_va_end(ap);
	return code;
}
