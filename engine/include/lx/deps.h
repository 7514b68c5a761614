/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the engine needs from the world that hosts it. Nothing else is
 * included by any engine file: no libc, no kernel header. The kernel module
 * (kernel/host.c) and the user-space library (user/host.c) each supply one
 * struct lx_host_ops.
 *
 * Kernel files must include their <linux/...> headers before this one.
 */
#ifndef LX_DEPS_H
#define LX_DEPS_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef __SIZE_TYPE__ size_t;

#ifndef bool
typedef _Bool bool;
#endif
#if !defined(true) && !defined(_LINUX_STDDEF_H)
enum { false = 0, true = 1 };
#endif
#ifndef NULL
#define NULL ((void *)0)
#endif

/* errno values, the same on every architecture Linux runs this on. */
#define LX_EPERM 1
#define LX_ENOENT 2
#define LX_EINTR 4
#define LX_EIO 5
#define LX_E2BIG 7
#define LX_ENOEXEC 8	/* not a GGUF */
#define LX_EAGAIN 11
#define LX_ENOMEM 12
#define LX_EBUSY 16
#define LX_EINVAL 22
#define LX_ENOSPC 28
#define LX_ERANGE 34
#define LX_ENOPKG 65	/* architecture or type not supported */
#define LX_EBADMSG 74	/* corrupt GGUF */
#define LX_EMSGSIZE 90	/* prompt beyond the context */
#define LX_EDQUOT 122
#define LX_ECANCELED 125

#define LX_CACHELINE 64
#define LX_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define lx_min(a, b) ((a) < (b) ? (a) : (b))
#define lx_max(a, b) ((a) > (b) ? (a) : (b))
#define lx_div_up(a, b) (((a) + (b) - 1) / (b))
#define lx_align_up(a, b) (lx_div_up(a, b) * (b))

/* The compiler may turn these into calls; both worlds have the symbols. */
#define lx_memcpy __builtin_memcpy
#define lx_memmove __builtin_memmove
#define lx_memset __builtin_memset
#define lx_memcmp __builtin_memcmp
#define lx_strlen __builtin_strlen

/* Overflow-checked arithmetic: true when the result does not fit. */
#define lx_add_overflow(a, b, r) __builtin_add_overflow(a, b, r)
#define lx_mul_overflow(a, b, r) __builtin_mul_overflow(a, b, r)

/*
 * A piece of large memory. Weights, KV pages and scratch live in blocks; what
 * needs to be contiguous never crosses one. @source is the host's own note of
 * how it was obtained (pages of some order, vmalloc, mmap, reserved memory).
 */
struct lx_block {
	void *addr;
	size_t size;
	u32 source;
	u32 order;
	void *note;		/* the host's, too */
};

/* What an allocation is for: accounting and placement, nothing more. */
enum lx_mem {
	LX_MEM_CONTROL,	/* tables, vocabulary, sessions */
	LX_MEM_WEIGHTS,
	LX_MEM_KV,
	LX_MEM_SCRATCH,
	LX_MEM_KINDS
};

enum lx_log_level { LX_LOG_ERR, LX_LOG_WARN, LX_LOG_INFO, LX_LOG_DEBUG };

/* CPU features, filled in by the engine's arch code (lx_cpu_features()). */
#define LX_CPU_AVX2 (1u << 0)		/* AVX2, FMA and F16C, OS-enabled */
#define LX_CPU_AVX512 (1u << 1)		/* F, BW, VL, DQ and VNNI, OS-enabled */
#define LX_CPU_AVXVNNI (1u << 2)

#define LX_DIRECT_ALIGN 4096	/* lx_source.read_direct() */

struct lx_job;
struct lx_op;
struct lx_crew;
struct lx_host;

struct lx_host_ops {
	/*
	 * Control memory, zeroed, aligned to LX_CACHELINE; may be large
	 * (vocabularies are). May sleep. NULL when there is none. Never called
	 * from a tile.
	 */
	void *(*alloc)(struct lx_host *h, size_t size, enum lx_mem kind);
	void (*free)(struct lx_host *h, void *p, size_t size,
		     enum lx_mem kind);

	/*
	 * One block of exactly @size bytes, aligned to 4096, zeroed. May sleep.
	 * 0 or -LX_ENOMEM.
	 */
	int (*block_alloc)(struct lx_host *h, struct lx_block *b, size_t size,
			   enum lx_mem kind);
	void (*block_free)(struct lx_host *h, struct lx_block *b,
			   enum lx_mem kind);

	/*
	 * The same for what is a session's, a KV page or a grammar, charged to
	 * @account (lx_session_join()). NULL: block_alloc() serves. -LX_EDQUOT:
	 * more than the account may have; -LX_ENOSPC: what it is charged to is
	 * full, where the machine is not.
	 */
	int (*charged_alloc)(struct lx_host *h, struct lx_block *b, size_t size,
			     enum lx_mem kind, void *account);

	/*
	 * Run a job to its end on all workers, the caller (which must be a
	 * thread the host made for this, or any thread in user space) among
	 * them. Only the host brackets floating point: it calls
	 * lx_job_claim() and lx_job_tile() (lx/job.h). 0, or -LX_ECANCELED.
	 */
	int (*run)(struct lx_host *h, struct lx_job *job);

	/*
	 * Run one tile here and now, in a thread of a crew or the one that
	 * calls the engine, bracketed where the host brackets floating point.
	 */
	void (*tile)(struct lx_host *h, const struct lx_op *op, u32 tile);

	u64 (*time_ns)(struct lx_host *h);	/* monotonic */
	/* Bytes that could be taken now without making others suffer. */
	u64 (*available)(struct lx_host *h);
	void (*log)(struct lx_host *h, enum lx_log_level level,
		    const char *msg);
	/*
	 * Called between pieces of long integer work (loading, tokenizing) and
	 * while loading with bytes done of bytes in all. May sleep. A non-zero
	 * return (a pending fatal signal, say) ends the work with that error.
	 */
	int (*progress)(struct lx_host *h, u64 done, u64 total);

	/*
	 * A crew: @n threads beside the workers, for work that waits (loading,
	 * streaming). Each calls @work(ctx, its number) as long as that returns
	 * true, and after a kick. wait() sleeps till @done(ctx), which is looked
	 * at whenever @work has returned; it is for the thread that kicks.
	 * stop() waits for calls under way. start() is NULL where there are
	 * none, and no streaming; returns NULL when there is no memory.
	 */
	struct lx_crew *(*crew_start)(struct lx_host *h, u32 n,
				      bool (*work)(void *ctx, u32 thread),
				      void *ctx);
	void (*crew_kick)(struct lx_crew *c);
	void (*crew_wait)(struct lx_crew *c, bool (*done)(void *ctx),
			  void *ctx);
	void (*crew_stop)(struct lx_crew *c);
};

struct lx_host {
	const struct lx_host_ops *ops;
	void *ctx;		/* the host's own */
	u32 n_workers;		/* workers run() uses, the caller included */
	u32 block_size;		/* preferred size of a weight block, a power of 2 */
};

/* Where a model's bytes come from; one per file of a split model. */
struct lx_source {
	void *ctx;
	u64 size;
	/*
	 * All @n bytes at @off into @buf, or a negative error. May sleep. By
	 * several threads at a time where there is no read_direct.
	 */
	int (*read)(void *ctx, u64 off, void *buf, size_t n);
	/*
	 * The same past any cache, by several threads at a time; @off, @buf and
	 * @n are multiples of LX_DIRECT_ALIGN. What would be past the end of the
	 * file is left. NULL: cannot.
	 */
	int (*read_direct)(void *ctx, u64 off, void *buf, size_t n);
};

#endif
