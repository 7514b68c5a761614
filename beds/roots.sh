# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Small installed Debian systems, each with the stock kernel of its suite, the
# headers of that and of the newest backported one, and dkms: what packages are
# tried in. Sourced after lib.sh and kernels.sh; needs root.

# What the packages of this project depend on is there before they are, so
# that trying them needs no network. libmicrohttpd and curl are for commands
# that are optional.
root_packages() {
	local time64=t64

	[ "$1" != bookworm ] || time64=''
	echo linux-image-amd64 linux-headers-amd64 dkms kmod initramfs-tools \
		systemd-sysv udev gcc libc6-dev pkg-config python3 libedit2 \
		curl ca-certificates libjansson4 "libmicrohttpd12$time64"
}

# A small initramfs: it has to find a virtio disk, no more.
root_initramfs() {
	mkdir -p "$1/etc/initramfs-tools/conf.d"
	echo 'MODULES=list' >"$1/etc/initramfs-tools/conf.d/llamux-bed"
	printf '%s\n' virtio_pci virtio_blk ext4 >>"$1/etc/initramfs-tools/modules"
}

# in_root DIR COMMAND...: as in that system.
in_root() {
	local dir=$1

	shift
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare -m sh -c '
		dir=$1
		shift
		mount -t proc proc "$dir/proc"
		exec chroot "$dir" env -i DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
			HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
	' sh "$dir" "$@"
}

root_install() {
	local suite=$1 dir=$2

	shift 2
	# Every apt of ours asks for what is named, no more.
	in_root "$dir" apt-get -y --no-install-recommends -t "$suite" install "$@"
}

root_fill() {
	local suite=$1 dir=$2 packages headers

	say "making a small Debian system ($suite)"
	read -ra packages < <(root_packages "$suite")
	apt_root "$suite-backports"
	headers=linux-headers-$(newest_linux "$suite-backports")-amd64
	logged "root-$suite" debootstrap --variant=minbase "$suite" "$dir" "$(mirror)"
	root_initramfs "$dir"
	cp /etc/resolv.conf "$dir/etc/resolv.conf"
	echo "deb $(mirror) $suite-backports main" \
		>"$dir/etc/apt/sources.list.d/backports.list"
	logged "root-$suite-update" in_root "$dir" apt-get update
	logged "root-$suite-packages" root_install "$suite" "$dir" "${packages[@]}"
	logged "root-$suite-headers" root_install "$suite-backports" "$dir" "$headers"
	in_root "$dir" apt-get clean
}

# debian_root SUITE: prints the directory of that system. Not to be changed:
# who wants to lays something over it.
debian_root() {
	local dir=$CACHE/roots/$1

	[ "$(id -u)" -eq 0 ] || die "a Debian system is made by root"
	if [ ! -d "$dir" ]; then
		deps kernel
		once "$dir" root_fill "$1" || die "no Debian system of $1"
	fi
	echo "$dir"
}
