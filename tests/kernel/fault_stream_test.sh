#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Models that are streamed, by layer and by expert, where allocations fail: in
# the caller who loads, in the model's thread, in the threads that read. Errors
# only, nothing is lost, nothing leaks, the next try works. See fault_model.c.
# BEDS: uml-lockdep
# DISK: 128M
# TIMEOUT: 1200
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/kernel/fault.sh
. tests/kernel/fault.sh

if [ ! -b /dev/ubda ] || ! command -v mkfs.ext4 >/dev/null; then
	skip "no disk, or no mkfs.ext4"
	finish
fi
mkfs.ext4 -q /dev/ubda && mkdir "$TMP/disk" && mount /dev/ubda "$TMP/disk" ||
	exit 1
cp "$(test_model)" "$TMP/disk/layers.gguf" || exit 77
bench/make-model.py --shape tiny --layers 3 --experts 8 "$TMP/disk/experts.gguf" ||
	exit 1
sync
CTL=$(program ctl)
MODEL=$(program fault_model)
insmod "$LLAMUX_KO" || exit 1

for how in layers experts; do
	file=$TMP/disk/$how.gguf
	# As few as can be stay: each step reads.
	least=$(build/llamux --json plan --stream --ctx 1024 "$file" |
		sed -E 's/.*"total": ([0-9]+).*/\1/')
	check "load, $how" build/llamux load --stream --memory "$least" \
		--default --name m --ctx 1024 "$file"
	sed -nE 's/^(streamed_layers|kept_experts)/     \1/p' $STATUS
	m=$(threads m)
	# The long ones once each: both ways share what they allocate.
	if [ $how = experts ]; then
		"$CTL" attr m keep=1 >/dev/null
		faults "$MODEL" wake "$m"
	fi
	"$CTL" attr m keep=3600 >/dev/null
	faults "$MODEL" load "$file" "$least"
	memory >"$TMP/before"
	[ $how = experts ] || faults "$MODEL" thread "$m"
	faults "$MODEL" storm "$m"
	mapfile -t readers < <(threads 'm:r[0-9]+')
	check "${#readers[@]} threads read" [ "${#readers[@]}" = 4 ]
	faults "$MODEL" storm "${readers[@]}"
	memory >"$TMP/after"
	check "memory is what it was" diff "$TMP/before" "$TMP/after"
	check "no session is left" [ "$(value sessions $STATUS)" = 0 ]
	check "unload" "$CTL" unload m
	wait_gone m
done
module_stop
umount "$TMP/disk"
finish
