// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/* Strings: lengths, patterns, formats. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <string.h>

#include "schema.h"

/* Rules that others are made of; what is not used costs nothing. */
const char schema_basics[] =
	"ws ::= (\" \" | \"\\n\" [ \\t]{0,20})?\n"
	"hex ::= [0-9a-fA-F]\n"
	/* Behind \u: a character, or the two halves of one. */
	"unit ::= [0-9a-cefA-CEF] hex{3} | [dD] [0-7] hex{2} |"
	" [dD] [89abAB] hex{2} \"\\\\u\" [dD] [c-fC-F] hex{2}\n"
	"char ::= [^\"\\\\\\x00-\\x1f\\x7f] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" unit)\n"
	/* Of keys that are not those given. */
	"wide ::= [\\u0080-\\U0010ffff]\n"
	"escape ::= \"\\\\\" [\"\\\\bfnrt]\n"
	"dot ::= [^\"\\\\\\x00-\\x1f\\x7f\\u2028\\u2029] | \"\\\\\" [\"\\\\/bft]\n"
	"string ::= \"\\\"\" char* \"\\\"\"\n"
	"integer ::= \"-\"? (\"0\" | [1-9] [0-9]{0,15})\n"
	"number ::= integer (\".\" [0-9]{1,16})? ([eE] [+-]? [0-9]{1,2})?\n"
	"boolean ::= \"true\" | \"false\"\n"
	"null ::= \"null\"\n"
	"array ::= \"[\" ws (value ws (\",\" ws value ws)*)? \"]\"\n"
	"member ::= string ws \":\" ws value ws\n"
	"object ::= \"{\" ws (member (\",\" ws member)*)? \"}\"\n"
	"value ::= object | array | string | number | boolean | null\n"
	/* Dates of the years 0001 to 9999 (RFC 3339), with leap years. */
	"year ::= [1-9] [0-9]{3} | \"0\" [1-9] [0-9]{2} | \"00\" [1-9] [0-9] |"
	" \"000\" [1-9]\n"
	"four ::= \"0\" [48] | [2468] [048] | [13579] [26]\n"
	"leap ::= [0-9]{2} four | four \"00\"\n"
	"day ::= (\"0\" [13578] | \"1\" [02]) \"-\" (\"0\" [1-9] | [12] [0-9] | \"3\" [01]) |"
	" (\"0\" [469] | \"11\") \"-\" (\"0\" [1-9] | [12] [0-9] | \"30\") |"
	" \"02-\" (\"0\" [1-9] | \"1\" [0-9] | \"2\" [0-8])\n"
	"f-date ::= year \"-\" day | leap \"-02-29\"\n"
	"clock ::= ([01] [0-9] | \"2\" [0-3]) \":\" [0-5] [0-9]\n"
	"f-time ::= clock \":\" [0-5] [0-9] (\".\" [0-9]{1,9})? (\"Z\" | [+-] clock)\n"
	"f-date-time ::= f-date \"T\" f-time\n"
	"f-uuid ::= hex{8} \"-\" hex{4} \"-\" hex{4} \"-\" hex{4} \"-\" hex{12}\n"
	"octet ::= [0-9] | [1-9] [0-9] | \"1\" [0-9]{2} | \"2\" [0-4] [0-9] | \"25\" [0-5]\n"
	"f-ipv4 ::= octet (\".\" octet){3}\n"
	"f-ipv6 ::= hex{1,4} (\":\" hex{1,4}){7}\n"
	"label ::= [a-zA-Z0-9] ([a-zA-Z0-9\\-]{0,61} [a-zA-Z0-9])?\n"
	"top ::= [a-zA-Z] ([a-zA-Z0-9\\-]{0,61} [a-zA-Z0-9])?\n"
	"f-hostname ::= (label \".\"){0,2} top\n"
	"atom ::= [a-zA-Z0-9!#$%&'*+/=?\\^_`{|}~\\-]{1,20}\n"
	"f-email ::= atom (\".\" atom){0,2} \"@\" f-hostname\n"
	"pchar ::= [a-zA-Z0-9._~!$&'()*+,;=:@\\-] | \"%\" hex{2}\n"
	"f-uri ::= [a-zA-Z] [a-zA-Z0-9+.\\-]{0,15} \"://\" f-hostname"
	" (\":\" [1-9] [0-9]{0,3})? (\"/\" pchar*)* (\"?\" (pchar | [/?])*)?"
	" (\"#\" (pchar | [/?])*)?\n";

static const char formats[] =
	" date time date-time uuid ipv4 ipv6 hostname email uri ";

static int put_format(struct schema *s, const struct json_value *format,
		      struct text *body)
{
	const char *name = format->type == JSON_STRING ? format->text : "";

	if (!schema_listed(formats, name))
		return schema_fail(s, -EINVAL,
				   "schema: 'format' %s%.40s%s is not supported",
				   *name ? "'" : "", *name ? name : "of that kind",
				   *name ? "'" : "");
	schema_text_add(body, "\"\\\"\" f-%s \"\\\"\"", name);
	return 0;
}

int schema_string(struct schema *s, const struct json_value *v,
		  struct text *body)
{
	const struct json_value *pattern = json_get(v, "pattern");
	const struct json_value *format = json_get(v, "format");
	uint32_t min, max;
	int ret = schema_count(s, v, "minLength", 0, &min);

	if (!ret)
		ret = schema_count(s, v, "maxLength", UINT32_MAX, &max);
	if (ret)
		return ret;
	if (max < min)
		return schema_fail(s, -EINVAL, "schema: 'maxLength' is below 'minLength'");
	if ((pattern || format) && (min || max != UINT32_MAX))
		return schema_fail(s, -EINVAL, "schema: '%s' beside a length is not supported",
				   pattern ? "pattern" : "format");
	if (pattern && (format || pattern->type != JSON_STRING))
		return schema_fail(s, -EINVAL,
				   "schema: 'pattern' is no string, or stands beside 'format'");
	if (format)
		return put_format(s, format, body);
	schema_text_add(body, "\"\\\"\" ");
	if (pattern) {
		ret = schema_pattern(s, body, pattern->text);
	} else {
		schema_text_add(body, "char");
		schema_text_repeat(body, min, max);
	}
	schema_text_add(body, " \"\\\"\"");
	return ret;
}
