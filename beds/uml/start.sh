# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# User-mode Linux: a kernel as a process, at native speed. The host's files
# are its hostfs; its console goes to a file, the command's terminal is a
# serial line on our own file descriptors. Sourced by beds/run, whose variables
# it uses.
# shellcheck disable=SC2154

# uml_arguments: what this flavour wants on its command line
uml_arguments() {
	case $1 in
	uml-debug) echo slab_debug=- kasan_multi_shot log_buf_len=16M ;;
	# Checked slabs have no per-CPU caches of free objects ("sheaves"),
	# whose stale pointers hide leaks from kmemleak.
	uml-lockdep) echo slab_debug=F log_buf_len=16M ;;
	*) echo log_buf_len=4M ;;
	esac
}

# In a mount namespace of its own, put UML's memory on a tmpfs with huge
# pages: first touch is twice as fast. Vanishes with the guest.
# shellcheck disable=SC2016 # expanded by the inner shell
UML_MEMORY='
dir=$1
shift
mount -t tmpfs -o huge=always,size=100% tmpfs "$dir" 2>/dev/null ||
	mount -t tmpfs -o size=100% tmpfs "$dir"
export TMPDIR=$dir
exec "$@"'

start_uml() {
	local out args prefix=(env TMPDIR=/dev/shm)

	deps uml
	out=$("$BEDS/uml/build" "$1")
	make_initramfs uml ttyS0 "$work/initrd"
	mkdir "$work/memory"
	if unshare -m true 2>/dev/null; then
		prefix=(unshare -m sh -c "$UML_MEMORY" sh "$work/memory")
	fi
	read -r -a args <<<"$(uml_arguments "$1") ${BED_APPEND:-}"
	# UML's disk loses interrupts on more than one CPU (7.3): reads hang
	# till somebody else reads.
	if [ -n "$disk" ]; then
		args+=("ubd0=$work/disk")
		cpus=1
	fi
	if [ -n "$interactive" ]; then
		args+=("ssl0=fd:0,fd:1")
	fi
	exec {console}>>"$work/console"
	launch "${prefix[@]}" "$out/linux" "mem=$mem" "ncpus=$cpus" seccomp=on \
		"initrd=$work/initramfs" con=null ssl=null "con0=null,fd:$console" \
		console=tty0 loglevel=5 panic=-1 oops=panic "${args[@]}"
}
