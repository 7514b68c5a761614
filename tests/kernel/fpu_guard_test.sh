#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# User programs never see a vector register change while the module
# generates on all CPUs, and do see it when the guard is left out.
# BEDS: uml qemu-6.1 qemu-7.3
# TIMEOUT: 600
# shellcheck disable=SC2119,SC2317 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

SECONDS_EACH=${SECONDS_EACH:-15}

# guards: one program per CPU while 2 clients ask. Status 0: none saw a change.
guards() {
	local cpu pids=() pid bad=0

	generate "$SECONDS_EACH" 2
	for cpu in $(seq 0 $(($(nproc) - 1))); do
		taskset -c "$cpu" "$guard" "$SECONDS_EACH" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || bad=1
	done
	wait
	return "$bad"
}

guard=$(program fpu_guard)
module_start
check "registers never change" guards
check "and the module did compute" \
	[ "$(value fpu_sections /proc/llamux/stats)" -gt 100 ]
module_stop

case $BED in
uml*)
	skip "the fault is seen: user-mode Linux saves vectors in signal frames"
	;;
*)
	module_start unsafe_no_fpu_guard=1
	refused "without the guard the change is seen" guards
	module_stop
	;;
esac
finish
