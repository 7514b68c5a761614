#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A model in the initramfs, which Debian's own tools make with what the packages
# put into them: in a stock kernel that boots from it the model answers before
# there is a root file system, and afterwards.
# BEDS: host
# TIMEOUT: 600
# shellcheck disable=SC1091,SC2016,SC2054,SC2154 # sourced, set there; for others to expand
set -uo pipefail

[ "$(id -u)" -eq 0 ] || exit 77
# Mounts that end with this process.
[ -n "${OWN_MOUNTS:-}" ] || OWN_MOUNTS=1 exec unshare -m "$0" "$@"
cd "$(dirname "$0")/../.." || exit
. beds/lib.sh
. beds/kernels.sh
deps qemu initramfs || exit 77
SERIES=6.1 PROMPT='Once upon a time'
passed=0 failed=0
image=$(kernel_image $SERIES) || exit 77
release=$(cat "$image/release")
module=$(WERROR=1 beds/build-module $SERIES | tail -n 1) || exit 1
work=$(mktemp -d)
trap 'umount -R -l "$work" 2>/dev/null; rmdir "$work"' EXIT

check() {
	local what=$1

	shift
	if "$@"; then
		passed=$((passed + 1))
		echo "ok   $what"
	else
		failed=$((failed + 1))
		echo "FAIL $what"
	fi
}

# over LOWER NAME DIR: at DIR, what may be written to over LOWER
over() {
	mkdir -p "$work/up/$2" "$work/tmp/$2" "$3"
	mount -t overlay overlay \
		-o "lowerdir=$1,upperdir=$work/up/$2,workdir=$work/tmp/$2" "$3"
}

# What says on the console what the model answers: from the initramfs, and as
# the first process of the root file system.
asks() {
	cat <<-EOF
		exec 3<>/dev/llama
		echo "$1: root: \$(grep -c '^[^ ]* $2 ext4 ' /proc/mounts)"
		echo "$1: model: \$(grep -c '^early ready ' /proc/llamux/models)"
		printf '%s' '$PROMPT' >&3
		echo "$1: answer: \$(head -c 40 <&3 | tr '\\n' ' ')"
	EOF
}

# This machine as if the packages were installed, and an initramfs of it.
system() {
	local root=$work/root

	over / root "$root"
	over "$image/lib/modules/$release" modules "$root/lib/modules/$release"
	install -D -m 644 "$module" "$root/lib/modules/$release/updates/llamux.ko"
	install -m 755 build/llamux "$root/usr/bin"
	cp "$image/boot/config-$release" "$root/boot"
	cp -r packaging/debian/initramfs/* "$root/usr/share/initramfs-tools"
	install -D models/llamux-default.gguf "$root/usr/share/llamux/default.gguf"
	printf '%s\n' INITRAMFS=yes NAME=early 'OPTIONS="--ctx 256"' \
		>"$root/etc/default/llamux"
	echo 'MODULES=list' >"$root/etc/initramfs-tools/conf.d/test"
	printf '%s\n' virtio_pci virtio_blk ext4 >>"$root/etc/initramfs-tools/modules"
	{
		printf '#!/bin/sh\n[ "$1" != prereqs ] || { echo llamux; exit; }\n'
		asks early /root
	} >"$root/usr/share/initramfs-tools/scripts/init-premount/test"
	chmod 755 "$root/usr/share/initramfs-tools/scripts/init-premount/test"
	mount -t proc proc "$root/proc"
	mount --bind /dev "$root/dev"
	chroot "$root" sh -c "depmod $release && mkinitramfs -o /initrd $release"
}

# A root file system with a shell and no more.
disk() {
	local root=$work/disk.d

	mkdir -p "$root"/{bin,sbin,proc,sys,dev,run,root}
	cp "$(command -v busybox)" "$root/bin"
	for name in sh grep head tr cat printf dmesg poweroff; do
		ln -s busybox "$root/bin/$name"
	done
	{
		printf '#!/bin/sh\nexec >/dev/console 2>&1\n'
		asks late /
		echo 'poweroff -f'
	} >"$root/sbin/init"
	chmod 755 "$root/sbin/init"
	truncate -s 64M "$work/disk"
	mke2fs -q -t ext4 -F -d "$root" "$work/disk"
}

boot() {
	local accel=(-accel tcg,thread=multi -cpu max)

	! grep -qs ' kvm$' "$CACHE/kvm.verdict" || accel=(-accel kvm -cpu host)
	timeout 240 qemu-system-x86_64 "${accel[@]}" -M pc -m 1G -smp 2 -nodefaults \
		-no-user-config -no-reboot -display none -serial "file:$work/console" \
		-drive "file=$work/disk,if=virtio,format=raw,cache=unsafe" \
		-kernel "$image/vmlinuz" -initrd "$work/root/initrd" \
		-append 'root=/dev/vda rw console=ttyS0 loglevel=7 panic=-1 oops=panic
		random.trust_cpu=on'
}

# said WHEN WHAT: on the console
said() {
	tr -d '\r' <"$work/console" | sed -n "s/^$1: $2: //p" | head -n 1
}

# line PATTERN: where it is in the log
line() {
	grep -n -m 1 -- "$1" "$work/console" | cut -d : -f 1
}

mount -t tmpfs -o size=2G tmpfs "$work" || exit 1
check "an initramfs" system
disk
check "a machine that boots from it and ends" boot
grep -aE '^(early|late): ' "$work/console"
check "early: no root file system" [ "$(said early root)" = 0 ]
check "early: the model is there" [ "$(said early model)" = 1 ]
check "early: it answers" [ -n "$(said early answer)" ]
check "loaded before the root file system was mounted" [ "$(line 'llamux: model early loaded')" \
	-lt "$(line 'EXT4-fs (vda): mounted')" ]
check "late: a root file system" [ "$(said late root)" = 1 ]
check "late: the model is there" [ "$(said late model)" = 1 ]
check "late: the same answer" [ "$(said late answer)" = "$(said early answer)" ]
check "the kernel has no complaint" beds/dmesg-check "$work/console"
[ $failed -eq 0 ] || tail -n 40 "$work/console"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
