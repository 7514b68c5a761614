// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Stop strings. The text of an answer ends before the first of them. Text
 * that may be the begin of one is held back: it lies behind what can be read
 * (session.h: held) until more text decides. Only whole characters get here
 * and stop strings are whole characters, so no cut goes through one.
 */
#include "session.h"
#include "unicode.h"

static bool is_text(const char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		int k = lx_utf8_check((const u8 *)p + i, n - i);

		if (k <= 0)
			return false;
		i += (size_t)k;
	}
	return true;
}

/* @text: strings, each with its NUL. How many, or -LX_EINVAL. */
static int count_stops(const char *text, size_t n)
{
	size_t first = 0;
	int count = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i])
			continue;
		if (i == first || i - first > LX_MAX_STOP_BYTES ||
		    ++count > LX_MAX_STOPS)
			return -LX_EINVAL;
		first = i + 1;
	}
	return first == n && is_text(text, n) ? count : -LX_EINVAL;
}

int lx_session_set_stops(struct lx_session *s, const char *text, size_t n)
{
	struct lx_engine *e = s->e;
	struct lx_stops *st = NULL;
	int count = count_stops(text, n);

	if (s->in_batch || s->state == LX_SESSION_RUNNING)
		return -LX_EBUSY;
	if (count < 0)
		return count;
	if (count) {
		st = lx_engine_alloc(e, 1, sizeof(*st));
		if (!st)
			return -LX_ENOMEM;
		lx_memcpy(st->text, text, n);
		st->n = (u32)n;
	}
	lx_engine_release(e, s->stops, 1, sizeof(*st));
	s->stops = st;
	return 0;
}

/*
 * Whether a stop string stands at @p, with @n bytes there: 1; or may, if more
 * text follows: 0; else -1.
 */
static int stop_at(const struct lx_stops *st, const char *p, size_t n)
{
	int best = -1;

	for (u32 i = 0; i < st->n; i += (u32)lx_strlen(st->text + i) + 1) {
		const char *stop = st->text + i;
		size_t len = lx_strlen(stop);

		if (lx_memcmp(p, stop, lx_min(len, n)))
			continue;
		if (len <= n)
			return 1;
		best = 0;
	}
	return best;
}

/*
 * Tokens whose text is not delivered leave the conversation. One that is
 * delivered in part stays.
 */
static void take_back(struct lx_session *s, u64 at)
{
	const struct lx_stops *st = s->stops;
	u32 n = s->n_tokens;

	while (n > s->gen_start && s->n_tokens - n < LX_STOP_TOKENS &&
	       st->begin[(n - 1) % LX_STOP_TOKENS] >= at)
		n--;
	lx_session_rewind(s, n);
	/* As at any other end, the last token is still to be computed. */
	if (s->n_past && s->n_past == n)
		s->n_past--;
}

void lx_stop_note(struct lx_session *s)
{
	s->stops->begin[(s->n_tokens - 1) % LX_STOP_TOKENS] = s->n_text;
}

bool lx_stop_text(struct lx_session *s, size_t n)
{
	const char *p = s->out + s->out_head + s->out_len;
	size_t len = s->held + n, hold = len;

	s->n_text += n;
	for (size_t i = 0; i < len; i++) {
		int k = stop_at(s->stops, p + i, len - i);

		if (k > 0) {
			take_back(s, s->n_text - (len - i));
			s->out_len += i;
			s->held = 0;
			return true;
		}
		if (!k && hold == len)
			hold = i;
	}
	s->out_len += hold;
	s->held = len - hold;
	return false;
}
