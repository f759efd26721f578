#!/bin/bash
# deploy killed before every call that changes something: visitors get the
# whole old or the whole new release, only complete releases are listed, the
# journal tells the truth, and the same command ends the work.
# parts: 6
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/faults/lib.sh
. "$TREE/tests/faults/lib.sh"
exec 3>&1

# After a death: the old or the new state, whole.
judge_death() {
	[ "$status" -eq 137 ] || violation "not killed"
	status=
	look
	[ "$live" = "$old" ] || [ "$live" = "$new" ] ||
	    violation "visitors get $live"
}

# kill_everywhere SCENARIO: calls that only look are not counted, as before
# them the disk is what it was after the last that changed something.
kill_everywhere() {
	prepare
	scenario "$1"
	each "killed before" judge_death FAULT_MODE=kill \
	    FAULT_CALLS=change,sync,close
	# In the middle of a write: torn lines and files.
	each "killed while writing" judge_death FAULT_MODE=torn \
	    FAULT_CALLS=write,copy_file_range
	((violations == 0)) || fail "$violations violations"
}

t_first_publish_killed() {
	kill_everywhere first
}

t_stage_killed() {
	kill_everywhere stage
}

t_activate_killed() {
	kill_everywhere activate
}

t_publish_killed() {
	kill_everywhere publish
}

t_publish_of_an_archive_killed() {
	kill_everywhere archive
}

t_rollback_killed() {
	kill_everywhere rollback
}

t_prune_killed() {
	kill_everywhere prune
}

# Adopting is killed before every call that changes something: what is served
# is whole, nothing of the user's is gone, and the same command ends the work.
# adoptions DIR KEPT FAULT_...: the document root DIR, which lands in KEPT, or is
# a link to that from the first.
adoptions() {
	local dir=$1 kept=$2 linked='' n k step
	shift 2
	fault_step
	[ "$kept" != site ] || linked=1
	fault_library
	in_memory 100
	mkdir -p seed/current
	for k in 1 2; do
		mkdir "seed/current/$k"
		echo "page $k" >"seed/current/$k/index.html"
	done
	cp seed/current/1/index.html seed/current/
	mkdir seed/current/.git
	echo x >seed/current/.git/x
	for ((n = 1;; n += step)); do
		rm -rf w
		mkdir -p w/above w/releases
		if [ -n "$linked" ]; then
			cp -a seed/current w/site
			ln -s "$PWD/w/site" "w/$dir"
		else
			cp -a seed/current "w/$dir"
		fi
		hit=''
		: >hits
		(
			export FAULT_AT=$n FAULT_UNDER=$PWD/w FAULT_HIT=$PWD/hits
			for k; do
				export "${k?}"
			done
			LD_PRELOAD=$faults FAULT_SKIP=sync "$DEPLOY" -q adopt \
			    "$PWD/w/$dir" --root "$PWD/w" >o 2>&1
		) 2>/dev/null || true
		read -r hit <hits || break
		assert_served "w/$dir" "$n, before $hit"
		run "$DEPLOY" adopt "$PWD/w/$dir" --root "$PWD/w"
		assert_served "w/$dir" "$n, before $hit, again"
		[ -L "w/$dir" ] || fail "$n, before $hit: not adopted"
		for k in w/$kept; do
			diff -r --no-dereference seed/current "$k" >&2 ||
			    fail "$n, before $hit: what was there is not in $k"
		done
		# Whoever sweeps next removes nothing of it.
		quick stage seed/current/1 --override=build --root "$PWD/w" >/dev/null
		run "$DEPLOY" prune --root "$PWD/w"
		for k in w/$kept; do
			diff -r --no-dereference seed/current "$k" >&2 ||
			    fail "$n, before $hit: swept away"
		done
		[ "$(find w -name .git | wc -l)" -eq 1 ] ||
		    fail "$n, before $hit: .git is there twice"
	done
	((n > 20)) || fail "only $n calls"
	tally "adopt $dir, $*, 1 in $step" $((n / step)) 0
}

# assert_served DIR WHEN
assert_served() {
	diff -r --exclude .git --no-dereference seed/current "$1/" >&2 ||
	    fail "call $2: what is served is not whole"
}

t_adopt_killed() {
	adoptions current '.deploy/adopted-*' FAULT_MODE=kill \
	    FAULT_CALLS=change,sync
}

t_adopt_fails() {
	adoptions current '.deploy/adopted-*' FAULT_MODE=error \
	    FAULT_CALLS=change,sync
}

t_adopt_of_another_directory_killed() {
	adoptions above/html above/html.before-deploy FAULT_MODE=kill \
	    FAULT_CALLS=change,sync
}

t_adopt_of_another_directory_fails() {
	adoptions above/html above/html.before-deploy FAULT_MODE=error \
	    FAULT_CALLS=change,sync
}

# Of a link that others made.
t_adopt_of_a_link_killed() {
	adoptions current site FAULT_MODE=kill FAULT_CALLS=change,sync
	adoptions above/html site FAULT_MODE=kill FAULT_CALLS=change,sync
}

t_adopt_of_a_link_fails() {
	adoptions current site FAULT_MODE=error FAULT_CALLS=change,sync
}

# ---------------------------------------------------------- verify --repair

# What of the live release is bad, and must be as it was or as it was meant:
# visitors never get anything else of it.
judge_repair() {
	local f good
	for f in css/site.css docs/a.html assets/app-0.js; do
		good=want/1/$f
		cmp -s "$good" "$root/current/$f" && continue
		case $f in
		css/site.css) [ "$(cat "$root/current/$f" 2>&1)" = bad ] ;;
		*) [ ! -e "$root/current/$f" ] ;;
		esac || violation "$f is neither as it was nor as it was meant"
	done
	f=$(comm -23 <(cd "$root/current/" && find . | sort) \
	    <(cd want/1 && find . | sort))
	[ -z "$f" ] || violation "what does not belong there: $f"
	if [ "$status" -eq 0 ]; then
		# Of what is put in their place, and nobody reads again.
		[[ "$hit" != *sync* ]] || [[ "$hit" = *[/.]css/site.css ]] ||
		    [[ "$hit" = *.deploy/@(manifests|meta) ]] ||
		    violation "success, but not known to be on disk"
		diff -rq --no-dereference want/1 "$root/current/" >d 2>&1 ||
		    violation "success, but: $(head -n 3 d)"
	fi
}

# repairs FAULT_...: then the same again ends the work.  What finds nothing to
# mend sweeps nothing; that is for the next stage or prune.
repairs() {
	local d
	repeat_heals() {
		quick "${cmd[@]}" >o 2>e || violation "repeated, it fails"
		look
		is_done "repeated"
		quick prune --keep 9 >o 2>e || violation "prune fails"
		is_clean
	}
	prepare
	seed=two name=repair wants=want least=2 most=2 new=1 again=0
	cmd=(verify --repair)
	d=$(readlink -f seed/two/root/current)
	rm "$d/css/site.css" "$d/docs/a.html" "$d/assets/app-0.js"
	echo bad >"$d/css/site.css"
	rmdir "$d/docs"
	mkdir w/site
	each "$*" judge_repair "$@"
	((violations == 0)) || fail "$violations violations"
}

t_repair_killed() {
	repairs FAULT_MODE=kill FAULT_CALLS=change,sync,close
}

t_repair_killed_while_writing() {
	repairs FAULT_MODE=torn FAULT_CALLS=write,copy_file_range
}

t_repair_meets_EIO() {
	repairs FAULT_MODE=error FAULT_ERRNO=EIO FAULT_CALLS=change,sync,close
}

t_repair_finds_no_space() {
	repairs FAULT_MODE=error FAULT_ERRNO=ENOSPC \
	    FAULT_CALLS=change,write,copy_file_range
}

run_tests
