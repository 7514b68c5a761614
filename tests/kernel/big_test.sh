#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A model of TinyLlama's shape (1.1 G parameters, Q4_K_M, random weights):
# loads, takes the memory that was planned, and streams at native speed.
# BEDS: uml
# MEM: 4G
# TIMEOUT: 600
. "$(dirname "$0")/lib.sh"

LLAMUX=build/llamux
FILE=${LLAMUX_CACHE:-$HOME/.cache/llamux}/models/tinyllama-Q4_K_M.gguf

# The cache is the host's; where it may not be written, memory serves.
if [ ! -f "$FILE" ]; then
	FILE=$TMP/tinyllama.gguf
	bench/make-model.py "$FILE" || exit 1
fi
CTL=$(program ctl)
insmod "$LLAMUX_KO" || exit 1
start=$EPOCHREALTIME
"$CTL" load big "$FILE" || exit 1
echo "loaded in $(awk -v a="$start" -v b="$EPOCHREALTIME" \
	'BEGIN { printf "%.1f", b - a }') s"

file=$(stat -c %s "$FILE")
kv=$("$LLAMUX" plan --json "$FILE" | sed -E 's/.*"kv": ([0-9]+).*/\1/')
total=$("$LLAMUX" plan --json "$FILE" | sed -E 's/.*"total": ([0-9]+).*/\1/')
cat /proc/llamux/status
"$LLAMUX" -m big ask --raw --temp 0 -n 8 "a b c" >/dev/null
held=$(value total /proc/llamux/status)
echo "file $file, planned KV $kv, planned $total, held $held"
check "no more than file, planned KV and 5 %" \
	awk -v h="$held" -v f="$file" -v k="$kv" \
	'BEGIN { exit !(h > f * 0.9 && h <= (f + k) * 1.05) }'
check "no more than the plan" test "$held" -le "$total"

# Tokens per second, the module's and those of the same engine in a process
# of the same bed, in turn; the best of each, since the host takes time away.
speed() {
	sed -E 's/.*"n_gen": ([0-9]+).*"gen_ms": ([0-9.]+).*/\1 \2/' "$1" |
		awk '{ print ($1 - 1) * 1000 / $2 }'
}
kernel=0 user=0
for _ in 1 2 3; do
	"$LLAMUX" -m big --json ask --raw --temp 0 -n 40 "a b c" >"$TMP/kernel"
	"$LLAMUX" --user -m "$FILE" --json ask --raw --temp 0 -n 40 "a b c" \
		>"$TMP/user"
	k=$(speed "$TMP/kernel") u=$(speed "$TMP/user")
	echo "tokens per second: module $k, process $u"
	kernel=$(awk -v a="$kernel" -v b="$k" 'BEGIN { print (a > b) ? a : b }')
	user=$(awk -v a="$user" -v b="$u" 'BEGIN { print (a > b) ? a : b }')
done
check "the same text as user space" cmp \
	<(sed -E 's/.*("text": .*), "finish.*/\1/' "$TMP/kernel") \
	<(sed -E 's/.*("text": .*), "finish.*/\1/' "$TMP/user")
check "native speed: $kernel tokens/s, $user in a process" \
	awk -v k="$kernel" -v u="$user" 'BEGIN { exit !(k >= 0.8 * u) }'
"$CTL" unload big
wait_gone big
check "rmmod" rmmod llamux
finish
