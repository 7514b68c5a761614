/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, /sys/kernel/tracing/events/llamux/: never text, only numbers.
 *
 * section	a worker's floating-point section has ended
 * step		a model's thread has computed a batch
 * turn		a session's turn is over
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM llamux

#if !defined(LLAMUX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LLAMUX_TRACE_H

#include <linux/tracepoint.h>
#include "lx/lx.h"

TRACE_EVENT(section,
	TP_PROTO(u32 worker, u64 ns, u32 tiles),
	TP_ARGS(worker, ns, tiles),
	TP_STRUCT__entry(
		__field(u32, worker)
		__field(u32, tiles)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->worker = worker;
		__entry->tiles = tiles;
		__entry->ns = ns;
	),
	TP_printk("worker=%u tiles=%u ns=%llu", __entry->worker,
		  __entry->tiles, __entry->ns)
);

TRACE_EVENT(step,
	TP_PROTO(const char *model, u32 tokens, u64 ns, u64 cpu_ns),
	TP_ARGS(model, tokens, ns, cpu_ns),
	TP_STRUCT__entry(
		__array(char, model, 64)
		__field(u32, tokens)
		__field(u64, ns)
		__field(u64, cpu_ns)
	),
	TP_fast_assign(
		strscpy(__entry->model, model, 64);
		__entry->tokens = tokens;
		__entry->ns = ns;
		__entry->cpu_ns = cpu_ns;
	),
	TP_printk("model=%s tokens=%u ns=%llu cpu_ns=%llu", __entry->model,
		  __entry->tokens, __entry->ns, __entry->cpu_ns)
);

TRACE_EVENT(turn,
	TP_PROTO(u64 session, u32 uid, const struct lx_session_stats *st),
	TP_ARGS(session, uid, st),
	TP_STRUCT__entry(
		__field(u64, session)
		__field(u32, uid)
		__field(u32, finish)
		__field(s32, error)
		__field(u32, prompt)
		__field(u32, answer)
		__field(u64, prompt_ns)
		__field(u64, answer_ns)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->uid = uid;
		__entry->finish = st->finish;
		__entry->error = st->error;
		__entry->prompt = st->n_prompt;
		__entry->answer = st->n_gen;
		__entry->prompt_ns = st->prompt_ns;
		__entry->answer_ns = st->gen_ns;
	),
	TP_printk("session=%llu uid=%u finish=%u error=%d prompt=%u answer=%u prompt_ns=%llu answer_ns=%llu",
		  __entry->session, __entry->uid, __entry->finish,
		  __entry->error, __entry->prompt, __entry->answer,
		  __entry->prompt_ns, __entry->answer_ns)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
