#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# How answers are made: stop strings, bias, penalties, log-probabilities, and
# what happens when the context is full.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need_model

ask=(--user -m "$model" ask --raw --temp 0)

run "${ask[@]}" -n 24 'Once upon a time'
text=$(cat "$work/out")
stop=${text:9:4}
run "${ask[@]}" -n 24 --stop "no such text" --stop "$stop" 'Once upon a time'
is "--stop" out_is "${text%%"$stop"*}"
run --json "${ask[@]}" -n 24 --stop "$stop" 'Once upon a time'
is "--stop, why" out_has '"finish": "stop"'
run "${ask[@]}" -n 24 --stop "${text: -3}zzz" 'Once upon a time'
is "a begin of a stop string is delivered at the end" out_is "$text"
run "${ask[@]}" --stop '' x
is "an empty stop string" exits 2
run "${ask[@]}" --stop $'\xff' x
is "a stop string that is no text" exits 2
many=()
for i in {1..17}; do
	many+=(--stop "stop $i")
done
run "${ask[@]}" "${many[@]}" x
is "too many stop strings" exits 2

run --json "${ask[@]}" -n 4 'Once upon a time'
first=$(sed -E 's/.*"tokens": \[([0-9]+),.*/\1/' "$work/out")
run --json "${ask[@]}" -n 4 --logit-bias "$first=never" 'Once upon a time'
is "a token that may not be chosen" out_has "\"tokens\": \[([0-9]+, )*[0-9]+\]"
is "is not chosen" test -z "$(grep -E "\[(.*, )?${first}[],]" "$work/out")"
run --json "${ask[@]}" -n 3 --logit-bias 40=1000 'Once upon a time'
is "a token that is wanted" out_has '"tokens": \[40, 40, 40\]'
run "${ask[@]}" --logit-bias 99999999=1 x
is "bias of no token" exits 2
run "${ask[@]}" --logit-bias 40 x
is "a bias is ID=BIAS" exits 2
for o in '--presence-penalty 2' '--frequency-penalty 1.5' '--repeat-penalty 1.9'; do
	# shellcheck disable=SC2086 # two words
	run "${ask[@]}" -n 120 $o 'Once upon a time'
	mv "$work/out" "$work/penalty"
	run "${ask[@]}" -n 120 'Once upon a time'
	is "$o changes a long answer" test -n "$(cmp "$work/out" "$work/penalty")"
done
run "${ask[@]}" --presence-penalty -x x
is "a penalty is a number" exits 2

run --json "${ask[@]}" -n 6 --logprobs 3 'Once upon a time'
is "--logprobs" exits 0
# Greedy: the token is the likeliest one, alternatives descend, sums are below 1.
is "--logprobs: what they are" python3 - "$work/out" <<'END'
import json, math, sys
d = json.load(open(sys.argv[1]))
assert [r["id"] for r in d["logprobs"]] == d["tokens"] and len(d["tokens"]) == 6
for r in d["logprobs"]:
    top = r["top"]
    assert len(top) == 3 and top[0]["id"] == r["id"]
    assert top[0]["logprob"] == r["logprob"] <= 0
    assert top[0]["logprob"] >= top[1]["logprob"] >= top[2]["logprob"]
    assert sum(math.exp(t["logprob"]) for t in top) <= 1 + 1e-5
END
run "${ask[@]}" --logprobs 3 x
is "--logprobs needs --json" exits 2

run --json "${ask[@]}" --ctx 64 -n 200 --logit-bias 40=1000 x
is "a full context ends the turn" out_has '"finish": "context"'
run --json "${ask[@]}" --ctx 64 -n 200 --shift --keep 4 --logit-bias 40=1000 x
is "--shift goes on" out_has '"finish": "length", .*"n_gen": 200'
printf 'root ::= ("yes" | "no") "!"\n' >"$work/g"
run "${ask[@]}" --grammar "$work/g" 'Is it so?'
is "--grammar" out_has '^(yes|no)!$'
run --json "${ask[@]}" --grammar "$work/g" 'Is it so?'
is "--grammar: the end" out_has '"finish": "eog"'
run --json "${ask[@]}" --grammar "$work/g" -n 1 --stop '!' --logprobs 2 'So?'
is "--grammar beside others" exits 0
printf 'root ::= root "a"\n' >"$work/g"
run "${ask[@]}" --grammar "$work/g" x
is "a grammar that is none" exits 2
is "a grammar that is none: why" err_has 'g: grammar, line 1: .*left recursion'
run "${ask[@]}" --grammar /no/such x
is "no such grammar" exits 2
cat >"$work/schema" <<'END'
{"type": "object", "properties": {"name": {"type": "string", "maxLength": 8},
 "n": {"type": "integer"}, "list": {"type": "array", "items": {"enum": ["x", 2]},
 "maxItems": 3}}, "required": ["name", "n"]}
END
for seed in 1 2 3 4 5 6 7 8; do
	run --user -m "$model" ask --raw --seed $seed --temp 1.5 --top-k 0 -n 200 \
		--json-schema "$work/schema" 'A file:'
	is "--json-schema, seed $seed" python3 - "$work/out" <<'END'
import json, sys
d = json.load(open(sys.argv[1]))
assert set(d) <= {"name", "n", "list"} and isinstance(d["name"], str)
assert isinstance(d["n"], int) and len(d["name"]) <= 8
assert all(x in ("x", 2) for x in d.get("list", []))
END
done
echo '{"type": "integer", "multipleOf": 3}' >"$work/schema"
run "${ask[@]}" --json-schema "$work/schema" x
is "a schema that is not supported" exits 2
is "its keyword is named" err_has "'multipleOf' is not supported"

run --user -m "$model" score --raw --prompt 'Once upon a time' ' there was' x
is "score" out_has $'^-[0-9.]+\t[0-9]+\t there was$'
run --user -m "$model" --json embed 'Once upon a time'
is "embed" out_has '^\{"pooling": "mean", "embedding": \[-?[0-9]'

for t in 1 3; do
	run "${ask[@]}" -t $t --ctx 64 -n 150 --shift --keep 4 'Once upon a time'
	mv "$work/out" "$work/shift$t"
done
is "--shift: the same on any threads" cmp "$work/shift1" "$work/shift3"
finish
