#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The time an answer takes tells nothing of which experts others' prompts have
# used, where experts are read from a disk: see timing.c.
# BEDS: uml
# DISK: 128M
# TIMEOUT: 300
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

if [ ! -b /dev/ubda ] || ! command -v mkfs.ext4 >/dev/null; then
	skip "no disk, or no mkfs.ext4"
	finish
fi
mkfs.ext4 -q /dev/ubda && mkdir "$TMP/disk" && mount /dev/ubda "$TMP/disk" ||
	exit 1
bench/make-model.py --shape tiny --layers 4 --experts 64 --used 2 \
	"$TMP/disk/m.gguf" || exit 1
sync
insmod "$LLAMUX_KO" || exit 1
build/llamux load --stream --memory 40M --default --name m --ctx 256 \
	"$TMP/disk/m.gguf" || exit 1
sed -n 's/^kept_experts/     kept_experts/p' /proc/llamux/status
chmod 666 /dev/llama
test=$(program timing)
"$test" experts | tee "$TMP/out" | grep -v ' passed, '
last=$(tail -n 1 "$TMP/out")
if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
	passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]}
else
	fail "timing ended early"
fi
# Nor do counters that others may read.
setpriv --reuid 1001 --clear-groups cat /proc/llamux/stats >"$TMP/stats" ||
	fail "stats"
check "everybody sees how long sections are" \
	[ -n "$(value 'fpu_sections_p99.9_us' "$TMP/stats")" ]
check "but not how many there were" \
	[ "$(grep -cE '^fpu_[a-z]*(|_tiles|_total_us):' "$TMP/stats")" = 0 ]
check "which root sees" [ "$(value fpu_sections_tiles /proc/llamux/stats)" -gt 0 ]
build/llamux unload m && wait_gone m
module_stop
umount "$TMP/disk"
finish
