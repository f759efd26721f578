#!/bin/bash
# No room for what is to be written: a limit of file sizes, a disk without
# inodes, a full btrfs on which nothing can be renamed.  The message says what is
# lacking and what frees some, and where anything can be freed, prune does.
# parts: 2
# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"
# shellcheck source=tests/faults/disk.sh
. "$TREE/tests/faults/disk.sh"

# with KIND ROOT: a site with its root there; KIND here, c, or a shell.
with() {
	local mine
	where "$1"
	cat >deploy.yml <<-END
	sites:
	  - name: t
	    source: site
	    root: $2
	    keep: 9
	    $mine
	END
	mkdir -p site
	echo page >site/index.html
}

# SIGXFSZ kills nobody.
limit_of_file_sizes() {
	with "$1" "$PWD/www"
	run deploy publish
	head -c 2000000 /dev/urandom >site/big
	case $1 in
	here | c) expect_status 1 limited deploy publish ;;
	*)
		# The limit is the host's, not ours.
		echo 'ulimit -f 200' | fault h
		expect_status 1 deploy publish
		;;
	esac
	assert_contains "$err" 'ulimit -f'
	assert_not_contains "$err" 'damaged'
	assert_root_clean www
	assert_eq "$(cat www/current/index.html)" page
	heal
	run deploy publish
	assert_file_eq www/current/big site/big
}

limited() (
	ulimit -f 200
	"$@"
)

t_limit_of_file_sizes_here() {
	limit_of_file_sizes here
}

t_limit_of_file_sizes_on_a_c_host() {
	limit_of_file_sizes c
}

t_limit_of_file_sizes_on_a_dash_host() {
	limit_of_file_sizes dash
}

t_limit_of_file_sizes_on_a_busybox_host() {
	limit_of_file_sizes busybox
}

# What is lacking is asked when it lacks: the fault comes after the question.
no_inodes() {
	tmpfs disk nr_inodes=200
	with "$1" "$PWD/disk/www"
	run deploy publish
	mkdir disk/mine
	while : 2>/dev/null >"disk/mine/$RANDOM$RANDOM"; do :; done
	echo other >site/index.html
	expect_status 10 deploy publish
	assert_contains "$err" ' inode'
	assert_contains "$err" 'make room'
	expect_status 10 deploy freeze
	assert_contains "$err" ' inode'
	assert_contains "$err" 'no release there can be pruned'
}

t_no_inodes_here() {
	no_inodes here
}

t_no_inodes_on_a_dash_host() {
	no_inodes dash
}

# Until nothing fits any more, no file and no name.
fill() {
	head -c 400M /dev/urandom >mnt/fill 2>/dev/null || true
	mkdir mnt/names
	python3 - <<-'END'
	import itertools
	try:
	    for i in itertools.count():
	        open(f"mnt/names/{i}", "w").close()
	except OSError:
	    pass
	END
}

# What failed names what frees some, whatever it was; pasted, it does.
full_names_the_prune() {
	local i c
	tmpfs disk size=8m
	mkdir disk/tmp
	with "$1" "$PWD/disk/www"
	for i in 1 2 3 4; do
		echo "$i" >site/index.html
		head -c 1000000 /dev/urandom >site/big
		run deploy publish -q
	done
	head -c 8M /dev/zero >disk/fill 2>/dev/null || true
	for c in 'freeze -m x' 'pin current' 'publish site'; do
		echo "$c" >site/index.html
		# shellcheck disable=SC2086 # words
		expect_status 10 deploy $c
		assert_contains "$err" 'run: deploy prune --keep 3'
	done
	run deploy prune --keep 3
	[ -s "$out" ] || fail "nothing was pruned"
}

t_full_names_the_prune_here() {
	full_names_the_prune here
}

t_full_names_the_prune_on_a_c_host() {
	full_names_the_prune c
}

t_full_names_the_prune_on_a_dash_host() {
	full_names_the_prune dash
}

full_btrfs() {
	local i ids=()
	need_root
	need_cmd losetup mkfs.btrfs btrfs python3
	tmpfs memory
	cd memory || fail "no directory memory"
	make_disk "${btrfs[@]}"
	attach rw
	with "$1" "$root"
	for i in 1 2 3 4; do
		echo "$i" >site/index.html
		head -c 3000000 /dev/urandom >site/big
		run deploy publish -q
		ids+=("$(cat "$out")")
	done
	fill
	! mkdir mnt/more 2>/dev/null || skip "it cannot be filled"
	run deploy prune --keep 1
	assert_contains "$out" "${ids[0]}"
	assert_contains "$out" "${ids[1]}"
	assert_eq "$(ls "$root/releases")" "$(printf '%s\n' "${ids[@]:2}")"
	assert_records "$root"
	run deploy verify
	# What was removed is free with the next transaction.
	wait_for 60 touch mnt/room
}

t_full_btrfs_here() {
	full_btrfs here
}

t_full_btrfs_on_a_dash_host() {
	full_btrfs dash
}

# ------------------------------------------------------ room that nobody knows

# A file system that does not count its blocks, such as a tmpfs without a limit,
# has room for all.
uncounted() {
	need_root
	mkdir disk
	mount -t tmpfs -o size=0,nr_inodes=0 none disk
	defer umount -l disk
	with "$1" "$PWD/disk/www"
	run deploy publish
	run deploy publish --again
	run deploy status
	assert_contains "$out" "unknown"
	deploy doctor >"$out" 2>"$err" || true
	assert_not_contains "$out" "space:"
}

t_uncounted_here() {
	uncounted here
}

t_uncounted_on_a_c_host() {
	uncounted c
}

t_uncounted_on_a_dash_host() {
	uncounted dash
}

# What df may say on a host with the sh verbs: nothing of it refuses a release.
t_df_that_knows_nothing() {
	local said
	with dash "$PWD/www"
	mkdir bin
	echo "PATH=$PWD/bin:\$PATH" | fault h
	for said in '' 'exit 1' 'echo garbage' 'echo Filesystem; echo "x - - - - /"' \
	    'echo Filesystem; echo "x 0 0 0 - /"' 'echo "x 10 5 -5 0% /"'; do
		printf '#!/bin/sh\n%s\n' "$said" >bin/df
		chmod +x bin/df
		rm -rf www
		run deploy publish
		deploy doctor >"$out" 2>"$err" || true
		assert_not_contains "$out" "space:"
	done
	# And one that knows is believed.
	printf '#!/bin/sh\necho Filesystem\necho "x 10 9 1 90%% /"\n' >bin/df
	head -c 100000 /dev/urandom >site/new
	expect_status 10 deploy publish
	assert_contains "$err" "make room"
}

run_tests
