#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Workers' time is told to whom it was spent for: per session, per user, and
# to root only what others used. Tracepoints tell of sections, steps, turns.
# BEDS: uml uml-lockdep qemu-6.12
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

T=/sys/kernel/tracing
STATS=/proc/llamux/stats
OTHER=54321

as_other() {
	setpriv --reuid $OTHER --regid $OTHER --clear-groups "$@"
}

# ask FD: the beginning of an answer, and its end
ask() {
	printf 'Once upon a time' >&"$1"
	head -c 8 <&"$1" >/dev/null
	"$CTL" cancel "$1"
	cat <&"$1" >/dev/null
}

# count EVENT: lines of it in the trace
count() {
	grep -c " $1: " "$TMP/trace"
}

module_start
mountpoint -q $T || mount -t tracefs none $T 2>/dev/null
[ ! -d $T/events/llamux ] || echo 1 >$T/events/llamux/enable
exec 3<>/dev/llama
check "nothing spent yet" [ "$(value cpu_ns $STATS)" = 0 ]
ask 3
mine=$(sed -n 's/^llamux-cpu-ns:\t//p' "/proc/$$/fdinfo/3")
echo "the turn took $mine ns"
check "a turn costs" [ "${mine:-0}" -gt 0 ]
check "sessions says the same" \
	[ "$(awk 'NR == 2 { print $NF }' /proc/llamux/sessions)" = "$mine" ]
check "so does the user's line" [ "$(value cpu_ns_uid_0 $STATS)" = "$mine" ]
# The sections that loaded the model were for nobody.
check "no more than all sections" \
	[ $((mine / 1000)) -le "$(value fpu_sections_total_us $STATS)" ]
chmod 666 /dev/llama
as_other bash -c 'exec 3<>/dev/llama; echo "Once" >&3; head -c 4 <&3' \
	>/dev/null
check "another user has a line" \
	[ "$(value cpu_ns_uid_$OTHER $STATS)" -gt 0 ]
check "all is the sum" [ "$(value cpu_ns $STATS)" = \
	"$(awk -F': ' '/^cpu_ns_uid/ { s += $2 } END { printf "%.0f", s }' $STATS)" ]
check "root's use is not for others" \
	[ "$(as_other cat $STATS | grep -c '^cpu_ns_uid')" = 1 ]
exec 3>&-
check "it outlives the session" [ "$(value cpu_ns_uid_0 $STATS)" = "$mine" ]

if [ -d $T/events/llamux ]; then
	echo 0 >$T/events/llamux/enable
	cat $T/trace >"$TMP/trace"
	check "traced: sections" [ "$(count section)" -gt 0 ]
	check "traced: steps" [ "$(count step)" -gt 0 ]
	check "traced: two turns" [ "$(count turn)" -eq 2 ]
	check "no text in traces" [ "$(grep -c 'Once' "$TMP/trace")" -eq 0 ]
else
	skip "tracepoints: this kernel has none"
fi
module_stop
finish
