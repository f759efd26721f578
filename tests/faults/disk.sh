# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # for and of those who source this
# A file system of our own in a file, mounted through a loop device.  Its file
# has what has reached the disk, and nothing that is only in the page cache
# above: a copy of it is what a power cut leaves.

# The file systems: name, size, and what makes one.
ext4=(ext4 64M mkfs.ext4 -q -F -E lazy_itable_init=0)
xfs=(xfs 300M mkfs.xfs -q -f)
btrfs=(btrfs 256M mkfs.btrfs -q -f)

# make_disk FS SIZE MKFS...: the file `disk` with an empty one, and the same in
# `fresh`; it is to be mounted on mnt, which sets $mnt and $root.  Skips where
# the kernel cannot.
make_disk() {
	fs=$1 mnt=$PWD/mnt root=$PWD/mnt/root
	mkdir mnt
	truncate -s "$2" disk
	run "${@:3}" disk
	defer leave
	attach rw || skip "cannot mount $fs here: $(tail -n 1 why)"
	detach
	cp --sparse=always disk fresh
}

# attach OPTIONS: mount the disk.  The kernel may refuse.  Detached while it
# is in use, the loop device goes away with the mount.  (With -o loop,ro it
# would be read-only itself, and no journal could be replayed.)
attach() {
	local status=0
	device=$(losetup --find --show disk 2>why) || return 1
	mount -t "$fs" -o "$1" "$device" "$mnt" 2>why || status=1
	losetup -d "$device"
	return "$status"
}

detach() {
	# Whoever was killed may not be gone yet.
	wait_for 10 umount "$mnt"
	forget
}

# btrfs remembers devices by what they held.
forget() {
	[ "$fs" != btrfs ] || btrfs device scan --forget >/dev/null 2>&1 ||
	    true
}

# Whatever happens, no mount stays behind.
leave() {
	if mountpoint -q "$mnt"; then
		umount "$mnt" || umount -l "$mnt"
	fi
	forget
}
