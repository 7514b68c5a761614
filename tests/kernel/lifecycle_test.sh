#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Models and the module come and go, also while they are used.
# BEDS: uml uml-debug uml-lockdep
# TIMEOUT: 900
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

total() {
	value total /proc/llamux/status
}

session_model() {
	sed -n 's/^llamux-model:\t//p' "/proc/$$/fdinfo/$1"
}

module_start
empty_dev=$(stat -c %F /dev/llama)
check "a device" [ "$empty_dev" = "character special file" ]
check "the first model is the default" \
	[ "$(value default /proc/llamux/status)" = m ]

# Refusals.
refused "a name in use" "$CTL" load m "$MODEL"
check "it says so" grep -qi 'exists' "$TMP/refused"
refused "a bad name" "$CTL" load 'a b' "$MODEL"
echo "no model at all" >"$TMP/text"
refused "not a GGUF" "$CTL" load n "$TMP/text"
check "it says so" grep -qi 'exec format' "$TMP/refused"
refused "an empty file" "$CTL" load n /dev/null
refused "a directory" "$CTL" load n /tmp
refused "a file of /proc" "$CTL" load n /proc/version
cp "$MODEL" "$TMP/model"
refused "O_PATH" "$CTL" load n "path:$TMP/model"
refused "a file open for writing only" "$CTL" load n "write:$TMP/model"
refused "no descriptor" "$CTL" load n fd:777
refused "a pipe" sh -c "cat '$MODEL' | '$CTL' load n fd:0"
refused "the device itself" "$CTL" load n /dev/llama
truncate -s 7E "$TMP/sparse"
refused "7 EB of nothing" "$CTL" load n "$TMP/sparse"
refused "two files that are one" "$CTL" load n "$TMP/model" "$TMP/model"
check "nothing denies writing" sh -c ": >>'$TMP/model'"
exec 5>>"$TMP/model"
refused "a file open for writing" "$CTL" load n "$TMP/model"
check "it says so" grep -qi 'text file busy' "$TMP/refused"
exec 5>&-
head -c 100000 "$MODEL" >"$TMP/short"
refused "a truncated file" "$CTL" load n "$TMP/short"
refused "unload: none such" "$CTL" unload n
refused "default: none such" "$CTL" default n
refused "progress: none such" "$CTL" progress n
check "one model, as before" [ "$(value models /proc/llamux/status)" = 1 ]

# A second model; the default changes under a session.
check "a second model" "$CTL" load second -c 256 "$TMP/model"
check "writers may come again" sh -c ": >>'$TMP/model'"
exec 3<>/dev/llama
printf 'Once upon a time' >&3
head -c 1 <&3 >/dev/null
check "another default" "$CTL" default second
exec 4<>/dev/llama
printf 'Once upon a time' >&4
check "a new session has it" [ -n "$(cat <&4)" ]
check "as fdinfo says" [ "$(session_model 4)" = second ]
check "the old session runs on the old one" [ -n "$(cat <&3)" ]
check "as fdinfo says" [ "$(session_model 3)" = m ]

# Unload under a session.
check "unload the old one" "$CTL" unload m
check "it drains" grep -q '^m draining' /proc/llamux/models
check "its session can still be written to" sh -c 'printf "The end" >&3'
check "its name is free" "$CTL" load m "$MODEL"
check "unload that" "$CTL" unload m
exec 3>&-
check "gone after the last session" wait_gone m
refused "rmmod while a session is open" rmmod llamux
exec 4>&-
exec 6</proc/llamux/status
refused "rmmod while status is open" rmmod llamux
exec 6<&-
exec 6</proc/llamux/prompt
refused "rmmod while prompt is open" rmmod llamux
exec 6<&-
echo "Once upon a time" >/proc/llamux/prompt
head -c 5 /proc/llamux/prompt >/dev/null
check "unload the default" "$CTL" unload second
check "there is none now" [ "$(value default /proc/llamux/status)" = - ]
check "prompt does not hold it" wait_gone second
check "nothing is held" [ "$(total)" = 0 ]
refused "without a model: ENODEV" sh -c 'echo hello >/dev/llama'
module_stop
check "clean afterwards" \
	[ ! -e /dev/llama ] && [ ! -e /dev/llamactl ] && [ ! -e /proc/llamux ]

# Again and again; rmmod with models loaded and a prompt half read.
ok=1
for _ in $(seq 5); do
	insmod "$LLAMUX_KO" && "$CTL" load a -c 256 "$MODEL" &&
		"$CTL" load b -c 256 "$MODEL" || ok=
	echo "Once upon a time" >/proc/llamux/prompt
	head -c 5 /proc/llamux/prompt >/dev/null
	rmmod llamux || ok=
done
check "in and out five times" [ -n "$ok" ]

# Load and unload in a loop under load.
module_start
generate 8 3
ok=1
for i in $(seq 10); do
	"$CTL" load "x$i" -d -c 256 "$MODEL" && "$CTL" default m || ok=
	sleep 0.2
	"$CTL" default "x$i" && sleep 0.2 && "$CTL" default m || ok=
	"$CTL" unload "x$i" || ok=
done
check "load, default, unload under load" [ -n "$ok" ]
wait
check "only one is left" [ "$(value models /proc/llamux/status)" = 1 ]
check "no session is left" [ "$(value sessions /proc/llamux/status)" = 0 ]

# A loader killed in mid-load leaves nothing.
for i in $(seq 10); do
	"$CTL" load killed "$MODEL" &
	sleep "0.0$((i % 5))"
	kill -KILL $! 2>/dev/null
	wait $! 2>/dev/null
	"$CTL" unload killed 2>/dev/null
done
check "loads killed: nothing is left" wait_gone killed
module_stop
finish
