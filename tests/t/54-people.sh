#!/bin/bash
# What people see and type: short ids, other names of a release.
# shellcheck disable=SC2154 # the names: set by new and go
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

WHOLE='[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f]{8}-'

# no_whole FILE...: no id is whole in it that is not part of a path.
no_whole() {
	! grep -E "(^|[^/=])$WHOLE" "$@" || fail "a whole id"
}

# three_hosts: h1 here, h2 by the sh verbs, h3 as a program.
three_hosts() {
	local n
	{
		printf 'sites:\n  - name: s\n    root: /unused\n    hosts:\n'
		for n in 1 2 3; do
			printf '      - {address: h%s, transport: local, root: %s, deploy: %s}\n' \
			    "$n" "$PWD/h$n" "$([ "$n" = 2 ] && echo none || echo "$DEPLOY")"
		done
	} >deploy.yml
	run deploy init
}

t_people_see_short_ids() {
	local cmd id
	new a --commit 5f0c1ab2aaaa --seq 41
	run d activate latest
	assert_eq "$(<"$out")" "$a"
	no_whole "$err"
	go b --commit 6f0c1ab2aaaa --seq 42
	new c
	for cmd in list status log "diff $a $b" "diff $a" "verify $b" \
	    "preview next $c" preview "activate $c --dry-run" \
	    "rollback --dry-run" "pin $a" "unpin $a"; do
		# shellcheck disable=SC2086 # words
		run d $cmd
		no_whole "$err"
		case $cmd in
		pin*|unpin*|activate*|rollback*) ;;
		*) no_whole "$out" ;;
		esac
	done
	expect_status 4 d activate "$a" --expect "$c"
	no_whole "$err"
	assert_contains "$err" "$(short "$b") is live"
	expect_status 2 d activate 2
	no_whole "$err"
	# What programs read has them whole.
	run d list --json
	assert_eq "$(json "$out" .current)" "$b"
	expect_status 4 d activate "$a" --expect "$c" --json
	assert_contains "$out" "$b is live"
	run d rollback
	assert_eq "$(<"$out")" "$a"
	no_whole "$err"
	# And what people see can be typed.
	for id in "$b" "$a"; do
		run d rollback "$(short "$id")"
		assert_eq "$(<"$out")" "$id"
	done
}

t_names_of_a_release() {
	local w n again
	three_hosts
	mksite site 3
	for w in 'a 41 5f0c1ab2d4' 'b 42 5f0c9ab2d4' 'c 43 77770ab2d4'; do
		set -- $w
		echo "$1" >site/page
		run deploy publish site -q --seq "$2" --commit "$3"
		printf -v "$1" %s "$(<"$out")"
	done
	for w in "#41 $a" "#42 $b" "5f0c1 $a" "5f0c9ab2d4 $b" "7777 $c" "5F0C1AB $a"; do
		set -- $w
		run deploy verify "$1"
		assert_contains "$err" "$2 is intact"
		run deploy rollback -q "$1"
		assert_eq "$(<"$out")" "$2"
		for n in 1 2 3; do
			assert_eq "$(readlink "h$n/current")" "releases/$2"
		done
	done
	run deploy preview next '#42'
	run deploy diff next '#43' --json
	assert_eq "$(json "$out" '.from + " " + .to')" "$b $c"
	for w in '#4' '#' '#044x' '#-1' 5f0 5f0c1ab2d4f g77770; do
		expect_status 2 deploy verify "$w"
		assert_contains "$err" "there is no release '$w'"
	done
	# Of several: all are named, by what can be typed.
	expect_status 2 deploy verify 5f0c
	assert_contains "$err" "'5f0c' could be release $b or $a; use more of its id"
	run deploy publish site -q --again --override=order --seq 43 --commit 77770ab2d4
	again=$(<"$out")
	for w in '#43' 77770ab2d4; do
		expect_status 2 deploy activate "$w"
		assert_contains "$err" "'$w' could be release $again or $c;"
	done
}

# counts FILE...: the messages in which a number stands before a word in the
# plural, as in "1 files"; limits are more than one.
counts() {
	grep -nE '%(zu|lld|llu|d|u|ld)( of %(zu|lld|d|u))? (files|hosts|releases|pages|paths|packs|rules|URLs|lines|bytes|entries|items|requests|times|inodes|differences|checks|tries|stages|samples|names|links|sites|jobs|workers)\b' "$@" |
	    grep -vE 'limit of %|longer than %|more than %|of 1 to %|at most %|of %d tries'
}

t_counts_and_their_words_agree() {
	local found
	found=$(counts "$TREE"/src/*/*.c || true)
	assert_eq "$found" "" "messages to be made with TEXT_COUNT"
	# The search finds what it is for.
	echo 'log_info("%zu files", n);' >a.c
	counts a.c >/dev/null || fail "blind"
	new one
	assert_contains "$err" "staged 1 file ("
	mkdir b-two
	echo 2 >b-two/x.html
	new two
	assert_contains "$err" "staged 2 files ("
}

run_tests
