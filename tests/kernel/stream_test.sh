#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Models that are streamed from a disk: the same logits as in memory; one of
# twice the memory answers, at the speed of the disk, and leaves the page cache
# of others alone; a disk that fails ends turns and nothing else.
# BEDS: uml uml-lockdep qemu-6.1 qemu-7.3
# MEM: 384M
# DISK: 1G
. "$(dirname "$0")/lib.sh"

LLAMUX=build/llamux
LOGITS=$(program logits)
SMALL=models/llamux-default.gguf
DISK=/dev/vda
case $BED in uml*) DISK=/dev/ubda ;; esac

if [ ! -b $DISK ] || ! command -v mkfs.ext4 >/dev/null; then
	skip "no disk, or no mkfs.ext4"
	finish
fi
mkfs.ext4 -q $DISK && mkdir "$TMP/disk" && mount $DISK "$TMP/disk" || exit 1
cp $SMALL "$TMP/disk/small.gguf"
seq 300 7 470 >"$TMP/ids"
insmod "$LLAMUX_KO" || exit 1
"$LLAMUX" load --name whole --ctx 256 $SMALL || exit 1

# Every number of layers that stay, by the memory they may take.
"$LOGITS" whole "$TMP/ids" "$TMP/want"
for memory in 1 4700K 5100K 1G; do
	check "load --stream --memory $memory" "$LLAMUX" load --stream --memory \
		$memory --name s --ctx 256 "$TMP/disk/small.gguf"
	sed -n '/^model: s$/,$s/^streamed/     streamed/p' /proc/llamux/status
	"$LOGITS" s "$TMP/ids" "$TMP/got"
	check "logits of the model in memory" cmp "$TMP/want" "$TMP/got"
	"$LOGITS" s "$TMP/ids" "$TMP/got" 1
	check "the same, token by token" cmp "$TMP/want" \
		<(tail -c "$(stat -c %s "$TMP/want")" "$TMP/got")
	refused "nobody writes to its file" dd if=/dev/null \
		of="$TMP/disk/small.gguf" conv=notrunc status=none
	"$LLAMUX" unload s
	wait_gone s
done
mkdir "$TMP/ram" && mount -t ramfs none "$TMP/ram" || exit 1
cp $SMALL "$TMP/ram"
refused "no file system without direct reads" \
	"$LLAMUX" load --stream --name s "$TMP/ram/${SMALL##*/}"
umount "$TMP/ram"
cat "$TMP/refused"
check "it says so" grep -q 'no direct reads' "$TMP/refused"
refused "quantized on load and streamed" "$LLAMUX" load --stream --as Q4_0 \
	--name s "$TMP/disk/small.gguf"

# big: a model of twice the memory
big() {
	local file=$TMP/disk/big.gguf dd tokens part

	bench/make-model.py --layers 26 "$file" || exit 1
	sync
	head -c 40M /dev/urandom >"$TMP/disk/others"
	sync
	"$LLAMUX" plan --stream --memory 200M --ctx 512 "$file"
	refused "too large for memory" "$LLAMUX" load --name big --ctx 512 "$file"
	cat "$TMP/refused"
	check "load a model of $(stat -c %s "$file") bytes" "$LLAMUX" load \
		--stream --memory 200M --default --name big --ctx 512 "$file"
	check "no more than the memory it may have" \
		[ "$(sed -n '/^model: big$/,$s/^total: //p' /proc/llamux/status)" \
		-le $((200 << 20)) ]
	cat "$TMP/disk/others" >/dev/null
	cached=$(awk '/^Cached:/ { print $2 }' /proc/meminfo)
	dd=$(dd if="$file" of=/dev/null bs=2M iflag=direct 2>&1 |
		awk '/copied/ { for (i = 1; i <= NF; i++) if ($i == "s,") s = $(i - 1)
			printf "%.0f", $1 / s }')
	"$LLAMUX" -m big --json ask --raw --temp 0 -n 5 "a b c" >"$TMP/kernel"
	tokens=$(sed -E 's/.*"n_gen": ([0-9]+).*"gen_ms": ([0-9.]+).*/\1 \2/' \
		"$TMP/kernel" | awk '{ print ($1 - 1) * 1000 / $2 }')
	part=$(awk -v t="$tokens" -v d="$dd" -v b="$(sed -n \
		'/^model: big$/,$s/^streamed_bytes: //p' /proc/llamux/status)" \
		'BEGIN { printf "%.2f", t * b / d }')
	check "$tokens tokens a second, $part of the disk's $dd bytes a second" \
		awk -v p="$part" 'BEGIN { exit !(p > 0.3) }'
	now=$(awk '/^Cached:/ { print $2 }' /proc/meminfo)
	check "cached before: $cached kB, after: $now kB" \
		[ $((now * 100)) -ge $((cached * 95)) -a \
		$((now * 95)) -le $((cached * 100)) ]

	# Tokens of eight conversations take one step.
	SECONDS=0
	for i in 1 2 3 4 5 6 7 8; do
		"$LLAMUX" -m big ask --raw --temp 0 -n 5 "a b c" >"$TMP/many$i" &
	done
	wait
	many=$(awk -v s=$SECONDS 'BEGIN { print 40 / (s + 1) }')
	check "8 conversations: $many tokens a second" \
		awk -v m="$many" -v t="$tokens" 'BEGIN { exit !(m > 2 * t) }'
	check "all say the same" cmp "$TMP/many1" "$TMP/many8"

	kill_client 1
	"$LLAMUX" -m big --json ask --raw --temp 0 -n 5 "a b c" >"$TMP/again"
	text='s/.*("text": .*), "finish.*/\1/'
	check "the same after a client was killed" cmp \
		<(sed -E "$text" "$TMP/kernel") <(sed -E "$text" "$TMP/again")
	unload_in_mid_answer big 1
	"$LLAMUX" --user --stream -m "$file" --json ask --raw --temp 0 -n 5 \
		"a b c" >"$TMP/user"
	check "the same text from the engine in a process" cmp \
		<(sed -E "$text" "$TMP/kernel") <(sed -E "$text" "$TMP/user")
}

[ "$BED" != uml ] || big

# A disk that fails in mid-answer.
"$LLAMUX" load --stream --default --name s --ctx 256 "$TMP/disk/small.gguf" ||
	exit 1
disk_fails s "$TMP/disk"
"$LOGITS" whole "$TMP/ids" "$TMP/got"
check "other models do not mind" cmp "$TMP/want" "$TMP/got"
check "unload" "$LLAMUX" unload s
wait_gone s
check "rmmod" rmmod llamux
umount "$TMP/disk"
finish
