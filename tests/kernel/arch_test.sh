#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The module computes every kind of architecture and KV cache as the engine
# does in user space, which tests/oracle/architectures.py holds against float64
# arithmetic: the same bytes of logits, on one and two threads.
# BEDS: uml qemu-6.1
. "$(dirname "$0")/lib.sh"

LLAMUX=build/llamux
LOGITS=$(program logits)

# same_logits NAME KV
same_logits() {
	local model=$TMP/$1.gguf tokens=$TMP/$1.tokens

	"$LLAMUX" load --name m --ctx 512 --kv "$2" "$model" || return 1
	"$LLAMUX" --user -m "$model" logits --tokens "$tokens" --ctx 512 \
		--kv "$2" -o "$TMP/user.bin" &&
		"$LOGITS" m "$tokens" "$TMP/kernel.bin" || return 1
	"$LLAMUX" unload m && wait_gone m || return 1
	cmp "$TMP/user.bin" "$TMP/kernel.bin"
}

MODELS='llama-layers gpt-oss-mxfp4'
case $BED in
uml*) MODELS='mixtral-old gemma2-long gemma3 gpt-oss-mxfp4 phi3-long llama-window
	llama-layers-long' ;;
esac
if ! command -v python3 >/dev/null; then
	skip "no python3 to write models"
	finish
fi
# shellcheck disable=SC2086
python3 tests/oracle/archs.py "$TMP" qwen3 $MODELS || exit 1
for threads in 1 2; do
	[[ $BED == uml* || $threads -eq 2 ]] || continue
	insmod "$LLAMUX_KO" threads=$threads || exit 1
	for name in $MODELS; do
		check "$name: same logits, $threads threads" \
			same_logits "$name" f16
	done
	for kv in f32 q8_0 q4_0; do
		check "KV $kv: same logits, $threads threads" \
			same_logits qwen3 $kv
	done
	check "rmmod" rmmod llamux
done
finish
