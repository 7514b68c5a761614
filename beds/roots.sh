# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Small installed Debian systems, each with the stock kernel of its suite, its
# headers and dkms: what packages are tried in. Sourced after lib.sh and
# kernels.sh; needs root.

# What the packages of this project depend on is there before they are, so
# that trying them needs no network.
ROOT_PACKAGES=linux-image-amd64,linux-headers-amd64,systemd-sysv,udev,kmod,dkms,\
initramfs-tools,libedit2,libcurl3-gnutls,curl,libmicrohttpd12,ca-certificates

# A small initramfs: it has to find a virtio disk, no more.
root_initramfs() {
	as_root mkdir -p "$1/etc/initramfs-tools/conf.d"
	echo 'MODULES=list' | as_root tee "$1/etc/initramfs-tools/conf.d/llamux-bed" >/dev/null
	printf '%s\n' virtio_pci virtio_blk ext4 |
		as_root tee -a "$1/etc/initramfs-tools/modules" >/dev/null
}

root_fill() {
	local suite=$1 dir=$2 packages=$ROOT_PACKAGES

	say "making a small Debian system ($suite)"
	# Names with the transition to 64-bit time.
	[ "$suite" = bookworm ] || packages=${packages/libcurl3-gnutls/libcurl3t64-gnutls}
	[ "$suite" = bookworm ] || packages=${packages/libmicrohttpd12/libmicrohttpd12t64}
	logged "root-$suite-debootstrap" as_root debootstrap --variant=minbase \
		"$suite" "$dir" "$(mirror)"
	root_initramfs "$dir"
	# shellcheck disable=SC2016 # expanded by the inner shell
	logged "root-$suite-packages" as_root unshare -m sh -c '
		mount -t proc proc "$1/proc"
		cp /etc/resolv.conf "$1/etc/resolv.conf"
		exec chroot "$1" env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
			PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -e -c "
				apt-get update
				apt-get -y --no-install-recommends install $(echo "$2" | tr , " ")
				apt-get clean"
	' sh "$dir" "$packages"
}

# debian_root SUITE: prints the directory of that system. Not to be changed:
# who wants to lays something over it.
debian_root() {
	local dir=$CACHE/roots/$1

	if [ ! -d "$dir" ]; then
		deps kernel
		once "$dir" root_fill "$1"
	fi
	echo "$dir"
}
