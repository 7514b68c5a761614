/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Chat formats. The Jinja template in a GGUF is never interpreted: it is
 * recognised by what it contains and formatted by built-in code.
 */
#ifndef LX_CHAT_H
#define LX_CHAT_H

#include "deps.h"
#include "gguf.h"

struct lx_vocab;

enum lx_chat_kind {
	LX_CHAT_NONE,		/* no template in the file */
	LX_CHAT_UNKNOWN,	/* a template that is not recognised */
	LX_CHAT_LLAMA2, LX_CHAT_LLAMA3, LX_CHAT_CHATML, LX_CHAT_ZEPHYR,
	LX_CHAT_MISTRAL_V1, LX_CHAT_MISTRAL_V3, LX_CHAT_MISTRAL_V7,
	LX_CHAT_GEMMA, LX_CHAT_PHI3, LX_CHAT_VICUNA, LX_CHAT_ALPACA,
	LX_CHAT_DEEPSEEK,	/* V3 and R1 */
	LX_CHAT_DEEPSEEK_V2, LX_CHAT_DEEPSEEK_CODER,
	LX_CHAT_INST,		/* [INST] without <<SYS>> */
	LX_CHAT_MISTRAL_V3_TEKKEN, LX_CHAT_MISTRAL_V7_TEKKEN,
	LX_CHAT_ZEPHYR_ENDOFTEXT,	/* zephyr ending in <|endoftext|> */
	LX_CHAT_VICUNA_ORCA, LX_CHAT_PHI4,
	LX_CHAT_HARMONY,	/* gpt-oss */
	LX_CHAT_LLAMA2_SYS,	/* llama2 that strips nothing, ... */
	LX_CHAT_LLAMA2_SYS_BOS,	/* ... and has <s> before later turns */
	LX_CHAT_OPENCHAT, LX_CHAT_FALCON3,
	LX_CHAT_KINDS
};

enum lx_role { LX_ROLE_SYSTEM, LX_ROLE_USER, LX_ROLE_ASSISTANT, LX_ROLES };

/* A template's text, or an empty string when the file has none. */
enum lx_chat_kind lx_chat_recognise(struct lx_str tmpl);
const char *lx_chat_name(enum lx_chat_kind kind);
/*
 * Zephyr templates say eos_token where the text stands; with the vocabulary
 * at hand the kind that has the right one. Other kinds stay as they are.
 */
enum lx_chat_kind lx_chat_fit(enum lx_chat_kind kind,
			      const struct lx_vocab *v);
/* The template strips white space around messages of this role. */
bool lx_chat_trims(enum lx_chat_kind kind, enum lx_role role);
/*
 * What follows lx_chat_open(), by the template: models that always think are
 * made to begin with it, and @off keeps those that think from it. Empty when
 * the template knows no thinking.
 */
struct lx_str lx_chat_think(enum lx_chat_kind kind, struct lx_str tmpl,
			    bool off);
/*
 * The system message that the template puts when the conversation has none
 * ("You are Qwen, ..."), in place in @tmpl; empty when there is none.
 */
struct lx_str lx_chat_default_system(enum lx_chat_kind kind,
				     struct lx_str tmpl);

/*
 * One message is put between lx_chat_before() and lx_chat_after(); before an
 * answer is generated, lx_chat_open() follows. All are trusted text in which
 * special tokens are parsed; the message itself is not. @index counts the
 * messages of the conversation from 0; @system is true when message 0 is a
 * system message (some formats fold it into the first user turn). What
 * lx_chat_after() gives for an answer begins with the token that ended it.
 */
struct lx_str lx_chat_before(enum lx_chat_kind kind, enum lx_role role,
			     u32 index, bool system);
struct lx_str lx_chat_after(enum lx_chat_kind kind, enum lx_role role,
			    u32 index, bool system);
struct lx_str lx_chat_open(enum lx_chat_kind kind);

#endif
