#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A machine without memory for KV, and nothing that could give any: clients get
# ENOMEM, and their conversations go on when there is memory again; see
# starve.c. Where kmemleak watches, nothing leaks on these ways.
# BEDS: uml uml-lockdep
# MEM: 1G
# TIMEOUT: 300
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

CTL=$(program ctl)
STARVE=$(program starve)
python3 bench/make-model.py --layers 2 --type Q4_0 "$TMP/model" || exit 1
insmod "$LLAMUX_KO" || exit 1
"$CTL" load m -c 2048 "$TMP/model" || exit 1
rm "$TMP/model"
"$STARVE" build/llamux | tee "$TMP/out" | grep -v '^ok'
last=$(tail -n 1 "$TMP/out")
if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
	passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]}
else
	fail "starve ended early"
fi
check "nothing was killed" [ "$(dmesg | grep -c 'Killed process')" = 0 ]
check "no session is left" [ "$(value sessions /proc/llamux/status)" = 0 ]
check "unload" "$CTL" unload m
module_stop
finish
