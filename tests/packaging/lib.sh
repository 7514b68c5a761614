# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of the packages share: the packages, a Debian system over
# which they may write, checks.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
passed=0 failed=0
# shellcheck source=beds/lib.sh
. beds/lib.sh
# shellcheck source=beds/kernels.sh
. beds/kernels.sh
# shellcheck source=beds/roots.sh
. beds/roots.sh

check() {
	local what=$1

	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "failed: $what"
	fi
}

finish() {
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
	exit
}

# packages: have them in build/deb, of the tree as it is. The tests that run
# while they are built have run here already.
packages() {
	local changes newer

	changes=$(echo build/deb/*.changes)
	if [ -e "$changes" ]; then
		newer=$(git ls-files -co --exclude-standard | xargs -d '\n' \
			stat -c '%Y' -- 2>/dev/null | sort -n | tail -n 1)
		[ "${newer:-0}" -ge "$(stat -c %Y "$changes")" ] || return 0
	fi
	DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" packaging/build-deb build/deb
}

# over SUITE DIR: mount at DIR/root what may be written to over that system.
# Goes when this process does: the mounts are in a namespace of its own.
over() {
	local lower

	lower=$(debian_root "$1") || return
	mount -t tmpfs -o size=4G tmpfs "$2"
	mkdir "$2/up" "$2/work" "$2/root"
	mount -t overlay overlay \
		-o "lowerdir=$lower,upperdir=$2/up,workdir=$2/work" "$2/root"
	mkdir "$2/root/debs"
	cp -r build/deb/*.deb packaging/debian/tests "$2/root/debs"
}

# install_packages ROOT: as a person would, but without a network.
install_packages() {
	in_root "$1" sh -c 'apt-get -y --no-install-recommends \
		-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=/dev/null \
		install /debs/*.deb'
}

# state ROOT: every file that outlives a restart, and what the account files say.
state() {
	(cd "$1" && find . -xdev -path ./proc -prune -o -path ./run -prune \
		-o -path ./debs -prune \
		-o ! -path './var/cache/apt/*' ! -path './var/log/*' \
		! -path './var/lib/dkms/mok.*' ! -name '*-' \
		! -path './boot/initrd.img*' -printf '%p %M %u %g %l\n' | sort)
	cat "$1/etc/group" "$1/etc/passwd"
}
