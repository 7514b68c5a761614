#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Models: pinned ones stay, idle ones sleep and wake, roles route, loads are
# cancelled, and a hot swap in a loop leaves every answer whole.
# BEDS: uml uml-lockdep
# TIMEOUT: 300
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

LLAMUX=build/llamux
SWAPS=200
case ${BED:-} in *-*) SWAPS=20 ;; esac

state() {
	awk -v n="$1" '$1 == n { print $2 }' /proc/llamux/models
}

# becomes NAME STATE
becomes() {
	for _ in $(seq 80); do
		[ "$(state "$1")" = "$2" ] && return
		sleep 0.1
	done
	return 1
}

ask() {
	"$LLAMUX" "$@" ask --raw --temp 0 -n 24 "Once upon a time"
}

# client: ask till there is a file "end"; say how often, and which answers are
# of neither model.
client() {
	local n=0 answer

	while [ ! -e "$TMP/end" ]; do
		answer=$(ask 2>/dev/null) || continue
		n=$((n + 1))
		[ "$answer" = "$(cat "$TMP/a")" ] || [ "$answer" = "$(cat "$TMP/b")" ] ||
			echo "mixed: $answer"
	done
	echo "answers $n"
}

CTL=$(program ctl)
cp models/llamux-default.gguf "$TMP/m"
insmod "$LLAMUX_KO" || exit 1
"$CTL" load m "$TMP/m" || exit 1
ask >"$TMP/a"

# Sleep.
refused "no such model" "$CTL" attr n keep=1
refused "a pin is 0 or 1" "$CTL" attr m pin=2
refused "an unknown role" "$CTL" attr m roles=16
exec 5>>"$TMP/m"
refused "keep-alive of a file that is written to" "$CTL" attr m keep=1
check "it says so" grep -qi 'text file busy' "$TMP/refused"
exec 5>&-
exec 3<>/dev/llama
printf 'Once upon a time' >&3
check "keep-alive" "$CTL" attr m keep=1
refused "nobody writes to its file" sh -c ": >>'$TMP/m'"
sleep 2
check "with a conversation it stays awake" [ "$(state m)" = ready ]
exec 3>&-
check "then it sleeps" becomes m asleep
check "and holds next to nothing" \
	[ "$(value total /proc/llamux/status)" -lt 4096 ]
cat /proc/llamux/status >/dev/null
check "it is still the default" [ "$(value default /proc/llamux/status)" = m ]
refused "its file is still needed" "$CTL" attr m keep=0
ask >"$TMP/got"
check "the next conversation wakes it" cmp "$TMP/a" "$TMP/got"
check "it sleeps again" becomes m asleep
for i in 1 2 3 4; do ask >"$TMP/got.$i" & done
wait
for i in 1 2 3 4; do
	check "woken by four at once" cmp "$TMP/a" "$TMP/got.$i"
done
echo "Once upon a time" >/proc/llamux/prompt
cat /proc/llamux/prompt >"$TMP/got.1"
echo "Once upon a time" >/proc/llamux/prompt
check "a conversation that nobody has open: it sleeps" becomes m asleep
check "nobody's conversation is left" \
	[ "$(wc -l </proc/llamux/sessions)" = 1 ]
echo "Once upon a time" >/proc/llamux/prompt
cat /proc/llamux/prompt >"$TMP/got.2"
check "a prompt wakes it" [ -s "$TMP/got.2" ]
check "it begins anew" cmp "$TMP/got.1" "$TMP/got.2"
check "pinned" "$CTL" attr m pin=1
ask >"$TMP/got"
sleep 2
check "it does not sleep" [ "$(state m)" = ready ]
refused "nor is it unloaded" "$CTL" unload m
check "unpinned" "$CTL" attr m pin=0
check "asleep" becomes m asleep
check "unload one that sleeps" "$CTL" unload m
check "gone" wait_gone m
check "its file is free" sh -c ": >>'$TMP/m'"
"$CTL" load m "$TMP/m" || exit 1
touch "$TMP/m"
refused "keep-alive of a file that was changed" "$CTL" attr m keep=1
check "it says so" grep -qi 'stale' "$TMP/refused"
"$CTL" attr m keep=0 >/dev/null
"$CTL" unload m
"$CTL" load m "$TMP/m" || exit 1
"$CTL" attr m keep=3600 >/dev/null
sleep 60 &
echo 1000 >/proc/$!/oom_score_adj
echo f >/proc/sysrq-trigger
wait $! 2>/dev/null
check "out of memory: it sleeps at once" becomes m asleep
"$CTL" attr m pin=1 >/dev/null
ask >"$TMP/got"
"$CTL" attr m pin=0 keep=0 >/dev/null

# Files that are let go of.
mkdir "$TMP/fs" && mount -t tmpfs none "$TMP/fs" && cp "$TMP/m" "$TMP/fs"
"$LLAMUX" load --name kept --ctx 128 "$TMP/fs/m" || exit 1
refused "a model keeps its file" umount "$TMP/fs"
"$LLAMUX" unload kept
wait_gone kept
check "load --once" "$LLAMUX" load --once --name once --ctx 128 "$TMP/fs/m"
sleep 0.5
check "one that was loaded so does not" umount "$TMP/fs"
refused "it cannot sleep" "$CTL" attr once keep=1
check "it says so" grep -qi 'stale' "$TMP/refused"
check "it answers" [ -n "$("$LLAMUX" -m once ask --raw -n 4 x)" ]
"$LLAMUX" unload once
refused "--once and --stream" "$LLAMUX" load --once --stream "$TMP/m"

# Roles.
"$CTL" load other -c 128 "$TMP/m" || exit 1
refused "nobody has the role" "$LLAMUX" -m @log ask x
check "give it" "$CTL" attr other roles=2
check "routed by it" "$LLAMUX" -m @log ask --raw -n 4 x
check "another takes it" [ "$("$CTL" attr m roles=6)" = "pin=0 keep=0 roles=6" ]
check "which the first has lost" [ "$("$CTL" attr other)" = "pin=0 keep=0 roles=0" ]
check "status says so" grep -q '^roles: log oom$' /proc/llamux/status
"$CTL" unload other

# A load is cancelled.
python3 bench/make-model.py "$TMP/big" --layers 3 --type Q4_0
refused "cancel: no such load" "$CTL" cancel-load big
"$CTL" load big -c 128 "$TMP/big" 2>"$TMP/cancelled" &
for _ in $(seq 200); do
	"$CTL" cancel-load big 2>/dev/null && break
	sleep 0.01
done
wait $!
check "a cancelled load fails" [ $? -ne 0 ]
check "it says so" grep -qi 'cancel' "$TMP/cancelled"
check "nothing of it is left" wait_gone big
rm "$TMP/big"

# Hot swap.
python3 bench/make-model.py "$TMP/tiny" --shape tiny --type Q8_0
"$CTL" unload m
"$CTL" load b "$TMP/tiny" || exit 1
ask >"$TMP/b"
"$CTL" unload b
"$CTL" load s0 "$TMP/m" || exit 1
for i in 1 2 3 4 5 6 7 8; do client >"$TMP/client.$i" & done
ok=1
for i in $(seq $SWAPS); do
	file=$TMP/m
	[ $((i % 2)) = 0 ] || file=$TMP/tiny
	"$CTL" load "s$i" -d "$file" && "$CTL" unload "s$((i - 1))" || ok=
done
touch "$TMP/end"
wait
check "$SWAPS swaps" [ -n "$ok" ]
sort "$TMP"/client.* | uniq -c | head -n 12
check "no answer is of two models" [ "$(cat "$TMP"/client.* | grep -c mixed)" = 0 ]
check "every client had some" \
	[ "$(awk '/^answers/ && $2 > 0' "$TMP"/client.* | wc -l)" = 8 ]
check "one model is left" [ "$(value models /proc/llamux/status)" = 1 ]
module_stop
finish
