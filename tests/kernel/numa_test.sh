#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Weights go round the nodes of a machine that has several, in the module and in
# a process; a process that was given a node keeps to it.
# BEDS: qemu-6.12
# NODES: 2
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

NODES=/sys/devices/system/node
LLAMUX=build/llamux
BIG=$TMP/big.gguf

# free_of NODE: MB
free_of() {
	echo $(($(awk '/MemFree/ { print $4 }' "$NODES/node$1/meminfo") / 1024))
}

# half PART ALL: whether it is about half
half() {
	[ $((100 * $1 / $2)) -gt 30 ] && [ $((100 * $1 / $2)) -lt 70 ]
}

# on_node NODE: pages of interleaved memory that a process has there
on_node() {
	grep ' interleave:' "$TMP/maps" | grep -o "N$1=[0-9]*" |
		awk -F= '{ n += $2 } END { print n + 0 }'
}

# maps COMMAND...: the memory of a process, once it has its weights
maps() {
	"$@" --user -m "$BIG" bench -p 64 -n 0 >/dev/null &
	for _ in $(seq 600); do
		sleep 0.1
		cat "/proc/$!/numa_maps" >"$TMP/maps" 2>/dev/null || break
		[ "$(awk '{ for (i = 2; i <= NF; i++) if ($i ~ /^anon=/)
			n += substr($i, 6) } END { print n + 0 }' "$TMP/maps")" \
			-lt 25000 ] || break
	done
	kill $! 2>/dev/null
	wait $! 2>/dev/null
}

if [ ! -d $NODES/node1 ]; then
	skip "one node only"
	finish
fi
bench/make-model.py --layers 1 "$BIG" || exit 1
insmod "$LLAMUX_KO" || exit 1
before0=$(free_of 0) before1=$(free_of 1)
"$LLAMUX" load --name big --ctx 256 "$BIG" || exit 1
took0=$((before0 - $(free_of 0))) took1=$((before1 - $(free_of 1)))
echo "     the module: $took0 and $took1 MB"
check "the module's weights are on both nodes" half $took0 $((took0 + took1))
"$LLAMUX" unload big
wait_gone big

maps "$LLAMUX"
n0=$(on_node 0) n1=$(on_node 1)
echo "     a process: $n0 and $n1 pages"
check "a process's weights, too" half "$n0" $((n0 + n1 + 1))
maps numactl --membind=0 "$LLAMUX"
check "but not of one that was bound to a node" [ "$(on_node 0)" = 0 ]
finish
