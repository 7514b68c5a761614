/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The options of llamux serve: "llamux serve" checks and describes them, then
 * runs llamux-serve, which obeys them.
 */
#ifndef SERVE_OPTIONS_H
#define SERVE_OPTIONS_H

#include <getopt.h>

enum {
	OPT_SOCKET = 0x100, OPT_LISTEN, OPT_TOKEN_FILE, OPT_GROUP, OPT_TURNS,
	OPT_QUEUE, OPT_CONNECTIONS, OPT_BODY, OPT_TIMEOUT, OPT_SERVE_CTX,
	OPT_SERVE_KV,
};

#define SERVE_OPTIONS \
	{ "socket", required_argument, NULL, OPT_SOCKET }, \
	{ "listen", required_argument, NULL, OPT_LISTEN }, \
	{ "token-file", required_argument, NULL, OPT_TOKEN_FILE }, \
	{ "group", required_argument, NULL, OPT_GROUP }, \
	{ "turns", required_argument, NULL, OPT_TURNS }, \
	{ "queue", required_argument, NULL, OPT_QUEUE }, \
	{ "connections", required_argument, NULL, OPT_CONNECTIONS }, \
	{ "body", required_argument, NULL, OPT_BODY }, \
	{ "timeout", required_argument, NULL, OPT_TIMEOUT }, \
	{ "ctx", required_argument, NULL, OPT_SERVE_CTX }, \
	{ "kv", required_argument, NULL, OPT_SERVE_KV }

#define SERVE_SOCKET "/run/llamux/serve.sock"

#define SERVE_HELP \
	"  --socket PATH       a Unix socket (" SERVE_SOCKET " unless\n" \
	"                      --listen is given)\n" \
	"  --listen ADDR:PORT  TCP, on a loopback address; port 0: any\n" \
	"  --token-file FILE   tokens of TCP clients, a line each, behind a name if\n" \
	"                      wanted; made when there is no such file; without it\n" \
	"                      a new token is printed\n" \
	"  --group NAME        who else may use the Unix socket (llamux)\n" \
	"  --turns N           answers computed at a time (8)\n" \
	"  --queue N           requests that may wait for one (64)\n" \
	"  --connections N     connections at a time (256)\n" \
	"  --body N            KiB that a request may have (1024)\n" \
	"  --timeout S         seconds an answer may take (600)\n" \
	"  --ctx N             tokens of context, with --user\n" \
	"  --kv TYPE           f16, f32, q8_0 or q4_0 KV cache, with --user\n"

#endif
