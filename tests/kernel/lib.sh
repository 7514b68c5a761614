# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of the module share. They run inside a bed as root, in the
# tree (read-only), with LLAMUX_KO the module.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
TMP=$(mktemp -d)
passed=0 failed=0 skipped=0

pass() {
	passed=$((passed + 1))
	echo "ok   $*"
}

fail() {
	failed=$((failed + 1))
	echo "FAIL $*"
}

skip() {
	skipped=$((skipped + 1))
	echo "skip $*"
}

# check WHAT COMMAND...: the command must succeed.
check() {
	local what=$1
	shift
	if "$@"; then pass "$what"; else fail "$what"; fi
}

# refused WHAT COMMAND...: the command must fail.
refused() {
	local what=$1
	shift
	if "$@" 2>"$TMP/refused"; then fail "$what"; else pass "$what"; fi
}

# leaks: what kmemleak finds that nobody points to, after the module went. A
# later scan may find what an earlier one took for alive, and things must be
# 5 s old.
leaks() {
	sleep 6
	for _ in 1 2 3; do
		echo scan >/sys/kernel/debug/kmemleak
		sleep 0.2
	done
	cat /sys/kernel/debug/kmemleak
}

# Where kmemleak watches, a test that has ended has leaked nothing, unless it
# set planted because it leaked on purpose.
check_leaks() {
	[ -w /sys/kernel/debug/kmemleak ] && [ -z "${planted-}" ] || return 0
	leaks >"$TMP/leaks"
	check "nothing leaked" [ ! -s "$TMP/leaks" ]
	head -n 40 "$TMP/leaks"
}

# finish: the last line, and the exit status.
finish() {
	check_leaks
	rm -rf "$TMP"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ] || exit 1
	[ "$passed" -gt 0 ] || exit 77
	exit 0
}

# program NAME: path of a program made from NAME.c here; what the host built
# is used when it is there.
program() {
	local made=build/kernel-tests/$1

	if [ ! -x "$made" ] || [ "tests/kernel/$1.c" -nt "$made" ]; then
		made=$TMP/$1
		[ -x "$made" ] || ${CC:-gcc} -O2 -Wall -Wno-unused-result \
			-Iinclude/uapi "tests/kernel/$1.c" -o "$made" -lpthread ||
			exit 1
	fi
	echo "$made"
}

# test_model: a small model.
test_model() {
	local f

	for f in "${LLAMUX_TEST_MODEL:-}" ../shared/models/stories260K.gguf \
		models/*.gguf; do
		if [ -f "$f" ]; then
			echo "$f"
			return
		fi
	done
	echo "no model to test with" >&2
	return 1
}

# module_start [PARAMETER=VALUE]...: load the module and a model called "m".
# Its context is short, so that answers without a limit end soon, and shorter
# where a token takes forty times as long.
module_start() {
	local ctx=256

	case ${BED:-} in qemu*) ctx=144 ;; esac
	CTL=$(program ctl)
	MODEL=$(test_model) || exit 77
	insmod "$LLAMUX_KO" "$@" || exit 1
	"$CTL" load m -c $ctx "$MODEL" || exit 1
}

# wait_gone NAME: a model that drains has gone.
wait_gone() {
	for _ in $(seq 100); do
		grep -q "^$1 " /proc/llamux/models || return 0
		sleep 0.1
	done
	return 1
}

module_stop() {
	check "rmmod" rmmod llamux
}

# value KEY FILE: of a "key: value" file; the first one.
value() {
	sed -n "s/^$1: //p" "$2" | head -n 1
}

# generate SECONDS [CLIENTS]: clients that ask again and again, in the
# background; wait for them with "wait".
generate() {
	local end=$((SECONDS + $1))

	for _ in $(seq "${2:-1}"); do
		while [ $SECONDS -lt "$end" ]; do
			exec 9<>/dev/llama
			printf 'Once upon a time' >&9
			timeout "$1" cat <&9 >/dev/null
			exec 9>&-
		done &
	done
}

# begin_answer: a client of the default model waits for an answer; its number
# is $!
begin_answer() {
	bash -c 'exec 3<>/dev/llama; printf "Once upon a time" >&3; exec cat <&3' \
		>/dev/null &
}

# kill_client SECONDS: one that waits for an answer, after a while
kill_client() {
	begin_answer
	sleep "$1"
	kill -9 $!
	wait $! 2>/dev/null
	return 0
}

# unload_in_mid_answer NAME SECONDS: of the default model, after a while
unload_in_mid_answer() {
	begin_answer
	sleep "$2"
	check "unload in mid-answer" build/llamux unload "$1"
	kill -9 $!
	wait $! 2>/dev/null
	check "it goes when its client has gone" wait_gone "$1"
}

# disk_fails NAME DIRECTORY: the file system of the default model's file is shut
# down in mid-answer (EXT4_IOC_SHUTDOWN)
disk_fails() {
	bash -c 'while exec 3<>/dev/llama; do
		printf "Once upon a time" >&3; cat <&3 || exit 1; done' \
		>"$TMP/text" 2>"$TMP/error" &
	sleep 3
	python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))' \
		"$2" || exit 1
	refused "a read error ends the turn" wait $!
	cat "$TMP/error"
	check "with that error" grep -q 'Input/output error' "$TMP/error"
	check "and was answered before" [ -s "$TMP/text" ]
	dmesg | grep "llamux: $1: "
	check "the log says which tensor" \
		grep -q "llamux: $1: tensor .*read error" <(dmesg)
}
