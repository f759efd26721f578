#!/bin/bash
# Release ids: their form, their order, and clocks that are wrong.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

uuid=6f9619ff-8b86-4011-b42d-00c04fc964ff

# new CONTENT [OPTION...]: stage a build with this content; its id is in $id.
new() {
	mkdir -p b
	printf '<p>%s\n' "$1" >b/index.html
	run d stage b "${@:2}"
	id=$(cat "$out")
}

# plant ID: a release with that id, made of the one in $id.
plant() {
	cp -a "www/releases/$id" "www/releases/$1"
	cp "www/.deploy/manifests/$id" "www/.deploy/manifests/$1"
	sed "s/$id/$1/g" "www/.deploy/meta/$id.json" >"www/.deploy/meta/$1.json"
}

# The ids in the order of `list`.
listed() {
	run d list --json
	json "$out" '.releases[].id'
}

id_form='^[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}'
id_form+='-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'

t_form() {
	local before after
	before=$(date -u +%Y%m%dT%H%M%S)
	new a
	after=$(date -u +%Y%m%dT%H%M%S)
	[[ $id =~ $id_form ]] || fail "$id"
	[[ ! ${id:0:15} < $before && ! ${id:0:15} > $after ]] ||
	    fail "$before, $id, $after"
	# Nothing but the id is printed.
	assert_eq "$(wc -l <"$out")" 1
	assert_eq "$(json "www/.deploy/meta/$id.json" .id)" "$id"
	assert_eq "$(json "www/.deploy/meta/$id.json" .staged_at)" \
	    "${id:0:4}-${id:4:2}-${id:6:5}:${id:11:2}:${id:13:2}Z"
}

t_fifty_sort_as_they_were_made() {
	local n
	for n in {1..50}; do
		new "$n"
		echo "$id"
	done >made
	assert_eq "$(sort made)" "$(cat made)" "order"
	assert_eq "$(sort -u made | wc -l)" 50 "different ones"
	assert_eq "$(grep -cE "$id_form" made)" 50 "well formed"
	assert_eq "$(listed)" "$(tac made)" "newest first"
	run d list --limit 1
	run d activate latest
	assert_eq "$(cat "$out")" "$id"
}

t_zone_and_locale_do_not_matter() {
	mkdir b
	echo x >b/index.html
	new a
	for tz in Pacific/Kiritimati America/St_Johns Pacific/Niue; do
		echo "$tz" >b/index.html
		run env TZ=$tz LC_ALL=de_DE.UTF-8 deploy stage b --root www
		[[ $(cat "$out") > $id ]] || fail "$(cat "$out") after $id"
		id=$(cat "$out")
		[[ ${id:0:11} = $(date -u +%Y%m%dT%H) ]] || fail "$id"
	done
}

# The clock went back, or that of another machine was ahead.
t_later_than_a_release_of_the_future() {
	local future=29991231T235959.999Z-$uuid first
	new a
	plant "$future"
	new b
	assert_eq "${id:0:20}" 30000101T000000.000Z
	[[ $id > $future ]] || fail "$id is not later"
	first=$id
	new c
	[[ $id > $first ]] || fail "$id is not later"
	assert_eq "$(listed | sed -n '1,3p')" "$id"$'\n'"$first"$'\n'"$future"
	run d activate latest
	assert_eq "$(cat "$out")" "$id"
	run d verify
}

t_later_than_what_is_on_its_way() {
	local future=29991231T235959.999Z-$uuid
	new a
	# Somebody stages, so that nothing is swept.
	exec 9>"www/.deploy/incoming/$future.lock"
	flock -x 9
	mkdir "www/.deploy/incoming/$future"
	new b
	exec 9<&-
	[[ $id > $future ]] || fail "$id is not later"
}

t_what_is_no_release_does_not_count() {
	new a
	mkdir www/releases/{zzzz,99991231T235959.999Z,"29991231T235959.999Z-x"}
	touch "www/releases/29991231T235959.999Z-$uuid"
	new b
	assert_eq "${id:0:8}" "$(date -u +%Y%m%d)"
}

# There is nothing later than the last millisecond that an id can say.
t_end_of_time() {
	local last
	new a
	last=99991231T235959.999Z-$uuid
	plant "$last"
	echo more >b/index.html
	expect_status 1 d stage b
	assert_contains "$err" "$last"
	assert_eq "$(ls -A www/.deploy/incoming)" "" "incoming"
	assert_eq "$(find www/releases -mindepth 1 -maxdepth 1 |
	    wc -l)" 2 "releases"
	rm -r "www/releases/$last"
	# What no calendar has is no release.
	mkdir "www/releases/99999999T999999.999Z-$uuid"
	new b
}

# With faketime(1) the clock itself is wrong.
t_clock_before_1980() {
	need_cmd faketime
	# Its preloaded clock is asked by the sanitizer before it can answer.
	[ -z "${TEST_SANITIZE:-}" ] || skip "faketime hangs under a sanitizer"
	new a
	mkdir -p b
	echo old >b/index.html
	run faketime '1975-01-01 00:00:00' deploy stage b --root www
	[[ $(cat "$out") > $id ]] || fail "$(cat "$out") after $id"
	run d activate latest
	assert_eq "$(cat www/current/index.html)" old
}

# New content gets a later time than what it replaces, whatever the clock
# says, or a browser would keep the old.
t_mtimes_go_forward() {
	local meta before
	new a
	run d activate latest
	before=$(stat -L -c %Y www/current/index.html)
	meta=www/.deploy/meta/$id.json
	for n in b c e; do
		new "$n"
		run d activate latest
		[ "$(stat -L -c %Y www/current/index.html)" -gt "$before" ] ||
		    fail "no later than $before"
		before=$(stat -L -c %Y www/current/index.html)
	done
	meta=www/.deploy/meta/$id.json
	command jq -c '.mtime = 4102444800' "$meta" >m
	cp m "$meta"
	new f
	assert_eq "$(stat -c %Y "www/releases/$id/index.html")" 4102444801
}

t_list_order_is_not_that_of_activation() {
	local a b
	new a
	a=$id
	new b
	b=$id
	new c
	run d activate "$b"
	run d activate "$a"
	assert_eq "$(listed)" "$id"$'\n'"$b"$'\n'"$a"
	run d list
	assert_eq "$(awk 'NR > 1 { print $2 }' "$out" | tr '\n' ' ')" \
	    "staged previous live "
}

# The shortest prefix in the table is unique, also within one second.
t_table_shows_unique_prefixes() {
	local n word
	for n in {1..12}; do
		new "$n"
	done
	run d list
	awk 'NR > 1 { print $1 }' "$out" >words
	assert_eq "$(sort -u words | wc -l)" 12
	while read -r word; do
		run d verify "$word"
	done <words
	# Two that differ in the last character only.
	plant "${id:0:56}$([ "${id:56}" = 0 ] && echo 1 || echo 0)"
	run d list
	assert_eq "$(awk 'NR == 2 || NR == 3 { print length($1) }' "$out" | sort -u)" 57
}

run_tests
