#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What does not fit is refused, with what would; load --fit does that: nothing
# when it fits, smaller weights before streaming, and no more than what must be.
# BEDS: uml
# MEM: 384M
# DISK: 1500M
. "$(dirname "$0")/lib.sh"

LLAMUX=build/llamux
SMALL=models/llamux-default.gguf

if [ ! -b /dev/ubda ] || ! command -v mkfs.ext4 >/dev/null; then
	skip "no disk, or no mkfs.ext4"
	finish
fi
mkfs.ext4 -q /dev/ubda && mkdir "$TMP/disk" && mount /dev/ubda "$TMP/disk" ||
	exit 1
bench/make-model.py --layers 2 --type F16 "$TMP/disk/f16.gguf" || exit 1
bench/make-model.py --layers 24 "$TMP/disk/big.gguf" || exit 1
sync
insmod "$LLAMUX_KO" || exit 1

# fit FILE OPTION...: load it, unload it; what was said is in $TMP/said
fit() {
	local file=$1

	shift
	"$LLAMUX" load --fit "$@" --name fit "$file" >"$TMP/said" || return
	cat "$TMP/said"
	[ -n "$("$LLAMUX" -m fit ask --raw --temp 0 -n 2 "a b c")" ] || return
	sed -n '/^model: fit$/,$p' /proc/llamux/status >"$TMP/status"
	"$LLAMUX" unload fit && wait_gone fit
}

said() {
	grep -qE -- "$1" "$TMP/said"
}

check "a small one" fit $SMALL
check "fits as it is" said '^fits as it is, with a context of 512: '
check "without streaming" [ -z "$(value streamed_bytes "$TMP/status")" ]

refused "half precision" "$LLAMUX" load --name f16 --ctx 512 "$TMP/disk/f16.gguf"
cat "$TMP/refused"
type=$(sed -nE 's/.*; weights of ([A-Z0-9_]+) fit.*/\1/p' "$TMP/refused")
check "it says what is missing, and which type fits" [ -n "$type" ]
check "which does" "$LLAMUX" load --name f16 --ctx 512 --as "${type:-F16}" \
	"$TMP/disk/f16.gguf"
"$LLAMUX" unload f16
wait_gone f16
check "--fit" fit "$TMP/disk/f16.gguf"
check "smaller weights are chosen" said '; chosen: weights of Q[0-9]'
check "a context of some use" said 'a context of 2048: '
check "the file is quantized" [ "$(value type "$TMP/status")" != F16 ]
check "what is given stays" fit "$TMP/disk/f16.gguf" --ctx 700 --kv f16
check "the context" said 'a context of 700: '
check "the KV cache" [ "$(grep -c 'KV cache' "$TMP/said")" = 0 ]

refused "twice the memory" "$LLAMUX" load --name big --ctx 512 \
	"$TMP/disk/big.gguf"
cat "$TMP/refused"
check "it says what it takes streamed" \
	grep -qE '; streamed it takes [0-9]+$' "$TMP/refused"
check "--fit" fit "$TMP/disk/big.gguf"
check "it is streamed" said ' of 24 layers streamed from the disk, a KV cache of q8_0'
check "some layers stay" [ "$(value streamed_layers "$TMP/status")" != "24 of 24" ]
refused "--fit decides about that" "$LLAMUX" load --fit --stream "$TMP/disk/big.gguf"
refused "not streamed when weights are to be converted" "$LLAMUX" load --fit \
	--as Q6_K "$TMP/disk/big.gguf"
cat "$TMP/refused"
check "it says so" grep -q 'nothing makes it fit' "$TMP/refused"
check "rmmod" rmmod llamux
umount "$TMP/disk"
finish
