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
# llamux-serve is a program of its own, with a manual and completions of its own.
serve=${llamux%/*}/llamux-serve
manual=$(<man/llamux-serve.1)
serve_completes() {
	COMP_WORDS=(llamux-serve "$@")
	COMP_CWORD=$#
	_llamux_serve llamux-serve "${*: -1}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
	printf '%s\n' "${COMPREPLY[@]}"
}
if [ -x "$serve" ]; then
	for shell in bash zsh fish; do
		scripts/completion $shell "$serve" >"$work/serve-$shell"
	done
	# shellcheck source=/dev/null
	. "$work/serve-bash"
	offered=" $(serve_completes - | paste -sd ' ') "
	zsh=$(<"$work/serve-zsh")
	fish=$(<"$work/serve-fish")
	while read -r option; do
		is "llamux-serve(1): $option" in_manual "$option"
		is "llamux-serve, bash: $option" has " $option " "$offered"
		case $option in
		--*)
			is "llamux-serve, zsh: $option" has "[',{]${option}[=['}]" "$zsh"
			is "llamux-serve, fish: $option" has " -l ${option#--} " "$fish"
			;;
		esac
	done < <("$serve" --help | sed -nE 's/^  (-.*[^ ])  .*/\1/p' |
		grep -oE '(^|[ ,])-[-a-zA-Z0-9]+' | tr -d ' ,')
	is "llamux-serve, bash: is registered" has ' _llamux_serve llamux-serve$' \
		"$(complete -p llamux-serve)"
	is "llamux-serve, bash: model files" \
		test "$(serve_completes --user -m "$work/")" = "$work/a.gguf"
	is "llamux-serve, bash: values" test "$(serve_completes --simd a | head -n 1)" = auto
	is "bash: llamux is completed beside it" offers ask as
	is "llamux-serve, zsh: is registered" has '^#compdef llamux-serve' "$zsh"
	! command -v zsh >/dev/null || is "llamux-serve, zsh: parses" zsh -n "$work/serve-zsh"
	! command -v fish >/dev/null || is "llamux-serve, fish: parses" fish -n "$work/serve-fish"
else
	skipped=$((skipped + 1))
fi
if command -v mandoc >/dev/null; then
	is "the manual is clean" mandoc -T lint -W warning man/*.[1-8]
else
	skipped=$((skipped + 1))
fi
finish
