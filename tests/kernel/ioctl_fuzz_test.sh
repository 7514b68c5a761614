#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Hostile ioctls, and clients killed at random: see ioctl_fuzz.c.
# BEDS: uml uml-debug uml-lockdep qemu-7.3
# TIMEOUT: 900
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

module_start
echo 8 2>/dev/null >/proc/sys/vm/nr_hugepages
fuzz=$(program ioctl_fuzz)
check "hostile ioctls, killed clients" "$fuzz" "${SEED:-1}"
sleep 0.5
check "no session is left" [ "$(value sessions /proc/llamux/status)" = 0 ]
exec 3<>/dev/llama
echo "Once upon a time" >&3
check "it still answers" [ -n "$(cat <&3)" ]
exec 3>&-
echo 0 2>/dev/null >/proc/sys/vm/nr_hugepages
check "no huge page is left" [ "$(awk '/^HugePages_Total/ { n = $2 }
	END { print n + 0 }' /proc/meminfo)" = 0 ]
module_stop
finish
