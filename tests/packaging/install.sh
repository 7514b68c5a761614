#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The packages: lintian has nothing to say, they install in a Debian system
# without a network, build the module for every kernel that has headers there,
# work, and leave nothing behind.
#
#	tests/packaging/install.sh [SUITE]	bookworm (default) or trixie
set -uo pipefail

[ "$(id -u)" -eq 0 ] || exit 77
# Mounts that end with this process.
[ -n "${OWN_MOUNTS:-}" ] || OWN_MOUNTS=1 exec unshare -m "$0" "$@"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
scripts/deps.sh build deb kernel || exit 77
suite=${1:-bookworm}

work=$(mktemp -d)
trap 'umount -l "$work/root" "$work" 2>/dev/null; rmdir "$work"' EXIT
(debian_root "$suite" >/dev/null) || exit 77
packages || exit 1
over "$suite" "$work" || exit 1
root=$work/root

# Nobody has asked Debian for this package: there is no request to close.
lint() {
	lintian --allow-root --fail-on error,warning \
		--suppress-tags initial-upload-closes-no-bugs build/deb/*.changes
}
check "lintian" lint

state "$root" >"$work/before"
check "install" install_packages "$root"
# Where the module for a kernel is. It may be one of which only headers are
# here, and modprobe's tables are not made then.
module_of() {
	find "$root/lib/modules/$1/updates" -name 'llamux.ko*' -printf "/lib/modules/$1/updates/%P\n"
}

# It is for kernel $1, and says $3 of $2.
says() {
	local module

	module=$(module_of "$1")
	# shellcheck disable=SC2053 # a pattern
	[ -n "$module" ] && [[ $(in_root "$root" modinfo -F "$2" "$module") == $3 ]]
}
kernels=0
for dir in "$root"/lib/modules/*/build; do
	release=$(basename "$(dirname "$dir")")
	kernels=$((kernels + 1))
	check "the module for $release" says "$release" vermagic "$release *"
	check "it is of this version" says "$release" version \
		"$(build/llamux --version | cut -d ' ' -f 2)"
done
check "two kernels at least" test $kernels -ge 2
check "an answer in user space" test "$(in_root "$root" \
	llamux --user ask --temp 0 'What does ls do?')" = 'ls lists directory contents.'
check "the group" in_root "$root" getent group llamux
check "the unit is enabled" in_root "$root" systemctl -q is-enabled llamux.service
check "the gateway's unit is not" test "$(in_root "$root" systemctl is-enabled \
	llamux-serve.service)" = disabled
for unit in llamux llamux-serve; do
	check "$unit.service is well-formed" in_root "$root" systemd-analyze verify \
		--man=no "/lib/systemd/system/$unit.service"
done
check "packages' own test: command" in_root "$root" sh -e /debs/tests/command
check "packages' own test: library" in_root "$root" sh -e /debs/tests/library

# The initramfs has the module when it is asked for, and not before.
release=$(basename -a "$root"/boot/vmlinuz-* | sort -V | head -n 1)
release=${release#vmlinuz-}
initramfs_has() {
	in_root "$root" sh -c "update-initramfs -u -k $release >/dev/null 2>&1
		lsinitramfs /boot/initrd.img-$release" | grep -E "$1" >/dev/null
}
check "not in the initramfs" test -z "$(in_root "$root" lsinitramfs \
	"/boot/initrd.img-$release" | grep -E 'llamux.ko|early.gguf')"
echo 'INITRAMFS=yes' >>"$root/etc/default/llamux"
check "in the initramfs" initramfs_has 'llamux\.ko'
check "with its model" test -n "$(in_root "$root" lsinitramfs \
	"/boot/initrd.img-$release" | grep early.gguf)"

# Installed again is an upgrade: the module is built again. One is enough.
for dir in "$root"/lib/modules/*/build; do
	[ "$dir" = "$root/lib/modules/$release/build" ] || mv "$dir" "$dir.away"
done
check "upgrade" in_root "$root" sh -c 'dpkg -i /debs/llamux-dkms_*.deb'
check "the module after it" says "$release" vermagic "$release *"

for dir in "$root"/lib/modules/*/build.away; do
	mv "$dir" "${dir%.away}"
done
check "purge" in_root "$root" sh -c 'apt-get -y purge llamux* libllamux*'
check "no group" test -z "$(grep llamux "$root/etc/group" "$root/etc/gshadow")"
state "$root" >"$work/after"
check "nothing is left" diff "$work/before" "$work/after"
finish
