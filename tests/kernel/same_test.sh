#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Kernel and user space give the same bytes for the same seed: greedy and
# sampled, on one and two threads, alone and with three other sessions
# running, whatever they ask.
# BEDS: uml qemu-6.1
# TIMEOUT: 900
. "$(dirname "$0")/lib.sh"

LLAMUX=build/llamux
CTL=$(program ctl)
MODEL=$(test_model) || exit 77
N=48

# options NUMBER: how an answer is sampled
options() {
	case $1 in
	0) echo --temp 0 ;;
	1) echo --temp 0.8 --seed 42 ;;
	2) echo --temp 1.5 --top-k 0 --top-p 1 --min-p 0 --seed 7 ;;
	3) echo --temp 1 --repeat-penalty 1.3 --seed 99 ;;
	esac
}

answer() {
	local -a more
	local i=$1

	shift
	read -ra more < <(options "$i")
	"$LLAMUX" "$@" ask --raw -n $N "${more[@]}" "Once upon a time"
}

# field NAME: of a JSON object on standard input
field() {
	grep -o "\"$1\": *[^,}]*" | sed 's/.*: *"\?//; s/"$//'
}

benched() {
	"$LLAMUX" --json bench -p 60 -n 4 -r 1 "$@"
}

for i in 0 1 2 3; do
	answer $i --user -m "$MODEL" -t 1 >"$TMP/want.$i"
	answer $i --user -m "$MODEL" -t 2 >"$TMP/two.$i"
	check "user space, 1 and 2 threads: $(options $i)" \
		cmp "$TMP/want.$i" "$TMP/two.$i"
done
refused "different seeds and settings differ" cmp -s "$TMP/want.1" "$TMP/want.2"
for threads in 1 2; do
	insmod "$LLAMUX_KO" threads=$threads || exit 1
	"$CTL" load m "$MODEL" || exit 1
	benched --user -m "$MODEL" >"$TMP/process"
	benched -m m >"$TMP/module"
	benched -s 3 >"$TMP/streams"
	check "bench, $threads threads: the module is measured" \
		[ "$(field engine <"$TMP/module")" = module ]
	for run in module streams; do
		check "bench, $threads threads: the same logits, $run" \
			[ "$(field logits_hash <"$TMP/$run")" = \
			"$(field logits_hash <"$TMP/process")" ]
	done
	refused "bench: no such model" "$LLAMUX" -m nobody bench -n 1
	for i in 0 1 2 3; do
		answer $i >"$TMP/got"
		check "alone, $threads threads: $(options $i)" \
			cmp "$TMP/want.$i" "$TMP/got"
	done
	for round in 1 2; do
		for i in 0 1 2 3; do
			answer $i >"$TMP/got.$i" &
			sleep "0.0$((RANDOM % 9))"
		done
		wait
		for i in 0 1 2 3; do
			check "beside three others, $threads threads, round $round: $(options $i)" \
				cmp "$TMP/want.$i" "$TMP/got.$i"
		done
	done
	check "rmmod" rmmod llamux
done
finish
