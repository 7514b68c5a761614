#!/bin/bash
# SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
#
# Talk to /dev/llama with nothing but the shell: one conversation, a turn for
# every argument, or for every line of standard input when there is none.
set -euo pipefail

# The descriptor is the conversation: it remembers what was said before.
exec {llama}<>/dev/llama

turn() {
	printf '%s' "$1" >&"$llama"
	cat <&"$llama" # ends with the answer
	echo
}

if [ $# -gt 0 ]; then
	for question in "$@"; do
		turn "$question"
	done
else
	while IFS= read -r question; do
		turn "$question"
	done
fi
