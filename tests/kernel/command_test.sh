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

# What root says of models, users and system prompts.
check "attr: nothing yet" exits 0 "$llamux" attr two
check "attr: says so" grep -qx 'roles: none' "$TMP/out"
check "attr: set" exits 0 "$llamux" attr --pin --keep-alive 60 --roles log,oom two
check "attr --json" exits 0 "$llamux" --json attr two
check "attr --json: all of it" grep -q '"pinned": true, "keep_alive": 60, "roles": \["log", "oom"\]' "$TMP/out"
check "pinned: 1" exits 1 "$llamux" unload two
check "by role" exits 0 "$llamux" -m @log ask --raw --temp 0 -n 4 x
check "attr: back" exits 0 "$llamux" attr --no-pin --keep-alive 0 --roles none two
check "attr: no such model: 4" exits 4 "$llamux" attr --pin three
check "limit" exits 0 "$llamux" limit --sessions 2 --tokens 100000 --kv 64M 54321
check "limits: listed" exits 0 "$llamux" limit
check "limits: the user's" grep -qE '^54321 +0 +2 +0 +67108864 +100000 +100000 +0$' "$TMP/out"
check "limit: only what is said" exits 0 "$llamux" limit --sessions 0 54321
check "limits --json" exits 0 "$llamux" --json limit
check "limits --json: the user's" grep -q '"uid": 54321, "sessions": 0, "max_sessions": 1024, "kv": 0, "max_kv": 67108864' "$TMP/out"
check "limit: none" exits 0 "$llamux" limit --kv 0 --tokens 0 54321
check "limits: none" sh -c "$llamux limit | grep -qE '^54321 .* - +- +- +0$'"
check "prefix" exits 0 "$llamux" -m one prefix --add 'You are a kernel,  brief.'
printf 'Second\n' >"$TMP/prefix"
check "prefix of standard input" sh -c "$llamux -m one prefix --add - <$TMP/prefix"
check "prefixes: listed" exits 0 "$llamux" prefix
check "prefixes: how one begins" grep -qE '^1 +one +[0-9]+ +[0-9]+ +You\\040are\\040a\\040kernel' "$TMP/out"
check "prefixes --json" exits 0 "$llamux" --json prefix
check "prefixes --json: the second" grep -q '"id": 2, "model": "one"' "$TMP/out"
check "prefix: forget one" exits 0 "$llamux" prefix --remove 1
check "prefix: again: 4" exits 4 "$llamux" prefix --remove 1
check "prefix: the other is there" sh -c "$llamux prefix | grep -q '^2 '"
check "prefix: forget all" exits 0 "$llamux" -m one prefix --remove-all
check "prefixes: none" sh -c "! $llamux prefix | grep -q '^[0-9]'"
chmod 666 /dev/llama
if command -v setpriv >/dev/null; then
	other() {
		setpriv --reuid 54321 --regid 54321 --clear-groups "$@"
	}

	check "not for others: attr" exits 1 other "$llamux" attr one
	check "not for others: limit" exits 1 other "$llamux" limit --kv 0 0
	check "not for others: prefixes" exits 1 other "$llamux" prefix
	check "others see themselves" sh -c "[ \"\$(setpriv --reuid 54321 --regid 54321 \
		--clear-groups $llamux limit | wc -l)\" = 2 ]"
	check "little KV" exits 0 "$llamux" limit --kv 4K 54321
	check "it is said" exits 1 other "$llamux" -m one ask --raw -n 4 "$PROMPT"
	check "what is said" grep -q 'limit of this user' "$TMP/err"
	check "none" exits 0 "$llamux" limit --kv 0 54321
	check "then it works" exits 0 other "$llamux" -m one ask --raw -n 4 "$PROMPT"
else
	skip "no setpriv"
fi

check "default" exits 0 "$llamux" default two
check "default: shown" sh -c "$llamux models | grep -q '^two .* \* '"
check "unload" exits 0 "$llamux" unload two
check "unload again: 4" exits 4 "$llamux" unload two
check "no default: 4" exits 4 "$llamux" ask x
check "unload the other" exits 0 "$llamux" unload one
wait_gone one
check "rmmod" rmmod llamux
finish
