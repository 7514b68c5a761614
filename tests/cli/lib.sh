# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of the command share.
#
#	run [-i INPUT] ARGUMENT...	run llamux; sets $status, $work/out, $work/err
#	is DESCRIPTION CONDITION...	one check: a command that must succeed

export LC_ALL=C.UTF-8
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
llamux=${LLAMUX:-$top/build/llamux}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0 status=0
unset LLAMUX_MODEL

# The model of these tests: any will do.
model=${LLAMUX_TEST_MODEL:-}
for f in "$top"/models/*.gguf; do
	if [ -z "$model" ] && [ -f "$f" ]; then
		model=$f
	fi
done

is() {
	local what=$1

	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "failed: $what"
		head -c 300 "$work/err" 2>/dev/null
	fi
}

run() {
	local input=/dev/null

	if [ "${1:-}" = -i ]; then
		input=$2
		shift 2
	fi
	status=0
	timeout 100 "$llamux" "$@" <"$input" >"$work/out" 2>"$work/err" || status=$?
}

exits() {
	[ "$status" -eq "$1" ] || {
		echo "exit status $status, not $1"
		return 1
	}
}

out_is() {
	printf '%s' "$1" | cmp -s - "$work/out"
}

out_has() {
	grep -qE -- "$1" "$work/out"
}

err_has() {
	grep -qE -- "$1" "$work/err"
}

silent() {
	[ ! -s "$work/out" ]
}

quiet() {
	[ ! -s "$work/err" ]
}

need_model() {
	[ -n "$model" ] || {
		echo "skip: no model in models/"
		exit 77
	}
}

finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}
