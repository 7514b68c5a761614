#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Many sessions: see many.c.
# BEDS: uml uml-lockdep
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

CTL=$(program ctl)
insmod "$LLAMUX_KO" || exit 1
"$CTL" load m -c 2048 models/llamux-default.gguf || exit 1
chmod 666 /dev/llama
test=$(program many)
"$test" | tee "$TMP/out" | grep -v '^ok'
last=$(tail -n 1 "$TMP/out")
if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
	passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]}
	skipped=${BASH_REMATCH[3]}
else
	fail "many ended early"
fi
check "tokens were shared" [ "$(value shared_tokens /proc/llamux/stats)" -gt 0 ]
check "no session is left" [ "$(value sessions /proc/llamux/status)" = 0 ]
module_stop
finish
