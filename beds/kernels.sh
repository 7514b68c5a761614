# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The kernels of Debian's archive, newest of each suite, fetched and unpacked
# into the cache without touching the machine's own apt or package database.
# Sourced after lib.sh.

# suite_of SERIES: which suite carries a kernel series.
suite_of() {
	case $1 in
	6.1) echo bookworm ;;
	6.12) echo bookworm-backports ;;
	7.3) echo trixie-backports ;;
	*) die "no kernel series '$1' (6.1 6.12 7.3)" ;;
	esac
}

# mirror: the Debian mirror this machine already uses.
mirror() {
	local uri

	# shellcheck disable=SC2016 # apt's own syntax
	uri=$(apt-get indextargets --format '$(SITE)' \
		'Created-By: Packages' 'Origin: Debian' 'Component: main' 2>/dev/null |
		grep -v -e security -e backports | head -n 1) || true
	echo "${uri:-http://deb.debian.org/debian}"
}

# bed_apt SUITE TOOL ARGS...: apt-get or apt-cache in a private root that
# knows one suite and has nothing installed.
bed_apt() {
	local root=$CACHE/apt/$1 tool=$2
	shift 2
	"$tool" -o Dir="$root" -o Dir::State="$root" -o Dir::Cache="$root" \
		-o Dir::State::status="$root/status" \
		-o Dir::Etc="$root" -o Dir::Etc::sourcelist="$root/sources.list" \
		-o Dir::Etc::sourceparts=- -o Dir::Etc::parts=- -o Dir::Etc::main=- \
		-o APT::Architecture=amd64 -o APT::Sandbox::User= -o Acquire::Retries=3 \
		-o APT::Install-Recommends=0 -qq "$@"
}

apt_root_fill() {
	local suite=$1 dir=$2
	local keys=/usr/share/keyrings/debian-archive-keyring.gpg

	mkdir -p "$dir"/{lists/partial,archives/partial,preferences.d}
	: >"$dir/status"
	echo "deb [signed-by=$keys] $(mirror) $suite main" >"$dir/sources.list"
}

# apt_root SUITE: have the private root, with an index less than a day old.
apt_root() {
	local root=$CACHE/apt/$1 stamp

	once "$root" apt_root_fill "$1"
	stamp=$(find "$root/updated" -mmin -1440 2>/dev/null) || true
	[ -z "$stamp" ] || return 0
	(
		flock 9
		bed_apt "$1" apt-get update >&2
		touch "$root/updated"
	) 9>"$root.lock"
}

# newest_linux SUITE: Debian's name of the newest kernel there, e.g.
# 6.1.0-40 or 7.3.4+deb13, by way of the meta package.
newest_linux() {
	local dep

	dep=$(bed_apt "$1" apt-cache depends linux-headers-amd64 |
		sed -n 's/^ *Depends: linux-headers-\(.*\)-amd64$/\1/p' |
		head -n 1)
	[ -n "$dep" ] || die "no kernel in $1"
	echo "$dep"
}

# newest_source SUITE: the newest linux-source-X.Y there.
newest_source() {
	local name

	name=$(bed_apt "$1" apt-cache pkgnames linux-source- |
		grep -E '^linux-source-[0-9]+\.[0-9]+$' | sort -V | tail -n 1)
	[ -n "$name" ] || die "no linux-source in $1"
	echo "$name"
}

# has_package SUITE NAME
has_package() {
	bed_apt "$1" apt-cache show "$2" >/dev/null 2>&1
}

# unpack SUITE DIR PACKAGE...: download packages, unpack them under DIR.
unpack() {
	local suite=$1 dir=$2 debs deb
	shift 2

	debs=$(mktemp -d "$CACHE/debs.XXXXXX")
	say "fetching $* ($suite)"
	(cd "$debs" && bed_apt "$suite" apt-get download "$@" >&2)
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$dir"
	done
	rm -rf "$debs"
}

image_fill() {
	local suite=$1 dir=$2 ver packages

	ver=$(newest_linux "$suite")-amd64
	if has_package "$suite" "linux-modules-$ver"; then
		packages=("linux-binary-$ver" "linux-modules-$ver")
	else
		packages=("linux-image-$ver")
	fi
	unpack "$suite" "$dir" "${packages[@]}"
	# Old packages have /lib, new ones /usr/lib: one place for both.
	if [ -d "$dir/lib/modules" ]; then
		mkdir -p "$dir/usr/lib"
		mv "$dir/lib/modules" "$dir/usr/lib/modules"
	fi
	mkdir -p "$dir/lib"
	[ -e "$dir/lib/modules" ] || ln -s ../usr/lib/modules "$dir/lib/modules"
	depmod -b "$dir" "$ver" 2>/dev/null
	if [ -e "$dir/boot/vmlinuz-$ver" ]; then
		ln -s "boot/vmlinuz-$ver" "$dir/vmlinuz"
	else
		ln -s "usr/lib/modules/$ver/vmlinuz" "$dir/vmlinuz"
	fi
	[ -e "$dir/vmlinuz" ] || die "no vmlinuz in the packages of $ver"
	echo "$ver" >"$dir/release"
}

# kernel_image SERIES: prints the directory that holds `vmlinuz`, `release`
# and lib/modules/ of the newest Debian kernel of the series.
kernel_image() {
	local suite

	suite=$(suite_of "$1")
	if [ ! -d "$CACHE/kernels/$1/image" ]; then
		apt_root "$suite"
		once "$CACHE/kernels/$1/image" image_fill "$suite"
	fi
	echo "$CACHE/kernels/$1/image"
}

headers_fill() {
	local suite=$1 final=$2 dir=$3 ver kbuild file

	ver=$(newest_linux "$suite")
	kbuild=$(bed_apt "$suite" apt-cache depends "linux-headers-$ver-amd64" |
		sed -n 's/^ *Depends: \(linux-kbuild-.*\)$/\1/p' | head -n 1)
	unpack "$suite" "$dir" "linux-headers-$ver-amd64" \
		"linux-headers-$ver-common" "$kbuild"
	# The packages expect to live in /usr/src.
	for file in "$dir/usr/src/linux-headers-$ver-amd64/"{Makefile,.kernelvariables}; do
		[ ! -f "$file" ] || sed -i "s|/usr/src/|$final/usr/src/|g" "$file"
	done
	ln -s "usr/src/linux-headers-$ver-amd64" "$dir/build"
}

# kernel_headers SERIES: prints the directory for `make -C`. Only for kernels
# whose tools run on this machine; see trixie_tree for the others.
kernel_headers() {
	local suite dir=$CACHE/kernels/$1/headers

	suite=$(suite_of "$1")
	if [ ! -d "$dir" ]; then
		apt_root "$suite"
		once "$dir" headers_fill "$suite" "$dir"
	fi
	readlink -f "$dir/build"
}

source_fill() {
	local suite=$1 dir=$2 name

	name=$(newest_source "$suite")
	unpack "$suite" "$dir/deb" "$name"
	say "unpacking $name"
	mkdir "$dir/linux"
	tar -C "$dir/linux" --strip-components=1 \
		-xf "$dir/deb/usr/src/$name.tar.xz"
	rm -rf "$dir/deb"
}

# kernel_source: prints the directory of the newest Debian kernel source.
kernel_source() {
	if [ ! -d "$CACHE/source" ]; then
		apt_root trixie-backports
		once "$CACHE/source" source_fill trixie-backports
	fi
	echo "$CACHE/source/linux"
}

# Needs root: a Debian 13 tree with the newest kernel's headers and the tools
# they want (glibc 2.38, a newer gcc than Debian 12's).
trixie_fill() {
	local dir=$1 ver

	say "making a small Debian 13 tree for the newest kernel's headers"
	logged trixie-debootstrap as_root debootstrap --variant=minbase \
		--include=make,ca-certificates trixie "$dir" "$(mirror)"
	ver=$(newest_linux trixie-backports)-amd64
	echo "deb $(mirror) trixie-backports main" |
		as_root tee "$dir/etc/apt/sources.list.d/backports.list" >/dev/null
	say "installing linux-headers-$ver in it"
	# shellcheck disable=SC2016 # expanded by the inner shell
	logged trixie-headers as_root unshare -m sh -c '
		mount -t proc proc "$1/proc"
		cp /etc/resolv.conf "$1/etc/resolv.conf"
		exec chroot "$1" env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
			PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -e -c "
				apt-get update
				apt-get -y --no-install-recommends \
					-t trixie-backports install linux-headers-$2 gcc binutils
				apt-get clean"
	' sh "$dir" "$ver"
	echo "$ver" | as_root tee "$dir/etc/llamux-kernel" >/dev/null
}

# trixie_tree: prints the directory of that tree.
trixie_tree() {
	if [ ! -d "$CACHE/trixie" ]; then
		apt_root trixie-backports
		once "$CACHE/trixie" trixie_fill
	fi
	echo "$CACHE/trixie"
}
