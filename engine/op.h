/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Operations of a step: what control code (integers only) hands to tiles
 * (floating point). Buffers of floats are void * here, since control code may
 * not name the type. "slot" is a token's place in the step's batch.
 */
#ifndef LX_OP_H
#define LX_OP_H

#include "lx/deps.h"
#include "lx/job.h"
#include "lx/quant.h"
#include "lx/sampling.h"

#define LX_STRIP 16		/* rows of a strip; lanes everywhere */
#define LX_PAGE 64		/* positions of a KV page */
#define LX_CHUNK 256		/* positions of one softmax piece */
#define LX_MAX_GROUP 8		/* most tokens a matmul kernel takes at once */

/*
 * A matrix of @rows x @cols, @n_expert of them, cut into strips of 16 rows
 * interleaved for the SIMD kernels (layouts: pack.c). strips[e * n_strips + i]
 */
struct lx_mat {
	u8 **strips;
	u32 type;		/* enum lx_type */
	u32 rows, cols;
	u32 n_strips;		/* of one expert */
	u32 n_expert;
	u32 strip_bytes;
};

/* @rows vectors of @n f32, each padded with zeros to a multiple of 16. */
struct lx_vec {
	void *p;
	u32 n, rows;
};

/*
 * Activations of some slots as input of matrix products: f32 rows and, where
 * @q is set, quantized ones (fp/act.h). Runs: slots are used in runs (all
 * tokens, or those of one expert) and within a run in groups of
 * t_max, t_max / 2 ... 1.
 */
struct lx_act {
	void *f;		/* [slots][ld] */
	u8 *q;
	u32 cols;		/* K */
	u32 ld;			/* cols padded to 16 */
	u32 kp;			/* cols padded to 64 */
};

struct lx_run {
	u32 slot0, n;
	u32 expert;
};

/* One product of a matmul operation. */
struct lx_seg {
	const struct lx_mat *mat;
	const struct lx_vec *bias;	/* a row an expert, or NULL */
	void *out;		/* [slots][ld] */
	u32 ld;
};

/* A block of consecutive tokens of one sequence, for attention. */
struct lx_attn_item {
	void *const *pages;	/* KV pages of the sequence */
	u32 slot0, n;		/* slots */
	u32 pos0;		/* position of the first */
};

/* What attention needs to know of a layer. */
struct lx_attn_shape {
	u32 n_head, n_head_kv, group;	/* group = n_head / n_head_kv */
	u32 hd;			/* head size, q and k */
	u32 hdv;		/* head size of v, padded to 16 */
	u32 hdv_real;
	u32 kv_type;		/* enum lx_kv_type */
	u64 layer_off;		/* of the layer in a page */
	u64 head_bytes;		/* of one kv head in a layer */
	u64 v_offset;		/* of V within a head */
	u32 scale_bits;		/* f32: score factor */
	u32 cap_bits;		/* f32: scores become cap * tanh(s / cap), or 0 */
	u32 n_slots;		/* partial results kept in one round */
};

/* What is added to the logit of one token, and what it was before. */
struct lx_adjust {
	s32 id;
	u32 count;		/* times it was seen of late */
	s32 bias_u;		/* LX_BIAS_NEVER: never */
	u32 raw_bits;		/* f32, set by the tile */
};

/* A row of logits and what is wanted of it. Tiles fill in the last part. */
struct lx_sample_slot {
	u32 row;		/* of the logits */
	bool draw;		/* choose a token */
	bool masked;		/* a mask comes before the step is run */
	bool wide;		/* top_k is not within LX_SAMPLE_CAND */
	u32 temperature_u, top_k, top_p_u, min_p_u;
	u32 repeat_penalty_u;
	s32 presence_u, frequency_u;
	u64 seed, counter;
	struct lx_adjust *adj;
	u32 n_adj;
	const u32 *mask;	/* bits of the ids allowed, or NULL: all */
	u32 n_top;		/* likeliest ones, with log-probabilities */
	u32 n_targets;		/* log-probabilities of tokens, none masked */
	const s32 *targets;
	s32 *target_lp_u;	/* [n_targets] */

	s32 token;		/* drawn; -1: none can be */
	s32 token_lp_u;
	struct lx_logprob top[LX_MAX_LOGPROBS];
	/*
	 * Wide: keys above cut_key are in, and the first cut_ties of those
	 * equal to it; cut_out are not.
	 */
	u32 cut_key, cut_ties, cut_out, prefix;
	u64 need_bits;		/* f64: count or mass still to be found */
};

#define LX_QUANT_COLS 512	/* values of a quantizing tile at most */
#define LX_QUANT_SCRATCH 8192	/* bytes it works in */
#define LX_QUANT_NAN 1		/* a value is not finite */
#define LX_QUANT_RANGE 2	/* a value is beyond what the type holds */

#define LX_SAMPLE_CHUNK 8192	/* logits of one tile */
#define LX_SAMPLE_SUB 512	/* logits of one sum within it */
#define LX_SAMPLE_CAND 128	/* most candidates that are sorted */
#define LX_SAMPLE_BINS 256

/* What tiles over a chunk leave for those over a slot. */
struct lx_sample_part {
	union {
		struct {	/* not wide: the likeliest, in any order */
			u64 n, cand[LX_SAMPLE_CAND];
		};
		struct {	/* wide: by 8 bits of the key */
			u64 mass_bits[LX_SAMPLE_BINS];	/* f64 */
			u32 count[LX_SAMPLE_BINS];
		};
		struct {	/* wide: weights of what is in */
			u64 sum_bits[LX_SAMPLE_CHUNK / LX_SAMPLE_SUB];
			u32 ties;
		};
	};
	u64 best;		/* key << 32 | ~id */
};

/* The same for log-probabilities. */
struct lx_lse_part {
	u32 max_bits, n;
	u64 sum_bits;		/* f64: of e^(logit - max) */
	u64 top[LX_MAX_LOGPROBS];
};

struct lx_op {
	lx_tile_fn tile;
	u32 n_tiles;
	union {
		struct {	/* tile: slot */
			const struct lx_mat *mat;
			const s32 *tokens;
			void *x;
			u32 ld;
			u32 scale_bits;	/* f32 factor, 0: none */
		} embed;
		struct {	/* tile: slot; x -> norm -> act (f and q) */
			const void *x;
			const u32 *rows;	/* slot -> row of x, or NULL */
			const struct lx_run *runs;
			u32 n_runs;
			const void *weight;	/* NULL: no norm, only quantize */
			u32 eps_bits;
			u32 ld_x;
			struct lx_act act;
			u32 t_max;
		} norm;
		struct {	/* tile: slot; x += norm(y) */
			void *x;
			const void *y;
			const void *weight;
			u32 n, ld;
			u32 eps_bits;
		} residual;
		struct {	/* tile: row x chunk; x = cap * tanh(x / cap) */
			void *x;
			u32 ld, n, n_chunks;
			u32 cap_bits;
		} cap;
		struct {	/* tile: strips x slots */
			struct lx_seg seg[3];
			u32 n_seg;
			u32 mode;	/* LX_MM_* */
			const struct lx_run *runs;
			const u32 *n_runs;
			struct lx_act act;
			/* Where results are quantized as well, if @q is set;
			 * @strips is even then.
			 */
			struct lx_act mid;
			u32 t_max;
			u32 strips, slots;	/* of one tile */
			u32 slot_tiles;		/* tiles along the slots of a run */
			u32 strip_tiles;	/* of all segments */
		} mm;
		struct {	/* tile: slot; norms, rope, KV write */
			void *qkv;	/* [slots][ld]: q, k, v at q_off.. */
			u32 ld, k_off, v_off;
			const struct lx_attn_shape *shape;
			const void *sin_cos;	/* [slots][n_rot] cos then sin */
			u32 n_rot;
			const void *norm_q, *norm_k;
			u32 eps_bits;
			const struct lx_attn_item *const *item_of;
		} rope;
		struct {	/* tile: slot; angles of its position */
			void *sin_cos;
			const void *inv_freq;	/* f64 [n_rot / 2 + 1] */
			const u32 *pos;
			u32 n_rot;
		} angles;
		struct {	/* tile: item x kv head x chunk */
			const struct lx_attn_shape *shape;
			const struct lx_attn_item *items;
			u32 n_items, n_chunks, chunk0;
			const void *q;
			u32 ld_q;
			void *part;
			u32 window;	/* positions seen, the own included; 0: all */
		} attn;
		struct {	/* tile: slot */
			const struct lx_attn_shape *shape;
			const void *part;
			void *state;
			u32 n_chunks;
			u32 first, last;
			const void *sinks;	/* f32 [n_head] or NULL */
			struct lx_run run;
			struct lx_act act;
			u32 t_max;
		} merge;
		struct {	/* tile: token; softmax, top-k of the router */
			const void *logits;
			u32 ld;
			u32 n_expert, n_used, n_tokens;
			u32 *choice;	/* [tokens][n_used] expert */
			void *weight;	/* [tokens][n_used] f32 */
		} route;
		struct {	/* one tile: sort the choices by expert */
			const u32 *choice;
			u32 n_expert, n_used, n_tokens;
			struct lx_run *runs;
			u32 *n_runs;
			u32 *slot_of;	/* [tokens][n_used] */
			u32 *rows;	/* slot -> token */
		} gather;
		struct {	/* tile: token; x += sum of weight * out */
			void *x;
			u32 ld_x;
			const void *out;
			u32 ld;
			u32 n;
			const u32 *slot_of;
			const void *weight;
			u32 n_used;
		} combine;
		struct {
			struct lx_sample_slot *slots;
			u32 n_slots;
			void *logits;
			u32 ld, n_vocab, n_chunks;
			struct lx_sample_part *part;	/* [slots][chunks] */
			struct lx_lse_part *lse;	/* [slots][chunks] */
			u32 level;	/* of hist and pick: bits 31-8 level .. */
			bool by_mass;
		} sample;
		struct {	/* tile: row; results to the caller's memory */
			void *dst;
			const void *src;
			u64 row_bytes, stride;	/* of dst, of src */
		} copy;
		struct {	/* tile: columns, then one tile for the length */
			const void *x;	/* f32 rows slot0 .. slot0 + n - 1 */
			u32 ld, slot0, n;
			u32 cols;	/* of one tile; of the result */
			const void *before;	/* f64 [ld] */
			void *sum;	/* f64 [ld] */
			void *out;	/* f32 [cols] */
			bool last;	/* of the rows only the last */
		} pool;
		struct {	/* one tile, at load: factors of the model */
			u32 *score_bits;	/* 1 / sqrt(score_dim) */
			u32 *embd_bits;		/* sqrt(embd_dim) */
			u32 score_dim, embd_dim;
		} scales;
		struct {	/* one tile, at load: a table of frequencies */
			void *inv_freq;	/* f64 [n_rot / 2], then the magnitude */
			const void *factors;	/* f32 [n_rot / 2] or NULL */
			u32 n_rot, orig_ctx;
			bool yarn;
			u32 base_bits, factor_bits, attn_factor_bits;
			u32 ext_bits, beta_fast_bits, beta_slow_bits;
		} freqs;
		struct {	/* tile: LX_QUANT_COLS of a row, or 256 */
			const u8 *src;	/* rows as in a file, of type from */
			u8 *dst;	/* the same, of type to */
			u64 src_bytes, dst_bytes;	/* of a row */
			u32 from, to, cols;
			u32 cols_group, groups;	/* of a tile; tiles of a row */
			u32 *bad;	/* [2]: LX_QUANT_NAN, _RANGE: set to 1 */
		} convert;
		struct {	/* tile: strips; integer work, at load */
			const u8 *src;	/* rows row0 .. row0 + n_rows - 1 */
			u64 row_bytes;
			u32 row0, n_rows;
			u32 head, rot;	/* pair neighbours of heads; 0: no */
			const struct lx_mat *mat;
			u32 strip0;	/* of this expert */
			u32 strips;	/* of one tile */
			u32 *bad;	/* set when a scale is not finite */
		} pack;
	};
};

/* The last three take two matrices; SWIGLU_OAI is gpt-oss's, with limits. */
enum { LX_MM_STORE, LX_MM_ADD, LX_MM_SWIGLU, LX_MM_GEGLU, LX_MM_SWIGLU_OAI };

/* One implementation of all of it, compiled for one instruction set. */
struct lx_ops {
	const char *name;
	u32 cpu;		/* LX_CPU_* it needs, all of them */
	u32 rank;		/* the best is among those of the highest */
	u32 t_max;		/* tokens of a matmul group */
	u32 mac_tile;		/* multiply-adds of a quantized tile, ~25 us */
	u32 mac_tile_f;		/* the same for float weights */
	u32 byte_tile;		/* bytes of weights of a tile */
	lx_tile_fn embed, norm, matmul, rope, angles, attn, merge, route,
		   gather, combine, freqs, scales, residual, cap, copy, pool,
		   unit;
	lx_tile_fn lse, penalties, mask, best, candidates, hist, pick, sums,
		   draw, logprobs;
	lx_tile_fn convert;	/* scratch: LX_QUANT_SCRATCH */
	lx_tile_fn pack;
};

extern const struct lx_ops lx_ops_generic;
#ifdef __x86_64__
extern const struct lx_ops lx_ops_avx2, lx_ops_avxvnni, lx_ops_avx512,
			   lx_ops_avx512_256;
/* Their products: avxvnni.c, avx512_256.c. */
void lx_matmul_avxvnni(const struct lx_op *op, u32 tile, void *scratch);
void lx_matmul_avx512_256(const struct lx_op *op, u32 tile, void *scratch);
#endif

/* The implementation called @name (NULL or "auto": the best), or NULL. */
const struct lx_ops *lx_ops_find(const char *name);

/*
 * The @n-th of the implementations that are as good as @best by rank, and that
 * this CPU runs, @best first; NULL past the last. No more than LX_MAX_OPS.
 */
#define LX_MAX_OPS 8
const struct lx_ops *lx_ops_rival(const struct lx_ops *best, u32 n);
/*
 * The fastest of them, measured with the host's workers for a few
 * milliseconds: race.c. Without memory for that, the one that "auto" finds.
 */
const struct lx_ops *lx_ops_fastest(struct lx_host *host);
/* Whether @name leaves the choice to the engine: NULL or "auto". */
bool lx_ops_any(const char *name);

/* Bytes of one strip of a matrix, 0 for types that have no kernels: pack.c */
u64 lx_pack_bytes(u32 type, u64 cols);
/* Whether strips have bytes that packing does not write: they must be zero. */
bool lx_pack_padded(const struct lx_mat *mat);
/*
 * Tile of a pack operation: some strips of the rows at hand (row0 is a multiple
 * of 16, and of the head size where rows are reordered). Integer code.
 */
void lx_tile_pack(const struct lx_op *op, u32 tile, void *scratch);
/* What it is made of, for implementations that pack whole strips at once. */
struct lx_strips {
	u32 first, end;
	u32 end_row;		/* of the rows at hand */
};
struct lx_strips lx_pack_strips(const struct lx_op *op, u32 tile);
void lx_pack_strip(const struct lx_op *op, u32 strip, u32 end_row);
/* The file's row for row @i; @head 0: rows are as they are. */
u32 lx_head_row(u32 head, u32 rot, u32 i);
const u8 *lx_pack_row(const struct lx_op *op, u32 row);	/* as it was read */

/* Columns of one tile that quantizes to @to: convert.c */
u32 lx_convert_cols(u32 to);

/* Bytes of one quantized activation row: fp/act.h. */
static inline u64 lx_act_bytes(u32 kp)
{
	return kp + (u64)kp / 32 * 20;
}

/* First slot (within a run of @n) and size of the group that holds @s. */
static inline u32 lx_group_of(u32 n, u32 t_max, u32 s, u32 *size)
{
	u32 base = s - s % t_max, t = t_max;

	if (base + t > n) {
		for (t = t_max / 2; ; t /= 2) {
			if (base + t > n)
				continue;
			if (s < base + t)
				break;
			base += t;
		}
	}
	*size = t;
	return base;
}

#endif
