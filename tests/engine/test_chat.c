// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Chat formats: recognition of the templates people publish (the telling
 * parts of them), and whole conversations as the templates render them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lx/chat.h"
#include "testhost.h"

static struct lx_str str(const char *z)
{
	struct lx_str s = { z, (u32)strlen(z) };

	return s;
}

static void recognise(const char *what, const char *tmpl,
		      enum lx_chat_kind want)
{
	enum lx_chat_kind got = lx_chat_recognise(str(tmpl));

	check(got == want, "%s is taken for %s, not %s", what,
	      lx_chat_name(got), lx_chat_name(want));
}

static void test_recognise(void)
{
	recognise("nothing", "", LX_CHAT_NONE);
	recognise("something", "{{ messages }}", LX_CHAT_UNKNOWN);
	recognise("chatml",
		  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}",
		  LX_CHAT_CHATML);
	recognise("phi4",
		  "{% if (message['role'] == 'user') %}{{'<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>'}}",
		  LX_CHAT_PHI4);
	recognise("smolvlm",
		  "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}: <end_of_utterance>\n",
		  LX_CHAT_UNKNOWN);
	recognise("llama2",
		  "{% if messages[0]['role'] == 'system' %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{{ ' '  + content.strip() + ' ' + eos_token }}",
		  LX_CHAT_LLAMA2);
	recognise("codellama",
		  "{{ bos_token + '[INST] ' + content | trim + ' [/INST]' }}{{ '<<SYS>>\\n' }}",
		  LX_CHAT_LLAMA2);
	recognise("llama2 that strips nothing",
		  "{{ '[INST] <<SYS>>\\n' + message['content'] + '\\n<</SYS>>\\n\\n' }}",
		  LX_CHAT_LLAMA2_SYS);
	recognise("llama2 with BOS within",
		  "{{ bos_token + '[INST] ' + message['content'] + ' [/INST]' }}<<SYS>>",
		  LX_CHAT_LLAMA2_SYS_BOS);
	recognise("openchat",
		  "{{ 'GPT4 Correct ' + message['role'].title() + ': ' + message['content'] + '<|end_of_turn|>'}}",
		  LX_CHAT_OPENCHAT);
	recognise("mistral 7b v0.1",
		  "{{ bos_token }}{% for message in messages %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{{ message['content'] + eos_token + ' ' }}",
		  LX_CHAT_INST);
	recognise("mistral v1",
		  "{%- if loop.first and system_message is defined %}{{- ' [INST] ' + system_message + '\\n\\n' + message['content'] + ' [/INST]' }}{{- ' ' + message['content'] + eos_token}}",
		  LX_CHAT_MISTRAL_V1);
	recognise("mistral v3",
		  "{{- '[AVAILABLE_TOOLS] [' }}{{- '[INST] ' + message['content'] + '[/INST]' }}",
		  LX_CHAT_MISTRAL_V3);
	recognise("mistral v3 tekken",
		  "{{- \"[AVAILABLE_TOOLS][\" }}{{- \"[INST]\""
		  " + message[\"content\"] + \"[/INST]\" }}",
		  LX_CHAT_MISTRAL_V3_TEKKEN);
	recognise("mistral v7",
		  "{{- \"[SYSTEM_PROMPT] \" + system_message + \"[/SYSTEM_PROMPT]\" }}{{- \"[INST] \" + message[\"content\"] + \"[/INST]\" }}",
		  LX_CHAT_MISTRAL_V7);
	recognise("mistral v7 tekken",
		  "{{- '[SYSTEM_PROMPT]' + system_message + '[/SYSTEM_PROMPT]' }}{{- '[INST]' + message['content'] + '[/INST]' }}",
		  LX_CHAT_MISTRAL_V7_TEKKEN);
	recognise("phi3",
		  "{% if message['role'] == 'user' %}{{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}{% endif %}<|assistant|>\\n",
		  LX_CHAT_PHI3);
	recognise("tinyllama (zephyr)",
		  "{% if message['role'] == 'user' %}\n{{ '<|user|>\\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\\n'  + message['content'] + eos_token }}",
		  LX_CHAT_ZEPHYR);
	recognise("stablelm zephyr",
		  "{{ '<|user|>\\n' + message['content'] + '<|endoftext|>' }}",
		  LX_CHAT_ZEPHYR_ENDOFTEXT);
	recognise("falcon3",
		  "{{ '<|user|>\\n' + message['content'] + '\\n' }}{% elif message['role'] == 'assistant' %}{% if not loop.last %}{{ '<|assistant|>\\n' + message['content'] + eos_token + '\\n' }}",
		  LX_CHAT_FALCON3);
	recognise("chatglm4", "[gMASK]<sop>{% for item in messages %}<|user|>",
		  LX_CHAT_UNKNOWN);
	recognise("gemma",
		  "{{ bos_token }}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}",
		  LX_CHAT_GEMMA);
	recognise("vicuna",
		  "{{ 'USER: ' + message['content'] + ' ' }}{{ 'ASSISTANT: ' + message['content'] + eos_token }}",
		  LX_CHAT_VICUNA);
	recognise("vicuna orca", "SYSTEM: USER: ASSISTANT: ",
		  LX_CHAT_VICUNA_ORCA);
	recognise("deepseek coder",
		  "{{'### Instruction:\\n' + message['content'] + '\\n'}}{{'### Response:\\n' + message['content'] + '\\n<|EOT|>\\n'}}",
		  LX_CHAT_DEEPSEEK_CODER);
	recognise("alpaca",
		  "{{ '### Instruction:\\n' + message['content'] }}### Response:",
		  LX_CHAT_ALPACA);
	recognise("llama3",
		  "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}",
		  LX_CHAT_LLAMA3);
	recognise("deepseek v2",
		  "{{ 'User: ' + message['content'] + '\\n\\n' }}{{ 'Assistant: ' + message['content'] + eos_token }}",
		  LX_CHAT_DEEPSEEK_V2);
	recognise("deepseek r1",
		  "{{'<｜User｜>' + message['content']}}{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}",
		  LX_CHAT_DEEPSEEK);
	recognise("gpt-oss",
		  "{{- \"<|start|>user<|message|>\" + message.content + \"<|end|>\" }}{{- \"<|start|>assistant<|channel|>final<|message|>\" }}<|assistant|>",
		  LX_CHAT_HARMONY);
	recognise("command-r",
		  "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", LX_CHAT_UNKNOWN);
	recognise("granite", "<|start_of_role|>user<|end_of_role|>",
		  LX_CHAT_UNKNOWN);
}

static void add(char *out, struct lx_str s)
{
	size_t n = strlen(out);

	memcpy(out + n, s.p, s.n);
	out[n + s.n] = 0;
}

/* "S", "U1", "A1", "U2" with or without the system message, and the opening. */
static void render(enum lx_chat_kind k, bool system, const char *want)
{
	static const enum lx_role role[] = { LX_ROLE_SYSTEM, LX_ROLE_USER,
					     LX_ROLE_ASSISTANT, LX_ROLE_USER };
	static const char *const text[] = { "S", "U1", "A1", "U2" };
	char out[2048] = "";
	u32 index = 0;

	for (u32 i = system ? 0 : 1; i < 4; i++, index++) {
		add(out, lx_chat_before(k, role[i], index, system));
		strcat(out, text[i]);
		add(out, lx_chat_after(k, role[i], index, system));
	}
	add(out, lx_chat_open(k));
	check(!strcmp(out, want), "%s:\n  got  %s\n  want %s",
	      lx_chat_name(k), out, want);
}

#define H(r) "<|start_header_id|>" r "<|end_header_id|>\n\n"

static void test_render(void)
{
	render(LX_CHAT_LLAMA2, true,
	       "[INST] <<SYS>>\nS\n<</SYS>>\n\nU1 [/INST] A1 </s><s>[INST] U2 [/INST]");
	render(LX_CHAT_LLAMA2, false,
	       "[INST] U1 [/INST] A1 </s><s>[INST] U2 [/INST]");
	render(LX_CHAT_LLAMA2_SYS, true,
	       "[INST] <<SYS>>\nS\n<</SYS>>\n\nU1 [/INST]A1</s>[INST] U2 [/INST]");
	render(LX_CHAT_LLAMA2_SYS_BOS, false,
	       "[INST] U1 [/INST]A1</s><s>[INST] U2 [/INST]");
	render(LX_CHAT_OPENCHAT, true,
	       "S<|end_of_turn|>GPT4 Correct User: U1<|end_of_turn|>GPT4 Correct Assistant: A1<|end_of_turn|>GPT4 Correct User: U2<|end_of_turn|>GPT4 Correct Assistant:");
	render(LX_CHAT_FALCON3, true,
	       "<|system|>\nS\n<|user|>\nU1\n<|assistant|>\nA1<|endoftext|>\n<|user|>\nU2\n<|assistant|>\n");
	render(LX_CHAT_LLAMA3, true,
	       H("system") "S<|eot_id|>" H("user") "U1<|eot_id|>"
	       H("assistant") "A1<|eot_id|>" H("user") "U2<|eot_id|>"
	       H("assistant"));
	render(LX_CHAT_CHATML, true,
	       "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU1<|im_end|>\n<|im_start|>assistant\nA1<|im_end|>\n<|im_start|>user\nU2<|im_end|>\n<|im_start|>assistant\n");
	render(LX_CHAT_PHI4, false,
	       "<|im_start|>user<|im_sep|>U1<|im_end|><|im_start|>assistant<|im_sep|>A1<|im_end|><|im_start|>user<|im_sep|>U2<|im_end|><|im_start|>assistant<|im_sep|>");
	render(LX_CHAT_ZEPHYR, true,
	       "<|system|>\nS</s>\n<|user|>\nU1</s>\n<|assistant|>\nA1</s>\n<|user|>\nU2</s>\n<|assistant|>\n");
	render(LX_CHAT_ZEPHYR_ENDOFTEXT, false,
	       "<|user|>\nU1<|endoftext|>\n<|assistant|>\nA1<|endoftext|>\n<|user|>\nU2<|endoftext|>\n<|assistant|>\n");
	render(LX_CHAT_PHI3, true,
	       "<|system|>\nS<|end|>\n<|user|>\nU1<|end|>\n<|assistant|>\nA1<|end|>\n<|user|>\nU2<|end|>\n<|assistant|>\n");
	render(LX_CHAT_INST, true,
	       "[INST] S\nU1 [/INST]A1</s>[INST] U2 [/INST]");
	render(LX_CHAT_MISTRAL_V1, true,
	       " [INST] S\n\nU1 [/INST] A1</s> [INST] U2 [/INST]");
	render(LX_CHAT_MISTRAL_V3, true,
	       "[INST] S\n\nU1[/INST] A1</s>[INST] U2[/INST]");
	render(LX_CHAT_MISTRAL_V3_TEKKEN, false,
	       "[INST]U1[/INST]A1</s>[INST]U2[/INST]");
	render(LX_CHAT_MISTRAL_V7, true,
	       "[SYSTEM_PROMPT] S[/SYSTEM_PROMPT][INST] U1[/INST] A1</s>[INST] U2[/INST]");
	render(LX_CHAT_MISTRAL_V7_TEKKEN, true,
	       "[SYSTEM_PROMPT]S[/SYSTEM_PROMPT][INST]U1[/INST]A1</s>[INST]U2[/INST]");
	render(LX_CHAT_GEMMA, true,
	       "<start_of_turn>user\nS\n\nU1<end_of_turn>\n<start_of_turn>model\nA1<end_of_turn>\n<start_of_turn>user\nU2<end_of_turn>\n<start_of_turn>model\n");
	render(LX_CHAT_VICUNA, true,
	       "S\n\nUSER: U1\nASSISTANT: A1</s>\nUSER: U2\nASSISTANT:");
	render(LX_CHAT_VICUNA_ORCA, true,
	       "SYSTEM: S\nUSER: U1\nASSISTANT: A1</s>\nUSER: U2\nASSISTANT:");
	render(LX_CHAT_ALPACA, false,
	       "### Instruction:\nU1\n\n### Response:\nA1\n\n### Instruction:\nU2\n\n### Response:\n");
	render(LX_CHAT_DEEPSEEK, true,
	       "S\n\n<｜User｜>U1<｜Assistant｜>A1<｜end▁of▁sentence｜><｜User｜>U2<｜Assistant｜>");
	render(LX_CHAT_DEEPSEEK_V2, true,
	       "S\n\nUser: U1\n\nAssistant: A1<｜end▁of▁sentence｜>User: U2\n\nAssistant:");
	render(LX_CHAT_DEEPSEEK_CODER, true,
	       "S### Instruction:\nU1\n### Response:\nA1\n<|EOT|>\n### Instruction:\nU2\n### Response:\n");
	render(LX_CHAT_HARMONY, false,
	       "<|start|>user<|message|>U1<|end|><|start|>assistant<|channel|>final<|message|>A1<|end|><|start|>user<|message|>U2<|end|><|start|>assistant");
	render(LX_CHAT_NONE, false, "U1A1U2");
	render(LX_CHAT_UNKNOWN, true, "SU1A1U2");
}

static void think(const char *what, enum lx_chat_kind kind, const char *tmpl,
		  const char *on, const char *off)
{
	check(lx_str_eq(lx_chat_think(kind, str(tmpl), false), on),
	      "%s: not what begins thoughts", what);
	check(lx_str_eq(lx_chat_think(kind, str(tmpl), true), off),
	      "%s: not what begins an answer without thoughts", what);
}

static void test_think(void)
{
	static const char none[] = "<think>\n\n</think>\n\n";

	think("qwen3", LX_CHAT_CHATML,
	      "{{- '<|im_start|>assistant\\n' }}{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}",
	      "", none);
	think("qwq, qwen3 thinking", LX_CHAT_CHATML,
	      "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}",
	      "<think>\n", none);
	think("deepseek r1", LX_CHAT_DEEPSEEK,
	      "{% if add_generation_prompt %}{{'<｜Assistant｜><think>\\n'}}{% endif %}",
	      "<think>\n", none);
	think("deepseek v3", LX_CHAT_DEEPSEEK,
	      "{% if add_generation_prompt %}{{'<｜Assistant｜>'}}{% endif %}",
	      "", "");
	think("gpt-oss", LX_CHAT_HARMONY, "<|start|><|channel|>", "",
	      "<|channel|>final<|message|>");
	think("qwen2.5", LX_CHAT_CHATML, "<|im_start|>assistant\\n", "", "");
	think("unknown", LX_CHAT_UNKNOWN, "enable_thinking <think>", "", "");
}

static void test_default_system(void)
{
	static const char qwen[] =
		"{{- '<|im_start|>system\\n' }}{%- if messages[0]['role'] == 'system' %}{{- '<|im_start|>system\\nYou are Qwen. Help.<|im_end|>\\n' }}";
	static const char smol[] =
		"{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are SmolLM<|im_end|>\\n' }}";
	static const char plain[] =
		"{{ '<|im_start|>system\\n' + message['content'] + '<|im_end|>' }}";

	check(lx_str_eq(lx_chat_default_system(LX_CHAT_CHATML, str(smol)),
			"You are SmolLM"), "smollm2's system message");
	check(lx_str_eq(lx_chat_default_system(LX_CHAT_CHATML, str(qwen)),
			"You are Qwen. Help."), "qwen2.5's system message");
	check(!lx_chat_default_system(LX_CHAT_CHATML, str(plain)).n,
	      "an expression is no system message");
	check(!lx_chat_default_system(LX_CHAT_LLAMA3, str(smol)).n,
	      "other formats have none");
}

static void test_rest(void)
{
	check(lx_chat_trims(LX_CHAT_GEMMA, LX_ROLE_USER) &&
	      !lx_chat_trims(LX_CHAT_CHATML, LX_ROLE_USER) &&
	      !lx_chat_trims(LX_CHAT_MISTRAL_V3, LX_ROLE_USER) &&
	      lx_chat_trims(LX_CHAT_MISTRAL_V3, LX_ROLE_ASSISTANT),
	      "trims");
	check(!lx_chat_before((enum lx_chat_kind)999, LX_ROLE_USER, 0, false).n &&
	      !lx_chat_after(LX_CHAT_LLAMA2, (enum lx_role)9, 0, false).n &&
	      !lx_chat_open((enum lx_chat_kind)-1).n, "out of range");
	for (u32 k = 0; k < LX_CHAT_KINDS; k++)
		check(lx_chat_name((enum lx_chat_kind)k) != NULL,
		      "kind %u has no name", k);
}

/* A template of random parts never makes it read beyond its end. */
static void test_random_templates(void)
{
	static const char *const part[] = {
		"<|im_start|>", "[INST]", "<|user|>", "<|end|>", "<<SYS>>",
		"eos_token", "<|assistant|>", "USER: ", "[SYSTEM_PROMPT] ",
		"<", "<|", "[", "<start_of_turn>", "'", "### Instruction:",
	};
	u64 rng = 3;
	u32 bad = 0;

	for (u32 i = 0; i < 20000; i++) {
		char text[256] = "";
		struct lx_str s;
		char *copy;

		for (u32 k = test_random(&rng) % 6; k--;)
			strcat(text, part[test_random(&rng) %
					  LX_ARRAY_SIZE(part)]);
		s.n = (u32)(test_random(&rng) % (strlen(text) + 1));
		copy = malloc(s.n + 1);
		memcpy(copy, text, s.n);
		s.p = copy;
		bad += (u32)lx_chat_recognise(s) >= LX_CHAT_KINDS;
		free(copy);
	}
	check(!bad, "%u templates have kinds out of range", bad);
}

int main(void)
{
	test_recognise();
	test_render();
	test_think();
	test_default_system();
	test_rest();
	test_random_templates();
	return test_done();
}
