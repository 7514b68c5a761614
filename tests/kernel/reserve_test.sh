#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Weights in memory that was set aside, in huge pages and in a range from boot:
# the same logits, numbers that are exact, and all of it comes back. The range
# at 8 GB has no memory behind it.
# BEDS: uml qemu-6.1 qemu-6.12 qemu-7.3
# MEM: 2G
# APPEND: memmap=64M$1G memmap=16M$8G
# TIMEOUT: 400
# shellcheck disable=SC2016 # dollars that are none of the shell's
. "$(dirname "$0")/lib.sh"

LLAMUX=build/llamux
LOGITS=$(program logits)
RESERVE=$(program reserve)
MODEL=models/llamux-default.gguf
STATUS=/proc/llamux/status

# of NAME KEY: of that model
of() {
	sed -n "/^model: $1\$/,/^\$/s/^$2: //p" $STATUS
}

free_pages() {
	awk '/^HugePages_Free/ { print $2 }' /proc/meminfo
}

# planned KEY ARGUMENT...: a number of the plan
planned() {
	local key=$1

	shift
	"$LLAMUX" --json plan --ctx 256 "$@" "$MODEL" |
		sed -nE "s/.*\"$key\": ([0-9]+).*/\1/p"
}

# same NAME: it computes what the model in ordinary memory does
same() {
	"$LOGITS" "$1" "$TMP/ids" "$TMP/got" && cmp "$TMP/want" "$TMP/got"
}

# lies NAME KIND: all weights, as planned, in memory that was set aside
lies() {
	check "weights as planned" \
		[ "$(of "$1" weights)" = "$(planned weights --reserve "$2")" ]
	check "all of them there" [ "$(of "$1" reserved)" = "$(of "$1" weights)" ]
	check "KV and scratch are not" \
		[ "$(of "$1" total)" -gt "$(of "$1" reserved)" ]
}

# ---- huge pages ----

huge_pages() {
	local pages free

	refused "none are free" "$LLAMUX" load --reserve hugetlb --name h "$MODEL"
	cat "$TMP/refused"
	check "it says how many are needed" grep -q \
		'huge pages of 2048 kB are needed, 0 are free' "$TMP/refused"
	check "so does the plan" grep -q '^does not fit now' \
		<("$LLAMUX" plan --ctx 256 --reserve hugetlb "$MODEL")
	echo 1 >/proc/sys/vm/nr_hugepages
	refused "one is too few" "$LLAMUX" load --reserve hugetlb --name h "$MODEL"
	cat "$TMP/refused"
	echo 40 >/proc/sys/vm/nr_hugepages
	free=$(free_pages)
	check "huge pages" [ "$free" -ge 20 ]
	faults "$MODEL"
	check "all pages came back" [ "$(free_pages)" = "$free" ]
	"$LLAMUX" plan --ctx 256 --reserve hugetlb "$MODEL" >"$TMP/plan"
	grep huge "$TMP/plan"
	check "it fits" grep -q '^fits now' "$TMP/plan"
	pages=$(($(planned reserved --reserve hugetlb) >> 21))
	check "load" "$LLAMUX" load --reserve hugetlb --name h --ctx 256 "$MODEL"
	check "as many pages as planned: $pages" \
		[ $((free - $(free_pages))) = "$pages" ]
	lies h hugetlb
	check "logits" same h
	check "a second one" "$LLAMUX" load --reserve hugetlb --name h2 --ctx 256 \
		"$MODEL"
	check "logits" same h2
	"$CTL" attr h keep=1 >/dev/null
	sleep 3
	check "asleep it holds nothing" [ "$(of h total)" = 0 ]
	check "but its pages" [ $((free - $(free_pages))) = $((2 * pages)) ]
	"$CTL" attr h keep=600 >/dev/null
	check "awake" same h
	lies h hugetlb
	"$CTL" attr h keep=0 >/dev/null
	check "unload" "$LLAMUX" unload h
	check "unload" "$LLAMUX" unload h2
	wait_gone h
	wait_gone h2
	check "all pages are free" [ "$(free_pages)" = "$free" ]
	echo 0 >/proc/sys/vm/nr_hugepages
	check "the pool can go" [ "$(free_pages)" = 0 ]
}

# ---- a range ----

# not_taken WORDS WHY: a parameter that the module refuses
not_taken() {
	refused "reserve=$1" insmod "$LLAMUX_KO" "reserve=$1"
	check "it says why" grep -qF "llamux: reserve=$1: $2" <(dmesg)
}

range() {
	local size=$((64 << 20)) weights

	for words in 64M '64M$' '$1G' 64M\$1G4 0\$1G 64M\$1048577K 5000\$1G x\$y; do
		not_taken "$words" 'SIZE$START wanted'
	done
	not_taken 16M\$512M 'the kernel uses it'
	not_taken 128M\$1G 'the kernel uses it'
	not_taken 16M\$64G 'does not lie in one reserved range'
	not_taken 32M\$8G 'does not lie in one reserved range'
	not_taken 16M\$8G 'there is no memory'

	insmod "$LLAMUX_KO" "reserve=1M\$1G" || exit 1
	refused "too small" "$LLAMUX" load --reserve memmap --name r "$MODEL"
	cat "$TMP/refused"
	check "it says so" grep -qF "set aside $((1 << 20))" "$TMP/refused"
	check "so does the plan" grep -q '^does not fit now' \
		<("$LLAMUX" plan --ctx 256 --reserve memmap "$MODEL")
	rmmod llamux

	insmod "$LLAMUX_KO" "reserve=64M\$1G" || exit 1
	check "64 MiB" [ "$(value range $STATUS)" = $size ]
	check "all of it free" [ "$(value range_room $STATUS)" = $size ]
	check "it is known whose it is" grep -q \
		'40000000-43ffffff : llamux' /proc/iomem
	"$LLAMUX" load --name whole --ctx 256 "$MODEL" || exit 1
	check "load" "$LLAMUX" load --reserve memmap --name r --ctx 256 "$MODEL"
	lies r memmap
	weights=$(of r weights)
	check "as much of the range" \
		[ "$(value range_room $STATUS)" = $((size - weights)) ]
	check "logits" same r
	check "the plan" grep -q '^fits now' \
		<("$LLAMUX" plan --ctx 256 --reserve memmap "$MODEL")
	check "another" "$LLAMUX" load --reserve memmap --name r2 --ctx 256 "$MODEL"
	check "unload the first" "$LLAMUX" unload r
	wait_gone r
	check "the second does not mind" same r2
	check "a third where the first was" "$LLAMUX" load --reserve memmap \
		--name r3 --ctx 256 "$MODEL"
	check "logits" same r3
	check "two are in" \
		[ "$(value range_room $STATUS)" = $((size - 2 * weights)) ]
	"$CTL" attr r3 keep=1 >/dev/null
	sleep 3
	check "asleep it has none of it" [ "$(value reserved $STATUS)" = "$weights" ]
	"$CTL" attr r3 keep=600 >/dev/null
	check "awake" same r3
	"$CTL" attr r3 keep=0 >/dev/null
	check "unload" "$LLAMUX" unload r3
	check "unload" "$LLAMUX" unload r2
	wait_gone r3
	wait_gone r2
	check "all of it free" [ "$(value range_room $STATUS)" = $size ]
}

# faults FILE: reserve.c, its counts among ours
faults() {
	"$RESERVE" "$1" >"$TMP/out" 2>&1
	cat "$TMP/out"
	if [[ $(tail -n 1 "$TMP/out") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
	else
		fail "reserve ended early"
	fi
}

CTL=$(program ctl)
seq 300 7 470 >"$TMP/ids"
insmod "$LLAMUX_KO" || exit 1
"$LLAMUX" load --name whole --ctx 256 "$MODEL" || exit 1
"$LOGITS" whole "$TMP/ids" "$TMP/want"
check "nothing was set aside" [ "$(value range $STATUS)" = 0 ]
check "nor is it used" [ "$(of whole reserved)" = 0 ]
refused "no range" "$LLAMUX" load --reserve memmap --name r "$MODEL"
cat "$TMP/refused"
check "it says so" grep -q 'no range is set aside' "$TMP/refused"
if grep -q hugetlbfs /proc/filesystems; then
	huge_pages
	check "rmmod" rmmod llamux
	range
else
	faults "$MODEL"
	refused "the command says so, too" "$LLAMUX" load --reserve hugetlb \
		--name h "$MODEL"
	cat "$TMP/refused"
	check "rmmod" rmmod llamux
	not_taken 64M\$1G 'does not lie in one reserved range'
	insmod "$LLAMUX_KO" || exit 1
fi
check "rmmod" rmmod llamux
check "the range is nobody's" [ "$(grep -c llamux /proc/iomem)" = 0 ]
finish
