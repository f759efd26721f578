#!/bin/bash
# A bad day, rehearsed: a bad release, a CI that builds it again, one host
# dead, one made anew, a full disk on a third, and a freeze by somebody else.
# What is typed is what the messages say, and it ends with four hosts that are
# well.
# shellcheck disable=SC2119,SC2154
# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

# The disk of h3 takes three of these builds, and not four.
small_disk() {
	mkdir r-h3
	[ "$(id -u)" -ne 0 ] ||
	    ! mount -t tmpfs -o size=4m,mode=755 none r-h3 2>/dev/null ||
	    defer umount -l "$PWD/r-h3"
}

# build WORD: a build that shares nothing with the one before.
build() {
	rm -rf site
	mkdir site
	echo "$1" >site/index.html
	head -c 900000 /dev/urandom >site/picture
}

goes_live() {
	run deploy publish
	cat "$out"
}

# typed STATUS: what the last message says, and when it goes on with another
# command, that one too.
typed() {
	local got=8 line
	while [ "$got" = 8 ]; do
		line=$(tail -n 1 "$err")
		case $line in
		# What mends it comes before what leaves a host out.
		*"run: deploy "*"; to go on "*"run: deploy "*)
			line=${line#*run: }
			line=${line%%; to go on *}
			;;
		*"run: deploy "*) line=${line##*run: } ;;
		*"run 'deploy "*)
			line=${line##*run \'}
			line=${line%%\'*}
			;;
		*) fail "no command in: $line" ;;
		esac
		echo "typed: $line" >&2
		got=0
		bash -c "$line" >"$out" 2>"$err" || got=$?
	done
	assert_eq "$got" "$1" "$line: $(cat "$err")"
}

# bad_day NAME DEATH LIFE: what deploy calls h4, how that dies, and comes back.
bad_day() {
	local h4=$1 good bad better fixed
	build first
	run deploy publish
	build good
	good=$(goes_live)
	build bad
	bad=$(goes_live)
	assert_live "$bad"
	cp -a site bad

	# Everybody sees it, and one host is dead just now.
	"$2" h4
	expect_status 8 deploy rollback -m "the menu is gone"
	typed 7
	assert_live "$good" h1 h2 h3
	assert_contains "$err" "run: deploy sync"

	# A job of the CI builds what was bad again.
	expect_status 8 deploy publish
	typed 4
	assert_contains "$err" "the menu is gone"
	assert_live "$good" h1 h2 h3

	# Somebody wants quiet, and the fix has to go out.
	expect_status 7 env DEPLOY_WHO=ann deploy freeze --skip "$h4" -m "hands off"
	build fixed
	expect_status 3 deploy publish --skip "$h4"
	assert_contains "$err" "hands off"
	typed 7

	expect_status 7 deploy publish --skip "$h4"
	better=$(cat "$out")

	# It is not yet right, and now the disk of h3 is full.
	build "fixed at last"
	if mountpoint -q r-h3; then
		expect_status 10 deploy publish --skip "$h4"
		assert_contains "$err" "/r-h3"
		typed 7
	fi
	expect_status 7 deploy publish --skip "$h4"
	fixed=$(cat "$out")
	assert_live "$fixed" h1 h2 h3

	# h2 is made anew, and h4 comes back.
	rm -rf r-h2
	"$3" h4
	expect_status 7 deploy status
	typed 0
	run deploy status
	assert_live "$fixed"
	run deploy verify

	# Back, also on those that were not there; never to what was bad.
	run deploy rollback -m "only to see"
	assert_live "$better"
	run deploy rollback -m "further"
	assert_live "$good"
	rm -rf site
	cp -a bad site
	expect_status 4 deploy publish
	assert_live "$good"
}

t_hosts_with_deploy() {
	small_disk
	some c c c c
	bad_day h4 dies heal
}

t_hosts_with_sh() {
	small_disk
	some dash busybox busybox dash
	bad_day h4 dies heal
}

t_hosts_of_both_kinds() {
	small_disk
	some dash c busybox c
	bad_day h4 dies heal
}

t_hosts_with_rsync() {
	small_disk
	fleet_start c+rsync dash+rsync c+rsync dash
	bad_day 127.0.0.14 do_refuse undo_refuse
}

run_tests
