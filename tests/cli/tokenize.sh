#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tokenize, detokenize, plan: bytes come back as they were.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need_model

# there_and_back: the file $work/text through both commands.
there_and_back() {
	"$llamux" -m "$model" tokenize --no-special --ids - <"$work/text" \
		>"$work/ids" &&
		"$llamux" -m "$model" detokenize - <"$work/ids" >"$work/back" &&
		cmp "$work/text" "$work/back"
}

for text in 'Once upon a time' ' leading' '  two' 'trailing ' 'a  b' $'\n\n' \
	$'line\nline\n' $'tab\there' 'naïve café – “quotes” 漢字 🙂' '<s> </s>' \
	'<0x41>' '%s %n \n' 'x'; do
	printf '%s' "$text" >"$work/text"
	is "$(printf 'round trip of %q' "$text")" there_and_back
done
seq 1 20000 >"$work/text"
is "round trip of 100 kB" there_and_back
printf 'stray \xff\xfe bytes \xc3' >"$work/text"
is "round trip of stray bytes" there_and_back

run --user -m "$model" tokenize 'Once upon'
is "tokenize" exits 0
is "a token a line: id, tab, piece" out_has $'^[0-9]+\t.*O'
run --user -m "$model" tokenize $'a\nb\e[31m'
is "control characters are escaped" out_has '\\n'
is "no escape sequence" test "$(tr -d '[:print:]\n\t' <"$work/out" | wc -c)" -eq 0
run -m "$model" --json tokenize --ids 'Once upon'
is "ids as JSON" out_has '^\[[0-9]+(, [0-9]+)*\]$'
run --json -m "$model" tokenize 'Once "upon"'
is "pieces as JSON" out_has '^\[\{"id": [0-9]+, "piece": ".*"\}\]$'
run -m "$model" tokenize --ids --no-bos ''
is "no text, no tokens" out_is $'\n'
run -m "$model" detokenize 99999999
is "an id beyond the vocabulary" test "$status" -ne 0
run -m "$model" detokenize '[1, 2,3]'
is "ids as JSON are read" exits 0

run plan "$model"
is "plan: fits" out_has '^fits now$'
is "plan" out_has '^total +[0-9]+ '
run plan "$model" --available 6000000 --ctx 8192
is "plan: does not fit" out_has '^does not fit now: .* missing$'
ctx=$(sed -n 's/^a context of \([0-9]*\) tokens fits$/\1/p' "$work/out")
run plan "$model" --available 6000000 --ctx "${ctx:-0}"
is "plan: the context it offers fits" out_has '^fits now$'
run plan "$model" --available 6000000 --ctx $((2 * ${ctx:-0}))
is "plan: twice that does not" out_has '^does not fit now'
run --json plan "$model" --ctx 64 --sessions 3
is "plan --json" out_has '^\{.*"total": [0-9]+,.*"n_sessions": 3.*\}$'
kv() {
	run --json plan "$model" --ctx 64 --sessions "$1"
	sed -E 's/.*"kv": ([0-9]+).*/\1/' "$work/out"
}
is "twice the sessions, twice the KV" test "$(kv 4)" -eq "$(($(kv 2) * 2))"
finish
