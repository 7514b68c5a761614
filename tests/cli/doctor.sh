#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# doctor, of systems made up for it: each has one thing wrong, and that is what
# it says, with what mends it.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need_model

r=6.1.0-13-amd64
root=$work/root

# healthy: a system without anything wrong, up to the module
healthy() {
	rm -rf "$root"
	mkdir -p "$root"/{dev,proc/sys/kernel,usr/share/llamux,var/lib/dkms/llamux} \
		"$root"/usr/src/linux-headers-$r "$root"/lib/modules/$r/updates \
		"$root"/sys/module/{llamux,module/parameters} "$root"/sys/kernel/security
	echo $r >"$root/proc/sys/kernel/osrelease"
	printf 'MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n' >"$root/proc/meminfo"
	printf 'ext4 1 0 - Live 0x0\nllamux 500000 0 - Live 0x0 (OE)\n' >"$root/proc/modules"
	"$llamux" --version | cut -d ' ' -f 2 >"$root/sys/module/llamux/version"
	echo N >"$root/sys/module/module/parameters/sig_enforce"
	echo '[none] integrity confidentiality' >"$root/sys/kernel/security/lockdown"
	ln -s /usr/src/linux-headers-$r "$root/lib/modules/$r/build"
	printf 'kernel/fs/ext4.ko:\nupdates/llamux.ko:\n' >"$root/lib/modules/$r/modules.dep"
	echo 'no signature' >"$root/lib/modules/$r/updates/llamux.ko"
	cp "$model" "$root/usr/share/llamux/default.gguf"
	touch "$root/dev/llama"
	chmod 660 "$root/dev/llama"
}

# finds WHAT TEXT MEND: that, as wrong, and nothing else wrong
finds() {
	run doctor --root "$root"
	if exits 1 && [ "$(grep -c '^wrong' "$work/out")" -eq 1 ] &&
		out_has "^wrong +$1 +.*$2" && out_has "^ +-> .*$3"; then
		return 0
	fi
	cat "$work/out"
	return 1
}

unloaded() {
	healthy
	sed -i /llamux/d "$root/proc/modules"
}

healthy
run doctor --root "$root"
is "healthy" exits 0
is "nothing wrong" test -z "$(grep '^wrong' "$work/out")"
run --json doctor --root "$root"
is "healthy, as JSON" out_has '^\{"checks": \[.*\], "healthy": true\}$'
is "JSON can be read" python3 -m json.tool "$work/out" /dev/null

unloaded
is "not loaded" finds module 'not loaded: /lib/modules/' 'modprobe llamux'
run --json doctor --root "$root"
is "not loaded, as JSON" out_has '"state": "wrong", "text": "not loaded.*"healthy": false'
unloaded
echo Y >"$root/sys/module/module/parameters/sig_enforce"
is "not signed" finds module 'not signed' 'mokutil --import'
echo N >"$root/sys/module/module/parameters/sig_enforce"
echo 'none [integrity] confidentiality' >"$root/sys/kernel/security/lockdown"
is "not signed, lockdown" finds module 'not signed' 'mokutil --import'
printf '~Module signature appended~\n' >>"$root/lib/modules/$r/updates/llamux.ko"
is "signed" finds module 'not loaded' 'modprobe llamux'
unloaded
: >"$root/lib/modules/$r/modules.dep"
is "not built" finds module "not built for .*$r" "dkms autoinstall -k $r"
rm -r "$root/var/lib/dkms/llamux"
is "not installed" finds module 'not built' 'apt install llamux-dkms'
unloaded
echo 6.12.0-1-amd64 >"$root/proc/sys/kernel/osrelease"
mkdir -p "$root/lib/modules/6.12.0-1-amd64/build"
is "for another kernel" finds module "for kernel $r, but 6.12.0-1-amd64 is running" dkms
unloaded
: >"$root/lib/modules/$r/modules.dep"
rm -r "$root"/usr/src/*
run doctor --root "$root"
is "no headers" out_has "^wrong +headers .*$r"
is "which to install" out_has "-> apt install linux-headers-$r\$"

healthy
echo 5.10.0-30-amd64 >"$root/proc/sys/kernel/osrelease"
is "an old kernel" finds kernel 'older than 6.1' '6.1'
healthy
rm "$root/dev/llama"
is "no device" finds device 'no /dev/llama' 'udevadm'
healthy
echo 0.0.1 >"$root/sys/module/llamux/version"
run doctor --root "$root"
is "another version is a warning" exits 0
is "another version" out_has '^warning +module +version 0\.0\.1 is loaded'
healthy
printf 'MemAvailable: 1000 kB\n' >"$root/proc/meminfo"
is "no memory" finds memory 'are available' 'llamux plan'
healthy
chmod 666 "$root/dev/llama"
run doctor --root "$root"
is "a device for everybody is a warning" out_has '^warning +device +everybody'
healthy
rm "$root/usr/share/llamux/default.gguf"
run doctor --root "$root"
is "no model file is a warning" out_has '^warning +file'

# Who may use it is asked as somebody else than root.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	as_nobody() {
		setpriv --reuid nobody --regid nogroup --clear-groups \
			"$work/llamux" doctor --root "$root" >"$work/out"
	}
	cp "$llamux" "$work/llamux"
	chmod 755 "$work"
	healthy
	chown root:games "$root/dev/llama"
	as_nobody
	is "not in the group" out_has '^wrong +device .*group games, and nobody is not'
	is "how to get in" out_has 'adduser nobody games'
	chown root:root "$root/dev/llama"
	as_nobody
	is "root's device" out_has '^wrong +device .*belongs to root alone'
else
	skipped=$((skipped + 3))
fi

run --user -m "$model" doctor
is "--user looks at less" exits 0
is "--user: no module" test -z "$(grep module "$work/out")"
run --user -m /no/such doctor
is "--user without a file" exits 1
run doctor now
is "doctor takes nothing" exits 2
finish
