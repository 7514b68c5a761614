#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Models of the IQ, ternary and other small types: generic code gives the same
# logits, which are those of the same weights as F32 but for the rounding of
# activations; and they can be quantized to another type.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# Relative error of the first file of floats against the second, below 0.5 %
near() {
	python3 - "$1" "$2" <<'END'
import array
import sys

a, b = (array.array("f", open(name, "rb").read()) for name in sys.argv[1:])
error = sum((x - y) ** 2 for x, y in zip(a, b)) / sum(y * y for y in b)
print("nmse %.1e" % error)
sys.exit(not (len(a) == len(b) and error < 5e-3))
END
}

echo 1 5 300 301 302 303 1500 7 >"$work/ids"
for t in IQ1_M IQ2_XXS IQ3_S TQ1_0 NVFP4 Q2_0; do
	python3 "$top/bench/make-model.py" --shape tiny --type $t "$work/in.gguf" || exit 1
	run -m "$work/in.gguf" logits --tokens "$work/ids" --all -o "$work/logits"
	is "$t computes" exits 0
	run -m "$work/in.gguf" logits -t 1 --simd generic --tokens "$work/ids" --all \
		-o "$work/generic"
	is "$t: generic code, the same" cmp -s "$work/logits" "$work/generic"
	run quantize "$work/in.gguf" "$work/f32.gguf" F32
	is "$t: as F32" exits 0
	run -m "$work/f32.gguf" logits --tokens "$work/ids" --all -o "$work/want"
	is "$t: the logits of F32" near "$work/logits" "$work/want"
	run -m "$work/in.gguf" --as Q4_K_S logits --tokens "$work/ids" --all -o "$work/as"
	run quantize "$work/in.gguf" "$work/q4.gguf" Q4_K_S
	is "$t: to Q4_K_S" exits 0
	run -m "$work/q4.gguf" logits --tokens "$work/ids" --all -o "$work/want"
	is "$t: as Q4_K_S, the logits of that file" cmp -s "$work/as" "$work/want"
done
finish
