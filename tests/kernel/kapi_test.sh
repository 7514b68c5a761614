#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The interface for other modules: tests/kmod/ask.c asks from inside the kernel.
# BEDS: uml uml-lockdep
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

ASK=$(dirname "$LLAMUX_KO")/../tests/kmod/ask.ko
LLAMUX=build/llamux
ANSWER=/sys/module/ask/parameters

CTL=$(program ctl)
insmod "$LLAMUX_KO" || exit 1
refused "no model: refused" insmod "$ASK"
check "it says so" grep -qi 'no such device' "$TMP/refused"
"$CTL" load m models/llamux-default.gguf || exit 1
"$LLAMUX" ask --temp 0 -n 32 "What is a cat?" >"$TMP/want" || exit 1
check "ask" insmod "$ASK" prompt='"What is a cat?"'
cat $ANSWER/answer >"$TMP/got"
cat "$TMP/got"
check "the answer is the device's" cmp <(tr -d '\n' <"$TMP/want") <(tr -d '\n' <"$TMP/got")
refused "the engine stays while a client is loaded" rmmod llamux
check "rmmod ask" rmmod ask
check "16 threads at once" insmod "$ASK" times=16 prompt='"What is a cat?"' urgent=1
check "all have the same answer" [ "$(cat $ANSWER/same)" = 16 ]
check "and it is the first one's" cmp <(tr -d '\n' <"$TMP/want") \
	<(tr -d '\n' <$ANSWER/answer)
rmmod ask
"$LLAMUX" score --prompt "What is a cat?" "A cat" "An inode holds" |
	awk -F'\t' '{ printf "%d %d %s\n", $1 * 1000000 - 0.5, $2, $3 }' >"$TMP/want"
check "scores" insmod "$ASK" prompt='"What is a cat?"' \
	choices='"A cat,An inode holds"'
cat $ANSWER/scores
check "are the device's" cmp "$TMP/want" <(grep . $ANSWER/scores)
rmmod ask
refused "nothing to score: refused" insmod "$ASK" prompt='"What?"' choices='""'
check "it says so" grep -qi 'invalid' "$TMP/refused"
refused "another model: refused" insmod "$ASK" model=nobody
refused "no time: refused" insmod "$ASK" timeout_ms=1 max_tokens=100000
check "it says so" grep -qi 'timed out\|timer expired' "$TMP/refused"
check "cancelled from an interrupt: what there was" \
	insmod "$ASK" cancel_ms=20 max_tokens=100000
rmmod ask
check "no session is left" [ "$(value sessions /proc/llamux/status)" = 0 ]
module_stop
finish
