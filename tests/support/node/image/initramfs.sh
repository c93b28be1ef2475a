#!/bin/sh
# initramfs.sh KERNEL_TREE TARGET: make TARGET/kernel and TARGET/initramfs of an unpacked kernel package and this machine's busybox.
set -eu
tree=$1 target=$2
here=$(dirname "$0")
root=$(mktemp -d)
mkdir -p "$root/bin" "$root/lib" "$root/dev" "$root/proc" "$root/sys" "$root/context" "$root/data" "$root/www/cgi-bin" "$target"
cp "$(command -v busybox)" "$root/bin/busybox"
# In the order in which they have to be loaded; some kernels have a few of them built in.
version=$(basename "$tree"/lib/modules/*)
depmod -b "$tree" "$version"
number=100
for name in virtio_pci virtio_net virtio_blk virtio_scsi virtio_balloon ata_piix sd_mod sr_mod isofs button evdev; do
    for file in $(modprobe -d "$tree" -S "$version" --show-depends "$name" | sed -n 's/^insmod \([^ ]*\).*/\1/p'); do
        ls "$root"/lib/*-"$(basename "$file")" >/dev/null 2>&1 || cp "$file" "$root/lib/$number-$(basename "$file")"
        number=$((number + 1))
    done
done
install -m 755 "$here/init" "$root/init"
install -m 755 "$here/cgi" "$root/www/cgi-bin/sh"
(cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) | gzip -9n > "$target/initramfs"
cp "$tree"/boot/vmlinuz-* "$target/kernel"
chmod 644 "$target"/*
rm -rf "$root"
