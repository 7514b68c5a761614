#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Floating-point sections stay short and the machine usable while the module
# generates on all CPUs. What the host takes away is told apart by a control
# thread, whose sections hold nothing but a 50 us spin: the number of its
# sections over 100 us, per time inside sections, is what is expected of any.
# BEDS: uml qemu-6.12
# TIMEOUT: 300
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

D=/sys/kernel/debug/llamux
LENGTH=${LENGTH:-15}

# over HIST: count, total us, and how many were 100 us or longer.
over() {
	awk '/^# count/ { n = $3; us = $5 / 1000 }
		!/^#/ && $1 >= 100 { o += $3 }
		END { printf "%d %d %d\n", n, us, o }' "$1"
}

mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
module_start
echo 50 >$D/fpu_control
echo 0 >$D/fpu_sections
echo 0 >$D/fpu_control_sections
generate "$LENGTH" 3
sleep 1
start=$(date +%s%N)
for _ in 1 2 3 4 5; do
	ls -l /proc/self/fd >/dev/null
	sleep 0.1
done
took=$((($(date +%s%N) - start) / 1000000))
wait
cp $D/fpu_sections "$TMP/sections"
cp $D/fpu_control_sections "$TMP/control"
echo 0 >$D/fpu_control
grep -E '^fpu_' /proc/llamux/stats

read -r n us long < <(over "$TMP/sections")
read -r cn cus clong < <(over "$TMP/control")
echo "sections: $n, $us us, $long over 100 us; control: $cn, $cus us, $clong over"
check "sections were measured" [ "$n" -gt 1000 ]
check "the control ran" [ "$cn" -gt 100 ]
case $BED in
uml*)
	# Of all sections, those over 100 us beyond what the host explains.
	check "p99.9 under 100 us" awk -v n="$n" -v us="$us" -v o="$long" \
		-v cus="$cus" -v co="$clong" \
		'BEGIN { e = co / (cus + 1) * us; exit !((o - 2 * e) / n < 0.001) }'
	;;
*)
	check "never more than two tiles a section" \
		[ "$(value fpu_sections_max_tiles /proc/llamux/stats)" -le 2 ]
	;;
esac
check "a shell answers (5 rounds in $took ms)" [ "$took" -lt 15000 ]
refused "no soft lockup, stall or hung task" \
	sh -c 'dmesg | grep -E "soft lockup|rcu.*stall|blocked for more than"'
module_stop
finish
