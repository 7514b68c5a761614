# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the check scripts share. They run at the top of the tree.

# shellcheck disable=SC2034 # the scripts exit with it
found=0

# complain FILE:LINE MESSAGE
complain() {
	printf '%s: %s\n' "$1" "$2" >&2
	found=1
}

# Read "FILE:LINE:TEXT" (grep -n) and complain about each.
complain_lines() {
	local line

	while IFS= read -r line; do
		complain "$(cut -d : -f 1,2 <<<"$line")" "$1"
	done
}

export LC_ALL=C.UTF-8

# The files of the tree, those not committed yet among them.
tree_files() {
	git ls-files -co --exclude-standard -- "$@" | while IFS= read -r f; do
		[ ! -f "$f" ] || printf '%s\n' "$f"
	done
}
