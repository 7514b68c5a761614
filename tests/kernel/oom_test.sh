#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# When the machine is out of memory, the log says what Llamux holds.
# BEDS: uml qemu-6.12
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

# oom: the OOM killer runs and has a victim of ours.
oom() {
	sleep 60 &
	echo 1000 >"/proc/$!/oom_score_adj"
	echo f >/proc/sysrq-trigger
	wait $! 2>/dev/null
	dmesg | grep -c 'llamux: out of memory'
}

insmod "$LLAMUX_KO" || exit 1
check "nothing held: nothing said" [ "$(oom)" = 0 ]
rmmod llamux
module_start
sleep 1
check "one line" [ "$(oom)" = 1 ]
line=$(dmesg | grep 'llamux: out of memory')
echo "$line"
weights=$(($(value weights /proc/llamux/status) / 1024))
check "it says how much" [ -n "${line##*"weights 0"*}" ]
check "weights as in status" [ -z "${line##*"weights $weights,"*}" ]
module_stop
finish
