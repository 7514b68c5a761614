// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/*
 * Numbers between bounds, digit by digit: exact for bounds of any size up to
 * DECIMAL_DIGITS before and after the point. A bounded number is written
 * without an exponent, and zero without a sign.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

#define MAX_EXPONENT 100000
#define OPEN_DIGITS 16	/* of a number where there is no bound */
/* Few enough that who reads it as an f64 does not round it to a bound. */
#define PART_DIGITS 9

/* ---- decimals ---- */

int decimal_read(const char *text, struct decimal *d)
{
	char digits[2 * DECIMAL_DIGITS + 1];
	long exponent = 0, e;
	size_t n = 0;
	int point = 0;

	memset(d, 0, sizeof(*d));
	d->neg = *text == '-';
	for (text += d->neg; *text && *text != 'e' && *text != 'E'; text++) {
		if (*text == '.') {
			point = 1;
			continue;
		}
		exponent -= point;
		if (!n && *text == '0')
			continue;
		if (n == sizeof(digits) - 1)
			return -1;
		digits[n++] = *text;
	}
	e = *text ? strtol(text + 1, NULL, 10) : 0;
	exponent += e < -MAX_EXPONENT ? -MAX_EXPONENT :
		    e > MAX_EXPONENT ? MAX_EXPONENT : e;
	for (; n && digits[n - 1] == '0'; n--)
		exponent++;
	if (!n) {
		d->neg = 0;
		d->whole[0] = '0';
		return 0;
	}
	/* The digits behind position @exponent + n are behind the point. */
	if (exponent < -DECIMAL_DIGITS || exponent > DECIMAL_DIGITS ||
	    (long)n + exponent > DECIMAL_DIGITS)
		return -1;
	memset(d->whole, '0', 1);
	for (long i = 0; i < (long)n + exponent; i++)
		d->whole[i] = i < (long)n ? digits[i] : '0';
	for (long i = 0; i < -exponent; i++) {
		long at = (long)n + exponent + i;

		d->part[i] = at < 0 ? '0' : digits[at];
	}
	return 0;
}

/* Without signs. */
static int compare_digits(const struct decimal *a, const struct decimal *b)
{
	size_t n = strlen(a->whole), m = strlen(b->whole);
	int c = n != m ? (n < m ? -1 : 1) : strcmp(a->whole, b->whole);

	return c ? c : strcmp(a->part, b->part);
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
	if (a->neg != b->neg)
		return a->neg ? -1 : 1;
	return a->neg ? compare_digits(b, a) : compare_digits(a, b);
}

/* A whole number of digits, one more or (not of zero) one less. */
static void step(char *digits, int up)
{
	size_t n = strlen(digits), i = n;

	while (i && digits[i - 1] == (up ? '9' : '0'))
		digits[--i] = up ? '0' : '9';
	if (i) {
		digits[i - 1] = (char)(digits[i - 1] + (up ? 1 : -1));
	} else {	/* up: 999 */
		memmove(digits + 1, digits, n + 1);
		digits[0] = '1';
	}
	if (n > 1 && digits[0] == '0')
		memmove(digits, digits + 1, n);
}

/* ---- digits as rules ---- */

/* @n digits from @lo to @hi, which have as many (NULL: no bound). */
static void put_span(struct text *t, const char *lo, const char *hi, size_t n)
{
	char a = lo ? *lo : '0', b = hi ? *hi : '9';
	const char *between = "";

	if (!n) {
		schema_text_add(t, "\"\"");
	} else if (!lo && !hi) {
		schema_text_add(t, "[0-9]{%zu}", n);
	} else if (a == b) {
		schema_text_add(t, "\"%c\" ", a);
		put_span(t, lo ? lo + 1 : NULL, hi ? hi + 1 : NULL, n - 1);
	} else {
		schema_text_add(t, "(");
		if (lo) {
			schema_text_add(t, "\"%c\" ", a++);
			put_span(t, lo + 1, NULL, n - 1);
			between = " | ";
		}
		if (hi) {
			schema_text_add(t, "%s\"%c\" ", between, b--);
			put_span(t, NULL, hi + 1, n - 1);
			between = " | ";
		}
		if (a <= b) {
			schema_text_add(t, "%s[%c-%c] ", between, a, b);
			put_span(t, NULL, NULL, n - 1);
		}
		schema_text_add(t, ")");
	}
}

/* Whole numbers from @lo to @hi (NULL: as many digits as there may be). */
static void put_whole(struct text *t, const char *lo, const char *hi)
{
	size_t n = strlen(lo), m = hi ? strlen(hi) : n;
	char ten[DECIMAL_DIGITS + 3] = "1";

	schema_text_add(t, "(");
	put_span(t, lo, n == m ? hi : NULL, n);
	if (!hi && n < OPEN_DIGITS)
		schema_text_add(t, " | [1-9] [0-9]{%zu,%d}", n, OPEN_DIGITS - 1);
	if (m > n + 1)
		schema_text_add(t, " | [1-9] [0-9]{%zu,%zu}", n, m - 2);
	if (m > n) {
		memset(ten + 1, '0', m - 1);
		schema_text_add(t, " | ");
		put_span(t, ten, hi, m);
	}
	schema_text_add(t, ")");
}

/*
 * @least or more digits behind the point, from @lo to @hi, in which what is
 * missing are zeros (NULL: no bound). 0: nothing is between them.
 */
static int put_part(struct text *t, const char *lo, const char *hi, int ex_lo,
		    int ex_hi, int least)
{
	const char *more, *between = "";
	int some = 0;
	char a, b;

	if (lo && !*lo && !ex_lo)
		lo = NULL;
	if (hi && !*hi) {	/* zero, or below */
		if (lo || ex_hi)
			return 0;
		schema_text_add(t, "\"0\"{%d,%d}", least, PART_DIGITS);
		return 1;
	}
	if (!lo && !hi) {
		schema_text_add(t, "[0-9]{%d,%d}", least, PART_DIGITS);
		return 1;
	}
	if (lo && !*lo && !hi) {	/* above zero */
		schema_text_add(t, "\"0\"{0,%d} [1-9] [0-9]{0,%d}",
				PART_DIGITS - 1, PART_DIGITS - 1);
		return 1;
	}
	a = lo && *lo ? *lo : '0';
	b = hi ? *hi : '9';
	more = lo && *lo ? lo + 1 : lo;
	schema_text_add(t, "(");
	if (!lo && !least) {
		schema_text_add(t, "\"\"");
		between = " | ";
		some = 1;
	}
	for (char c = a; c <= b; c++) {
		struct text way = { 0 };
		int low = lo && c == a, high = hi && c == b;
		char last = low || high ? c : hi ? (char)(b - 1) : b;

		schema_text_add(&way, "%s[%c-%c] ", between, c, last);
		if (put_part(&way, low ? more : NULL, high ? hi + 1 : NULL,
			     low && ex_lo, high && ex_hi, 0) && !way.failed) {
			schema_text_add(t, "%s", way.p);
			between = " | ";
			some = 1;
		}
		t->failed |= way.failed;
		free(way.p);
		c = last;
	}
	schema_text_add(t, ")");
	return some;
}

/* A whole number and what may follow it. 0: nothing is between the bounds. */
static int put_fraction(struct text *t, const char *lo, const char *hi,
			int ex_lo, int ex_hi)
{
	int zero = (!lo || (!*lo && !ex_lo)) && (!hi || *hi || !ex_hi);
	struct text part = { 0 };
	int some = put_part(&part, lo, hi, ex_lo, ex_hi, 1);

	t->failed |= part.failed;
	if (some && !part.failed)
		schema_text_add(t, " (\".\" %s)%s", part.p, zero ? "?" : "");
	free(part.p);
	return some || zero;
}

/* ---- bounds ---- */

struct bounds {
	struct decimal lo, hi;
	int has_lo, has_hi, ex_lo, ex_hi;
};

/* "minimum" and "exclusiveMinimum", or those of the maximum (@upper). */
static int read_bound(struct schema *s, const struct json_value *v, int upper,
		      struct decimal *d, int *has, int *ex)
{
	const char *key[2] = { upper ? "maximum" : "minimum",
			       upper ? "exclusiveMaximum" : "exclusiveMinimum" };
	struct decimal x;

	for (int i = 0; i < 2; i++) {
		const struct json_value *m = json_get(v, key[i]);
		int c;

		if (!m || (i && m->type == JSON_FALSE))
			continue;
		if (i && m->type == JSON_TRUE) {	/* draft 4 */
			*ex = *has;
			continue;
		}
		if (m->type != JSON_NUMBER || decimal_read(m->text, &x))
			return schema_fail(s, -EINVAL,
				"schema: '%s' is no number of at most %d digits",
				key[i], DECIMAL_DIGITS);
		c = *has ? decimal_compare(&x, d) * (upper ? -1 : 1) : 1;
		if (c < 0)
			continue;
		*d = x;
		*has = 1;
		*ex = i;
	}
	return 0;
}

/* Numbers without a sign, from @lo to @hi (NULL: none). 0: there are none. */
static int put_side(struct text *t, const struct decimal *lo,
		    const struct decimal *hi, int ex_lo, int ex_hi, int integer)
{
	struct decimal a = *lo, b;
	struct text way = { 0 };
	const char *between = "";
	int some = 0;

	if (hi)
		b = *hi;
	if (!integer && hi && !strcmp(a.whole, b.whole)) {
		schema_text_add(t, "\"%s\"", a.whole);
		return put_fraction(t, a.part, b.part, ex_lo, ex_hi);
	}
	if (!integer) {
		schema_text_add(&way, "\"%s\"", a.whole);
		some = put_fraction(&way, a.part, NULL, ex_lo, 0);
		if (some && !way.failed)
			schema_text_add(t, "%s", way.p);
		t->failed |= way.failed;
		free(way.p);
		between = some ? " | " : "";
		way = (struct text){ 0 };
	}
	/* What is whole between the bounds; of integers the ends, too. */
	if (!integer || *a.part || ex_lo)
		step(a.whole, 1);
	a.part[0] = '\0';
	if (hi && (!integer || (!*b.part && ex_hi))) {
		if (!strcmp(b.whole, "0"))
			return some;
		step(b.whole, 0);
	}
	if (hi)
		b.part[0] = '\0';
	if (!hi || compare_digits(&a, &b) <= 0) {
		schema_text_add(t, "%s", between);
		put_whole(t, a.whole, hi ? b.whole : NULL);
		if (!integer)
			put_fraction(t, NULL, NULL, 0, 0);
		between = " | ";
		some = 1;
	}
	if (integer || !hi)
		return some;
	schema_text_add(&way, "%s\"%s\"", between, hi->whole);
	if (put_fraction(&way, NULL, hi->part, 0, ex_hi) && !way.failed) {
		schema_text_add(t, "%s", way.p);
		some = 1;
	}
	t->failed |= way.failed;
	free(way.p);
	return some;
}

int schema_number(struct schema *s, const struct json_value *v, int integer,
		  struct text *body)
{
	static const struct decimal zero = { .whole = "0" };
	struct bounds b = { .has_lo = 0 };
	int ret = read_bound(s, v, 0, &b.lo, &b.has_lo, &b.ex_lo);
	int below, above, some = 0;
	struct text side = { 0 };

	if (!ret)
		ret = read_bound(s, v, 1, &b.hi, &b.has_hi, &b.ex_hi);
	if (ret)
		return ret;
	if (!b.has_lo && !b.has_hi) {
		schema_text_add(body, integer ? "integer" : "number");
		return 0;
	}
	if (b.has_lo && b.has_hi && decimal_compare(&b.lo, &b.hi) > 0)
		return schema_fail(s, -EINVAL, "schema: 'minimum' is above 'maximum'");
	below = !b.has_lo || b.lo.neg;
	above = !b.has_hi || !b.hi.neg;
	if (above && put_side(&side, below ? &zero : &b.lo,
			      b.has_hi ? &b.hi : NULL, !below && b.ex_lo,
			      b.ex_hi, integer) && !side.failed) {
		schema_text_add(body, "(%s)", side.p);
		some = 1;
	}
	body->failed |= side.failed;
	free(side.p);
	side = (struct text){ 0 };
	if (below && put_side(&side, above ? &zero : &b.hi,
			      b.has_lo ? &b.lo : NULL, above || b.ex_hi,
			      b.ex_lo, integer) && !side.failed) {
		schema_text_add(body, "%s\"-\" (%s)", some ? " | " : "", side.p);
		some = 1;
	}
	body->failed |= side.failed;
	free(side.p);
	return some || body->failed ? 0 :
	       schema_fail(s, -EINVAL, "schema: no %s is between 'minimum' and 'maximum'",
			   integer ? "integer" : "number");
}
