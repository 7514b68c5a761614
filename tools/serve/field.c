// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fields of a request's JSON.
 */
#include "field.h"

static json_t *get(const json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	return json_is_null(v) ? NULL : v;
}

int field_real(struct problem *p, const json_t *obj, const char *key,
	       double min, double max, double *v)
{
	json_t *j = get(obj, key);

	if (!j)
		return 0;
	if (!json_is_number(j))
		return problem_field(p, key, "%s is not a number", key);
	*v = json_number_value(j);
	if (!(*v >= min && *v <= max))
		return problem_field(p, key, "%s is not from %g to %g", key,
				     min, max);
	return 1;
}

int field_int(struct problem *p, const json_t *obj, const char *key,
	      int64_t min, int64_t max, int64_t *v)
{
	json_t *j = get(obj, key);
	double d;

	if (!j)
		return 0;
	d = json_number_value(j);
	/* Some clients write 5.0. */
	if (json_is_integer(j))
		*v = json_integer_value(j);
	else if (json_is_real(j) && d >= -1e15 && d <= 1e15 &&
		 d == (double)(int64_t)d)
		*v = (int64_t)d;
	else
		return problem_field(p, key, "%s is not an integer", key);
	if (*v < min || *v > max)
		return problem_field(p, key, "%s is not from %lld to %lld",
				     key, (long long)min, (long long)max);
	return 1;
}

int field_bool(struct problem *p, const json_t *obj, const char *key, bool *v)
{
	json_t *j = get(obj, key);

	if (!j)
		return 0;
	if (!json_is_boolean(j))
		return problem_field(p, key, "%s is neither true nor false",
				     key);
	*v = json_is_true(j);
	return 1;
}

int field_string(struct problem *p, const json_t *obj, const char *key,
		 const char **v)
{
	json_t *j = get(obj, key);

	if (!j)
		return 0;
	if (!json_is_string(j))
		return problem_field(p, key, "%s is not a string", key);
	*v = json_string_value(j);
	return 1;
}

int field_object(struct problem *p, const json_t *obj, const char *key,
		 json_t **v)
{
	json_t *j = get(obj, key);

	if (!j)
		return 0;
	if (!json_is_object(j))
		return problem_field(p, key, "%s is not an object", key);
	*v = j;
	return 1;
}

int field_array(struct problem *p, const json_t *obj, const char *key,
		json_t **v)
{
	json_t *j = get(obj, key);

	if (!j)
		return 0;
	if (!json_is_array(j))
		return problem_field(p, key, "%s is not an array", key);
	*v = j;
	return 1;
}
