#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What says how answers are made gives the same bytes through /dev/llama as in
# the process.
# BEDS: uml qemu-6.1
# TIMEOUT: 600
. "$(dirname "$0")/lib.sh"

llamux=build/llamux
MODEL=$(test_model) || exit 77
PROMPT='Once upon a time'

# same ARGUMENT...: the device and the engine in the process agree, times aside.
same() {
	local where

	for where in device user; do
		local -a to=()

		[ "$where" = device ] || to=(--user -m "$MODEL")
		"$llamux" "${to[@]}" "$@" >"$TMP/$where" || return
		sed -i -E 's/"model": "[^"]*", //;s/"[a-z]+_ms": [0-9.e+-]+, //g' \
			"$TMP/$where"
	done
	[ -s "$TMP/device" ] && cmp "$TMP/device" "$TMP/user"
}

insmod "$LLAMUX_KO" || exit 1
"$llamux" load --name one --ctx 64 "$MODEL" || exit 1

text=$("$llamux" ask --raw --temp 0 -n 20 "$PROMPT")
check "stop" same ask --json --raw --temp 0 -n 20 --stop "${text:7:4}" "$PROMPT"
check "stop: seen" grep -q '"finish": "stop"' "$TMP/device"
check "stop: the text before" grep -qF "${text:0:5}" "$TMP/device"
check "bias and penalties" same ask --json --raw --seed 3 -n 20 \
	--logit-bias 40=3.5 --logit-bias 41=never --presence-penalty 0.5 \
	--frequency-penalty -0.25 "$PROMPT"
check "all of the vocabulary" same ask --raw --seed 5 --temp 2 --top-k 0 \
	--top-p 0.99 --min-p 0 -n 20 "$PROMPT"
check "a large top-k" same ask --raw --seed 5 --temp 2 --top-k 300 --min-p 0 \
	-n 20 "$PROMPT"
check "log-probabilities" same ask --json --raw --temp 0 -n 8 --logprobs 20 \
	"$PROMPT"
check "log-probabilities: all" test "$(grep -o '"top"' "$TMP/device" | wc -l)" \
	-eq 8
"$llamux" --user -m "$MODEL" ask --ctx 64 --raw --seed 9 -n 150 --shift --keep 3 \
	"$PROMPT" >"$TMP/user"
"$llamux" ask --raw --seed 9 -n 150 --shift --keep 3 "$PROMPT" >"$TMP/device"
check "shift" cmp "$TMP/device" "$TMP/user"
check "shift: went on" test "$(wc -c <"$TMP/device")" -gt 200
check "scores" same score --raw --prompt "$PROMPT" ' there was' x \
	' a little girl who lived in a house beside the woods with her old cat'
check "scores behind the chat format" same score --json --prompt "$PROMPT" Yes No
check "embedding: mean" same embed "$PROMPT, and so on."
check "embedding: last" same embed --json --pooling last "$PROMPT, and so on."
check "embedding: a number per channel" test \
	"$(tr ',' '\n' <"$TMP/device" | wc -l)" -gt 16
echo '{"type": "object", "properties": {"a": {"type": "integer"}, "b":
{"type": "string", "maxLength": 9}}, "required": ["a", "b"]}' >"$TMP/schema"
check "JSON by a schema" same ask --raw --seed 2 --temp 1.2 --json-schema \
	"$TMP/schema" "$PROMPT"
check "JSON by a schema: it is" grep -qE '^\{.*"a".*"b".*\}$' "$TMP/device"
printf 'root ::= ("yes" | "no") ("!" | "?"){1,3}\n' >"$TMP/g"
check "grammar" same ask --json --raw --temp 0 --grammar "$TMP/g" "$PROMPT"
check "grammar: followed" grep -qE '"text": "(yes|no)[!?]+"' "$TMP/device"
rmmod llamux
# Of a module that is not signed, a stock kernel says so.
check "log is clean" test -z "$(dmesg | grep -v 'module verification failed' |
	grep -iE 'llamux.*(error|fail)')"
finish
