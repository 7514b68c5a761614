#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A machine that suspends in mid-turn: threads freeze at once, between two
# tiles or two reads of a model that is streamed, by layer or by expert, and go
# on afterwards. (The kernel's own test stops after freezing. On one CPU: to freeze,
# the kernel patches code, and QEMU's other CPU ran into a breakpoint that had been
# taken away.)
# BEDS: qemu-6.12
# DISK: 128M
# APPEND: nr_cpus=1
# TIMEOUT: 400
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

[ -e /sys/power/pm_test ] || exit 77
echo 1 >/sys/module/suspend/parameters/pm_test_delay 2>/dev/null

# ask MODEL OUT: a long answer, which does not end by itself
ask() {
	build/llamux -m "$1" ask --raw --temp 0 --logit-bias 2=never -n 400 \
		"Once upon a time" >"$2"
}

# suspended MODEL
suspended() {
	ask "$1" "$TMP/whole"
	ask "$1" "$TMP/cut" &
	until [ -s "$TMP/cut" ]; do sleep 0.02; done
	echo freezer >/sys/power/pm_test
	check "$1: tasks freeze" sh -c 'echo freeze >/sys/power/state'
	check "$1: in mid-turn" \
		[ "$(stat -c %s "$TMP/cut")" -lt "$(stat -c %s "$TMP/whole")" ]
	check "$1: and the answer goes on" wait $!
	check "$1: as if nothing had been" cmp "$TMP/whole" "$TMP/cut"
	rm "$TMP/cut"
}

# streamed NAME FILE: the same where that is read
streamed() {
	check "load, streamed $1" build/llamux load --stream --name "$1" \
		--ctx 512 "$2"
	suspended "$1"
	build/llamux unload "$1"
	wait_gone "$1"
}

file=$(test_model) || exit 77
insmod "$LLAMUX_KO" || exit 1
build/llamux load --name memory --ctx 512 "$file" || exit 1
suspended memory
if [ -b /dev/vda ] && command -v mkfs.ext4 >/dev/null; then
	mkfs.ext4 -q /dev/vda && mkdir "$TMP/disk" &&
		mount /dev/vda "$TMP/disk" || exit 1
	cp "$file" "$TMP/disk/layers.gguf" || exit 1
	bench/make-model.py --shape tiny --layers 3 --experts 8 \
		"$TMP/disk/experts.gguf" || exit 1
	sync
	streamed layers "$TMP/disk/layers.gguf"
	streamed experts "$TMP/disk/experts.gguf"
	umount "$TMP/disk"
else
	skip "no disk, or no mkfs.ext4"
fi
dmesg | grep -i 'freez' | tail -n 6
module_stop
finish
