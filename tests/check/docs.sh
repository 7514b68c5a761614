#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the documents name exists: files that they link to, commands and
# structures of the interface, targets of make; and every command of the
# interface is in the manual and in docs/uapi.md.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
header=include/uapi/linux/llamux.h
passed=0 failed=0

is() {
	local what=$1

	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "failed: $what"
	fi
}

# Without it nothing can be said of what git does not know.
pages=$(find . -name '*.md' ! -path './build/*' ! -path '*/node_modules/*')
for page in $pages; do
	while read -r link; do
		is "$page: $link" test -e "$(dirname "$page")/$link"
	done < <(grep -oE '\]\([^)# ]+' "$page" | cut -c 3- | grep -v '^https\?:')
	while read -r target; do
		is "$page: make $target" grep -qE "^$target:" Makefile packaging/packaging.mk
	done < <(grep -oE '^make [a-z][a-z-]*' "$page" | cut -d ' ' -f 2 | sort -u)
done
while read -r name; do
	is "docs/uapi.md: $name" grep -qw "$name" $header
done < <(grep -oE '\bLLAMUX_[A-Z_]+\b|\bllamux_[a-z]+\b' docs/uapi.md | sort -u)
while read -r name; do
	is "man/llama.4: $name" grep -qw "$name" man/llama.4
	is "docs/uapi.md has $name" grep -qw "$name" docs/uapi.md
done < <(sed -nE 's/^#define (LLAMUX_(IOC|CTL)_[A-Z_]+) .*/\1/p' $header | grep -v MAGIC)
# Every member of a structure that a program fills in or reads is in the page
# of the call that takes it, and every call has a page.
members() {
	sed -n "/^struct $1 {/,/^}/p" "$2" | sed 's|/\*.*\*/||' |
		sed '/\/\*/,/\*\//d' |
		grep -oE '[a-z_0-9]+(\[[A-Z_0-9]+\])?[,;]|\(\*[a-z]+\)' |
		grep -oE '[a-z][a-z_0-9]*' | grep -v reserved
}
while read -r page struct where; do
	while read -r name; do
		is "man/$page.3: $struct.$name" grep -qw "$name" "man/$page.3"
	done < <(members "$struct" "$where")
done <<-END
	llamux_open llamux_options user/llamux.h
	llamux_info llamux_info $header
	llamux_info llamux_params $header
	llamux_info llamux_stats $header
	llamux_score llamux_choice $header
END
while read -r name; do
	is "a manual page of $name" grep -qE "^(.*, )?$name(,.*)? \\\\- " man/*.3
done < <(grep -oE '\bllamux_[a-z_]+\((struct|const|int)' user/llamux.h |
	cut -d '(' -f 1 | sort -u)
while read -r name; do
	is "man/llamux_info.3: $name" grep -qw "$name" man/llamux_info.3
done < <(sed -n '/llamux_params.flags/,/^struct llamux_params/p' $header |
	sed -nE 's/^#define (LLAMUX_[A-Z_]+) .*/\1/p')
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
