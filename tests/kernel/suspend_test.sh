#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A machine that suspends in mid-turn: threads freeze at once, between two
# tiles, and go on afterwards. (The kernel's own test stops after freezing.)
# BEDS: qemu-6.12
# TIMEOUT: 200
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

[ -e /sys/power/pm_test ] || exit 77
echo 1 >/sys/module/suspend/parameters/pm_test_delay 2>/dev/null
module_start
exec 3<>/dev/llama
printf 'Once upon a time' >&3
cat <&3 >"$TMP/whole"
exec 3>&-

exec 3<>/dev/llama
printf 'Once upon a time' >&3
cat <&3 >"$TMP/cut" &
sleep 0.3
echo freezer >/sys/power/pm_test
check "tasks freeze in mid-turn" sh -c 'echo freeze >/sys/power/state'
check "and the answer goes on" wait $!
check "as if nothing had been" cmp "$TMP/whole" "$TMP/cut"
dmesg | grep -i 'freez' | tail -n 4
exec 3>&-
module_stop
finish
