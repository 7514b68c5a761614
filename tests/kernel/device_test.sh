#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Semantics of /dev/llama: see device_test.c.
# TIMEOUT: 900
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

module_start
test=$(program device_test)
"$test" | tee "$TMP/out" | grep -v '^ok'
last=$(tail -n 1 "$TMP/out")
if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
	passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]}
	skipped=${BASH_REMATCH[3]}
else
	fail "device_test ended early"
fi
check "no session is left" [ "$(value sessions /proc/llamux/status)" = 0 ]
module_stop
finish
