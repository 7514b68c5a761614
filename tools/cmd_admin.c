// SPDX-License-Identifier: GPL-2.0-only
/*
 * llamux attr, limit, prefix: what root says of models, users and system
 * prompts.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "tool.h"

static int module_only(const struct globals *g, const struct command *cmd)
{
	if (!g->user)
		return EXIT_OK;
	return usage_error("%s is for the module, not for --user", cmd->name);
}

/* ---- attr ---- */

enum { OPT_PIN = 0x100, OPT_NO_PIN, OPT_KEEP_ALIVE, OPT_ROLES };

static const char *const role_names[] = { "chat", "log", "oom", "complete" };

#define N_ROLES (sizeof(role_names) / sizeof(role_names[0]))

/* Names with commas between, or "none". */
static bool parse_roles(const char *arg, uint32_t *roles)
{
	*roles = 0;
	if (!strcmp(arg, "none"))
		return true;
	while (*arg) {
		size_t n = strcspn(arg, ","), i = 0;

		while (i < N_ROLES && (strlen(role_names[i]) != n ||
				       strncmp(role_names[i], arg, n) != 0))
			i++;
		if (i == N_ROLES)
			break;
		*roles |= 1u << i;
		arg += n + (arg[n] == ',');
	}
	if (!*arg && *roles)
		return true;
	usage_error("--roles: none, or of chat, log, oom, complete, with commas");
	return false;
}

static int handle_attr(void *ctx, int val, const char *arg)
{
	struct llamux_attr *a = ctx;
	bool ok = true;

	switch (val) {
	case OPT_PIN:
	case OPT_NO_PIN:
		a->set |= LLAMUX_ATTR_PIN;
		a->pin = val == OPT_PIN;
		break;
	case OPT_KEEP_ALIVE:
		a->set |= LLAMUX_ATTR_KEEP_ALIVE;
		ok = parse_u32("--keep-alive", arg, 0, 365 * 24 * 3600,
			       &a->keep_alive_s);
		break;
	default:
		a->set |= LLAMUX_ATTR_ROLES;
		ok = parse_roles(arg, &a->roles);
	}
	return ok ? EXIT_OK : EXIT_USAGE;
}

static void print_attr(const struct globals *g, const struct llamux_attr *a)
{
	struct json j;

	if (!g->json) {
		printf("pinned: %s\nkeep_alive: %u\nroles:",
		       a->pin ? "yes" : "no", a->keep_alive_s);
		for (size_t i = 0; i < N_ROLES; i++)
			if (a->roles & 1u << i)
				printf(" %s", role_names[i]);
		puts(a->roles ? "" : " none");
		return;
	}
	json_start(&j, stdout);
	json_open(&j, NULL, '{');
	json_str(&j, "name", a->name);
	json_bool(&j, "pinned", a->pin);
	json_u64(&j, "keep_alive", a->keep_alive_s);
	json_open(&j, "roles", '[');
	for (size_t i = 0; i < N_ROLES; i++)
		if (a->roles & 1u << i)
			json_str(&j, NULL, role_names[i]);
	json_close(&j, ']');
	json_close(&j, '}');
}

static int main_attr(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "pin", no_argument, NULL, OPT_PIN },
		{ "no-pin", no_argument, NULL, OPT_NO_PIN },
		{ "keep-alive", required_argument, NULL, OPT_KEEP_ALIVE },
		{ "roles", required_argument, NULL, OPT_ROLES },
		{ 0 }
	};
	struct llamux_message msg = { "" };
	struct llamux_attr a = { 0 };
	int ret;

	ret = parse_options(g, argc, argv, &command_attr, "", options,
			    handle_attr, &a);
	if (!ret)
		ret = module_only(g, &command_attr);
	if (ret)
		return ret;
	if (argc - optind != 1)
		return usage_error("attr takes one NAME");
	ret = llamux_change_model(argv[optind], &a, &msg);
	if (ret)
		return fail(ret, "%s", msg.text);
	if (!a.set)
		print_attr(g, &a);
	return EXIT_OK;
}

/* ---- limit ---- */

enum { OPT_SESSIONS = 0x100, OPT_TOKENS, OPT_KV };

static int handle_limit(void *ctx, int val, const char *arg)
{
	struct llamux_limit *l = ctx;
	uint64_t bytes = 0;
	bool ok = true;

	switch (val) {
	case OPT_SESSIONS:
		l->set |= LLAMUX_LIMIT_SESSIONS;
		ok = parse_u32("--sessions", arg, 0, UINT32_MAX,
			       &l->max_sessions);
		break;
	case OPT_TOKENS:
		l->set |= LLAMUX_LIMIT_TOKENS;
		ok = parse_u32("--tokens", arg, 0, UINT32_MAX,
			       &l->tokens_per_minute);
		break;
	default:
		l->set |= LLAMUX_LIMIT_KV;
		if (strcmp(arg, "0") != 0)
			ok = parse_size("--kv", arg, &bytes);
		l->max_kv = bytes;
	}
	return ok ? EXIT_OK : EXIT_USAGE;
}

/* A user's name or number. */
static int find_user(const char *s, uint32_t *uid)
{
	const struct passwd *pw = getpwnam(s);

	if (pw) {
		*uid = pw->pw_uid;
		return EXIT_OK;
	}
	if (*s && !s[strspn(s, "0123456789")] &&
	    parse_u32("limit", s, 0, UINT32_MAX - 1, uid))
		return EXIT_OK;
	return usage_error("limit: there is no user '%s'", s);
}

static int main_limit(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "sessions", required_argument, NULL, OPT_SESSIONS },
		{ "tokens", required_argument, NULL, OPT_TOKENS },
		{ "kv", required_argument, NULL, OPT_KV },
		{ 0 }
	};
	struct llamux_message msg = { "" };
	struct llamux_limit l = { 0 };
	int ret;

	ret = parse_options(g, argc, argv, &command_limit, "", options,
			    handle_limit, &l);
	if (!ret)
		ret = module_only(g, &command_limit);
	if (ret)
		return ret;
	if (optind == argc && !l.set)
		return show_table(g, "/proc/llamux/users");
	if (argc - optind != 1)
		return usage_error("limit takes one USER");
	if (!l.set)
		return usage_error("limit: say --sessions, --tokens or --kv");
	ret = find_user(argv[optind], &l.uid);
	if (ret)
		return ret;
	ret = llamux_limit_user(&l, &msg);
	return ret ? fail(ret, "%s", msg.text) : EXIT_OK;
}

/* ---- prefix ---- */

enum { OPT_ADD = 0x100, OPT_REMOVE, OPT_REMOVE_ALL };

struct prefix {
	int what;		/* an option, 0: list */
	uint64_t id;
};

static int handle_prefix(void *ctx, int val, const char *arg)
{
	struct prefix *p = ctx;

	if (p->what)
		return usage_error("prefix does one thing at a time");
	p->what = val;
	if (val != OPT_REMOVE)
		return EXIT_OK;
	return parse_u64("--remove", arg, &p->id) && p->id ? EXIT_OK :
							     EXIT_USAGE;
}

static int add_prefix(const struct globals *g, int argc, char **argv)
{
	struct llamux_message msg = { "" };
	char *text;
	size_t n;
	int ret;

	ret = text_argument(argc, argv, "prefix --add", &text, &n);
	if (ret)
		return ret;
	ret = llamux_register_prompt(g->model, text, n, &msg);
	free(text);
	return ret ? fail(ret, "%s", msg.text) : EXIT_OK;
}

static int main_prefix(struct globals *g, int argc, char **argv)
{
	static const struct option options[] = {
		{ "add", no_argument, NULL, OPT_ADD },
		{ "remove", required_argument, NULL, OPT_REMOVE },
		{ "remove-all", no_argument, NULL, OPT_REMOVE_ALL },
		{ 0 }
	};
	struct llamux_message msg = { "" };
	struct prefix p = { 0 };
	int ret;

	ret = parse_options(g, argc, argv, &command_prefix, "", options,
			    handle_prefix, &p);
	if (!ret)
		ret = module_only(g, &command_prefix);
	if (ret)
		return ret;
	if (p.what == OPT_ADD)
		return add_prefix(g, argc, argv);
	if (optind < argc)
		return usage_error("prefix takes TEXT with --add only");
	if (!p.what)
		return show_table(g, "/proc/llamux/prefixes");
	ret = llamux_forget_prompt(g->model, p.id, &msg);
	return ret ? fail(ret, "%s", msg.text) : EXIT_OK;
}

const struct command command_attr = {
	.name = "attr",
	.args = "NAME",
	.summary = "Pin a model, let it sleep, give it roles; or show that",
	.options =
	"  --pin               it is not unloaded, and does not sleep\n"
	"  --no-pin            it may be\n"
	"  --keep-alive S      give memory back after S idle seconds; 0: never\n"
	"  --roles LIST        chat, log, oom, complete with commas, or none\n",
	.main = main_attr,
};

const struct command command_limit = {
	.name = "limit",
	.args = "[USER]",
	.summary = "Limit what a user may have; or list users and limits",
	.options =
	"  --sessions N        open conversations; 0: as all others\n"
	"  --tokens N          tokens a minute, prompts and answers; 0: any\n"
	"  --kv SIZE           memory of the KV cache, e.g. 512M; 0: as others\n",
	.main = main_limit,
};

const struct command command_prefix = {
	.name = "prefix",
	.args = "[TEXT]",
	.summary = "List system prompts computed for all; add, remove some",
	.options =
	"  --add               compute TEXT (or standard input) for everybody\n"
	"  --remove ID         forget one, by the number in the list\n"
	"  --remove-all        forget all of the model\n",
	.main = main_prefix,
};
