#!/bin/bash
# deploy prune: what goes, what stays, and what happens when it cannot go.
# shellcheck disable=SC2154 # the names: set by new, go and old
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

# old NAME HOURS: the release of this name was staged so many hours ago.  Its
# new id is in the variable.  Everything that names it is changed.
old() {
	local from=${!1} to f
	to=$(date -u -d "$2 hours ago" +%Y%m%dT%H%M%S).000Z${from:20}
	mv "www/releases/$from" "www/releases/$to"
	mv "www/.deploy/manifests/$from" "www/.deploy/manifests/$to"
	mv "www/.deploy/meta/$from.json" "www/.deploy/meta/$to.json"
	for f in "www/.deploy/meta/$to.json" www/.deploy/journal; do
		[ ! -e "$f" ] || sed -i "s/$from/$to/g" "$f"
	done
	[ "$(readlink www/current)" != "releases/$from" ] ||
	    ln -sfn "releases/$to" www/current
	declare -g "$1=$to"
}

# The names of the releases that are there, of those given.
left() {
	local name
	for name; do
		[ ! -d "www/releases/${!name}" ] || printf '%s ' "$name"
	done
}

# pruned NAMES OPTION...: exactly these go (names in one word), no trace is
# left of them, and they are what is printed.
pruned() {
	local name want=()
	for name in $1; do
		want+=("${!name}")
	done
	run d prune "${@:2}"
	assert_eq "$(sort "$out" | tr '\n' ' ')" \
	    "$(printf '%s\n' "${want[@]+"${want[@]}"}" | sort |
	    tr '\n' ' ' | sed 's/^ $//')" "what was pruned"
	for name in "${want[@]+"${want[@]}"}"; do
		assert_eq "$(find www -name "$name*")" "" "left of $name"
	done
	assert_eq "$(ls -A www/.deploy/trash)" "" "trash"
}

t_keeps_five_by_default() {
	go a b c e f g h
	pruned "a b"
	assert_eq "$(left a b c e f g h)" "c e f g h "
	pruned ""
	run d verify
}

t_keep_option_and_configuration() {
	go a b c e f
	pruned "" --keep 5
	pruned "a" --keep 4
	cat >deploy.yml <<-'EOT'
	sites: [{name: s, root: www, keep: 3}]
	EOT
	run deploy prune
	assert_eq "$(cat "$out")" "$b"
	run deploy prune --keep 2
	assert_eq "$(cat "$out")" "$c"
}

t_wrong_keep() {
	local n
	go a b c
	for n in 0 -1 x 1.5 '' 99999999999999999999; do
		expect_status 2 d prune --keep="$n"
	done
	assert_eq "$(left a b c)" "a b c "
}

# A number that does not fit somewhere means all, not what is left of it.
t_huge_keep_keeps_all() {
	local n
	go a b c
	pruned "" --keep 1000000
	for n in 1000001 4294967296 4294967297 9223372036854775807; do
		expect_status 2 d prune --keep "$n"
	done
	assert_eq "$(left a b c)" "a b c "
}

t_counts_only_what_was_live() {
	go a b c
	new s1 s2 s3 s4 s5
	# Five newer ones, none of which ever was live.
	pruned "" --keep 3
	pruned "a" --keep 2
	assert_eq "$(left a b c)" "b c "
}

t_keeps_current_and_previous_with_keep_1() {
	go a b c e
	pruned "a b" --keep 1
	assert_eq "$(left c e)" "c e "
	run d rollback
	assert_eq "$(readlink www/current)" "releases/$c"
}

# B was replaced by the rollback just now: visitors may have its files open.
t_keeps_what_a_rollback_replaced() {
	go a b c e
	run d rollback "$b"
	pruned "c" --keep 1
	assert_eq "$(left a b e)" "a b e "
	run d rollback
	assert_eq "$(readlink www/current)" "releases/$a"
	# E is the newest still, but it takes nobody's place.
	pruned "" --keep 1
}

t_after_a_rollback() {
	go a b c
	run d rollback
	# B is live, C was replaced, A is what a rollback goes to.
	pruned "" --keep 1
	go e
	pruned "a c" --keep 1
	assert_eq "$(left b e)" "b e "
	run d rollback
	assert_eq "$(readlink www/current)" "releases/$b"
}

# The live one is the oldest of all.
t_live_release_is_older_than_those_kept() {
	go a b c e f g
	run d rollback "$a"
	pruned "b c e f" --keep 1
	assert_eq "$(left a g)" "a g "
	run d verify
}

t_pinned_stays() {
	go a b c e
	run d pin "$a"
	pruned "b" --keep 1
	new staged
	old staged 48
	run d pin "$staged"
	pruned "" --keep 1
	run d unpin "$a"
	pruned "a" --keep 1
	run d unpin "$staged"
	pruned "staged" --keep 1
}

t_staged_goes_after_a_day() {
	go a
	new young s23 s25
	old s23 23
	old s25 25
	pruned "s25"
	assert_eq "$(left a young s23)" "a young s23 "
}

t_nothing_is_live_yet() {
	new s1 s2
	old s1 25
	pruned "s1"
	assert_eq "$(left s2)" "s2 "
}

t_older_than() {
	go a b c e f g
	old a $((30 * 24))
	old b $((9 * 24))
	old c $((3 * 24))
	pruned "a" --keep 1 --older-than 2w
	pruned "b" --keep 1 --older-than 4d
	# It only keeps; what --keep keeps stays.
	pruned "" --keep 10 --older-than 1s
	# Without it, all but the last two.
	pruned "c e" --keep 1
	assert_eq "$(left f g)" "f g "
}

t_older_than_and_staged() {
	go a
	new s
	old s 48
	pruned "" --older-than 3d
	pruned "s" --older-than 1d
}

t_wrong_older_than() {
	local t
	go a b c
	for t in x 1y -1d 1.5d '' d; do
		expect_status 2 d prune --keep 1 --older-than="$t"
	done
	assert_eq "$(left a b c)" "a b c "
}

t_dry_run() {
	local before
	go a b c e
	before=$(find www -printf '%p %i %s %T@ %l\n' | sort | sha256sum)
	run d prune -n --keep 1
	assert_eq "$(cat "$out")" "$a"$'\n'"$b"
	assert_contains "$err" "would prune $a"
	run d prune -n --keep 1 --json
	assert_eq "$(json "$out" '[.dry_run, (.pruned | length), .kept] |
	    tostring')" "[true,2,2]"
	assert_eq "$(find www -printf '%p %i %s %T@ %l\n' | sort |
	    sha256sum)" "$before" "something was changed"
	pruned "a b" --keep 1
}

t_publish_prunes() {
	local n
	mkdir b
	for n in {1..7}; do
		echo "$n" >b/index.html
		run d publish b --keep 3
	done
	assert_eq "$(find www/releases -mindepth 1 -maxdepth 1 | wc -l)" 3
	assert_eq "$(cat www/current/index.html)" 7
	run d rollback
	assert_eq "$(cat www/current/index.html)" 6
}

# Publishing when all but two go never takes what was just live.
t_publish_with_keep_1_leaves_the_way_back() {
	local n
	mkdir b
	for n in {1..4}; do
		echo "$n" >b/index.html
		run d publish b --keep 1
	done
	assert_eq "$(find www/releases -mindepth 1 -maxdepth 1 | wc -l)" 2
	run d rollback
	assert_eq "$(cat www/current/index.html)" 3
}

# as_go NAME...: like go, as nobody in a root of his.
as_go() {
	local name
	[ -d www ] || user_dir www
	for name; do
		mkdir -p "b-$name"
		printf '<p>%s\n' "$name" >"b-$name/index.html"
		run as_user deploy publish "b-$name" --keep 99 --root www
		declare -g "$name=$(cat "$out")"
	done
}

t_exit_9_release_of_another_user() {
	as_go a b c e f
	# Somebody repaired something as root.
	chown -R 0:0 "www/releases/$b"
	expect_status 9 as_user deploy prune --keep 1 --root www
	assert_contains "$err" "$b"
	assert_contains "$err" "another user"
	# The others went.
	assert_eq "$(cat "$out")" "$a"$'\n'"$c"
	assert_eq "$(left a b c e f)" "b e f "
	[ -e "www/.deploy/manifests/$b" ] || fail "it stays, so do its records"
	# Live and well; publishing goes on.
	assert_eq "$(cat www/current/index.html)" "<p>f"
	chown -R 65534:65534 "www/releases/$b"
	run as_user deploy prune --keep 1 --root www
	assert_eq "$(cat "$out")" "$b"
	run as_user deploy verify --root www
}

t_publish_over_a_release_of_another_user() {
	as_go a b c
	chown -R 0:0 "www/releases/$a"
	echo new >b-a/index.html
	expect_status 9 as_user deploy publish b-a --keep 1 --root www
	assert_eq "$(cat www/current/index.html)" new
	assert_eq "$(cat "$out")" "$(basename "$(readlink www/current)")"
	assert_contains "$err" "is live"
	assert_contains "$err" "$a"
}

# It leaves the list, but something inside it cannot be deleted.
t_directory_of_another_user_inside() {
	as_go a b c
	mkdir "www/releases/$a/cache"
	touch "www/releases/$a/cache/x"
	chown -R 0:0 "www/releases/$a/cache"
	expect_status 9 as_user deploy prune --keep 1 --root www
	assert_contains "$err" "cache"
	assert_contains "$err" "another user"
	assert_eq "$(cat "$out")" "$a"
	run as_user deploy list --root www
	assert_not_contains "$out" "$a"
	# Nothing else is held up by it.
	echo new >b-a/index.html
	run as_user deploy stage b-a --root www
	run as_user deploy activate --root www
	rm -r www/.deploy/trash/*/cache
	run as_user deploy prune --root www
	assert_eq "$(ls -A www/.deploy/trash)" ""
}

# What nobody can read may be pinned.
t_unreadable_meta_stays_with_a_warning() {
	go a b c e f
	echo '{"id":' >"www/.deploy/meta/$a.json"
	rm "www/.deploy/meta/$b.json"
	pruned "c" --keep 1
	assert_contains "$err" "warning: release $a stays"
	assert_contains "$err" "warning: release $b stays"
	assert_contains "$err" "run: deploy unpin $b --root www"
	assert_eq "$(left a b e f)" "a b e f "
	run deploy unpin "$a" --root www
	pruned "a" --keep 1
}

t_sweeps_what_dead_runs_left() {
	local dead=20250101T000000.000Z-6f9619ff-8b86-4011-b42d-00c04fc964ff
	go a
	cp -a "www/releases/$a" "www/.deploy/trash/$dead"
	cp -a "www/releases/$a" "www/.deploy/incoming/$dead"
	mkdir -p "www/.deploy/trash/${dead/2025/2024}/in"
	chmod 0 "www/.deploy/trash/${dead/2025/2024}"
	ln -s /etc "www/.deploy/trash/${dead/2025/2023}"
	: >"www/.deploy/manifests/$dead"
	: >"www/.deploy/meta/$dead.json"
	: >www/.deploy/.tmp-1
	pruned ""
	assert_eq "$(find www -name "$dead*")" "" "left"
	assert_eq "$(find www/.deploy/{incoming,trash} -mindepth 1)" "" "left"
	[ ! -e www/.deploy/.tmp-1 ] || fail "a temporary file"
	[ -e /etc/passwd ] || fail "a link was followed"
	assert_file_eq www/current/index.html b-a/index.html
}

# What has no name of ours could be somebody's.
t_sweeps_nothing_that_could_be_a_users() {
	local d
	go a
	for d in {incoming/,trash/,,meta/}{mine,.tmp-mine}; do
		mkdir "www/.deploy/$d"
		echo mine >"www/.deploy/$d/page"
	done
	go b
	run d prune
	for d in {incoming/,trash/,,meta/}{mine,.tmp-mine}; do
		assert_eq "$(cat "www/.deploy/$d/page")" mine "$d"
	done
}

# It died between the rename and the removal of the records.
t_goes_on_where_a_dead_run_stopped() {
	go a b c
	mv "www/releases/$a" www/.deploy/trash/
	run d list --json
	assert_eq "$(json "$out" '.releases | length')" 2
	run d prune
	[ ! -s "$out" ] || fail "pruned what was pruned"
	assert_eq "$(find www -name "$a*")" "" "left"
}

t_open_file_of_a_visitor_survives() {
	go a b
	exec 8<www/releases/"$a"/index.html
	go c
	pruned "a" --keep 1
	assert_eq "$(cat <&8)" "<p>a"
	exec 8<&-
}

# Unchanged files are the same file in several releases.
t_linked_content_survives() {
	local n
	mkdir b
	mksite b 20
	for n in 1 2 3 4; do
		echo "$n" >b/index.html
		run d publish b --keep 99
	done
	[ "$(stat -c %h www/current/css/site.css)" -ge 4 ] || fail "not linked"
	run d prune --keep 1
	assert_eq "$(wc -l <"$out")" 2
	assert_eq "$(stat -c %h www/current/css/site.css)" 2
	assert_tree_eq b www/current/.
	run d verify
	run d verify previous
}

t_carried_content_survives() {
	cat >deploy.yml <<-'EOT'
	sites:
	  - {name: s, root: www, carry: {paths: ["assets/**"], for: 7d}}
	EOT
	mkdir -p b/assets
	echo 1 >b/index.html
	echo old >b/assets/old.js
	run deploy publish b
	rm b/assets/old.js
	echo new >b/assets/new.js
	for n in 2 3 4; do
		echo $n >b/index.html
		run deploy publish b --keep 1
	done
	assert_eq "$(find www/releases -mindepth 1 -maxdepth 1 | wc -l)" 2
	assert_eq "$(cat www/current/assets/old.js)" old
	run deploy verify
}

t_exit_3_somebody_stages() {
	go a b c
	exec 9<www/.deploy/lock
	flock -s -n 9
	expect_status 3 d prune --keep 1 --lock-wait 0
	assert_eq "$(left a b c)" "a b c "
	exec 9<&-
	pruned "a" --keep 1
}

t_interrupted_tells_and_goes_on_later() {
	go a b c e
	mksite www/.deploy/trash/20250101T000000.000Z-6f9619ff-8b86-4011-b42d-00c04fc964ff 2000
	deploy prune --root www --keep 1 >o 2>&1 &
	kill -TERM $!
	wait $! || true
	# Whatever it got done by then, nothing is half a release.
	run d list --json
	for n in $(json "$out" '.releases[].id'); do
		run d verify "$n"
	done
	run d prune --keep 1
	assert_eq "$(ls -A www/.deploy/trash)" "" "trash"
	assert_eq "$(left a b c e)" "c e "
}

t_json() {
	go a b c
	run d prune --keep 1 --json
	assert_eq "$(json "$out" 'keys_unsorted | tostring')" \
	    '["site","root","skipped","dry_run","pruned","kept"]'
	assert_eq "$(json "$out" '[.pruned, .kept] | tostring')" "[[\"$a\"],2]"
	run d prune --json
	assert_eq "$(json "$out" '[.pruned, .kept] | tostring')" "[[],2]"
}

t_many_at_once() {
	local n i
	mkdir b
	for n in {1..30}; do
		echo "$n" >b/index.html
		run d publish b --keep 99 -q
	done
	# Two prunes and a publish at the same time.
	echo 31 >b/index.html
	d prune --keep 3 >o1 2>&1 &
	i=$!
	d prune --keep 3 >o2 2>&1 &
	run d publish b --keep 3
	wait $i || fail "$(cat o1)"
	wait $! || fail "$(cat o2)"
	assert_eq "$(find www/releases -mindepth 1 -maxdepth 1 | wc -l)" 3
	assert_eq "$(sort o1 o2 | grep ^2 | uniq -d)" "" "pruned twice"
	assert_eq "$(cat www/current/index.html)" 31
	run d verify
}

run_tests
