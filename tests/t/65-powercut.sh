#!/bin/bash
# The power is cut before every call of a publish and of a rollback that
# changes something, and right after they have reported success: visitors get
# the whole old or the whole new release, the new one after success, and only
# complete releases are listed.  On file systems of our own in loop-mounted
# files; images of these files are taken in between (faults/shot.sh).
#
# Each is done twice.  As it is, a disk gets little that nobody asked for in
# so short a time.  The second time a neighbour writes and fsyncs a file of
# his before every image: that brings to disk the names that were made until
# then, but not what is in the files.
#
# What a device has confirmed counts as being on disk; that file systems also
# empty its write cache when they are told to is not tested here.
#
# That the test can fail is shown by the same with what people write by hand,
# and by deploy without one of its kinds of sync.

# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"

# parts: 3
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/faults/lib.sh
. "$TREE/tests/faults/lib.sh"
# shellcheck source=tests/faults/disk.sh
. "$TREE/tests/faults/disk.sh"
exec 3>&1

# -------------------------------------------------------------- the disk

# with_disk FS SIZE MKFS...: sites, and a disk image `fresh` with an empty
# file system; skips where that cannot be.
with_disk() {
	need_root
	need_cmd losetup mount "$3"
	fault_library
	in_memory 1000
	make_sites
	make_wants
	mkdir w shots
	cp -a site/2 w/site
	make_disk "$@"
	make_config "$root"
	seed=none wants=want after=back name=$fs how=''
	hit='' status='' injections=0 violations=0
	declare -gA intact=()
}

# A disk with 0 and 1 published, all on disk.
start_over() {
	cp --sparse=always fresh disk
	attach rw
	rm -rf shots
	mkdir shots
	"$@"
	sync -f "$mnt"
	detach
	attach rw
	export SHOT_DISK=$PWD/disk SHOT_DIR=$PWD/shots SHOT_MAY='' SHOT_BESIDE=
	export SHOT_STAT=/sys/block/${device#/dev/}/stat
}

publish_two() {
	"$DEPLOY" -q publish site/0 >/dev/null
	"$DEPLOY" -q publish --keep 9 site/1 >/dev/null
}

# ------------------------------------------------------------- the images

# stepped MAY CMD...: run CMD with an image before each of its calls, or before
# each $every-th: beside a neighbour no image is like the one before it.
every=1
stepped() {
	local -x SHOT_MAY=$1
	shift
	LD_PRELOAD=$faults FAULT_UNDER=$root FAULT_CALLS=change,sync \
	    FAULT_EXEC="[ \$((FAULT_N % $every)) -ne 0 ] || $TREE/tests/faults/shot.sh \"\$FAULT_N \$FAULT_CALL\"" \
	    run "$@"
}

# shot MAY LABEL: an image now.
shot() {
	SHOT_MAY=$1 "$TREE/tests/faults/shot.sh" "$2"
}

# After success no time may be lost.
publish_and_roll_back() {
	stepped '1 2' "$DEPLOY" publish w/site
	shot 2 'success of publish'
	stepped '1 2' "$DEPLOY" rollback
	shot 1 'success of rollback'
}

# check_shots OPTIONS LOOK: mount every image, let LOOK see, and compare what
# visitors get with what they may get.  Sets seen: that of each shot.
check_shots() {
	local image may label last='' first=$injections bad=$violations
	seen=()
	sort -n -k 1,1 -s shots/list >shots/sorted
	while IFS=$'\t' read -r image may label; do
		injections=$((injections + 1))
		hit=$label
		if [ "$image" != "$last" ]; then
			check_image "$image" "$@"
			last=$image
		fi
		seen+=("$live")
		[[ " $may " == *" $live "* ]] ||
		    violation "visitors get $live, not ${may// / or }"
	done <shots/sorted
	tally "$name, $how" $((injections - first)) $((violations - bad))
}

# check_image IMAGE OPTIONS LOOK
check_image() {
	mv "shots/$1" disk
	intact=()
	live=unmountable
	if attach "$2"; then
		"$3" "$root"
		detach
	else
		violation "the file system does not mount: $(cat why)"
	fi
}

# look, and the next publish is as good as any.
look_and_heal() {
	local found
	look
	found=$live
	quick publish w/site --override=order >o 2>e || violation "publish fails: $(cat e)"
	intact=()
	look
	[ "$live" = 2 ] || violation "published, but live is $live"
	is_clean
	live=$found
}

publish_survives() {
	start_over publish_two
	how="power cut"
	publish_and_roll_back
	detach
	check_shots rw look_and_heal
	start_over publish_two
	how="power cut beside a neighbour"
	SHOT_BESIDE=$mnt/neighbour
	wide || every=3
	publish_and_roll_back
	detach
	# Read-only: the journal is replayed all the same.
	check_shots ro look
	((violations == 0)) || fail "$violations violations"
}

on_ext4() {
	with_disk "${ext4[@]}"
}

on_xfs() {
	with_disk "${xfs[@]}"
}

on_btrfs() {
	with_disk "${btrfs[@]}"
}

t_ext4() {
	on_ext4
	publish_survives
}

t_xfs() {
	on_xfs
	publish_survives
}

t_btrfs() {
	on_btrfs
	publish_survives
}

# --------------------------------------------- proof that this test can fail

publish_one_by_hand() {
	mkdir -p "$root/releases"
	cp -r site/1 "$root/releases/"
	ln -s releases/1 "$root/current"
}

# What people write, without a sync.
by_hand() {
	cp -r site/2 "$root/releases/"
	ln -s releases/2 "$root/next"
	mv -T "$root/next" "$root/current"
}

by_hand_with_rsync() {
	rsync -a --link-dest="$root/releases/1" site/2/ "$root/releases/2"
	ln -s releases/2 "$root/next"
	mv -T "$root/next" "$root/current"
}

# without SYNC: deploy, but one kind of its calls does nothing.
without() {
	LD_PRELOAD=$faults FAULT_SKIP=$1 "$DEPLOY" -q publish w/site
}

# is_caught WANT CMD...: CMD reports success; cut off then, visitors must be
# seen to get something else than the new release, and with a neighbour WANT.
is_caught() {
	local want=$1
	shift
	how="$*, success"
	run "$@"
	shot 2 success
	SHOT_BESIDE=$mnt/neighbour
	shot 2 'success beside a neighbour'
	detach
	violations=0
	check_shots ro look_at_current >/dev/null 3>&1
	[ "${seen[0]}" != 2 ] || fail "$how: not caught"
	assert_eq "${seen[1]}" "$want" "$how: visitors get, with a neighbour"
	echo "# $name, $how: visitors get ${seen[0]}, then ${seen[1]}" >&3
}

t_ext4_loses_what_is_not_synced() {
	on_ext4
	wants=site
	start_over publish_one_by_hand
	is_caught broken by_hand
	if command -v rsync >/dev/null; then
		start_over publish_one_by_hand
		is_caught broken by_hand_with_rsync
	fi
	start_over publish_one_by_hand
	how='by_hand, before every call, beside a neighbour'
	SHOT_BESIDE=$mnt/neighbour
	stepped '1 2' by_hand
	shot 2 success
	detach
	check_shots ro look_at_current
	((violations > 0)) || fail "$how: not caught"
	wants=want
	syncs_are_needed 2
}

# syncs_are_needed AFTER: without the fsyncs the flip is not on disk; with a
# neighbour's it may come there (AFTER), and the files are there already.
syncs_are_needed() {
	start_over publish_two
	is_caught broken without syncfs
	start_over publish_two
	is_caught "$1" without fsync
}

t_xfs_loses_what_is_not_synced() {
	on_xfs
	syncs_are_needed 2
}

t_btrfs_loses_what_is_not_synced() {
	on_btrfs
	syncs_are_needed 1
}

run_tests
