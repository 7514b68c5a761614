#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Options, messages and exit codes that need no model.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

commands='ask chat load unload default models ps status doctor top pull
	plan tokenize detokenize logits bench quantize serve score embed
	attr limit prefix'

run
is "nothing to do is a usage error" exits 2
is "usage goes to stderr" silent
run --help
is "--help succeeds" exits 0
is "--help is quiet on stderr" quiet
for c in $commands; do
	run --help
	is "--help names $c" out_has "^  $c "
	run "$c" --help
	is "$c --help succeeds" exits 0
	is "$c --help says how" out_has "^usage: llamux $c"
	run --help "$c"
	is "--help $c succeeds" out_has "^usage: llamux $c"
	run "$c" --no-such-option
	is "$c: unknown option" exits 2
	is "$c: unknown option, on stderr" silent
done
run --version
is "--version" out_has '^llamux [0-9.]+$'
run ask --version
is "--version after the command" out_has '^llamux [0-9.]+$'

run frobnicate
is "unknown command" exits 2
is "unknown command is named" err_has "no command 'frobnicate'"
for pair in aks:ask caht:chat loa:load pss:ps toq:top run:chat list:models rm:unload; do
	run "${pair%:*}"
	is "${pair%:*}" exits 2
	is "${pair%:*}: ${pair#*:}" err_has "no command '${pair%:*}': ${pair#*:}\?"
done
run 'What is an inode?'
is "a question alone" exits 2
is "a question alone: how" err_has 'llamux ask "'
run help
is "help" out_has '^usage: llamux '
run help ask
is "help ask" out_has '^usage: llamux ask'
run ask --tmep 1
is "an option that is none: how" err_has '--help'

for bad in '--temp x' '--temp -1' '--top-k 1.5' '-n many' '--seed' '-t 0' \
	'-t x' '--ctx 0' '--kv q4' '--simd mmx' '--min-p nan'; do
	# shellcheck disable=SC2086 # two words
	run --user ask $bad prompt
	is "ask $bad" exits 2
	is "ask $bad says so" err_has '^llamux: '
done
run ask one two
is "two prompts" exits 2
run ask ''
is "empty prompt" exits 2
run ask --raw --system x y
is "--raw and --system" exits 2
run --user load x.gguf
is "load and --user" exits 2
run load
is "load without a file" exits 2
run load --name 'a b' x.gguf
is "a name with a space" exits 2
run load --reserve here x.gguf
is "load --reserve: where" exits 2
run load --reserve hugetlb --fit x.gguf
is "--reserve and --fit" exits 2
run load --reserve memmap --stream x.gguf
is "--reserve and --stream" exits 2
run plan --reserve memmap --stream x.gguf
is "plan: --reserve and --stream" exits 2
run unload
is "unload without a name" exits 2
run attr
is "attr without a name" exits 2
run attr --roles chat,poet m
is "a role that is none" exits 2
run attr --user m
is "attr and --user" exits 2
run limit --sessions x root
is "limit of no number" exits 2
run limit root
is "limit of nothing" exits 2
run limit --kv 1M nosuchuser
is "limit of nobody" exits 2
is "it says so" err_has "no user 'nosuchuser'"
run prefix --add --remove 1 text
is "prefix: one thing at a time" exits 2
run prefix --remove 0
is "prefix: an id" exits 2
run prefix text
is "prefix: TEXT is for --add" exits 2
run models extra
is "models takes nothing" exits 2
run score --prompt x
is "score of nothing" exits 2
run score yes
is "score without a prompt" exits 2
run embed --pooling max x
is "embed: unknown pooling" exits 2
run logits -o "$work/l"
is "logits without tokens" exits 2
run chat --json
is "chat has no JSON" exits 2
run bench -p 0 -n 0
is "bench of nothing" exits 2
echo 'one two' >"$work/ids"
run --user detokenize "$(cat "$work/ids")"
is "ids are numbers" exits 2
run --user detokenize -- -5
is "ids are not negative" exits 2

run --user -m /no/such/file.gguf ask x
is "no such file" exits 4
is "no such file is named" err_has '/no/such/file.gguf: No such file'
run --user -m "$work" ask x
is "a directory is no model" exits 1
is "a directory is named" err_has 'not a regular file'
echo 'no model at all, but long enough to hold a header' >"$work/x.gguf"
run --user -m "$work/x.gguf" ask x
is "not a GGUF" exits 1
is "not a GGUF says so" err_has 'x.gguf: the file is not a GGUF'
run plan "$work/x.gguf"
is "plan: not a GGUF" exits 1

if [ ! -e /dev/llama ]; then
	run ask x
	is "no device" exits 3
	is "no device: what to do" err_has 'load the module .*--user'
	is "no device: nothing on stdout" silent
	for c in models ps status; do
		run "$c"
		is "$c without the module" exits 3
	done
	run unload x
	is "unload without the module" exits 3
	run load "$work/x.gguf"
	is "load without the module" exits 3
else
	skipped=$((skipped + 1))
fi

run --user status
is "status --user" out_has '^simd: '
run --json status --user
is "status --user --json" out_has '^\{"version": .*"threads": [0-9]+, .*\}$'
finish
