// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls in an answer. Text is held back only where it may be the beginning of
 * a call, arguments never.
 */
#include <stdio.h>

#include "calls.h"

void calls_init(struct calls *c, const struct tools_dialect *d,
		const struct calls_listener *tell)
{
	*c = (struct calls){ .dialect = d, .tell = *tell };
	if (!d)
		c->state = CALLS_PLAIN;
}

void calls_free(struct calls *c)
{
	buffer_free(&c->held);
	buffer_free(&c->head);
}

/* Tell of the text that is no part of a call. */
static void tell_ready(struct calls *c)
{
	if (c->ready)
		c->tell.text(c->tell.ctx, c->held.data, c->ready);
	buffer_drop(&c->held, c->ready);
	c->ready = 0;
}

static void tell_call(struct calls *c, const char *args, size_t n, bool over)
{
	struct call_part part = { .name = c->name, .number = c->n - 1,
				  .args = args, .n = n, .over = over };

	c->tell.call(c->tell.ctx, &part);
}

/* White space before a call is no text. */
static void in_text(struct calls *c, char ch)
{
	const char *open = c->dialect->open;

	if (!open) {
		c->state = ch == '{' ? CALLS_BETWEEN : CALLS_PLAIN;
		return;
	}
	if (c->matched && ch != open[c->matched]) {
		c->ready = c->held.n;
		c->matched = 0;
	}
	buffer_add(&c->held, &ch, 1);
	if (ch == open[c->matched])
		c->matched++;
	else if (ch != ' ' && ch != '\n')
		c->ready = c->held.n;
	if (c->matched && !open[c->matched]) {
		tell_ready(c);
		c->held.n = 0;
		c->state = CALLS_BETWEEN;
	}
}

/* Follow brackets and strings. */
static void count(struct calls *c, char ch)
{
	if (c->escaped)
		c->escaped = false;
	else if (c->quoted && ch == '\\')
		c->escaped = true;
	else if (ch == '"')
		c->quoted = !c->quoted;
	else if (!c->quoted && (ch == '{' || ch == '['))
		c->depth++;
	else if (!c->quoted && (ch == '}' || ch == ']'))
		c->depth--;
}

/* The name is known: all is there but the arguments. */
static void begin(struct calls *c)
{
	json_t *json = NULL;
	const char *name;

	buffer_str(&c->head, "{}}");
	if (!c->head.failed)
		json = json_loadb(c->head.data, c->head.n, 0, NULL);
	name = json_string_value(json_object_get(json, "name"));
	snprintf(c->name, sizeof(c->name), "%s", name ? name : "");
	json_decref(json);
	c->head.n = 0;
	c->n++;
	tell_call(c, "", 0, false);
}

/* A character behind what opens a call: is it one of the arguments? */
static bool in_call(struct calls *c, char ch)
{
	count(c, ch);
	switch (c->state) {
	case CALLS_HEAD:
		if (c->depth == 2) {
			c->state = CALLS_ARGS;
			begin(c);
			return true;
		}
		buffer_add(&c->head, &ch, 1);
		return false;
	case CALLS_ARGS:
		if (c->depth == 1)
			c->state = CALLS_TAIL;
		return true;
	case CALLS_TAIL:
		if (!c->depth) {
			c->state = CALLS_BETWEEN;
			tell_call(c, "", 0, true);
		}
		return false;
	default:
		if (c->depth) {
			c->state = CALLS_HEAD;
			buffer_add(&c->head, &ch, 1);
		}
		return false;
	}
}

void calls_feed(struct calls *c, const char *s, size_t n)
{
	size_t i = 0, from;

	for (; i < n && c->state == CALLS_TEXT; i++) {
		in_text(c, s[i]);
		/* The { is the call's own. */
		if (!c->dialect->open)
			break;
	}
	if (c->state == CALLS_TEXT)
		tell_ready(c);
	if (c->state == CALLS_PLAIN && i < n)
		c->tell.text(c->tell.ctx, s + i, n - i);
	if (c->state == CALLS_TEXT || c->state == CALLS_PLAIN)
		return;
	while (i < n) {
		for (; i < n && !in_call(c, s[i]); i++)
			;
		if (i == n)
			break;
		for (from = i++; i < n && c->state == CALLS_ARGS; i++)
			in_call(c, s[i]);
		tell_call(c, s + from, i - from, false);
	}
}

void calls_end(struct calls *c)
{
	c->ready = c->held.n;
	tell_ready(c);
}
