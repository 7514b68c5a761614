// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/llamux/: stable formats, new lines and columns are added at the end.
 *
 * status	"key: value" lines about the module, then for every model an
 *		empty line and a block that starts with "model: NAME". Bytes
 *		are plain numbers. "total" is held now; "kv_planned" is what
 *		full contexts of the planned sessions will hold. A model
 *		that is asleep holds nothing but its name and files. "reserved"
 *		is what of "weights" lies in memory that was set aside;
 *		"range" is that of the module's parameter, "range_room" the
 *		largest part of it that no model has.
 * models	a table: a line of column names, a line per model, "-" for
 *		what is not known, "*" in the column "default".
 * sessions	a table, a line per session that is bound to a model. Only
 *		root (CAP_SYS_ADMIN) sees those of others.
 * stats	"key: value" lines: counters since the module was loaded (of
 *		models: those alive), lengths of floating-point sections in us,
 *		workers' time for all users and for each of them (only root
 *		sees those of others); for root: tokens found in the KV of
 *		earlier prompts, bytes of KV that nobody uses at the moment,
 *		tokens that were guessed.
 * prompt	see prompt.c
 */
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/uidgid.h>

#include "fpu.h"
#include "model.h"
#include "owner.h"
#include "prefix.h"
#include "procfs.h"
#include "prompt.h"
#include "reserve.h"
#include "session.h"
#include "worker.h"

static struct proc_dir_entry *dir;

static const char * const memory_names[LX_MEM_KINDS] = {
	[LX_MEM_CONTROL] = "control",
	[LX_MEM_WEIGHTS] = "weights",
	[LX_MEM_KV] = "kv",
	[LX_MEM_SCRATCH] = "scratch",
};

static const u8 memory_order[LX_MEM_KINDS] = {
	LX_MEM_WEIGHTS, LX_MEM_KV, LX_MEM_SCRATCH, LX_MEM_CONTROL
};

/* What is known of a model, collected under its locks. */
struct snapshot {
	bool known;			/* loaded, and not asleep: what follows */
	struct lx_model_info info;
	struct lx_engine_info engine;
	u64 memory[LX_MEM_KINDS], total, reserved;
	u32 n_sessions;
};

static void snapshot(struct llamux_model *m, struct snapshot *s)
{
	u32 i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < LX_MEM_KINDS; i++) {
		s->memory[i] = llamux_memory_used(&m->memory, i);
		s->total += s->memory[i];
	}
	s->reserved = llamux_memory_reserved(&m->memory);
	if (!completion_done(&m->loaded) || m->result)
		return;
	mutex_lock(&m->lock);
	if (m->engine) {
		s->known = true;
		s->info = *lx_model_info(m->lx);
		lx_engine_info(m->engine, &s->engine);
	}
	s->n_sessions = m->n_sessions;
	mutex_unlock(&m->lock);
}

/* ---- status ---- */

static void show_memory(struct seq_file *m, const struct snapshot *s)
{
	u32 i;

	for (i = 0; i < LX_MEM_KINDS; i++)
		seq_printf(m, "%s: %llu\n", memory_names[memory_order[i]],
			   s->memory[memory_order[i]]);
	seq_printf(m, "total: %llu\n", s->total);
	seq_printf(m, "kv_planned: %llu\n", s->engine.kv_planned);
}

static void show_model(struct seq_file *m, struct llamux_model *model)
{
	struct snapshot s;

	snapshot(model, &s);
	seq_printf(m, "\nmodel: %s\nstate: %s\n", model->name,
		   llamux_model_state_name(model));
	if (s.known) {
		seq_printf(m, "arch: %s\ntype: %s\n", s.info.arch,
			   s.info.type);
		seq_printf(m, "simd: %s\nvocab: %s\nchat: %s\n", s.info.simd,
			   s.info.vocab, lx_chat_name(s.info.chat));
		seq_printf(m, "params: %llu\nfile_bytes: %llu\n",
			   s.info.n_params, s.info.file_bytes);
		seq_printf(m, "n_ctx: %u\nsessions: %u\n", s.engine.n_ctx,
			   s.n_sessions);
	} else if (READ_ONCE(model->state) == LLAMUX_MODEL_LOADING) {
		seq_printf(m, "loaded: %llu of %llu\n", READ_ONCE(model->done),
			   READ_ONCE(model->total));
	}
	show_memory(m, &s);
	llamux_model_show_policy(m, model);
	if (s.known && s.info.n_streamed)
		seq_printf(m, "streamed_layers: %u of %u\nstreamed_bytes: %llu\n",
			   s.info.n_streamed, s.info.n_layer,
			   s.info.stream_bytes);
	if (s.known && s.info.n_slots)
		seq_printf(m, "kept_experts: %u of %u\n", s.info.n_slots,
			   s.info.n_layer * s.info.n_expert);
	seq_printf(m, "reserved: %llu\n", s.reserved);
}

static int status_show(struct seq_file *m, void *v)
{
	struct llamux_model *model = NULL;
	const char *name = "-";
	struct snapshot sum = {}, s;
	u32 n = 0, i;

	while ((model = llamux_model_next(model))) {
		snapshot(model, &s);
		for (i = 0; i < LX_MEM_KINDS; i++)
			sum.memory[i] += s.memory[i];
		sum.total += s.total;
		sum.reserved += s.reserved;
		sum.engine.kv_planned += s.engine.kv_planned;
		n++;
	}
	seq_printf(m, "version: %s\nsimd: %s\nthreads: %u\n",
		   THIS_MODULE->version, llamux_model_simd(),
		   llamux_worker_count());
	model = llamux_model_get(NULL);
	if (model)
		name = model->name;
	seq_printf(m, "default: %s\nmodels: %u\n", name, n);
	llamux_model_put(model);
	seq_printf(m, "sessions: %u\nmax_sessions: %u\n",
		   llamux_session_count(), llamux_session_limit());
	show_memory(m, &sum);
	seq_printf(m, "reserved: %llu\nrange: %llu\nrange_room: %llu\n",
		   sum.reserved, llamux_range_size(), llamux_range_room());
	model = NULL;
	while ((model = llamux_model_next(model)))
		show_model(m, model);
	return 0;
}

/* ---- models ---- */

static int models_show(struct seq_file *m, void *v)
{
	struct llamux_model *model = NULL;
	struct snapshot s;

	seq_puts(m, "name state default arch type params n_ctx sessions bytes kv_planned simd\n");
	while ((model = llamux_model_next(model))) {
		snapshot(model, &s);
		seq_printf(m, "%s %s %s %s %s %llu %u %u %llu %llu %s\n",
			   model->name, llamux_model_state_name(model),
			   llamux_model_is_default(model) ? "*" : "-",
			   s.known ? s.info.arch : "-",
			   s.known ? s.info.type : "-",
			   s.known ? s.info.n_params : 0, s.engine.n_ctx,
			   s.n_sessions, s.total, s.engine.kv_planned,
			   s.known ? s.info.simd : "-");
	}
	return 0;
}

/* ---- sessions ---- */

static void session_show(struct seq_file *m, const struct llamux_model *model,
			 const struct llamux_session *s)
{
	static const char * const states[] = {
		"idle", "pending", "running", "done"
	};
	struct lx_session_stats st;

	lx_session_stats(s->lx, &st);
	seq_printf(m, "%llu %u %d %s %s %u %llu %llu %llu %llu\n", s->id,
		   from_kuid_munged(seq_user_ns(m), s->owner->uid), s->pid,
		   model->name, states[st.state & 3], st.n_past,
		   st.total_prompt, st.total_gen, st.kv_bytes, s->cpu_ns);
}

static int sessions_show(struct seq_file *m, void *v)
{
	struct llamux_model *model = NULL;
	struct llamux_session *s;

	seq_puts(m, "id uid pid model state past prompt_tokens answer_tokens kv_bytes cpu_ns\n");
	while ((model = llamux_model_next(model))) {
		mutex_lock(&model->lock);
		list_for_each_entry(s, &model->sessions, node)
			if (llamux_owner_visible(m, s->owner->uid))
				session_show(m, model, s);
		mutex_unlock(&model->lock);
	}
	return 0;
}

/* ---- stats ---- */

/*
 * How many there were tells how much was packed of what is streamed, and so
 * which experts others found in memory: for the superuser only.
 */
static void show_sections(struct seq_file *m, const char *name,
			  struct llamux_hist __percpu *hist)
{
	static const struct { const char *name; u32 ppm; } quantiles[] = {
		{ "p50", 500000 }, { "p99", 990000 }, { "p99.9", 999000 },
	};
	struct llamux_hist *sum = kmalloc(sizeof(*sum), GFP_KERNEL);
	bool all = llamux_owner_visible(m, INVALID_UID);
	u64 ns;
	u32 i;

	if (!sum)
		return;
	llamux_hist_sum(hist, sum);
	if (all)
		seq_printf(m, "%s: %llu\n", name, sum->count);
	for (i = 0; i < ARRAY_SIZE(quantiles); i++) {
		ns = llamux_hist_quantile(sum, quantiles[i].ppm);
		seq_printf(m, "%s_%s_us: %llu\n", name, quantiles[i].name,
			   div_u64(ns + 999, 1000));
	}
	seq_printf(m, "%s_max_us: %llu\n", name,
		   div_u64(sum->max_ns + 999, 1000));
	if (all)
		seq_printf(m, "%s_total_us: %llu\n%s_tiles: %llu\n", name,
			   div_u64(sum->sum_ns, 1000), name, sum->tiles);
	seq_printf(m, "%s_max_tiles: %llu\n", name, sum->max_tiles);
	kfree(sum);
}

static int stats_show(struct seq_file *m, void *v)
{
	struct llamux_model *model = NULL;
	u64 steps = 0, prompt = 0, gen = 0, shared = 0, unused = 0;
	u64 drafted = 0, right = 0;
	struct snapshot s;

	while ((model = llamux_model_next(model))) {
		snapshot(model, &s);
		steps += s.engine.n_steps;
		prompt += s.engine.n_prompt_tokens;
		gen += s.engine.n_gen_tokens;
		shared += s.engine.n_shared_tokens;
		drafted += s.engine.n_drafted;
		right += s.engine.n_drafts_right;
		unused += s.engine.kv_pages_unused * s.engine.kv_page_bytes;
	}
	seq_printf(m, "steps: %llu\nprompt_tokens: %llu\nanswer_tokens: %llu\n",
		   steps, prompt, gen);
	show_sections(m, "fpu_sections", llamux_fpu_sections);
	show_sections(m, "fpu_control", llamux_fpu_control);
	llamux_owner_show(m);
	/* Whether somebody asks what was asked before is not for everybody. */
	if (!llamux_owner_visible(m, INVALID_UID))
		return 0;
	seq_printf(m, "shared_tokens: %llu\nkv_unused: %llu\n", shared, unused);
	seq_printf(m, "guessed_tokens: %llu\nguessed_right: %llu\n", drafted,
		   right);
	return 0;
}

/* ---- files: an open one pins the module ---- */

static int users_show(struct seq_file *m, void *v)
{
	llamux_owner_rows(m);
	return 0;
}

static int prefixes_show(struct seq_file *m, void *v)
{
	llamux_prefix_rows(m);
	return 0;
}

struct table {
	const char *name;
	umode_t mode;
	int (*show)(struct seq_file *m, void *v);
};

static const struct table tables[] = {
	{ "status", 0444, status_show },
	{ "models", 0444, models_show },
	{ "sessions", 0444, sessions_show },
	{ "stats", 0444, stats_show },
	{ "users", 0444, users_show },
	{ "prefixes", 0400, prefixes_show },	/* what they begin with */
};

static int table_open(struct inode *inode, struct file *file)
{
	const struct table *t = pde_data(inode);
	int err;

	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	err = single_open(file, t->show, NULL);
	if (err)
		module_put(THIS_MODULE);
	return err;
}

static int table_release(struct inode *inode, struct file *file)
{
	int err = single_release(inode, file);

	module_put(THIS_MODULE);
	return err;
}

static const struct proc_ops table_ops = {
	.proc_open = table_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = table_release,
};

int llamux_procfs_init(void)
{
	u32 i;
	int err = -ENOMEM;

	dir = proc_mkdir("llamux", NULL);
	if (!dir)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(tables); i++)
		if (!proc_create_data(tables[i].name, tables[i].mode, dir,
				      &table_ops, (void *)&tables[i]))
			goto err_file;
	err = llamux_prompt_init(dir);
	if (err)
		goto err_file;
	return 0;

err_file:
	proc_remove(dir);
	return err;
}

void llamux_procfs_exit(void)
{
	proc_remove(dir);
	llamux_prompt_exit();
}
