// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Mixtures of types: what every tensor of a few models becomes. */
#include <stdio.h>
#include <string.h>

#include "lx/preset.h"
#include "lx/quant.h"
#include "preset_vectors.h"
#include "test.h"

static const struct shape {
	const char *name;
	struct lx_preset_model m;
	u64 embd, ff;
} shapes[] = {
	{ "d32", { 32, 0, 4, false }, 256, 512 },
	{ "d22", { 22, 0, 1, true }, 256, 512 },
	{ "moe8", { 16, 8, 4, false }, 256, 512 },
	{ "odd", { 4, 0, 2, false }, 288, 352 },
};

static char letter(u32 type)
{
	static const struct {
		u32 type;
		char c;
	} all[] = {
		{ LX_TYPE_F32, 'f' }, { LX_TYPE_F16, 'h' }, { LX_TYPE_BF16, 'b' },
		{ LX_TYPE_Q4_0, '0' }, { LX_TYPE_Q4_1, '1' }, { LX_TYPE_Q5_0, '5' },
		{ LX_TYPE_Q5_1, '6' }, { LX_TYPE_Q8_0, '8' }, { LX_TYPE_Q2_K, 'B' },
		{ LX_TYPE_Q3_K, 'C' }, { LX_TYPE_Q4_K, 'D' }, { LX_TYPE_Q5_K, 'E' },
		{ LX_TYPE_Q6_K, 'F' }, { LX_TYPE_IQ4_NL, 'n' },
		{ LX_TYPE_IQ4_XS, 'x' }, { LX_TYPE_MXFP4, 'm' },
	};

	for (u32 i = 0; i < LX_ARRAY_SIZE(all); i++)
		if (all[i].type == type)
			return all[i].c;
	return '?';
}

static char choose(const struct shape *s, const char *preset, const char *name,
		   u64 cols, u64 rows, bool expert)
{
	struct lx_gguf_tensor t = {
		.name = { name, (u32)strlen(name) },
		.n_dims = expert ? 3 : 2,
		.type = LX_TYPE_F32,
		.ne = { cols, rows, expert ? s->m.n_expert : 1, 1 },
	};
	u32 wanted;

	return letter(lx_preset_type(lx_preset_find(preset), &s->m, &t, false,
				     &wanted));
}

/* Tensor "blk.@l.@what.weight", or with experts "blk.@l.@what_exps.weight" */
static char of_layer(const struct shape *s, const char *preset, u32 l,
		     const char *what)
{
	bool ffn = !strncmp(what, "ffn", 3), expert = ffn && s->m.n_expert;
	char name[64];

	snprintf(name, sizeof(name), "blk.%u.%s%s.weight", l, what,
		 expert ? "_exps" : "");
	return choose(s, preset, name,
		      strcmp(what, "ffn_down") ? s->embd : s->ff, 64, expert);
}

static bool layers_are(const struct shape *s, const char *preset,
		       const char *what, const char *want)
{
	for (u32 l = 0; l < s->m.n_layer; l++)
		if (of_layer(s, preset, l, what) != (want[1] ? want[l] : *want))
			return false;
	return true;
}

static void test_vector(u32 i)
{
	const char *preset = vectors[i].preset, *r = vectors[i].rest;
	const struct shape *s = shapes;
	bool ok = true;

	while (strcmp(s->name, vectors[i].model))
		s++;
	if (!s->m.tied)
		ok &= *r++ == choose(s, preset, "output.weight", s->embd, 64,
				     false);
	ok &= *r++ == choose(s, preset, "token_embd.weight", s->embd, 64, false);
	for (u32 l = 0; l < s->m.n_layer; l++) {
		ok &= r[0] == of_layer(s, preset, l, "attn_k");
		ok &= r[1] == of_layer(s, preset, l, "attn_output");
		ok &= r[2] == of_layer(s, preset, l, "attn_q");
		ok &= r[3] == of_layer(s, preset, l, "ffn_gate");
		ok &= r[4] == of_layer(s, preset, l, "ffn_up");
	}
	ok &= layers_are(s, preset, "attn_v", vectors[i].v);
	ok &= layers_are(s, preset, "ffn_down", vectors[i].down);
	if (!CHECK(ok))
		printf("%s as %s\n", s->name, preset);
	CHECK(choose(s, preset, "blk.0.attn_norm.weight", s->embd, 1, false) ==
	      'f');
	CHECK(choose(s, preset, "blk.0.ffn_gate_inp.weight", s->embd, 8,
		     false) == 'f');
}

int main(void)
{
	for (u32 i = 0; i < LX_ARRAY_SIZE(vectors); i++)
		test_vector(i);
	CHECK(lx_preset_find("q4_k") == lx_preset_find("Q4_K_M"));
	CHECK(lx_preset_find("Q6_K") && !lx_preset_find("Q6_K_M"));
	CHECK(!lx_preset_find("Q4") && !lx_preset_find("") &&
	      !lx_preset_find("Q4_K_") && !lx_preset_find("Q4_K_MM"));
	for (u32 i = 0; lx_preset_at(i); i++)
		CHECK(lx_preset_find(lx_preset_at(i)->name) == lx_preset_at(i));
	return test_end();
}
