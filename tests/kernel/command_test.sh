#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The llamux command on the device: the same as with --user, and what only
# the device has.
# BEDS: uml qemu-6.1
# TIMEOUT: 600
. "$(dirname "$0")/lib.sh"

llamux=build/llamux
MODEL=$(test_model) || exit 77
PROMPT='Once upon a time'

# same ARGUMENT...: the device and the engine in the process agree.
same() {
	"$llamux" "$@" >"$TMP/device" &&
		"$llamux" --user -m "$MODEL" "$@" >"$TMP/user" &&
		[ -s "$TMP/device" ] && cmp "$TMP/device" "$TMP/user"
}

# exits STATUS COMMAND...
exits() {
	local want=$1 got=0

	shift
	"$@" >"$TMP/out" 2>"$TMP/err" </dev/null || got=$?
	[ "$got" -eq "$want" ] || {
		echo "exit status $got, not $want: $(cat "$TMP/err")"
		return 1
	}
}

check "no device: 3" exits 3 "$llamux" ask x
check "the doctor says so" exits 1 "$llamux" doctor
insmod "$LLAMUX_KO" || exit 1
check "no model: 4" exits 4 "$llamux" ask x
check "load" exits 0 "$llamux" load --name one "$MODEL"
check "load is quiet" test ! -s "$TMP/err"
check "a name in use: 1" exits 1 "$llamux" load --name one "$MODEL"
check "not a GGUF: 1" exits 1 "$llamux" load --name two "$0"
check "no such file: 4" exits 4 "$llamux" load --name two /no/such.gguf
check "a second model" exits 0 "$llamux" --json load --name two --ctx 64 "$MODEL"
check "load --json" grep -q '^{"name": "two", .*"default": false, "fit": null}$' "$TMP/out"
check "a file is no name: 4" exits 4 "$llamux" -m "$MODEL" ask x
check "a file is no name: what to do" grep -q -- '--user' "$TMP/err"
check "models" exits 0 "$llamux" models
check "models: both" grep -q '^two ' "$TMP/out"
check "models --json" exits 0 "$llamux" --json models
check "models --json: names" grep -q '"name": "one"' "$TMP/out"
check "status --json" exits 0 "$llamux" --json status
check "status --json: models" grep -q '"loaded": \[{"model": "one"' "$TMP/out"

check "the doctor is content" exits 0 "$llamux" doctor
check "the doctor knows the model" grep -q '^ok  *model  *one: ' "$TMP/out"

check "greedy" same ask --raw --temp 0 -n 32 "$PROMPT"
check "sampled" same ask --raw --temp 1.2 --top-k 20 --seed 7 -n 48 "$PROMPT"
check "chat format" same ask --temp 0 -n 16 "$PROMPT"
# From the device a piece that is half of a character comes as U+FFFD: ids, then.
check "tokens" same tokenize "$PROMPT, and <s> twice  "
check "tokens of bytes" same tokenize --ids "$PROMPT  é"
check "ids" same tokenize --ids --no-bos --no-special "<s> $PROMPT"
check "text of ids" same detokenize "$("$llamux" tokenize --ids "$PROMPT")"
check "a model by name" exits 0 "$llamux" -m two ask --raw --temp 0 -n 4 x
check "no such model: 4" exits 4 "$llamux" -m three ask x
check "the context's end" exits 0 "$llamux" -m two ask --raw --temp 0 x
seq 1 2000 >"$TMP/long"
check "too long: 5" exits 5 "$llamux" -m two ask --raw "$(cat "$TMP/long")"
check "--ctx is for --user: 2" exits 2 "$llamux" ask --ctx 64 x

"$llamux" ask --raw --temp 0 x >"$TMP/out" 2>&1 &
pid=$!
sleep 1
check "ps" sh -c "$llamux ps >$TMP/ps"
kill -INT "$pid" 2>/dev/null
wait "$pid"
status=$?
check "Ctrl-C: 130, or it was over" test "$status" -eq 130 -o "$status" -eq 0
check "ps --json" exits 0 "$llamux" --json ps

# A conversation of this shell, which stays.
exec 4<>/dev/llama
echo x >&4
check "top" exits 0 "$llamux" top -d 0.5
check "top: the conversation" grep -qE "^ +[0-9]+ root +$$ " "$TMP/out"
exec 4>&-

check "default" exits 0 "$llamux" default two
check "default: shown" sh -c "$llamux models | grep -q '^two .* \* '"
check "unload" exits 0 "$llamux" unload two
check "unload again: 4" exits 4 "$llamux" unload two
check "no default: 4" exits 4 "$llamux" ask x
check "unload the other" exits 0 "$llamux" unload one
wait_gone one
check "rmmod" rmmod llamux
finish
