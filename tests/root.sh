# shellcheck shell=bash
# What the scripts that look into a root on disk have in common: what is live
# there, and what must not be left.  Without processes, where that is
# possible: these are asked thousands of times.

# live_of ROOT: print the id of the live release, or nothing.
live_of() {
	local l
	l=$(readlink "$1/current") || true
	echo "${l#releases/}"
}

# assert_live_is ROOT ID: that one is live, and its page is there; with an empty
# ID nothing is.
assert_live_is() {
	if [ -z "$2" ]; then
		[ ! -L "$1/current" ] || fail "$1: live is $(live_of "$1")"
	elif ! [ "$1/current" -ef "$1/releases/$2" ] ||
	    [ ! -s "$1/current/index.html" ]; then
		fail "$1: live is '$(live_of "$1")', not '$2'"
	fi
}

# assert_root_clean ROOT: no run left anything half-made or half-removed.
assert_root_clean() {
	local f
	assert_empty "$1/.deploy/incoming"
	assert_empty "$1/.deploy/trash"
	for f in "$1"/.tmp-* "$1"/.deploy/.tmp-* "$1"/.deploy/*/.tmp-*; do
		[ ! -e "$f" ] && [ ! -L "$f" ] || fail "left behind: $f"
	done
}

# assert_records ROOT: each release has its manifest and its meta, and there
# are no others.
assert_records() {
	local f id
	for f in "$1"/releases/* "$1"/.deploy/manifests/* "$1"/.deploy/meta/*; do
		[ -e "$f" ] || continue
		id=${f##*/}
		id=${id%.json}
		[ -d "$1/releases/$id" ] &&
		    [ -f "$1/.deploy/manifests/$id" ] &&
		    [ -f "$1/.deploy/meta/$id.json" ] ||
		    fail "$1: a part of it is not there: $id"
	done
}

# is_unlocked ROOT: does nobody hold its lock?
is_unlocked() {
	flock -n -x 9 9<"$1/.deploy/lock"
}
