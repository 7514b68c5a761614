#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Every allocation may fail, at load, open, write, read, fork, swap, unload, in
# the caller and in the model's thread: errors only, nothing is lost, nothing
# leaks, the next try works. See fault_client.c, fault_model.c. (Not insmod: the
# kernel's own loader warns when its tracing finds no memory.)
# BEDS: uml-lockdep
# TIMEOUT: 300
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/kernel/fault.sh
. tests/kernel/fault.sh

CTL=$(program ctl)
CLIENT=$(program fault_client)
MODEL=$(program fault_model)
FILE=$TMP/model
cp "$(test_model)" "$FILE" || exit 77
insmod "$LLAMUX_KO" || exit 1
"$CTL" load m -c 1024 "$FILE" || exit 1
m=$(threads m)
# First, since a user's /proc/llamux/prompt keeps a model awake.
"$CTL" attr m keep=1 >/dev/null
faults "$MODEL" wake "$m"
"$CTL" attr m keep=3600 >/dev/null
faults "$CLIENT"
memory >"$TMP/before"
faults "$MODEL" load "$FILE"
faults "$MODEL" thread "$m"
faults "$MODEL" storm "$m"
memory >"$TMP/after"
check "memory is what it was" diff "$TMP/before" "$TMP/after"
check "no session but that of /proc/llamux/prompt is left" \
	[ "$(value sessions $STATUS)" -le 1 ]
check "unload" "$CTL" unload m
module_stop
finish
