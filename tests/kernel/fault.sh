# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of failing allocations share, beside lib.sh: where the kernel
# has fault injection, it is set to hit no thread but those that are named.

DEBUG=/sys/kernel/debug
STATUS=/proc/llamux/status

# memory: what the model "m" holds, but for KV that is kept for others
memory() {
	echo 2 >/proc/sys/vm/drop_caches
	sed -n '/^model: m$/,/^$/p' $STATUS | grep -E '^(weights|kv|scratch|control): '
}

# faults PROGRAM ARGUMENT...: its counts among ours
faults() {
	local last start=$SECONDS test=$1

	shift
	"$test" "$@" >"$TMP/out" 2>&1
	grep -v '^ok' "$TMP/out" | grep -v '^[0-9]* passed'
	grep '^ok' "$TMP/out"
	last=$(tail -n 1 "$TMP/out")
	if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
	else
		fail "${test##*/} ${1-} ended early"
	fi
	echo "     ${test##*/} ${1-}: $((SECONDS - start)) s"
}

# threads PATTERN: those of a model
threads() {
	grep -lxE "llamux/$1" /proc/[0-9]*/comm | sed 's/[^0-9]//g'
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
