/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A grammar's states, made as they are met. A configuration is a node that
 * takes a byte and a stack of nodes to come back to; a state is the set of
 * configurations that some text leads to. Both stacks and states are kept
 * once each, so that a state is a number, and what is known of it (where each
 * class of bytes leads, which tokens fit) is looked up.
 */
#ifndef LX_GRAMMAR_PRIV_H
#define LX_GRAMMAR_PRIV_H

#include "lexicon.h"

#define G_STACKS 4096
#define G_DEPTH 255		/* of a stack */
#define G_CONFIGS 64		/* of a state */
#define G_WORK 1024		/* met on the way to one state */
#define G_SEEN (4 * G_WORK)
#define G_ARENA 65536		/* configurations of all states */
#define G_STATES 4096
#define G_TRANS (512u << 10)	/* entries: states times classes */
#define G_MASKS 256
#define G_MASK_BYTES (1u << 20)
#define G_BUDGET (1u << 20)	/* steps of finding one mask */
#define G_UNKNOWN 0xffff
#define G_DEAD 0xfffe
#define G_NONE 0xffff

struct lx_gstack {
	u16 ret, parent, depth, next;	/* next: of the same hash */
};

struct lx_gstate {
	u32 off;		/* into configs[] */
	u16 n;
	u16 next;		/* of the same hash */
	u16 mask;		/* or G_NONE */
	bool accept;
};

struct lx_gmask {
	u16 state;		/* or G_NONE */
	u32 *bits;
};

struct lx_grammar {
	struct lx_host *host;
	const struct lx_lexicon *lexicon;
	struct lx_block block;	/* that all of this is in */

	u32 n_nodes, n_sets, start;
	struct lx_gnode *nodes;
	u8 (*sets)[32];
	u32 n_classes;
	u8 class_of[256], byte_of[256];	/* a byte of each class */

	struct lx_gstack *stacks, *old_stacks;	/* [G_STACKS], 0 is empty */
	u32 n_stacks;
	u16 *stack_hash;	/* [G_STACKS] */
	u32 *configs;		/* node << 16 | stack, sorted within a state */
	u32 n_configs;
	struct lx_gstate *states;	/* [max_states] */
	u32 n_states, max_states;
	u16 *state_hash;	/* [G_STATES] */
	u16 *trans;		/* [max_states][n_classes] */
	struct lx_gmask masks[G_MASKS];
	u32 n_masks, next_mask;
	u16 *path;		/* states along a token: [max_len + 1] */

	/* the closure being made */
	u32 work[G_WORK];
	u32 seen[G_SEEN], seen_mark[G_SEEN], mark;
	u32 set[G_CONFIGS];
	u32 n_work, n_seen, n_set;
	bool accept;
	u32 budget;

	u16 state;
	bool eog;
};

/* grammar_state.c */

/* The state of one item and what it goes to without a byte. */
int lx_gstate_start(struct lx_grammar *g, u16 *state);
/* Behind a byte of class @c: a state, or G_DEAD. */
int lx_gstate_step(struct lx_grammar *g, u32 state, u32 c, u16 *next);
/* Forget every state but g->state, which gets another number. */
int lx_gstate_flush(struct lx_grammar *g);
bool lx_gstate_crowded(const struct lx_grammar *g);

#endif
