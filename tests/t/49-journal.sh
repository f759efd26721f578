#!/bin/bash
# A journal whose last line is damaged: what was live is known all the same, a
# rollback goes one step back, prune takes nothing that it should keep, and the
# next line can be read.  On a root here, a host with deploy, and the sh verbs.
# parts: 2
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

# with KIND: a site with its root www there.
with() {
	local mine
	where "$1"
	cat >deploy.yml <<-END
	sites:
	  - name: t
	    source: site
	    root: $PWD/www
	    keep: 9
	    $mine
	END
	journal=www/.deploy/journal
	mkdir site
}

# Publish this page; its id is in $id.
page() {
	echo "$1" >site/index.html
	run deploy publish -q
	read -r id <"$out"
}

# What may have become of the last line; $1 is the whole journal.
cut_in_half() { head -c -60 "$1"; }
without_its_end() { head -c -1 "$1" | head -c -1; }
zeros() {
	head -n -1 "$1"
	head -c 200 /dev/zero
}
zeros_and_a_line_end() {
	zeros "$1"
	echo
}
a_flipped_bit() { sed '$s/"to":"2/"to":"r/' "$1"; }
another_key() { sed '$s/"action"/"actiom"/' "$1"; }
noise() {
	head -n -1 "$1"
	printf '\377\376\200\n'
}
gone() { head -n -1 "$1"; }
damages='cut_in_half without_its_end zeros zeros_and_a_line_end a_flipped_bit
another_key noise gone'

damaged_lines() {
	local damage a b c
	with "$1"
	page a
	a=$id
	page b
	b=$id
	page c
	c=$id
	cp -a www before
	for damage in $damages; do
		rm -rf www
		cp -a before www
		"$damage" before/.deploy/journal >"$journal"
		run deploy rollback -n
		assert_eq "$(cat "$out")" "$b" "$damage: back to"
		run deploy prune --keep 1
		assert_not_contains "$out" "$b"
		run deploy rollback --expect "$c"
		assert_live_is www "$b"
		# The line of that is whole.
		assert_eq "$(tail -n 1 $journal | jq -r .to)" "$b" "$damage"
		expect_status 4 deploy rollback --expect "$c"
		assert_live_is www "$b"
	done
	# The line before it, too: of two releases nothing is known.
	rm -rf www
	cp -a before www
	sed -e '2,$s/"to":"2/"to":"r/' before/.deploy/journal >$journal
	run deploy rollback
	assert_live_is www "$a"
}

t_damaged_lines_here() {
	damaged_lines here
}

t_damaged_lines_on_a_c_host() {
	damaged_lines c
}

t_damaged_lines_on_a_dash_host() {
	damaged_lines dash
}

t_damaged_lines_on_a_busybox_host() {
	damaged_lines busybox
}

# A clock before 1970 makes no line that is refused.
before_1970() {
	local a b
	need_cmd faketime
	# Its preloaded clock is asked by the sanitizer before it can answer.
	[ -z "${TEST_SANITIZE:-}" ] || skip "faketime hangs under a sanitizer"
	with "$1"
	page a
	a=$id
	page b
	b=$id
	echo c >site/index.html
	run faketime '1960-01-01 00:00:00' deploy publish -q
	assert_eq "$(cat www/current/index.html)" c
	run faketime '1960-01-01 00:00:00' deploy freeze
	run faketime '1960-01-01 00:00:00' deploy thaw
	run deploy log --json
	assert_eq "$(json "$out" '.journal | length')" 3
	run deploy rollback
	assert_live_is www "$b"
	run deploy rollback
	assert_live_is www "$a"
}

t_clock_before_1970_here() {
	before_1970 here
}

t_clock_before_1970_on_a_dash_host() {
	before_1970 dash
}

run_tests
