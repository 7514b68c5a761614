#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ask and chat with the engine in the process: what goes where, pipes, Ctrl-C,
# terminals.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need_model

ask=(--user -m "$model" ask --raw --temp 0)

run "${ask[@]}" -n 8 'Once upon a time'
is "ask" exits 0
is "ask is quiet" quiet
is "ask answers" test -s "$work/out"
cp "$work/out" "$work/first"
run ask --user --raw --temp 0 -n 8 -m "$model" 'Once upon a time'
is "options behind the command" cmp -s "$work/out" "$work/first"
run -m "$model" --raw 'x'
is "ask's options are not global" exits 2
echo 'Once upon a time' >"$work/in"
run -i "$work/in" "${ask[@]}" -n 8 -
is "prompt from '-'" cmp -s "$work/out" "$work/first"
run -i "$work/in" "${ask[@]}" -n 8
is "prompt from stdin" cmp -s "$work/out" "$work/first"
run "${ask[@]}" -t 1 -n 8 'Once upon a time'
is "one thread, the same" cmp -s "$work/out" "$work/first"
run "${ask[@]}" -t 5 -n 8 'Once upon a time'
is "five threads, the same" cmp -s "$work/out" "$work/first"
run "${ask[@]}" --simd generic -n 8 'Once upon a time'
is "generic code, the same" cmp -s "$work/out" "$work/first"
LLAMUX_MODEL=$model run --user ask --raw --temp 0 -n 8 'Once upon a time'
is "LLAMUX_MODEL" cmp -s "$work/out" "$work/first"

n=0
for seed in 1 1 2; do
	run --user -m "$model" ask --raw --temp 1.5 --seed "$seed" -n 24 Once
	cp "$work/out" "$work/seed$seed.$((n++ % 2))"
done
is "same seed, same answer" cmp -s "$work/seed1.0" "$work/seed1.1"
is "other seed, other answer" test "$(cmp "$work/seed1.0" "$work/seed2.0")"

run --json "${ask[@]}" -n 8 'Once upon a time'
is "--json" out_has '^\{"model": ".*", "text": ".*", "finish": "length",.*"n_gen": 8,'
run --user -m "$model" ask --top-p 1.5 x
is "out of range" exits 2

seq 1 20000 >"$work/long"
run -i "$work/long" "${ask[@]}" -n 1 -
is "a prompt too long" exits 5
is "a prompt too long: no answer" silent
run "${ask[@]}" --ctx 64 -n 0 'Once upon a time'
is "the context's end is no error" exits 0

# A reader that goes away.
"$llamux" "${ask[@]}" -n 100000 --ctx 512 x 2>"$work/err" | head -c 5 >"$work/out"
is "head -c 5" test "$(wc -c <"$work/out")" -eq 5
is "a broken pipe is quiet" quiet
if [ -w /dev/full ]; then
	status=0
	"$llamux" "${ask[@]}" -n 4 x >/dev/full 2>"$work/err" || status=$?
	is "a full disk is an error" exits 1
	is "a full disk is told" err_has 'No space left'
fi

# Ctrl-C: the turn ends, what was said stays, 130.
rm -f "$work/out"
"$llamux" "${ask[@]}" --ctx 30000 -n 0 x >"$work/out" 2>"$work/err" &
pid=$!
for _ in {1..100}; do
	[ ! -s "$work/out" ] || break
	sleep 0.05
done
kill -INT "$pid"
status=0
wait "$pid" || status=$?
is "Ctrl-C" exits 130
is "Ctrl-C leaves whole characters" iconv -f utf-8 -t utf-8 -o /dev/null "$work/out"

# A terminal: a final newline, and no control characters from the model.
if command -v script >/dev/null; then
	script -qec "'$llamux' --user -m '$model' ask --raw --temp 0 -n 8 'Once upon a time'" \
		/dev/null </dev/null >"$work/tty" 2>&1
	is "a newline on terminals" test "$(tail -c 1 "$work/tty")" = ''
	is "the same words on terminals" cmp -s "$work/first" \
		<(tr -d '\r' <"$work/tty" | head -c "$(wc -c <"$work/first")")
else
	skipped=$((skipped + 1))
fi

printf 'Once\n/reset\n/help\n/nonsense\nOnce\n/quit\nnever\n' >"$work/in"
run -i "$work/in" --user -m "$model" chat --raw --temp 0 -n 8
is "chat" exits 0
is "chat: /help" err_has '^/reset'
is "chat: unknown commands" err_has "no command '/nonsense'"
is "chat: forgets" test "$(sort -u "$work/out" | wc -l)" -le "$(($(wc -l <"$work/out") / 2))"
finish
