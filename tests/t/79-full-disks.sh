#!/bin/bash
# Hosts over real sshd, and the disk of one of them is full or read-only
# at each step of a publish.
# parts: 6
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

# on_tmpfs HOST: the root of the host is a small file system.
on_tmpfs() {
	need_root
	mkdir "r-$1"
	mount -t tmpfs -o size=4m,nr_inodes=200,mode=755 none "r-$1" \
	    2>/dev/null || skip "no tmpfs"
	defer umount -l "$PWD/r-$1"
}

do_fill() {
	mkdir "r-$1/fill"
	dd if=/dev/zero of="r-$1/fill/0" bs=4k 2>/dev/null || true
	(cd "r-$1/fill" && for ((i = 1; i < 200; i++)); do
		true >"$i" || break
	done) 2>/dev/null || true
}
undo_fill() { rm -rf "r-$1/fill"; }

# The release does not fit: said before anything is sent to anybody.
does_not_fit() {
	local n
	n=$(ls -d r-h?/releases/* | wc -l)
	head -c 5000000 /dev/urandom >site/more
	expect_status 10 deploy publish
	assert_contains "$err" "127.0.0.1${1#h}"
	assert_contains "$err" "nothing was changed"
	rm site/more
	mkdir site/many
	(cd site/many && seq 300 | xargs touch)
	expect_status 10 deploy publish
	assert_contains "$err" "inode"
	rm -r site/many
	assert_live "$second"
	assert_eq "$(ls -d r-h?/releases/* | wc -l)" "$n"
}

full() {
	on_tmpfs "$1"
	fleet_beside "$1"
	two
	does_not_fit "$1"
	for step in ${steps:-receive pack activate}; do
		fails_at "$step" "$1" fill 10
	done
	# What is armed has all that it needs.
	fails_at armed "$1" fill "0 9"
	assert_well
}

t_disk_of_a_c_host_is_full() { full h1; }
t_disk_of_a_dash_host_is_full() { full h2; }
t_disk_of_a_busybox_host_is_full() { full h3; }
t_disk_of_a_host_with_rsync_is_full() {
	steps="receive files activate"
	full h4
}

do_read_only() { mount -o remount,bind,ro "r-$1"; }
undo_read_only() { mount -o remount,bind,rw "r-$1"; }

# Where the root is not open for writing: a mount cannot change then.
read_only() {
	need_root
	mkdir "r-$1"
	mount --bind "r-$1" "r-$1" 2>/dev/null || skip "no bind mounts"
	defer umount -l "$PWD/r-$1"
	fleet_beside "$1"
	two
	for step in start receive activate; do
		fails_at "$step" "$1" read_only 1
		assert_contains said "Read-only file system"
	done
	fails_at prune "$1" read_only 9
	assert_well
}

t_root_of_a_c_host_is_read_only() { read_only h1; }
t_root_of_a_dash_host_is_read_only() { read_only h2; }
t_root_of_a_busybox_host_is_read_only() { read_only h3; }

do_fix() { chattr +i "r-$1"; }
undo_fix() { chattr -i "r-$1"; }

# `current` cannot be replaced, which is found out at the flip.
cannot_flip() {
	need_root
	need_cmd mkfs.ext4 chattr
	mkdir "r-$1"
	truncate -s 16M disk
	mkfs.ext4 -q disk
	mount -o loop disk "r-$1" 2>/dev/null || skip "no loop devices"
	defer umount -l "$PWD/r-$1"
	fleet_beside "$1"
	two
	fails_at armed "$1" fix 6
	assert_contains said "cannot replace"
	fails_at went "$1" fix 6
	assert_well
}

t_link_of_a_c_host_cannot_change() { cannot_flip h1; }
t_link_of_a_dash_host_cannot_change() { cannot_flip h2; }
t_link_of_a_busybox_host_cannot_change() { cannot_flip h3; }

run_tests
