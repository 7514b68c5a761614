#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The time an answer takes tells nothing of what other owners asked: see
# timing.c.
# BEDS: uml
# TIMEOUT: 300
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

CTL=$(program ctl)
insmod "$LLAMUX_KO" || exit 1
"$CTL" load m -c 1024 models/llamux-default.gguf || exit 1
chmod 666 /dev/llama
test=$(program timing)
"$test" | tee "$TMP/out" | grep -v ' passed, '
last=$(tail -n 1 "$TMP/out")
if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
	passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]}
else
	fail "timing ended early"
fi
module_stop
finish
