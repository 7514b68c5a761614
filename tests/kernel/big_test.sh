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

# The kernel's speed beside that of user space, alternating.
start=$EPOCHREALTIME
"$LLAMUX" -m big ask --raw --temp 0 -n 40 "a b c" >"$TMP/kernel"
seconds=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
echo "40 tokens in $seconds s"
"$LLAMUX" --user -m "$FILE" ask --raw --temp 0 -n 40 "a b c" >"$TMP/user"
check "the same text as user space" cmp "$TMP/kernel" "$TMP/user"
check "40 tokens within 20 s" \
	awk -v s="$seconds" 'BEGIN { exit !(s < 20) }'
"$CTL" unload big
wait_gone big
check "rmmod" rmmod llamux
finish
