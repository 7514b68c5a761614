#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A machine of 2 GB, eight conversations with a model of 300 MB, and something
# that takes all the memory there is, again and again: only that is killed, and
# every answer is whole and the one it would have been, or there is an error
# that says so.
# BEDS: uml
# MEM: 2G
# TIMEOUT: 300
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

LLAMUX=build/llamux
CLIENTS=8
LAYERS=8

# ask CLIENT: a prompt of its own
ask() {
	local words=(time the cat saw a little house and)

	# shellcheck disable=SC2046 # words
	"$LLAMUX" ask --raw --temp 0 -n 24 "$(printf '%s ' \
		$(for i in {1..40}; do echo "${words[(i * ($1 + 3)) % 8]}"; done))"
}

# client CLIENT: whole answers and clear errors, counted
client() {
	local end=$((SECONDS + 40))

	while [ $SECONDS -lt $end ]; do
		if ask "$1" >"$TMP/got$1" 2>"$TMP/err$1"; then
			cmp -s "$TMP/want$1" "$TMP/got$1" && echo whole || echo wrong
		elif grep -qi 'memory' "$TMP/err$1"; then
			echo error
		else
			echo "unclear: $? $(cat "$TMP/err$1")"
		fi
	done
}

CTL=$(program ctl)
HOG=$(program hog)
python3 bench/make-model.py --layers $LAYERS "$TMP/model" || exit 1
insmod "$LLAMUX_KO" || exit 1
"$CTL" load m -c 1024 "$TMP/model" || exit 1
rm "$TMP/model"
for ((c = 0; c < CLIENTS; c++)); do
	ask $c >"$TMP/want$c"
done
check "answers" [ "$(cat "$TMP"/want* | wc -c)" -gt 100 ]
"$HOG" >"$TMP/hog.log" &
hog=$!
clients=()
for ((c = 0; c < CLIENTS; c++)); do
	client $c >"$TMP/log$c" &
	clients+=($!)
done
wait "${clients[@]}"
kill $hog
wait $hog 2>/dev/null
sort "$TMP"/log? | uniq -c
sort "$TMP/hog.log" | uniq -c
check "memory was short" grep -q killed "$TMP/hog.log"
check "every client ended more than once" [ "$(cat "$TMP"/log? | wc -l)" -gt $CLIENTS ]
check "whole, or with a clear error" \
	[ "$(cat "$TMP"/log? | grep -vcE '^(whole|error)$')" = 0 ]
check "some were whole" grep -q whole "$TMP"/log?
check "nothing else was killed" [ "$(dmesg | grep 'Killed process' |
	grep -vc '(hog)')" = 0 ]
ask 0 >"$TMP/got"
check "afterwards, all is as before" cmp "$TMP/want0" "$TMP/got"
check "no session is left" [ "$(value sessions /proc/llamux/status)" = 0 ]
check "unload" "$CTL" unload m
module_stop
finish
