#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The module computes what the engine computes in user space, which
# tests/oracle holds against the reference: the same bytes of logits for every
# model and type there, from every implementation this CPU runs, on one and
# two threads; and the reference's greedy tokens.
# TIMEOUT: 1500
. "$(dirname "$0")/lib.sh"

SHARED=${LLAMUX_SHARED:-../shared}
LLAMUX=build/llamux
CTL=$(program ctl)
LOGITS=$(program logits)
CASES=$SHARED/oracle/cases

# Emulated CPUs are slow: fewer models there, on two threads.
MODELS='mini128-Q4_K_M minimoe-Q8_0'
case $BED in
uml*) MODELS=$(cd "$SHARED/oracle/models" 2>/dev/null && echo *.gguf) ;;
esac

# same_logits NAME CASE SIMD [BATCH]
same_logits() {
	local model=$SHARED/oracle/models/$1.gguf tokens=$CASES/$1.$2.tokens.txt

	"$LLAMUX" --user -m "$model" --simd "$3" logits --tokens "$tokens" \
		--all -o "$TMP/user.bin" &&
		"$LOGITS" m "$tokens" "$TMP/kernel.bin" "${4:-1}" || return 1
	if [ "${4:-1}" -eq 1 ]; then
		cmp "$TMP/user.bin" "$TMP/kernel.bin"
	else
		cmp <(tail -c "$(stat -c %s "$TMP/kernel.bin")" "$TMP/user.bin") \
			"$TMP/kernel.bin"
	fi
}

# The 32 tokens the reference gives.
stories() {
	local want text got

	"$CTL" load s "$SHARED/models/stories260K.gguf" || return 1
	want=$(sed -n 's/^greedy32 //p' "$CASES/stories260K.once.txt")
	text=$("$LLAMUX" --user -m "$SHARED/models/stories260K.gguf" \
		detokenize "$want")
	got=$("$LLAMUX" -m s ask --raw --temp 0 -n 32 "Once upon a time")
	"$CTL" unload s && wait_gone s || return 1
	[ "${got# }" = "${text# }" ] || {
		echo "got '$got', not '$text'"
		return 1
	}
}

SIMDS="generic avx2 avxvnni avx512 avx512-256"
implementations() {
	local name

	for name in $SIMDS; do
		if "$LLAMUX" --user -m "$1" --simd "$name" ask --raw -n 1 x \
			>/dev/null 2>&1; then
			echo "$name"
		fi
	done
}

if [ ! -d "$CASES" ]; then
	skip "no reference vectors at $SHARED"
	finish
fi
usable=$(implementations "$SHARED/models/stories260K.gguf")
for simd in $SIMDS; do
	if ! grep -qw "$simd" <<<"$usable"; then
		skip "$simd: not on this CPU"
		continue
	fi
	for threads in 1 2; do
		insmod "$LLAMUX_KO" simd="$simd" threads=$threads || exit 1
		check "stories260K: the 32 greedy tokens, $simd, $threads threads" \
			stories
		for name in $MODELS; do
			[[ $BED == uml* || $threads -eq 2 ]] || continue
			name=${name%.gguf}
			"$CTL" load m "$SHARED/oracle/models/$name.gguf" || exit 1
			check "$name: same logits, $simd, $threads threads" \
				same_logits "$name" A8 "$simd"
			if [[ $BED == uml* && $simd != generic ]]; then
				check "$name: same logits of 200 at once, $simd" \
					same_logits "$name" C200 "$simd" 200
			fi
			"$CTL" unload m
			wait_gone m
		done
		check "rmmod" rmmod llamux
	done
done
finish
