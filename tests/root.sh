# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # of lib.sh, and for those who source this
# What the scripts that look into a root on disk have in common: what is live
# there, and what must not be left.  Without processes, where that is
# possible: these are asked thousands of times.

# live_of ROOT: print the id of the live release, or nothing.
live_of() {
	local l
	l=$(readlink "$1/current") || true
	echo "${l#releases/}"
}

# stands_for ROOT ID: what the link leads to is a bridge for that one.
stands_for() {
	grep -q "\"bridge\":\"$2\"" "$1/.deploy/meta/$(live_of "$1").json"
}

# assert_live_is ROOT ID: that one is live, and its page is there; with an empty
# ID nothing is.
assert_live_is() {
	if [ -z "$2" ]; then
		[ ! -L "$1/current" ] || fail "$1: live is $(live_of "$1")"
	elif [ ! -s "$1/current/index.html" ] ||
	    ! { [ "$1/current" -ef "$1/releases/$2" ] || stands_for "$1" "$2"; }; then
		fail "$1: live is '$(live_of "$1")', not '$2'"
	fi
}

# assert_root_clean ROOT: no run left anything half-made or half-removed.
assert_root_clean() {
	local f
	[ -d "$1" ] || fail "no root $1"
	for f in "$1"/.deploy/{incoming,trash}/{*,.[!.]*} \
	    "$1"/{.,.deploy,.deploy/*}/.tmp-*; do
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

# ------------------------------------------- a root `www` of small releases

# d COMMAND [ARG...]: on the root www.
d() {
	deploy "$1" --root www "${@:2}"
}

# live [ROOT]: the id of what www serves.
live() {
	live_of "${1:-www}"
}

# new NAME... [OPTION...]: stage for each NAME a release whose page has it.
# Its id is in $id and, when it can have that name, in the variable NAME.
new() {
	local name names=()
	while (($# > 0)) && [[ $1 != -* ]]; do
		names+=("$1")
		shift
	done
	for name in "${names[@]}"; do
		[ -d "b-$name" ] || mkdir "b-$name"
		printf '<p>%s\n' "$name" >"b-$name/index.html"
		run d stage "b-$name" "$@"
		read -r id <"$out"
		[[ $name = [!a-z]* ]] || declare -g "$name=$id"
	done
}

# go NAME... [OPTION...]: the same, and activate each.
go() {
	local names=()
	while (($# > 0)) && [[ $1 != -* ]]; do
		names+=("$1")
		shift
	done
	for name in "${names[@]}"; do
		new "$name" "$@"
		run d activate "$id"
	done
}

# ------------------------------------------------- ./site and a root ./root

# A small site in ./site.
small() {
	mkdir -p site/css
	echo hello >site/index.html
	echo about >site/about.html
	echo 'a {}' >site/css/a.css
}

# site TEXT: ./site has one page, with this text.
site() {
	[ -d site ] || mkdir site
	echo "$1" >site/index.html
}

publish() {
	deploy publish -q site --root root "$@"
}

releases() {
	ls root/releases
}

# Of the release with this id.
digest() {
	json "root/.deploy/meta/$1.json" .digest
}

# No run left anything but whole releases.
nothing_left() {
	[ -d root/.deploy ] || return 0
	assert_root_clean root
	assert_records root
}

inode() {
	stat -c %i -- "$1"
}

# ------------------------------------------------------------ file systems

# tmpfs DIR [OPTIONS]: mount one there, for this test.
tmpfs() {
	need_root
	[ -n "${TEST_MOUNTS:-}" ] || skip "no mount namespaces"
	mkdir -p -- "$1"
	mount -t tmpfs -o "mode=755${2:+,$2}" none "$1"
	defer umount -l "$PWD/$1"
}

# Go on in memory, where that is possible: large sites are written and removed.
in_memory() {
	[ -n "${TEST_MOUNTS:-}" ] || return 0
	tmpfs memory
	cd memory || fail "no directory memory"
}

# Go on where the disk is, if we are in memory.
on_disk() {
	local dir
	[ "$(stat -f -c %T .)" = tmpfs ] || return 0
	dir=$(mktemp -d /var/tmp/deploy-test.XXXXXX)
	defer rm -rf "$dir"
	cd "$dir" || fail "no directory $dir"
}
