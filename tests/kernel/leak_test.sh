#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The control of check_leaks (lib.sh): kmemleak sees a leak that was planted,
# and nothing when the module was only loaded, used and unloaded.
# BEDS: uml-lockdep
# TIMEOUT: 300
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

LEAK=$(dirname "$LLAMUX_KO")/../tests/kmod/leak.ko
module_start
exec 3<>/dev/llama
printf 'Once upon a time' >&3
head -c 8 <&3
exec 3>&-
module_stop
check_leaks
insmod "$LEAK" || exit 1
rmmod leak
leaks >"$TMP/leaks"
n=$(grep -c '^unreferenced object' "$TMP/leaks")
check "$n of 16 planted leaks are seen" [ "$n" -ge 4 ]
# What kmemleak says of them is no complaint, and those that it has not seen
# yet are not looked for again.
dmesg -C
planted=yes
finish
