#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Mixtures whose experts are read from a disk when they are chosen: the same
# logits as in memory; one of more than twice the memory answers, many times as
# fast as by whole layers; users at a time; a disk that fails ends turns and
# nothing else.
# BEDS: uml qemu-6.1
# MEM: 384M
# DISK: 1G
. "$(dirname "$0")/lib.sh"

LLAMUX=build/llamux
LOGITS=$(program logits)
DISK=/dev/vda
case $BED in uml*) DISK=/dev/ubda ;; esac

if [ ! -b $DISK ] || ! command -v mkfs.ext4 >/dev/null ||
	! command -v python3 >/dev/null; then
	skip "no disk, mkfs.ext4 or python3"
	finish
fi
mkfs.ext4 -q $DISK && mkdir "$TMP/disk" && mount $DISK "$TMP/disk" || exit 1
python3 tests/oracle/archs.py "$TMP/disk" mixtral mixtral-old mixtral-layers \
	gpt-oss-mxfp4 || exit 1
sync
insmod "$LLAMUX_KO" || exit 1

# field KEY: of the model "s"
field() {
	sed -n "/^model: s\$/,\$s/^$1: //p" /proc/llamux/status | head -n 1
}

# streamed FILE MEMORY KEPT: loaded as "s"
streamed() {
	local kept

	"$LLAMUX" load --stream --memory "$2" --name s --ctx 256 "$1" || return
	kept=$(field kept_experts)
	echo "     ${kept:-none} kept, $(field total) bytes in all"
	case $3 in
	layers) [ -z "$kept" ] && [ -n "$(field streamed_layers)" ] ;;
	*) [ "${kept% of *}" -ge "$3" ] ;;
	esac
}

# same WANT: logits of "s", all tokens at once and one by one
same() {
	"$LOGITS" s "$TMP/ids" "$TMP/got" && cmp "$1" "$TMP/got" || return
	rm "$TMP/got"
	"$LOGITS" s "$TMP/ids" "$TMP/got" 1 || return
	tail -c "$(stat -c %s "$1")" "$TMP/got" >"$TMP/last"
	rm "$TMP/got"
	cmp "$1" "$TMP/last"
}

unload() {
	"$LLAMUX" unload "$1" && wait_gone "$1"
}

for name in mixtral mixtral-old mixtral-layers gpt-oss-mxfp4; do
	file=$TMP/disk/$name.gguf
	tr ' ' '\n' <"$TMP/disk/$name.tokens" | head -n 40 >"$TMP/ids"
	check "$name" "$LLAMUX" load --name whole --ctx 256 "$file"
	"$LOGITS" whole "$TMP/ids" "$TMP/want"
	unload whole
	least=$("$LLAMUX" --json plan --stream --ctx 256 "$file" |
		sed -E 's/.*"total": ([0-9]+).*/\1/')
	check "$name: the fewest experts" streamed "$file" $((least + 4096)) 8
	check "logits as in memory" same "$TMP/want"
	unload s
	check "$name: some more" streamed "$file" $((least + 80000)) 9
	check "logits as in memory" same "$TMP/want"
	check "a plan that is kept" [ "$(field total)" -le $((least + 80000)) ]
	unload s
	check "$name: memory for layers only" streamed "$file" 1 layers
	check "logits as in memory" same "$TMP/want"
	unload s
done

# answer OUT [UID]: 24 tokens of "s"; text, number and time are left
answer() {
	local as=()

	[ -z "${2-}" ] || as=(setpriv --reuid "$2" --clear-groups)
	"${as[@]}" "$LLAMUX" -m s --json ask --raw --temp 0 -n 24 "a b c" >"$1" ||
		return
	sed -i -E 's/.*("text": .*), "finish.*"n_gen": ([0-9]+).*"gen_ms": ([0-9.]+).*/\1 \2 \3/' \
		"$1"
}

# speed OUT: tokens a second
speed() {
	awk '{ print ($(NF - 1) - 1) * 1000 / $NF }' "$1"
}

# text OUT
text() {
	sed -E 's/ [0-9]+ [0-9.]+$//' "$1"
}

# big: a mixture of more than twice the memory
big() {
	local file=$TMP/disk/big.gguf layers experts i

	python3 bench/make-model.py --shape mixture --experts 32 --used 4 \
		"$file" || exit 1
	sync
	chmod 666 /dev/llama
	"$LLAMUX" plan --stream --memory 200M --ctx 512 "$file" | tail -n 4
	refused "too large for memory" "$LLAMUX" load --name s --ctx 512 "$file"
	cat "$TMP/refused"
	check "by layer, a file of $(stat -c %s "$file") bytes" "$LLAMUX" load \
		--stream --memory 100M --name s --ctx 512 "$file"
	[ -z "$(field kept_experts)" ] || fail "layers"
	check "an answer" answer "$TMP/layers"
	layers=$(speed "$TMP/layers")
	unload s
	check "--fit" "$LLAMUX" load --fit --name s "$file"
	check "keeps experts" [ -n "$(field kept_experts)" ]
	unload s
	check "by expert" "$LLAMUX" load --stream --memory 200M --name s \
		--ctx 512 "$file"
	check "$(field kept_experts) stay, in no more memory than it may have" \
		[ "$(field total)" -le $((200 << 20)) ]
	check "an answer" answer "$TMP/experts"
	experts=$(speed "$TMP/experts")
	check "the same" [ "$(text "$TMP/layers")" = "$(text "$TMP/experts")" ]
	check "$experts tokens a second, by layer $layers" \
		awk -v e="$experts" -v l="$layers" 'BEGIN { exit !(e > 3 * l) }'
	check "again" answer "$TMP/again"
	echo "     $(speed "$TMP/again") tokens a second"

	# Together: of one user, of several.
	for i in 1 2 3 4; do
		answer "$TMP/many$i" &
	done
	wait
	for i in 5 6; do
		answer "$TMP/many$i" 100$i &
	done
	wait
	for i in 1 2 3 4 5 6; do
		check "conversation $i of many says the same" \
			[ "$(text "$TMP/many$i")" = "$(text "$TMP/experts")" ]
	done

	kill_client 0.5
	check "after a client was killed" answer "$TMP/again"
	check "the same" [ "$(text "$TMP/again")" = "$(text "$TMP/experts")" ]
	unload_in_mid_answer s 0.5
}

[ "$BED" != uml ] || big

# A disk that fails in mid-answer.
"$LLAMUX" load --stream --default --name s --ctx 256 \
	"$TMP/disk/mixtral.gguf" || exit 1
disk_fails s "$TMP/disk"
unload s
check "rmmod" rmmod llamux
umount "$TMP/disk"
finish
