/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the subcommands of llamux share.
 */
#ifndef TOOL_H
#define TOOL_H

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "llamux.h"
#include "llamux_version.h"

/* Exit codes; llamux(1) documents them. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_DEVICE = 3,
	EXIT_NO_MODEL = 4,
	EXIT_TOO_LONG = 5,
	EXIT_INTERRUPTED = 130,
};

struct globals {
	bool user;		/* --user */
	const char *model;	/* -m */
	uint32_t threads;	/* -t */
	const char *simd;	/* --simd */
	const char *as;		/* --as */
	bool stream;		/* --stream */
	uint64_t memory;	/* --memory; 0: not given */
	bool json;		/* --json */
	bool help;		/* --help */
};

struct command {
	const char *name;
	const char *args;	/* for the usage line */
	const char *summary;
	const char *options;	/* one a line, for --help */
	int (*main)(struct globals *g, int argc, char **argv);
};

extern const struct command command_ask, command_chat, command_tokenize,
	command_detokenize, command_logits, command_plan, command_bench,
	command_load, command_unload, command_default, command_models,
	command_doctor, command_top, command_pull,
	command_ps, command_status, command_quantize, command_score,
	command_embed, command_serve, command_attr, command_limit,
	command_prefix;

/* ---- main.c ---- */

/*
 * Parse the options of a subcommand, global ones among them. @own handles
 * those of the subcommand by their val, and returns an exit code. Returns
 * EXIT_OK with optind at the first argument, or an exit code.
 */
int parse_options(struct globals *g, int argc, char **argv,
		  const struct command *cmd, const char *short_own,
		  const struct option *own,
		  int (*handle)(void *ctx, int val, const char *arg),
		  void *ctx);
/* "llamux: ..." on stderr; returns EXIT_USAGE. */
int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "llamux: ..." on stderr; returns the exit code for a negative errno. */
int fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- args.c ---- */

/* A decimal number in [min, max]; complains and returns false otherwise. */
bool parse_u32(const char *what, const char *s, uint32_t min, uint32_t max,
	       uint32_t *v);
bool parse_u64(const char *what, const char *s, uint64_t *v);
/* Bytes, "512M", "1.5G"; more than none. */
bool parse_size(const char *what, const char *s, uint64_t *v);
/* A real number, in millionths. */
bool parse_millionths(const char *what, const char *s, uint32_t *v);
/* "f16", "f32", "q8_0" or "q4_0". */
bool parse_kv(const char *s, uint32_t *v);
/* EXIT_OK if there is a type @name to quantize to; complains, with a list. */
int check_type(const char *name);
const char *kv_name(uint32_t kv_type);	/* of one that was parsed */

/* All of a stream, NUL added; NULL when it cannot be read. */
char *read_all(FILE *f, size_t *n);
/*
 * The text argument of a subcommand: argv[optind], or stdin when it is "-" or
 * when it is absent and stdin is no terminal. EXIT_OK or an exit code.
 */
int text_argument(int argc, char **argv, const char *what, char **text,
		  size_t *n);
/* Ids separated by white space, commas or JSON brackets. NULL: complained. */
int32_t *parse_ids(const char *text, size_t *n);

/* ---- cmd_show.c ---- */

/* A table of /proc/llamux, in columns or as JSON; complains. */
int show_table(const struct globals *g, const char *path);

/* ---- text.c ---- */

/* Bytes that are no printable UTF-8, and backslashes, as escapes. */
void print_escaped(FILE *f, const char *s, size_t n);
/* Drop control characters other than newline and tab; returns the length. */
size_t strip_controls(char *s, size_t n);
/* 12.3 MB */
const char *human(uint64_t bytes, char buf[16]);

/* ---- open.c ---- */

/*
 * The model file of --user: -m, $LLAMUX_MODEL, the build's own, the system's.
 * NULL when there is none, after saying so.
 */
const char *model_file(const struct globals *g);
/* The same, in silence. */
const char *find_model_file(const struct globals *g);
/* Open a conversation as the options say; complains. EXIT_OK or a code. */
int open_llamux(const struct globals *g, uint32_t flags, uint32_t n_ctx,
		uint32_t kv_type, struct llamux **out);
/* Print how far a load is; @done == @total ends the line. */
void show_progress(const char *what, uint64_t done, uint64_t total);

/* ---- interrupt.c ---- */

/*
 * From now on SIGINT cancels the turn of @l (NULL: only sets the flag); a
 * second one before interrupt_clear() ends the process.
 */
void interrupt_watch(struct llamux *l);
/* Another signal that counts as Ctrl-C. */
void interrupt_by(int sig);
void interrupt_clear(void);
bool interrupted(void);

#endif
