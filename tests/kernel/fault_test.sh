#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Every allocation may fail, at load, open, write, read, fork, swap, unload, in
# the caller and in the model's thread: errors only, nothing is lost, nothing
# leaks, the next try works. See fault.c. (Not insmod: the kernel's own loader
# warns when its tracing finds no memory.)
# BEDS: uml-lockdep
# TIMEOUT: 300
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

DEBUG=/sys/kernel/debug
STATUS=/proc/llamux/status

# memory: what the model holds, but for KV that is kept for others
memory() {
	echo 2 >/proc/sys/vm/drop_caches
	sed -n '/^model: m$/,/^$/p' $STATUS | grep -E '^(weights|kv|scratch|control): '
}

# faults ARGUMENT...: fault.c, its counts among ours
faults() {
	local last start=$SECONDS

	"$FAULT" "$@" >"$TMP/out" 2>&1
	grep -v '^ok' "$TMP/out" | grep -v '^[0-9]* passed'
	grep '^ok' "$TMP/out"
	last=$(tail -n 1 "$TMP/out")
	if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
	else
		fail "fault $1 ended early"
	fi
	echo "     $1: $((SECONDS - start)) s"
}

# thread NAME: a model's
thread() {
	grep -lx "llamux/$1" /proc/[0-9]*/comm | sed 's/[^0-9]//g' | head -n 1
}

[ -d $DEBUG/failslab ] || exit 77
for dir in failslab fail_page_alloc; do
	echo 0 >$DEBUG/$dir/verbose
	echo Y >$DEBUG/$dir/task-filter
	echo N >$DEBUG/$dir/ignore-gfp-wait
	echo -1 >$DEBUG/$dir/times
done
echo N >$DEBUG/fail_page_alloc/ignore-gfp-highmem
echo 0 >$DEBUG/fail_page_alloc/min-order
CTL=$(program ctl)
FAULT=$(program fault)
MODEL=$TMP/model
cp "$(test_model)" "$MODEL" || exit 77
insmod "$LLAMUX_KO" || exit 1
"$CTL" load m -c 1024 "$MODEL" || exit 1
m=$(thread m)
# First, since a user's /proc/llamux/prompt keeps a model awake.
"$CTL" attr m keep=1 >/dev/null
faults wake "$m"
"$CTL" attr m keep=3600 >/dev/null
faults client
memory >"$TMP/before"
faults load "$MODEL"
faults thread "$m"
faults storm "$m"
memory >"$TMP/after"
check "memory is what it was" diff "$TMP/before" "$TMP/after"
check "no session but that of /proc/llamux/prompt is left" \
	[ "$(value sessions $STATUS)" -le 1 ]
check "unload" "$CTL" unload m
module_stop
finish
