// SPDX-License-Identifier: GPL-2.0-only
/*
 * Models known by name. tests/check/tables.sh holds models/zoo.json against its
 * schema.
 */
#include <string.h>

#include "json.h"
#include "jsonread.h"
#include "zoo.h"

__asm__(".section .rodata\n"
	"zoo_json:\n"
	".incbin \"models/zoo.json\"\n"
	"zoo_json_end:\n"
	".previous\n");

extern const char zoo_json[], zoo_json_end[];

/* The entries; read once, kept for the life of the command. */
static const struct json_value *models(void)
{
	static struct json_value *zoo;
	const char *why;
	size_t at;

	if (!zoo)
		zoo = json_read(zoo_json, (size_t)(zoo_json_end - zoo_json),
				&why, &at);
	return zoo ? json_get(zoo, "models") : NULL;
}

static const char *text(const struct json_value *m, const char *key)
{
	const struct json_value *v = json_get(m, key);

	return v ? v->text : NULL;
}

bool zoo_find(const char *name, const char **url, const char **sha256)
{
	const struct json_value *list = models();

	for (const struct json_value *m = list ? list->first : NULL; m;
	     m = m->next) {
		if (strcmp(text(m, "name"), name))
			continue;
		*url = text(m, "url");
		*sha256 = text(m, "sha256");
		return true;
	}
	return false;
}

void zoo_print_json(FILE *f)
{
	static const char *const keys[] = { "name", "what", "architecture", "type",
					    "licence", "url", "sha256" };
	const struct json_value *list = models();
	struct json j;

	json_start(&j, f);
	json_open(&j, NULL, '[');
	for (const struct json_value *m = list ? list->first : NULL; m;
	     m = m->next) {
		json_open(&j, NULL, '{');
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (text(m, keys[i]))
				json_str(&j, keys[i], text(m, keys[i]));
			else
				json_null(&j, keys[i]);
		json_close(&j, '}');
	}
	json_close(&j, ']');
}

void zoo_print(FILE *f)
{
	const struct json_value *list = models();

	for (const struct json_value *m = list ? list->first : NULL; m;
	     m = m->next)
		fprintf(f, "%-16s %-8s %-28s %s%s\n", text(m, "name"),
			text(m, "type"), text(m, "licence"), text(m, "what"),
			text(m, "sha256") ? "" : " (no sum is known)");
}
