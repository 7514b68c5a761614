#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# User programs never see a vector register change while the module
# generates on all CPUs, and do see it when the guard is left out.
# BEDS: uml qemu-6.1 qemu-7.3
# TIMEOUT: 600
# shellcheck disable=SC2317 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

SECONDS_EACH=${SECONDS_EACH:-15}

# guards: one process per CPU while 2 clients ask. Status 0: none saw a change.
guards() {
	"$guard" "$SECONDS_EACH" 2
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
	# Programs that are hit crash: that is the point, not the kernel's fault.
	echo 0 >/proc/sys/debug/exception-trace
	refused "without the guard the change is seen" guards
	echo 1 >/proc/sys/debug/exception-trace
	module_stop
	;;
esac
finish
