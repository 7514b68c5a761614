#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Loading with --as: the module quantizes as it reads, to the bits that the
# command writes into a file; what it holds is what the plan says.
# BEDS: uml qemu-6.1
. "$(dirname "$0")/lib.sh"

SHARED=${LLAMUX_SHARED:-../shared}
LLAMUX=build/llamux
LOGITS=$(program logits)
IN=$SHARED/oracle/models/mini256-f16.gguf
TOKENS=$SHARED/oracle/cases/mini256-f16.A8.tokens.txt

[ -f "$IN" ] || {
	skip "no model at $IN"
	finish
}
types='Q8_0 Q4_K_M'
case $BED in
uml*) types='F32 Q5_1 Q8_0 IQ4_XS MXFP4_MOE Q3_K_M Q2_K Q4_K_M' ;;
esac

# weights OPTION...: bytes of weights, as the plan has them
weights() {
	"$LLAMUX" --json plan "$@" | sed -E 's/.*"weights": ([0-9]+).*/\1/'
}

for threads in 2 1; do
	insmod "$LLAMUX_KO" threads=$threads || exit 1
	for t in $types; do
		check "quantize to $t" "$LLAMUX" quantize "$IN" "$TMP/$t.gguf" "$t"
		check "load --as $t, $threads threads" \
			"$LLAMUX" load --name m --as "$t" "$IN"
		"$LLAMUX" -m "$TMP/$t.gguf" logits --tokens "$TOKENS" -o "$TMP/want"
		"$LOGITS" m "$TOKENS" "$TMP/got"
		# of all positions the module gives, the last
		check "$t: the logits of the file" cmp "$TMP/want" \
			<(tail -c "$(stat -c %s "$TMP/want")" "$TMP/got")
		check "$t: the plan of the file" test "$(weights --as "$t" "$IN")" = \
			"$(weights "$TMP/$t.gguf")"
		"$LLAMUX" unload m
		wait_gone m
		rm "$TMP/$t.gguf"
	done
	refused "no such type" "$LLAMUX" load --name m --as Q9_0 "$IN"
	check "rmmod" rmmod llamux
	types=Q4_K_M
done
finish
