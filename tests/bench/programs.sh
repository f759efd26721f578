# shellcheck shell=bash
# The programs that are measured: what is run, on what, and how the root of
# deploy gets its earlier state back, so that every round finds the same.
#
# $tmp, $source and $spot are from the others.
# shellcheck disable=SC2154

# Those that a goal compares with.
# shellcheck disable=SC2034
goal_programs=("deploy stage" "cp -a" "cp -a; sync -f"
    "rsync -rlpc --link-dest" "cp -al; rsync -rlpc")

# programs_for WORK: sets the array `programs`.
programs_for() {
	if [ "$1" = first ]; then
		# deploy returns when everything is on disk, the others do not:
		# shown as they are, and followed by a sync.
		programs=("deploy stage" "deploy publish"
		    "cp -a" "cp -a; sync -f"
		    "rsync -a" "rsync -a; sync -f"
		    "rsync -rlpc" "rsync -rlpc; sync -f")
		return
	fi
	programs=("deploy stage" "deploy publish"
	    "cp -a" "rsync -a --link-dest" "rsync -rlpc --link-dest"
	    "cp -al; rsync -rlpc")
	# Without --again there is no release to make.
	[ "$1" != unchanged ] || programs+=("deploy stage --again")
}

# make_bases SITE: on $spot, an earlier release with the content of `plain`,
# for deploy ($spot/root) and for the others ($spot/base); after that the
# build gets new mtimes.
make_bases() {
	local plain=$tmp/src/$1/plain s
	set_times "$plain" '2 days ago'
	cp -a "$plain" "$spot/base"
	mkdir "$spot/aside"
	"$DEPLOY" publish -q "$plain" --root "$spot/root" >"$tmp/id" ||
	    die "cannot publish the first release"
	base_id=$(cat "$tmp/id")
	cp -p "$spot/root/.deploy/journal" "$spot/aside/journal"
	for s in plain percent footer; do
		set_times "$tmp/src/$1/$s" now
	done
}

# run_program NAME SITE WORK ROUND: once, from $source to a fresh directory.
run_program() {
	local root=$spot/root base=$spot/base
	local to="$spot/$4-${1//[^a-z]/-}"
	[ "$3" != first ] || root=$to
	case $1 in
	"deploy "*)
		# The words of the name are its arguments.
		# shellcheck disable=SC2086
		measure "$DEPLOY" ${1#deploy } -q "$source" --root "$root" ;;
	"cp -a") measure cp -a "$source" "$to" ;;
	"rsync -a") measure rsync -a "$source/" "$to" ;;
	"rsync -rlpc") measure rsync -rlpc "$source/" "$to" ;;
	"cp -a; sync -f")
		measure "$BENCH/and-sync" "$to" cp -a "$source" "$to" ;;
	"rsync -a; sync -f")
		measure "$BENCH/and-sync" "$to" rsync -a "$source/" "$to" ;;
	"rsync -rlpc; sync -f")
		measure "$BENCH/and-sync" "$to" rsync -rlpc "$source/" "$to" ;;
	"rsync -a --link-dest")
		measure rsync -a --link-dest="$base" "$source/" "$to" ;;
	"rsync -rlpc --link-dest")
		measure rsync -rlpc --link-dest="$base" "$source/" "$to" ;;
	"cp -al; rsync -rlpc")
		measure "$BENCH/link-and-rsync" "$base" "$source" "$to" ;;
	*) die "no program '$1'" ;;
	esac
}

# Forget the release that deploy made beside the base, if it did.
after_program() {
	local root=$spot/root id
	case $1 in
	deploy*) ;;
	*) return ;;
	esac
	[ -d "$spot/aside" ] || return 0
	for id in "$root"/releases/*; do
		id=${id##*/}
		[ "$id" != "$base_id" ] || continue
		mv "$root/releases/$id" "$spot/aside/"
		rm "$root/.deploy/manifests/$id" "$root/.deploy/meta/$id.json"
	done
	ln -s "releases/$base_id" "$spot/aside/current"
	mv -T "$spot/aside/current" "$root/current"
	cp -p "$spot/aside/journal" "$root/.deploy/journal"
}

# A root with a few releases, and how often a command is run on it.
# shellcheck disable=SC2034
LIST_TIMES=100 LIST_RELEASES=5
# shellcheck disable=SC2034
declare -A list_command=(["deploy list"]=$DEPLOY ["true"]=/bin/true)

make_list_root() {
	local i
	mkdir "$spot/site"
	for ((i = 1; i <= LIST_RELEASES; i++)); do
		echo "edition $i" >"$spot/site/index.html"
		"$DEPLOY" publish -q "$spot/site" --root "$spot/root" \
		    >"$tmp/id" || die "cannot publish"
	done
}
