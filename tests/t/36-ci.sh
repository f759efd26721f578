#!/bin/bash
# What CI systems are given: outputs, a summary, annotations, groups.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

github() {
	: >output
	: >summary
	GITHUB_ACTIONS=true GITHUB_RUN_NUMBER=${build:-7} GITHUB_SHA=c0ffee \
	    GITHUB_ACTOR=ann GITHUB_SERVER_URL=https://git.example.org \
	    GITHUB_REPOSITORY=ann/site GITHUB_RUN_ID=99 \
	    GITHUB_OUTPUT=$PWD/output GITHUB_STEP_SUMMARY=$PWD/summary \
	    DEPLOY_SSH_KEY=secret deploy "$@"
}

t_github_actions() {
	local a b
	site 1
	run github publish site --root www
	a=$(cat "$out")
	assert_eq "$(cat output)" "id=$a
changed=true"
	assert_contains summary "### deploy publish"
	assert_contains summary "| live | \`$(short "$a")\` |"
	assert_eq "$(head -n 1 "$err")" "::group::deploy publish"
	assert_eq "$(tail -n 1 "$err")" "::endgroup::"
	# What the run is, is remembered.
	run deploy list --root www --json
	assert_eq "$(json "$out" '.releases[0] | [.seq, .commit] | tostring')" \
	    '[7,"c0ffee"]'
	run deploy log --root www --json
	assert_contains "$out" https://git.example.org/ann/site/actions/runs/99
	site 2
	run github stage site --root www
	b=$(cat "$out")
	assert_eq "$(cat output)" "id=$b
changed=false"
	run github activate --root www
	assert_eq "$(cat output)" "id=$b
changed=true
previous=$a"
	# An older run that ends later.
	site 3
	build=6 expect_status 4 github publish site --root www
	assert_contains "$err" "::error title=deploy::sequence 6 is older than 7"
	assert_contains summary "failed (status 4)"
	assert_not_contains summary secret
	assert_not_contains "$err" secret
	# Looking is no step of a deployment.
	run github list --root www
	[ ! -s output ] || fail "an output"
	assert_not_contains "$err" ::group
}

t_annotations_are_escaped() {
	expect_status 2 github stage $'a%b\nc' --root www
	assert_contains "$err" '::error title=deploy::'
	assert_contains "$err" 'a%25b'
	assert_eq "$(grep -c . "$err")" 3
}

t_quiet_has_no_groups() {
	site 1
	run github publish -q site --root www
	[ ! -s "$err" ] || fail "$(cat "$err")"
	assert_contains output id=
	# A file that cannot be written is a warning.
	site 2
	GITHUB_ACTIONS=true GITHUB_OUTPUT=/nosuch/dir \
	    GITHUB_STEP_SUMMARY=/dev/full run deploy publish -q site --root www
	assert_contains "$err" "'/nosuch/dir', which GITHUB_OUTPUT names: No such"
	assert_contains "$err" "'/dev/full', which GITHUB_STEP_SUMMARY names: No space"
}

t_gitlab() {
	site 1
	GITLAB_CI=true CI_PIPELINE_IID=3 run deploy publish site --root www
	head -n 1 "$err" | finds '^section_start:[0-9]*:deploy' ||
	    fail "$(cat "$err")"
	tail -n 1 "$err" | finds '^section_end:[0-9]*:deploy' ||
	    fail "$(cat "$err")"
	run deploy list --root www --json
	assert_eq "$(json "$out" '.releases[0].seq')" 3
}

t_elsewhere_nothing() {
	site 1
	GITHUB_OUTPUT=$PWD/output run deploy publish site --root www
	[ ! -e output ] || fail "an output"
	assert_not_contains "$err" "::"
}

run_tests
