// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stop strings and biases of a request.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "stop.h"

static int add(struct stops *s, struct problem *p, json_t *value,
	       const char *field)
{
	size_t n = json_string_length(value);

	if (!json_is_string(value) || !n || n > LLAMUX_MAX_STOP_BYTES)
		return problem_field(p, field,
				     "%s is not made of strings of 1 to %d bytes",
				     field, LLAMUX_MAX_STOP_BYTES);
	if (s->n == LLAMUX_MAX_STOPS)
		return problem_field(p, field, "more than %d stop strings",
				     LLAMUX_MAX_STOPS);
	s->text[s->n++] = json_string_value(value);
	return 0;
}

int stops_parse(struct stops *s, struct problem *p, json_t *value,
		const char *field)
{
	json_t *v;
	size_t i;

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_array(value))
		return add(s, p, value, field);
	json_array_foreach(value, i, v)
		if (add(s, p, v, field))
			return -1;
	return 0;
}

/* "50256": -100. What is -100 is never chosen. */
static int bias(struct llamux_bias *b, struct problem *p, const char *key,
		const json_t *value)
{
	double v = json_number_value(value);
	char *end;
	long id;

	errno = 0;
	id = strtol(key, &end, 10);
	if (errno || end == key || *end || id < 0 || id > INT_MAX)
		return problem_field(p, "logit_bias", "'%.40s' is no token id",
				     key);
	if (!json_is_number(value) || !(v >= -100 && v <= 100))
		return problem_field(p, "logit_bias",
				     "a bias is not a number from -100 to 100");
	b->id = (int32_t)id;
	b->bias_u = v <= -100 ? LLAMUX_BIAS_NEVER :
		    (int32_t)(v * 1e6 + (v < 0 ? -0.5 : 0.5));
	return 0;
}

int biases_parse(struct biases *b, struct problem *p, json_t *value)
{
	size_t n = json_object_size(value);
	const char *key;
	json_t *v;

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_object(value))
		return problem_field(p, "logit_bias",
				     "logit_bias is not an object");
	if (n > LLAMUX_MAX_BIAS)
		return problem_field(p, "logit_bias",
				     "more than %d biased tokens",
				     LLAMUX_MAX_BIAS);
	b->v = calloc(n + 1, sizeof(*b->v));
	if (!b->v)
		return problem_errno(p, -ENOMEM, NULL);
	json_object_foreach(value, key, v)
		if (bias(&b->v[b->n++], p, key, v))
			return -1;
	return 0;
}
