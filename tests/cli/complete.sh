#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What --help says, the manual and the completions say too, of every command
# and option; and the completions work in their shells.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
cd "$top" || exit

# "COMMAND OPTION" of every option, read here in another way than
# scripts/completion does: all words before two spaces that begin with a dash.
options() {
	local command

	for command in $(commands); do
		"$llamux" "$command" --help |
			sed -nE 's/^  (-.*[^ ])  .*/\1/p' |
			grep -oE '(^|[ ,])-[-a-zA-Z0-9]+' | tr -d ' ,' |
			sed "s/^/$command /"
	done
}

commands() {
	"$llamux" --help | sed -nE 's/^  ([a-z]+) .*/\1/p'
}

# has PATTERN TEXT: without a process for each, as there are many.
has() {
	[[ $2 =~ $1 ]]
}

# In the manual a dash is "\-".
in_manual() {
	has "${1//-/\\\\-}"'([^-a-z\\]|\\f)' "$manual"
}

for shell in bash zsh fish; do
	scripts/completion $shell "$llamux" >"$work/$shell"
done
# shellcheck source=/dev/null
. "$work/bash"

# completes WORD...: what bash offers for the last word, a line each
completes() {
	COMP_WORDS=(llamux "$@")
	COMP_CWORD=$#
	_llamux llamux "${*: -1}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
	printf '%s\n' "${COMPREPLY[@]}"
}

offers() {
	completes "${@:2}" | grep -xF -- "$1" >/dev/null
}

manual=$(<man/llamux.1)
zsh=$(<"$work/zsh")
fish=$(<"$work/fish")
all=" $(completes '' | paste -sd ' ') "
n=0
for command in $(commands); do
	is "manual: $command" has "llamux ${command}[^a-z]" "$manual"
	is "bash: $command" has " $command " "$all"
	n=$((n + 1))
done
is "there are commands" test "$n" -gt 10
offered='' of=''
while read -r command option; do
	[ "$of" = "$command" ] || offered=" $(completes "$command" - | paste -sd ' ') "
	of=$command
	is "manual: $command $option" in_manual "$option"
	is "bash: $command $option" has " $option " "$offered"
	case $option in
	--*)
		is "zsh: $command $option" has "[',{]${option}[=['}]" "$zsh"
		is "fish: $command $option" has " -l ${option#--} " "$fish"
		;;
	esac
done < <(options)

is "bash: values" test "$(completes ask --kv f | paste -sd ' ')" = "f16 f32"
is "bash: values of options before the command" offers avx2 --simd av
is "bash: options of one command only" test -z "$(completes ask --session)"
is "bash: a value is no command" offers --kv --model x ask --k
touch "$work/a.gguf" "$work/b.txt"
is "bash: model files" test "$(completes plan "$work/")" = "$work/a.gguf"
if command -v fish >/dev/null; then
	fish_says() {
		fish --no-config -c "source $work/fish; complete -C '$1'"
	}
	is "fish: commands" grep -q '^tokenize' <(fish_says 'llamux to')
	is "fish: options" grep -q '^--temp' <(fish_says 'llamux ask --te')
	is "fish: values" grep -q "^f32" <(fish_says 'llamux ask --kv f')
else
	skipped=$((skipped + 3))
fi
if command -v zsh >/dev/null; then
	is "zsh: parses" zsh -n "$work/zsh"
else
	skipped=$((skipped + 1))
fi
# llamux-serve is a program of its own, with a manual of its own.
serve=${llamux%/*}/llamux-serve
manual=$(<man/llamux-serve.1)
if [ -x "$serve" ]; then
	while read -r option; do
		is "llamux-serve(1): $option" in_manual "$option"
	done < <("$serve" --help | sed -nE 's/^  (-.*[^ ])  .*/\1/p' |
		grep -oE '(^|[ ,])-[-a-zA-Z0-9]+' | tr -d ' ,')
else
	skipped=$((skipped + 1))
fi
if command -v mandoc >/dev/null; then
	is "the manual is clean" mandoc -T lint -W warning man/*.[1-8]
else
	skipped=$((skipped + 1))
fi
finish
