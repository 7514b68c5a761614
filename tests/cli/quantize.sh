#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# quantize: every type, the same bytes however it is run, and what cannot be
# done leaves nothing behind.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

types='F32 F16 BF16 Q8_0 Q6_K Q5_K_M Q5_K_S Q5_1 Q5_0 Q4_K_M Q4_K_S Q4_1 Q4_0
	IQ4_NL IQ4_XS MXFP4_MOE Q3_K_L Q3_K_M Q3_K_S Q2_K Q2_K_S'
in=$work/in.gguf
dir=$work/made
mkdir "$dir"
python3 "$top/bench/make-model.py" --shape tiny --type F16 "$in" || exit 1

# logits FILE HASH [OPTION...]: into $work/HASH
logits() {
	local file=$1 name=$2

	shift 2
	echo 1 5 300 301 302 303 >"$work/ids"
	set -- -m "$file" --json logits "$@" --tokens "$work/ids" -o /dev/null
	"$llamux" "$@" 2>&1 |
		sed -E 's/.*"logits_hash": "([0-9a-f]+)".*/\1/' >"$work/$name" 2>&1
	grep -qxE '[0-9a-f]{16}' "$work/$name"
}


# weights FILE [OPTION...]
weights() {
	"$llamux" --json plan "$@" | sed -E 's/.*"type": ("[^"]*").*"weights": ([0-9]+).*/\1 \2/'
}

empty() {
	[ -z "$(ls -A "$dir")" ]
}

bytes() {
	stat -c %s "$1"
}

cp "$in" "$work/saved.gguf"
for t in $types; do
	run quantize "$in" "$dir/$t.gguf" "$t"
	is "$t" exits 0
	is "$t: a line" out_has "^.*$t.gguf: $t, .* tensors converted$"
	is "$t computes" logits "$dir/$t.gguf" "$t"
	is "--as $t computes" logits "$in" as --as "$t"
	is "--as $t: the logits of the file" cmp -s "$work/as" "$work/$t"
	is "--as $t: the plan of the file" test "$(weights "$in" --as "$t")" = \
		"$(weights "$dir/$t.gguf")"
done
is "--as, one thread, generic code" logits "$in" as -t 1 --simd generic --as Q3_K_M
is "--as, one thread, generic code: the same" cmp -s "$work/as" "$work/Q3_K_M"
run --user --as Q9 ask -m "$in" x
is "--as: no such type" exits 2
is "--as: those there are" err_has "no type 'Q9'; there are F32 "
run ask --as Q4_0 x
is "--as without --user" exits 2
logits "$in" in
is "F16 of F16 computes the same" cmp -s "$work/F16" "$work/in"
is "F32 of F16 computes nearly the same file" test "$(bytes "$dir/F32.gguf")" \
	-gt "$(($(bytes "$in") * 19 / 10))"
is "fewer bits, fewer bytes" test "$(bytes "$dir/Q2_K.gguf")" -lt "$(($(bytes "$in") / 4))"
is "nothing else is left" test "$(find "$dir" -type f | wc -l)" -eq 21

# The same bytes, whatever runs it.
for t in Q4_K_M Q3_K_M Q8_0; do
	run quantize -t 1 "$in" "$work/one.gguf" "$t"
	is "$t: one thread" cmp -s "$work/one.gguf" "$dir/$t.gguf"
	run quantize -t 7 "$in" "$work/one.gguf" "$t"
	is "$t: seven threads" cmp -s "$work/one.gguf" "$dir/$t.gguf"
	run quantize --simd generic "$in" "$work/one.gguf" "$t"
	is "$t: generic code" cmp -s "$work/one.gguf" "$dir/$t.gguf"
	run quantize "$dir/F32.gguf" "$work/one.gguf" "$t"
	is "$t: from F32" cmp -s "$work/one.gguf" "$dir/$t.gguf"
done
run quantize "$dir/Q4_0.gguf" "$work/one.gguf" Q4_0
is "again what it is: unchanged" cmp -s "$work/one.gguf" "$dir/Q4_0.gguf"
is "again what it is: quiet" quiet
run quantize "$dir/Q8_0.gguf" "$work/one.gguf" q4_k
is "a type in small letters" out_has ': Q4_K_M, '
is "from a quantized file: told" err_has 'quantized already \(Q8_0\)'
run quantize --pure "$in" "$work/one.gguf" Q4_K_M
is "--pure is smaller than the mixture" test "$(bytes "$work/one.gguf")" \
	-lt "$(bytes "$dir/Q4_K_M.gguf")"
run --json quantize "$in" "$work/one.gguf" Q6_K
is "--json" out_has '"type": "Q6_K", .* "n_tensors": 21, "n_converted": 16\}$'

# Metadata stays, but for what the file now is.
run --json plan "$dir/Q6_K.gguf"
is "the name is kept" out_has '"name": "random tiny"'

# What cannot be done.
rm -f "$dir"/*
run quantize "$in" "$dir/x.gguf" Q9_9
is "no such type" exits 2
is "no such type: those there are" err_has "no type 'Q9_9'; there are F32 .* Q4_K_M .* Q2_K"
run quantize "$in" "$dir/x.gguf"
is "no type" exits 2
run quantize /no/such.gguf "$dir/x.gguf" Q4_0
is "no such input" exits 4
run quantize "$in" "$in" Q4_0
is "IN is OUT" exits 1
is "IN is OUT: told" err_has 'is what is read'
ln -s "$in" "$work/link.gguf"
run quantize "$in" "$work/link.gguf" Q4_0
is "OUT is a link to IN" err_has 'is what is read'
is "OUT is a link to IN: unharmed" cmp -s "$in" "$work/saved.gguf"
run quantize "$in" "$work/no/such/dir.gguf" Q4_0
is "no directory" err_has 'No such file or directory'
run quantize "$in" "$dir" Q4_0
is "OUT is a directory" err_has 'not a regular file'
run quantize "$in" /dev/full Q4_0
is "OUT is a device" err_has 'not a regular file'
head -c 3000000 "$in" >"$work/cut.gguf"
run quantize "$work/cut.gguf" "$dir/x.gguf" Q4_0
is "a cut file" exits 1
is "a cut file: the tensor" err_has "tensor '.*' \(.* bytes at offset .*\) ends beyond the file"
head -c 30000 "$in" >"$work/cut.gguf"
run quantize "$work/cut.gguf" "$dir/x.gguf" Q4_0
is "a cut header: the key" err_has "key 'tokenizer"
echo nonsense >"$work/cut.gguf"
run quantize "$work/cut.gguf" "$dir/x.gguf" Q4_0
is "no GGUF" err_has 'not a GGUF'

# damage OFFSET-FROM-END BYTES: a copy of the input with other weights
damage() {
	cp "$in" "$work/bad.gguf"
	printf '%b' "$2" | dd of="$work/bad.gguf" bs=1 conv=notrunc status=none \
		seek="$(($(bytes "$in") - $1))"
}
for t in Q4_0 Q4_K_M Q8_0 F32 F16; do
	damage 2 '\x01\x7e'
	run quantize "$work/bad.gguf" "$dir/x.gguf" "$t"
	is "a NaN, to $t" exits 1
	is "a NaN, to $t: the tensor" \
		err_has 'tensor blk.1.ffn_down.weight: a weight is not a finite number'
	damage 600 '\x00\xfc'
	run quantize "$work/bad.gguf" "$dir/x.gguf" "$t"
	is "an infinity, to $t" err_has 'blk.1.ffn_down.weight: .* not a finite'
	run --user -m "$work/bad.gguf" --as "$t" ask x
	is "an infinity, as $t" test "$t" = F16 -o "$status" -eq 1
done
is "after errors nothing is there" empty

(
	ulimit -f 200
	run quantize "$in" "$dir/x.gguf" Q8_0
	exits 1 && err_has 'x.gguf: File too large'
)
is "no room: an error" test $? -eq 0
is "no room: nothing is left" empty
echo precious >"$dir/x.gguf"
(
	ulimit -f 200
	run quantize "$in" "$dir/x.gguf" Q8_0
)
is "no room: what was there stays" grep -qx precious "$dir/x.gguf"
rm "$dir/x.gguf"

"$llamux" quantize -t 1 --simd generic "$in" "$dir/x.gguf" Q2_K >"$work/out" 2>"$work/err" &
pid=$!
sleep 0.2
kill -INT "$pid"
status=0
wait "$pid" || status=$?
is "Ctrl-C" exits 130
is "Ctrl-C leaves nothing" empty
"$llamux" quantize -t 1 --simd generic "$in" "$dir/x.gguf" Q2_K >"$work/out" 2>"$work/err" &
pid=$!
sleep 0.2
kill -KILL "$pid"
wait "$pid" 2>/dev/null
is "being killed leaves nothing" empty
finish
