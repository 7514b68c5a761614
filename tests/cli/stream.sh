#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# --stream: the logits of the model in memory for every type of weights, odd and
# even numbers of layers, mixtures by expert and by layer; what plan says of it; what cannot be.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

oracle=${LLAMUX_SHARED:-$top/../shared}/oracle/models
echo 1 5 300 301 302 303 7 9 250 >"$work/ids"

# logits FILE OUT [OPTION...]: of all positions
logits() {
	local file=$1 out=$2

	shift 2
	rm -f "$out"
	"$llamux" "$@" -m "$file" logits --tokens "$work/ids" --all -o "$out" \
		2>"$work/err" && [ -s "$out" ]
}

# same FILE: streamed as in memory
same() {
	local name

	name=$(basename "$1")
	is "$name" logits "$1" "$work/want"
	is "$name, streamed" logits "$1" "$work/got" --stream
	is "$name, streamed: the same" cmp -s "$work/want" "$work/got"
	is "$name, on one thread" logits "$1" "$work/got" --stream -t 1
	is "$name, on one thread: the same" cmp -s "$work/want" "$work/got"
}

# field NAME: of the JSON of the last run
field() {
	sed -E "s/.*\"$1\": ([0-9.]+).*/\1/" "$work/out"
}

python3 "$top/bench/make-model.py" --shape tiny --layers 5 "$work/5.gguf" || exit 1
if ! dd if="$work/5.gguf" of=/dev/null bs=4k count=1 iflag=direct status=none; then
	skipped=1
	finish
	exit 77
fi
same "$work/5.gguf"
for t in F32 F16 Q4_0 Q8_0 Q6_K IQ2_XXS IQ1_M IQ3_S TQ1_0 NVFP4 Q2_0; do
	python3 "$top/bench/make-model.py" --shape tiny --layers 4 --tied \
		--type $t "$work/$t.gguf" || exit 1
	same "$work/$t.gguf"
done
for f in "$oracle"/mini{moe,128,l3}-*.gguf; do
	[ ! -f "$f" ] || same "$f"
done

python3 "$top/tests/oracle/archs.py" "$work/archs" mixtral mixtral-old \
	mixtral-layers qwen3moe gpt-oss gpt-oss-mxfp4 || exit 1
for f in "$work"/archs/*.gguf; do
	same "$f"
	is "${f##*/}, by layer" logits "$f" "$work/got" --stream --memory 1
	is "${f##*/}, by layer: the same" cmp -s "$work/want" "$work/got"
done

# The plan: of bytes that are read in a step, and what stays.
run --json plan --stream "$work/5.gguf"
is "plan" exits 0
is "all layers are streamed" [ "$(field streamed_layers)" = 5 ]
read -r total bytes speed per <<<"$(field total) $(field streamed_bytes) \
$(field disk_bytes_per_s) $(field tokens_per_minute)"
is "a step reads less than the file" \
	[ "$bytes" -gt 0 -a "$bytes" -lt "$(stat -c %s "$work/5.gguf")" ]
is "tokens a minute are 60 times the speed by that" awk -v b="$bytes" \
	-v s="$speed" -v p="$per" \
	'BEGIN { p *= b / (60 * s); exit !(p > 0.99 && p < 1.01) }'
run --json plan --stream --memory $((total + 1000000)) "$work/5.gguf"
is "with more memory fewer are" [ "$(field streamed_layers)" -lt 5 ]
is "which is not exceeded" [ "$(field total)" -le $((total + 1000000)) ]
run plan --stream --memory 1G "$work/5.gguf"
is "with enough, none" out_has '^all layers stay in memory$'
run plan --stream "$work/5.gguf"
is "in words" out_has '^5 of 5 layers are streamed, .* a step$'
is "the disk's speed" out_has '^the disk reads .* a second: [0-9.]+ tokens a minute'

# Of a mixture: how many experts stay, and what a token reads at most.
mix=$work/archs/mixtral.gguf
run --json plan --stream --ctx 256 "$mix"
is "plan of a mixture" exits 0
is "as few experts as a layer has" [ "$(field experts_kept)" = 8 ]
is "of all" [ "$(field experts)" = 24 ]
is "a token reads two a layer" [ "$(field streamed_bytes)" = $((3 * 2 * 3 * 64 * 48 * 4)) ]
total=$(field total)
run --json plan --stream --ctx 256 --memory $((total + 200000)) "$mix"
is "with more memory more stay" [ "$(field experts_kept)" -gt 8 ]
is "which is not exceeded" [ "$(field total)" -le $((total + 200000)) ]
run --json plan --stream --ctx 256 --memory 1 "$mix"
is "too little for a layer's experts: layers are streamed" \
	[ "$(field streamed_layers)" = 3 ]
is "no expert stays" [ "$(grep -c experts_kept "$work/out")" = 0 ]
run plan --stream "$mix"
is "in words" out_has '^8 of 24 experts stay in memory, a token reads 221 kB at most$'
is "tokens a minute" out_has '[0-9.]+ tokens a minute when no expert that is chosen is there'

# What cannot be.
run plan --memory 1G "$work/5.gguf"
is "--memory is for --stream" exits 2
run plan --stream --memory 1X "$work/5.gguf"
is "no such size" exits 2
is "what a size is" err_has "'1X' is not a size, like 512M"
run ask --stream x
is "--stream without --user" exits 2
run --user --stream --as Q4_0 -m "$work/5.gguf" ask x
is "with --as" exits 1
is "it says so" err_has 'streamed as they are in the file'
run --user --stream -m /proc/version ask x
is "no direct reads" exits 1
is "it says which file" err_has '/proc/version'
finish
