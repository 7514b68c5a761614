#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Memory: what idle conversations remember is given back and computed again,
# KV is charged to the opener's cgroup, a model that does not fit is refused
# with a way out.
# BEDS: uml uml-lockdep
# shellcheck disable=SC2119 # called in other ways
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

CG=/sys/fs/cgroup
STATUS=/proc/llamux/status
LLAMUX=build/llamux

# past FD: tokens in the KV cache
past() {
	sed -n 's/^llamux-past:\t//p' "/proc/$$/fdinfo/$1"
}

# two_turns COMMAND: answers before and after it, in one conversation
two_turns() {
	exec 3<>/dev/llama
	printf 'Once upon a time there was a little cat' >&3
	cat <&3
	"$@"
	printf 'What did the cat say?' >&3
	cat <&3
	exec 3>&-
}

drop() {
	echo 2 >/proc/sys/vm/drop_caches
	echo "     $(past 3) tokens are left in the cache" >>"$TMP/log"
	[ "$(past 3)" = 0 ] || echo "not dropped"
}

CTL=$(program ctl)
insmod "$LLAMUX_KO" || exit 1
"$CTL" load m -c 2048 models/llamux-default.gguf || exit 1
two_turns true >"$TMP/want"
two_turns drop >"$TMP/got"
cat "$TMP/log"
check "an answer" [ -s "$TMP/want" ]
check "the same when the past is dropped between" cmp "$TMP/want" "$TMP/got"
echo 2 >/proc/sys/vm/drop_caches
check "no KV is held" [ "$(value kv $STATUS)" = 0 ]

# Out of memory: what is idle is given back.
exec 3<>/dev/llama
printf 'Once upon a time' >&3
cat <&3 >/dev/null
check "KV is held" [ "$(value kv $STATUS)" -gt 0 ]
sleep 60 &
echo 1000 >/proc/$!/oom_score_adj
echo f >/proc/sysrq-trigger
wait $! 2>/dev/null
dmesg | grep 'llamux: out of memory'
check "none after an OOM kill" [ "$(value kv $STATUS)" = 0 ]
exec 3>&-

# in_cgroup NAME COMMAND: run in a cgroup
in_cgroup() {
	local name=$1

	shift
	bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$CG/$name" "$@"
}

mountpoint -q $CG || mount -t cgroup2 none $CG
if grep -qw memory $CG/cgroup.controllers; then
	echo +memory >$CG/cgroup.subtree_control
	mkdir $CG/a $CG/b
	# shellcheck disable=SC2016 # expanded inside
	in_cgroup a bash -c 'exec 3<>/dev/llama; before=$(<"$0/memory.current")
		printf "%0.sword " {1..600} >&3; read -rn 1 <&3
		read -r _ kv < <(grep kv-bytes /proc/$$/fdinfo/3)
		echo $(($(<"$0/memory.current") - before)) "$kv"' $CG/a >"$TMP/used"
	read -r used kv <"$TMP/used"
	echo "     $kv bytes of KV, the cgroup is charged $used more"
	check "KV is charged to the opener's cgroup" \
		[ "$kv" -gt 500000 -a "$used" -ge "$kv" ]
	echo 2 >/proc/sys/vm/drop_caches
	echo $((5 << 19)) >$CG/b/memory.max
	# shellcheck disable=SC2016 # expanded inside
	refused "beyond the cgroup's memory: refused" in_cgroup b bash -c \
		'exec 3<>/dev/llama; printf "%0.sword " {1..900} >&3; cat <&3 >/dev/null'
	cat "$TMP/refused"
	check "it says so" grep -q 'allocate memory' "$TMP/refused"
	check "nobody was killed" grep -q '^oom_kill 0' $CG/b/memory.events
	# shellcheck disable=SC2016 # expanded inside
	check "a shorter one is answered" in_cgroup b bash -c \
		'exec 3<>/dev/llama; printf "%0.sword " {1..20} >&3; [ -n "$(head -c 8 <&3)" ]'
else
	skip "no memory cgroups"
fi

# What does not fit.
refused "a context of 16 million tokens" "$CTL" load n -c 16000000 \
	models/llamux-default.gguf
cat "$TMP/refused"
check "says what is missing" grep -q 'missing' "$TMP/refused"
n=$(sed -n 's/.*a context of \([0-9]*\) fits.*/\1/p' "$TMP/refused")
check "says which context fits" [ "${n:-0}" -gt 256 ]
check "and it does" "$CTL" load n -c "$n" models/llamux-default.gguf
check "unload" "$CTL" unload n
"$LLAMUX" plan --ctx "$n" models/llamux-default.gguf >"$TMP/plan"
check "so says the plan" grep -q '^fits now' "$TMP/plan"
module_stop
finish
