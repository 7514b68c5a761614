#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# TIMEOUT: 900
#
# A minute of each coverage-guided fuzzer (LLAMUX_FUZZ_SECONDS), after a proof
# that they are: a fault planted behind four comparisons is found.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

is() {
	local what=$1

	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "failed: $what"
	fi
}

planted_is_found() {
	! (cd "$work" && ./planted -seed=1 -use_cmp=0 -max_total_time=60 \
			-artifact_prefix=found- >log 2>&1) &&
		[ "$(head -c 4 "$work"/found-crash-*)" = 'Llx!' ]
}

# covers NAME: it ran, and found inputs that cover more than the seeds do.
covers() {
	sed -nE "s/^$1: ok, ([0-9]+) runs, cov ([0-9]+) -> ([0-9]+),.*/\1 \2 \3/p" "$work/out" |
		(read -r runs from to && [ "$runs" -gt 1000 ] && [ "$to" -ge "$from" ] &&
			[ "$from" -gt 0 ])
}

can_fuzz() {
	clang -fsanitize=fuzzer,address tests/fuzz/planted.c -o "$work/planted" 2>>"$work/err"
}

scripts/deps.sh fuzz 2>"$work/err" || true
can_fuzz || {
	echo "skip: no clang with libFuzzer ($(tail -n 1 "$work/err"))"
	exit 77
}
is "a planted fault is found" planted_is_found
make -s -j"$(nproc)" CC=clang FUZZ=1 WERROR= fuzzers >"$work/log" 2>&1 || {
	tail -n 20 "$work/log"
	echo "$passed passed, $((failed + 1)) failed, 0 skipped"
	exit 1
}
is "no fuzzer finds anything" scripts/fuzz "${LLAMUX_FUZZ_SECONDS:-60}" >"$work/out"
cat "$work/out"
for f in fuzz/fuzz_*.c; do
	name=${f#fuzz/fuzz_}
	is "${name%.c} ran and covered code" covers "${name%.c}"
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
