#!/bin/bash
# An older build never overtakes a newer one, whatever became of the newer.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

# build NAME: a build of its own content.
build() {
	mkdir -p "b-$1"
	printf '<p>%s\n' "$1" >"b-$1/index.html"
}

t_a_newer_build_with_the_live_content_counts() {
	build a
	build b
	expect_status 0 d publish b-a --seq 10
	expect_status 0 d publish b-a --seq 12
	expect_status 4 d publish b-b --seq 11
	assert_contains "$err" "sequence 11 is older than 12"
	assert_eq "$(cat www/current/index.html)" '<p>a' 'live'
	expect_status 0 d publish b-b --seq 13
	assert_eq "$(cat www/current/index.html)" '<p>b' 'live'
}

# The number that a live release got later counts when it is live no more.
t_a_raised_sequence_outlives_a_rollback() {
	build p
	build a
	build b
	expect_status 0 d publish b-p --seq 9
	expect_status 0 d publish b-a --seq 10
	expect_status 0 d publish b-a --seq 12
	expect_status 0 d rollback
	expect_status 4 d publish b-b --seq 11
	assert_contains "$err" "sequence 11 is older than 12"
	expect_status 0 d publish b-p --seq 14
	expect_status 4 d publish b-b --seq 13
	assert_eq "$(cat www/current/index.html)" '<p>p' 'live'
	# Numbers that begin anew: --override=order once, then as ever.
	build c
	expect_status 4 d publish b-c --seq 1
	assert_contains "$err" "--override=order"
	expect_status 0 d publish b-c --seq 1 --override=order
	build e
	expect_status 0 d publish b-e --seq 2
	build d
	expect_status 0 d publish b-d --seq 3
}

t_a_staged_release_takes_the_sequence_of_a_newer_build() {
	build a
	build c
	expect_status 0 d stage b-c --seq 5
	expect_status 0 d publish b-a --seq 7
	expect_status 0 d publish b-c --seq 8 --commit newer
	assert_eq "$(cat www/current/index.html)" '<p>c' 'live'
	expect_status 0 d list --json
	assert_eq "$(json "$out" '.releases[] | select(.live) | .seq')" 8 'seq'
	assert_eq "$(json "$out" '.releases[] | select(.live) | .commit')" \
	    newer 'commit'
}

t_a_rollback_to_what_never_was_live_is_an_activation() {
	build a
	build old
	expect_status 0 d stage b-old --seq 1
	old=$(cat "$out")
	expect_status 0 d publish b-a --seq 2
	expect_status 4 d rollback "$old"
	expect_status 0 d freeze -m why
	expect_status 3 d rollback "$old"
	assert_eq "$(cat www/current/index.html)" '<p>a' 'live'
}

t_force_does_not_link_what_is_damaged() {
	build a
	build b
	expect_status 0 d publish b-a
	time=$(stat -c %Y www/current/index.html)
	printf X | dd of=www/current/index.html conv=notrunc status=none
	touch -d "@$time" www/current/index.html
	expect_status 5 d verify
	expect_status 0 d publish b-a --again
	expect_status 0 d verify
	assert_eq "$(cat www/current/index.html)" '<p>a' 'live'
}

t_what_is_carried_ages_though_nothing_else_changes() {
	build a
	mkdir b-a/assets
	echo x >b-a/assets/x.js
	cat >deploy.yml <<-EOF
		sites:
		  - name: s
		    root: $PWD/www
		    source: b-a
		    max_delete: 100%
		    carry: {paths: ["assets/**"], for: 2s}
	EOF
	expect_status 0 deploy publish
	rm -r b-a/assets
	expect_status 0 deploy publish
	assert_eq "$(cat www/current/assets/x.js)" x 'carried'
	sleep 3
	expect_status 0 deploy publish
	[ ! -e www/current/assets ] || fail 'assets are still carried'
}

run_tests
