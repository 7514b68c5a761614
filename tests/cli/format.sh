#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Chat formats by the file's template: another template of the same length in
# a copy of the model, and how many tokens the prompt then has.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need_model

# with_template TEMPLATE: the model with it, padded with spaces.
with_template() {
	python3 - "$model" "$work/model.gguf" "$1" <<-'END'
		import struct, sys
		data = open(sys.argv[1], "rb").read()
		key = b"tokenizer.chat_template" + struct.pack("<I", 8)
		at = data.find(key) + len(key)
		size, = struct.unpack_from("<Q", data, at)
		text = sys.argv[3].replace("NL", "\\n").encode()
		assert data.find(key) > 0 and len(text) <= size
		at += 8
		open(sys.argv[2], "wb").write(
		    data[:at] + text.ljust(size) + data[at + size:])
	END
}

# n_prompt OPTION...: tokens of the prompt that "hi" becomes.
n_prompt() {
	run --user -m "$work/model.gguf" --json ask --temp 0 -n 1 "$@" hi
	sed -E 's/.*"n_prompt": ([0-9]+),.*/\1/' "$work/out"
}

if ! with_template "{{ '<|im_start|>' }}"; then
	echo "skip: a model without a template"
	exit 77
fi
plain=$(n_prompt)
is "a known format is quiet" quiet
is "no thoughts to leave out" test "$(n_prompt --no-think)" -eq "$plain"
with_template "<|im_start|>{% if enable_thinking is false %}<think>NLNL</think>"
is "thoughts by default" test "$(n_prompt)" -eq "$plain"
is "--no-think" test "$(n_prompt --no-think)" -gt "$plain"
with_template "{{ '<|im_start|>assistantNL<think>NL' }}"
is "a model that always thinks" test "$(n_prompt)" -gt "$plain"
with_template "{{ '<|im_start|>systemNLYou are kind.<|im_end|>NL' }}"
is "the template's system message" test "$(n_prompt)" -gt "$plain"
both=$(n_prompt --system 'You are kind.')
is "... unless there is another" test "$both" -eq "$(n_prompt)"
with_template "{{ messages | mystery }}"
run --user -m "$work/model.gguf" ask --temp 0 -n 2 hi
is "an unknown format is answered" exits 0
is "... and said" err_has 'chat format of this model is not known'
run --user -m "$work/model.gguf" ask --raw --temp 0 -n 2 hi
is "--raw needs no format" quiet
finish
