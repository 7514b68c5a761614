#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Install the Debian packages that a part of the project needs.
#
#	scripts/deps.sh GROUP...	groups: build bench check test serve page
#					kernel qemu uml initramfs fuzz unicode deb
#
# build: the tools; bench: its plot; check: style; test: what tests run; serve: llamux-serve;
# page: a browser for the test of its page; kernel: modules for Debian's
# kernels; qemu, uml: the beds (see beds/README.md); initramfs: Debian's tool that
# makes one, without its triggers; fuzz: clang; unicode: the
# tables of engine/unicode_tables.c are made from it; deb: packages.
# Nothing is called when nothing is missing. Set LLAMUX_NO_DEPS=1 to be told
# what is missing instead of having it installed.
set -euo pipefail
shopt -s inherit_errexit

packages() {
	case $1 in
	build) echo gcc make libc6-dev libedit2 ;;
	bench) echo python3 gnuplot-nox ;;
	check) echo shellcheck clang-format binutils ;;
	test) echo python3 python3-jsonschema pkg-config mandoc fish zsh curl ;;
	serve) echo libmicrohttpd-dev libjansson-dev ;;
	page) echo chromium fonts-dejavu-core ;;
	kernel) echo gcc make libc6-dev dwarves kmod xz-utils debootstrap util-linux ;;
	qemu) echo qemu-system-x86 busybox-static cpio kmod numactl xz-utils util-linux ;;
	uml) echo gcc make libc6-dev flex bison bc libelf-dev libssl-dev dwarves xz-utils \
		busybox-static cpio util-linux ;;
	initramfs) echo initramfs-tools-core e2fsprogs kmod util-linux ;;
	fuzz) echo clang libclang-rt-dev ;;
	unicode) echo unicode-data ;;
	deb) echo dpkg-dev debhelper dh-dkms lintian gcc make libc6-dev xz-utils \
		libmicrohttpd-dev libjansson-dev ;;
	*)
		echo "deps: no group '$1' (build bench check test serve page kernel qemu uml" \
			"initramfs fuzz unicode deb)" >&2
		return 2
		;;
	esac
}

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# What the group is for may be there without the package (a compiler from
# elsewhere, a toolchain in a container); only packages are looked at.
missing() {
	local group list pkg

	for group in "$@"; do
		list=$(packages "$group")
		for pkg in $list; do
			installed "$pkg" || echo "$pkg"
		done
	done | sort -u
}

# apt_get ARGUMENT...: as root; what it says matters when it fails only.
apt_get() {
	local root=()

	[ "$(id -u)" -eq 0 ] || root=(sudo)
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y -o DPkg::Lock::Timeout=600 \
		--no-install-recommends "$@" </dev/null >"$log" 2>&1
}

install() {
	echo "deps: installing $*" >&2
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	apt_get update || echo "deps: apt-get update failed; going on" >&2
	if ! apt_get install "$@"; then
		tail -n 20 "$log" >&2
		echo "deps: apt-get install failed" >&2
		return 1
	fi
}

[ $# -gt 0 ] || set -- build
need=$(missing "$@")
[ -n "$need" ] || exit 0
if ! command -v apt-get >/dev/null; then
	echo "deps: no apt-get here; please install: ${need//$'\n'/ }" >&2
	exit 1
fi
if [ -n "${LLAMUX_NO_DEPS:-}" ]; then
	echo "deps: missing: ${need//$'\n'/ }" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
	echo "deps: neither root nor sudo; please install: ${need//$'\n'/ }" >&2
	exit 1
fi
mapfile -t need <<<"$need"
install "${need[@]}"
