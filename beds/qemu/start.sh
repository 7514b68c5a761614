# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A stock Debian kernel in QEMU. The host's files come in over 9p; the kernel
# console is a serial port into a file, the command's terminal a virtio
# console. Sourced by beds/run, whose variables it uses.
# shellcheck disable=SC2154

QEMU_MODULES="virtio_pci 9pnet_virtio 9p virtio_console virtio_rng"

# add_modules IMAGE DIR: copy what these modules need into DIR/modules and
# write DIR/bed.modules in the order to load them. A module that is not among
# the files is built into the kernel.
add_modules() {
	local tree name path
	tree=$1/lib/modules/$(cat "$1/release")

	mkdir -p "$2/modules"
	for name in $QEMU_MODULES; do
		# modules.dep has what a module needs, last first.
		sed -n -E "s|^(.*/${name//_/[-_]}\.ko[^:]*):(.*)|\1 \2|p" \
			"$tree/modules.dep" | tr ' ' '\n' | sed '/^$/d' | tac
	done | awk '!seen[$0]++' | while read -r path; do
		name=$(basename "$path")
		case $name in
		*.xz) xz -dc "$tree/$path" >"$2/modules/${name%.xz}" ;;
		*.zst) zstd -dqc "$tree/$path" >"$2/modules/${name%.zst}" ;;
		*) cp "$tree/$path" "$2/modules/$name" ;;
		esac
		name=${name%.xz}
		echo "${name%.zst}" >>"$2/bed.modules"
	done
}

# qemu_accel: prints `kvm` or `tcg`. A /dev/kvm that is there may still hang a
# guest, so a guest is booted with it once, with a short time limit, and the
# answer kept for as long as this machine runs.
qemu_accel() {
	local verdict=$CACHE/kvm.verdict boot

	if [ -n "${BED_ACCEL:-}" ]; then
		echo "$BED_ACCEL"
		return
	fi
	if [ ! -w /dev/kvm ]; then
		echo tcg
		return
	fi
	boot=$(cat /proc/sys/kernel/random/boot_id)
	if ! grep -qs "^$boot " "$verdict"; then
		say "trying KVM (15 s at most)"
		if BED_ACCEL=kvm "$BEDS/run" "$bed" -t 15 -- true \
			</dev/null >/dev/null 2>&1; then
			echo "$boot kvm" >"$verdict"
		else
			echo "$boot tcg" >"$verdict"
		fi
	fi
	cut -d ' ' -f 2 "$verdict"
}

start_qemu() {
	local image accel args=() n=0 half dir common=security_model=none,multidevs=remap
	local QEMU_MODULES="$QEMU_MODULES${disk:+ virtio_blk crc32c_generic ext4}"

	deps qemu
	image=$(kernel_image "$1")
	accel=$(qemu_accel)
	add_modules "$image" "$work/initrd"
	make_initramfs qemu hvc0 "$work/initrd"

	case $accel in
	kvm) args+=(-accel kvm -cpu host) ;;
	*) args+=(-accel "tcg,thread=multi" -cpu max) ;;
	esac
	args+=(-M pc -m "$mem" -smp "$cpus" -nodefaults -no-user-config
		-no-reboot -display none
		-chardev "file,id=console,path=$work/console" -serial chardev:console
		-device virtio-rng-pci
		-fsdev "local,id=root,path=/,$common,readonly=on"
		-device "virtio-9p-pci,fsdev=root,mount_tag=root"
		-fsdev "local,id=bed,path=$work,$common"
		-device "virtio-9p-pci,fsdev=bed,mount_tag=bed")
	for dir in "${shares[@]}"; do
		args+=(-fsdev "local,id=share$n,path=${dir//,/,,},$common"
			-device "virtio-9p-pci,fsdev=share$n,mount_tag=share$n")
		n=$((n + 1))
	done
	if [ -n "$disk" ]; then
		args+=(-drive "file=$work/disk,format=raw,if=virtio,cache=none")
	fi
	if [ -n "$interactive" ]; then
		args+=(-chardev "stdio,id=tty,signal=off" -device virtio-serial-pci
			-device "virtconsole,chardev=tty")
	fi
	if [ "${BED_NODES:-1}" = 2 ]; then
		args+=(-smp "$cpus,sockets=2")
		half=$(($(numfmt --from=iec "$mem") / 2))
		for n in 0 1; do
			args+=(-object "memory-backend-ram,id=ram$n,size=$half"
				-numa "node,memdev=ram$n,cpus=$n")
		done
	fi
	launch qemu-system-x86_64 "${args[@]}" -kernel "$image/vmlinuz" \
		-initrd "$work/initramfs" \
		-append "console=ttyS0 loglevel=5 panic=-1 oops=panic log_buf_len=4M \
random.trust_cpu=on ${BED_APPEND:-}"
}
