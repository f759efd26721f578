# shellcheck shell=bash
# What the scripts that disturb deploy have in common: the library that does
# it (faults.c), small sites, and what must hold afterwards.  Sourced after
# tests/lib.sh, which sets _base.  Some of what is set here only the scripts
# read.
# shellcheck disable=SC2154,SC2034
#
# In the directory of a test there are
#
#	deploy.yml	the configuration; keep: 1, a shared and a carried path
#	site/0 1 2	three builds; the first line of index.html is the number
#	want/0 1 2	what visitors must get of each, with shared and carried
#	alone/2		the same where nothing was live before
#	back/1		the same some time after a rollback to it
#	seed/NAME/root	roots to start from
#	w/root w/site	where the calls are counted

# ------------------------------------------------------------ preparation

# Sets $faults, the library; built here unless make has built it.
fault_library() {
	faults=$PRELOAD/faults.so
	[ ! -e "$faults" ] || return 0
	need_cmd "${CC:-cc}"
	faults=$_base/faults.so
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 -fPIC -shared -o "$faults" \
	    "$TREE/tests/faults/faults.c" -ldl
}

# in_memory MB: go to a directory in memory, if there is as much to spare:
# thousands of small roots are made and removed.
in_memory() {
	local free dir
	free=$(df --output=avail -m /dev/shm 2>/dev/null | tail -n 1) || true
	[ "${free:-0}" -gt "$1" ] && [ -w /dev/shm ] || return 0
	dir=$(mktemp -d /dev/shm/deploy-test.XXXXXX)
	[ -n "${KEEP:-}" ] || defer rm -rf "$dir"
	cd "$dir" || fail "cannot enter $dir"
}

# The three builds.  From one to the next: index.html changes, css/ stays,
# the asset gets another name, and in the last a page moves and there are a
# program, a link, and more than the 1 MiB that goes through memory at once.
make_sites() {
	local v
	for v in 0 1 2; do
		mkdir -p "site/$v"/{assets,css,docs,img}
		echo "$v" >"site/$v/index.html"
		echo 'p { margin: 0 }' >"site/$v/css/site.css"
		echo "let v = $v" >"site/$v/assets/app-$v.js"
	done
	echo '<p>a page' | tee site/{0,1}/docs/a.html >site/2/img/a.html
	printf '#!/bin/sh\n' >site/2/run.cgi
	chmod 755 site/2/run.cgi
	ln -s index.html site/2/start
	truncate -s 1048577 site/2/big.bin
}

# What visitors must get: the build, the shared link, the carried assets.
make_wants() {
	local v
	mkdir want alone back
	for v in 0 1 2; do
		cp -a "site/$v" "want/$v"
		ln -s ../../shared/uploads "want/$v/uploads"
	done
	cp -a want/2 alone/2
	cp -a site/0/assets/app-0.js want/1/assets/
	cp -a site/[01]/assets/app-?.js want/2/assets/
	cp -a want/1 back/1
	cp -a site/2/assets/app-2.js back/1/assets/
}

# make_config ROOT
make_config() {
	cat >deploy.yml <<-END
	sites:
	  - name: faults
	    root: $1
	    keep: 1
	    shared: [uploads]
	    carry: {paths: ["assets/**"], for: 7d}
	END
}

# deploy as it is, but not waiting for the disk.
quick() {
	LD_PRELOAD=$faults FAULT_SKIP=sync "$DEPLOY" -q "$@"
}

# What dead runs may have left behind, in the root $1.
add_litter() {
	local id=20200101T000000.000Z-00000000-0000-4000-8000-000000000000
	mkdir -p "$1/.deploy/incoming/$id/a" "$1/.deploy/trash/$id/b"
	echo half >"$1/.deploy/incoming/$id/a/x"
	echo half >"$1/.deploy/trash/$id/b/x"
	echo half >"$1/.deploy/manifests/$id"
	echo half >"$1/.deploy/meta/$id.json"
	echo half >"$1/.deploy/meta/.tmp-1"
	ln -s releases/x "$1/.deploy/.tmp-2"
}

# The roots to start from: with 0 and 1 published, the same with 2 staged,
# with all three published, and two of them with litter.
make_seeds() {
	mkdir -p w/root seed/{two,staged,three,two-littered,three-littered}
	quick publish site/0 >/dev/null
	quick publish --keep 9 site/1 >/dev/null
	cp -a w/root seed/two/
	quick stage site/2 >/dev/null
	cp -a w/root seed/staged/
	quick activate >/dev/null
	cp -a w/root seed/three/
	cp -a seed/two/root seed/two-littered/
	cp -a seed/three/root seed/three-littered/
	add_litter seed/two-littered/root
	add_litter seed/three-littered/root
}

prepare() {
	fault_library
	in_memory 100
	root=$PWD/w/root
	make_config "$root"
	make_sites
	make_wants
	make_seeds
	injections=0 violations=0
	declare -gA intact=()
}

# scenario NAME: the command under test and what it starts from.  Sets cmd;
# seed; old and new, the versions live before and after; wants, where they
# are, and after, how they may be once a bridge has followed; listed_before,
# the number of releases; least and most, how many there may be in the end;
# again, the statuses that the same command may give when it is repeated.
scenario() {
	name=$1 seed=two old=1 new=2 wants=want after=want
	listed_before=2 least=3 most=3
	again=0
	case $name in
	first)
		cmd=(publish w/site) seed=none old=none wants=alone
		listed_before=0 least=1 most=1
		;;
	stage)
		cmd=(stage w/site) seed=two-littered new=1
		;;
	activate)
		cmd=(activate) seed=staged listed_before=3
		;;
	publish | archive)
		# The oldest release is pruned; but a repeated command that
		# finds its work done leaves that to the next one.
		cmd=(publish w/site) least=2
		[ "$name" = publish ] || cmd[1]=w/site.tar
		;;
	rollback)
		# A repeated command must not go two steps.  The bridge follows
		# the flip, or does not if we die in between.
		cmd=(rollback --expect "$(id_of seed/three/root 2)")
		seed=three old=2 new=1 listed_before=3 again='0 4'
		after=back most=4
		;;
	prune)
		cmd=(prune) seed=three-littered old=2 listed_before=3 least=2
		most=2
		;;
	*)
		fail "no scenario $name"
		;;
	esac
	rm -rf w/site w/site.tar
	cp -a site/2 w/site
	tar -C w/site -cf w/site.tar .
}

# The id of the release in the root $1 that has version $2.
id_of() {
	local d v
	for d in "$1"/releases/*/; do
		read -r v <"$d/index.html"
		[ "$v" != "$2" ] || basename "$d"
	done
}

restore() {
	rm -rf w/root
	[ "$seed" = none ] || cp -a "seed/$seed/root" w/root
}

# -------------------------------------------------------------- injection

# Run the command with the fault at call $1; the other arguments are
# FAULT_... assignments.  Sets status, and hit: the call that was disturbed,
# "NUMBER NAME PATH", or "" when there were not so many.
disturb() {
	local a
	local -x FAULT_AT=$1 FAULT_UNDER=$PWD/w FAULT_HIT=$PWD/hits
	shift
	for a; do
		local -x "$a"
	done
	: >hits
	status=0
	# The shell tells of a killed process.
	{
		LD_PRELOAD=$faults FAULT_SKIP=sync "$DEPLOY" "${cmd[@]}" \
		    >o 2>e || status=$?
	} 2>/dev/null
	hit=
	read -r hit <hits || true
}

# violation WHAT: count it, and tell of the first ones.
violation() {
	violations=$((violations + 1))
	((violations <= 25)) || return 0
	echo "$name, $how, call ${hit:-none}: $*"
	if [ -n "$status" ]; then
		echo "    status $status; $(tail -n 2 e | tr '\n' ' ')"
	fi
}

# Set step: every 5th call is disturbed, or with TEST_FAULT_STEP=N every N-th;
# every one where all is wanted; under a sanitizer, where all is slow, every 7th.
fault_step() {
	step=5
	[ -z "${TEST_SANITIZE:-}" ] || step=7
	! wide || step=1
	step=${TEST_FAULT_STEP:-$step}
}

# each HOW CHECK FAULT_...: disturb one call after the other, until there are no
# more, and let the function CHECK judge.
each() {
	local check=$2 n first=$injections bad=$violations
	local step
	fault_step
	how=$1
	shift 2
	for ((n = 1;; n += step)); do
		restore
		disturb "$n" "$@"
		[ -n "$hit" ] || break
		injections=$((injections + 1))
		intact=()
		"$check"
		repeat_heals
	done
	[ "$status" -eq 0 ] || violation "undisturbed, it fails"
	((n > 1)) || fail "$name, $how: no calls; is the library at work?"
	((step == 1)) || how+=", 1 in $step"
	tally "$name, $how" $((injections - first)) $((violations - bad))
}

# tally WHAT INJECTIONS VIOLATIONS: a line of TAP's comments.
tally() {
	printf '# %-40s %4d injections, %d violations\n' "$1" "$2" "$3" >&3
}

# ---------------------------------------------------- what must hold then

# What do visitors get in the root $1?  Sets live: a version, or none.
look_at_current() {
	live=none
	[ -e "$1/current" ] || [ -L "$1/current" ] || return 0
	live=nothing
	if ! { read -r live <"$1/current/index.html"; } 2>/dev/null ||
	    [ ! -d "$wants/$live" ]; then
		violation "visitors get no page"
		live=broken
	elif ! diff -rq --no-dereference "$wants/$live" "$1/current/" >d 2>&1 &&
	    ! diff -rq --no-dereference "${after:-$wants}/$live" "$1/current/" >d 2>&1
	then
		violation "visitors get version $live, but $(head -n 3 d)"
		live=broken
	fi
}

# Every release of the root $1 must be listed and complete, nothing else be
# listed, and a rollback go to the version before the live one, if that is
# there.  Sets listed, their number.  Releases of the seed that are not live
# are not read again: that they have their records must do.
look_at_list() {
	local d id v below=none before=
	listed=0
	[[ "$live" != [12] ]] || below=$((live - 1))
	if ! quick list --root "$1" >l 2>e.list; then
		# Where nothing is yet there is nothing to list.
		[ "$live" = none ] || violation "list fails: $(cat e.list)"
		return 0
	fi
	for d in "$1"/releases/*; do
		[ -e "$d" ] || continue
		id=${d##*/}
		listed=$((listed + 1))
		v=
		{ read -r v <"$d/index.html" || true; } 2>/dev/null
		[ "$v" != "$below" ] || is_bridge "$1" "$id" || before=$id
		look_at_release "$1" "$id"
	done
	look_at_table "$before"
}

# is_bridge ROOT ID: it stands for another release, which a rollback names.
is_bridge() {
	local meta=
	{ read -r meta <"$1/.deploy/meta/$2.json"; } 2>/dev/null || true
	[[ $meta = *'"bridge":"'* ]]
}

# look_at_release ROOT ID
look_at_release() {
	if [ ! -s "$1/.deploy/manifests/$2" ] ||
	    [ ! -s "$1/.deploy/meta/$2.json" ]; then
		violation "listed, but without manifest or meta: $2"
	elif [ -d "seed/$seed/root/releases/$2" ] &&
	    [ ! "$1/releases/$2" -ef "$1/current" ]; then
		return 0
	elif [ -z "${intact[$2]:-}" ]; then
		intact[$2]=y
		quick verify --root "$1" "$2" >d 2>&1 ||
		    violation "listed, but not complete: $(head -n 3 d)"
	fi
}

# The table of `deploy list`: as many lines below its headings as releases, and
# which of them a rollback would go to.
look_at_table() {
	local id rest lines=0 previous=
	while read -r id rest; do
		[ "$id" != RELEASE ] || continue
		lines=$((lines + 1))
		[[ "$rest" != previous' '* ]] || previous=$id
	done <l
	[ "$lines" -eq "$listed" ] ||
	    violation "$listed releases, but $lines listed"
	# Of a broken one it cannot be said.
	[[ "$1" == "${previous:-nothing}"* ]] || [ "$1$previous" = "" ] ||
	    [ "$live" = broken ] || violation "live is $live, but previous is '$previous', not '$1'"
}

# Whatever happened, this holds.
look() {
	look_at_current "$root"
	look_at_list "$root"
}

# The state that a success must have left.
is_done() {
	[ "$live" = "$new" ] || violation "$1, but live is $live"
	((listed >= least && listed <= most)) ||
	    violation "$1, but $listed releases"
}

# Nothing of a dead run may be left.
is_clean() {
	local f
	for f in "$root"/.deploy/{incoming,trash}/* "$root"/{,*/}.tmp-* \
	    "$root"/.deploy/{,*/}.tmp-*; do
		if [ -e "$f" ] || [ -L "$f" ]; then
			violation "left behind: ${f#"$root/"}"
		fi
	done
	for f in "$root"/.deploy/{manifests,meta}/*; do
		f=${f##*/}
		[ -d "$root/releases/${f%.json}" ] ||
		    violation "left behind: $f"
	done
}

# The same command, undisturbed, ends the work.
repeat_heals() {
	status=0
	quick "${cmd[@]}" >o 2>e || status=$?
	[[ " $again " == *" $status "* ]] || violation "repeated, it fails"
	look
	is_done "repeated"
	# A rollback that finds its work done goes no further: whoever comes
	# next sweeps.
	[ "$status" -ne 4 ] || quick prune >o 2>e || violation "prune fails"
	is_clean
}

# ---------------------------------------------------- errors and the status

# After an error the exit status must be true:
#
#	0	all is done and durable, as without the error
#	9	the new release is live
#	other	a documented one, and what visitors get is untouched; after
#		a stage nothing new is listed (with a dead disk, where
#		it cannot be taken back, a whole release may be)
judge_error() {
	look
	case $status in
	0) judge_success ;;
	9) [ "$live" = "$new" ] || violation "9, but live is $live" ;;
	1 | 5 | 10)
		[ "$live" = "$old" ] || violation "$status, but live is $live"
		[ "$name" != stage ] || [ "$lasting" = yes ] ||
		    [ "$listed" -eq "$listed_before" ] ||
		    violation "$status, but $listed releases"
		;;
	*) violation "not a status for this" ;;
	esac
	[ "$status" -eq 0 ] || [ -s e ] || violation "fails without a word"
	judge_flip
}

# Success may be claimed when the error was of no consequence.
judge_success() {
	local id
	read -r id <o || id=
	# What may be pinned stays, and that is said.
	if [ "$name" = prune ] && grep -q ' stays: ' e; then
		local most=$listed_before
	fi
	is_done "success"
	case $name in
	prune) return 0 ;;
	stage) [ -d "$root/releases/$id" ] || violation "no release '$id'" ;;
	*)
		stands_for "$id" || violation "live is not '$id'"
		;;
	esac
	# Before the sweep, which then was not done, and that is said.
	! grep -q 'warning: cannot write the directory' e || return 0
	# What follows a rollback that is done and on disk.
	! no_bridge_followed || return 0
	# Only a hint to the kernel.
	case $hit in
	*' sync_file_range '*) ;;
	*sync*) violation "success, but not known to be on disk" ;;
	esac
}

# Is the release $1 live, or a bridge for it?
stands_for() {
	[ "$root/releases/$1" -ef "$root/current" ] ||
	    grep -qF "\"bridge\":\"$1\"" \
	    "$root/.deploy/meta/$(basename "$(readlink "$root/current")").json"
}

# Was the rollback done and no bridge made after it, and is that said?
no_bridge_followed() {
	grep -q 'warning: .* is live without the assets of' e
}

# The fsync after the rename of `current` has words of its own.
judge_flip() {
	[[ "$hit" == *" fsync $root" ]] && [ "$live" = "$new" ] &&
	    [ "$old" != "$new" ] && ! no_bridge_followed || return 0
	[ "$status" -eq 9 ] || violation "live, but the status is not 9"
	# A prune, too, begins with that.
	grep -qE 'live, but (not known to survive|pruning failed)' e ||
	    violation "not told: live, but not known to survive"
	! grep -q 'stays staged' e || violation "live, but told: stays staged"
}

# errors_everywhere SCENARIO ERRNO CALLS [FAULT_...]
errors_everywhere() {
	local errno=$2 calls=$3 what="$2 once" lasting=no
	[ -n "${injections:-}" ] || prepare
	scenario "$1"
	shift 3
	[ $# -eq 0 ] || what="$errno from then on" lasting=yes
	each "$what" judge_error FAULT_MODE=error \
	    "FAULT_ERRNO=$errno" "FAULT_CALLS=$calls" "$@"
	no_violations
}

# What must not be a failure at all.
judge_harmless() {
	[ "$status" -eq 0 ] || violation "fails"
	look
	is_done "success"
}

# harmless SCENARIO WHAT FAULT_...
harmless() {
	local what=$2
	[ -n "${injections:-}" ] || prepare
	scenario "$1"
	shift 2
	each "$what" judge_harmless "$@"
	no_violations
}

no_violations() {
	((violations == 0)) || fail "$violations violations"
}
