# shellcheck shell=bash
# Where the copies go: $spot, a fresh directory on the file system that is
# asked for.
#
# $tmp is from `run`, which uses $spot and $can_mount.
# shellcheck disable=SC2034,SC2154

IMAGE_SIZE=40G		# sparse
image=

# Can a file system be mounted from an image?  Sets $can_mount.
probe_mount() {
	local f=$tmp/probe
	can_mount=no
	if [ "$(id -u)" -eq 0 ] && mkdir "$f" &&
	    truncate -s 16M "$f/img" && mkfs.ext4 -q -F "$f/img" &&
	    mount -o loop "$f/img" "$f" && umount "$f"; then
		can_mount=yes
	fi 2>/dev/null
}

# place_begin ext4|xfs|here: sets $spot.
place_begin() {
	spot=$tmp/place
	image=
	if [ "$1" = here ]; then
		spot=$(mktemp -d "$tmp/here.XXXXXX")
		return
	fi
	mkdir -p "$spot"
	image=$tmp/image
	if ! make_image "$1" || ! mount_image; then
		die "cannot make and mount an image of $1; try the word 'here'"
	fi
}

# All that a file system would write later by itself is written now.
make_image() {
	rm -f "$image"
	truncate -s "$IMAGE_SIZE" "$image" || return
	case $1 in
	ext4) mkfs.ext4 -q -F -i 8192 \
	    -E lazy_itable_init=0,lazy_journal_init=0 "$image" ;;
	xfs) mkfs.xfs -q -f "$image" ;;
	esac
}

# Direct: what is written goes to the disk, not once more to the page cache.
mount_image() {
	local loop
	loop=$(losetup --direct-io=on --show -f "$image" 2>/dev/null) ||
	    loop=$(losetup --show -f "$image") || return
	mount "$loop" "$spot" || return
	# It goes when the mount goes.
	losetup -d "$loop"
}

# Give the space back; what is `here` stays until the end.
place_end() {
	[ -n "$image" ] || return 0
	# Who was interrupted may still be in there.
	umount "$spot" 2>/dev/null || umount -l "$spot" 2>/dev/null
	rm -f "$image"
	image=
}
