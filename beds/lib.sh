# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What every script of this room shares: where the cache is, messages, locks,
# and "do this once, completely or not at all".

# Failures count inside $(...) too.
shopt -s inherit_errexit

BEDS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
REPO=$(dirname "$BEDS")
CACHE=${LLAMUX_CACHE:-$HOME/.cache/llamux}
mkdir -p "$CACHE"
CACHE=$(cd "$CACHE" && pwd -P)
# shellcheck disable=SC2034 # who sources this uses it
MODULES=$CACHE/${LLAMUX_MOD:-mod}

say() {
	printf 'beds: %s\n' "$*" >&2
}

die() {
	say "error: $*"
	exit 1
}

# as_root COMMAND...: run it as root, with sudo when needed.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# logged NAME COMMAND...: output goes to $CACHE/log/NAME.log, and its end is
# shown when the command fails.
logged() {
	local log=$CACHE/log/$1.log status=0
	shift
	mkdir -p "$CACHE/log"
	# Not in an `if`: that would let a function go on after a failure.
	set +e
	(set -e && "$@") >"$log" 2>&1
	status=$?
	set -e
	if [ "$status" -ne 0 ]; then
		tail -n 40 "$log" >&2
		die "failed: $* (log: $log)"
	fi
}

# once DIR COMMAND...: make directory DIR with COMMAND, which gets the name of
# an empty directory to fill as its last argument. DIR appears complete, by a
# rename, or not at all; two callers do not build it twice.
once() {
	local dir=$1
	shift
	[ ! -d "$dir" ] || return 0
	mkdir -p "$(dirname "$dir")"
	(
		flock 9
		[ ! -d "$dir" ] || exit 0
		as_root rm -rf "$dir.part"
		mkdir "$dir.part"
		"$@" "$dir.part"
		mv "$dir.part" "$dir"
	) 9>"$dir.lock"
}

# deps GROUP...: have the packages of these groups (see scripts/deps.sh).
deps() {
	"$REPO/scripts/deps.sh" "$@"
}
