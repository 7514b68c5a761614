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
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
