#!/bin/bash
# deploy activate: which release it takes, what it refuses, how it flips.
# parts: 2
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

journal_lines() {
	[ ! -e www/.deploy/journal ] || wc -l <www/.deploy/journal
}

# untouched ID LINES: ID is live still and the journal has so many lines.
untouched() {
	assert_eq "$(live)" "$1" "live"
	assert_eq "$(journal_lines)" "$2" "lines of the journal"
}

# two_hosts: www and w2 are a site of two hosts, one of each kind.
two_hosts() {
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    root: $PWD/www
	    hosts:
	      - {address: www1, transport: local, root: $PWD/www}
	      - {address: www2, transport: local, root: $PWD/w2, deploy: none}
	EOF
	d() {
		deploy "$@"
	}
}

# Without an operand: the one release that waits.
check_default() {
	local a b c i
	expect_status 1 d activate
	run d init
	expect_status 2 d activate
	assert_contains "$err" "no release waits to go live, and none is live"
	new a; a=$id
	run d activate -n
	assert_contains "$err" "would make: $a is live"
	run d activate
	assert_eq "$(cat "$out")" "$a" "stdout"
	assert_eq "$(live)" "$a"
	# Several: which of them is not guessed.
	new b; b=$id
	new c; c=$id
	expect_status 2 d activate
	assert_contains "$err" "2 releases wait to go live: $c, $b; run "
	assert_contains "$err" "'deploy activate latest"
	[ ! -s "$out" ] || fail "an answer"
	untouched "$a" 1
	expect_status 2 d activate -n --override=freeze,order --expect "$a"
	run d activate latest
	assert_eq "$(live)" "$c"
	# What was passed over does not wait, nor does what was live.
	run d activate --json
	assert_contains "$err" "no release waits to go live"
	assert_contains "$err" "unchanged: $c"
	assert_eq "$(json "$out" '[.changed, .current] | @text')" \
	    "[false,\"$c\"]"
	run d rollback
	run d activate
	assert_eq "$(cat "$out")" "$a"
	untouched "$a" 3
	new e
	run d activate
	assert_eq "$(live)" "$id"
	# Not a line for each of very many.
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		new "$i"
	done
	expect_status 2 d activate
	assert_contains "$err" "12 releases wait to go live: $id, "
	assert_contains "$err" ", ...; run 'deploy activate RELEASE"
}

t_default_is_the_one_that_waits() { check_default; }

t_default_on_hosts() {
	two_hosts
	check_default
	assert_eq "$(readlink w2/current)" "$(readlink www/current)"
}

# It waits where it has not been live yet.
t_default_where_hosts_differ() {
	local a b
	two_hosts
	go a; a=$id
	new b; b=$id
	run d activate --host www1
	assert_eq "$(live)" "$b"
	run d activate
	assert_eq "$(readlink w2/current)" "releases/$b"
	# One that hosts do not share is not live anywhere afterwards.
	run d activate "$a" --host www2
	expect_status 7 d activate
	assert_contains "$err" "the hosts differ"
	new c
	run d activate
	assert_eq "$(readlink w2/current)" "releases/$id"
}

t_exit_0_done() {
	new a
	expect_status 0 d activate "$id"
	expect_status 0 d activate "$id"
}

t_id_and_unique_prefix() {
	local a b len
	new a; a=$id
	new b; b=$id
	run d activate "$a"
	assert_eq "$(live)" "$a"
	# As many characters as it takes, and what the table shows.
	for ((len = 1; len <= 57; len++)); do
		[ "${a:0:len}" = "${b:0:len}" ] || break
	done
	run d activate "${b:0:len}"
	assert_eq "$(live)" "$b"
	run d list
	run d activate "$(awk 'END { print $1 }' "$out")"
	assert_eq "$(live)" "$a"
}

t_ambiguous_prefix() {
	local a
	go a; a=$id
	new b
	expect_status 2 d activate 20
	assert_contains "$err" "$a"
	assert_contains "$err" "$id"
	[ ! -s "$out" ] || fail "an answer"
	untouched "$a" 1
}

t_unknown_release() {
	local word
	go a
	for word in "" 2099 x "${id}0" "../releases/$id" "releases/$id" \
	    "${id^^}" '*' 'lates' "-${id:1}"
	do
		expect_status 2 d activate -- "$word"
		assert_contains "$err" "no release"
	done
	expect_status 2 d activate "$id" "$id"
	untouched "$id" 1
}

t_words() {
	local a b c
	new a; a=$id
	expect_status 2 d activate current
	expect_status 2 d activate previous
	run d activate latest
	assert_eq "$(live)" "$a"
	expect_status 2 d activate previous
	go b; b=$id
	new c; c=$id
	run d activate previous
	assert_eq "$(live)" "$a"
	run d activate current
	assert_contains "$err" "unchanged"
	assert_eq "$(live)" "$a"
	run d activate latest
	assert_eq "$(live)" "$c"
	# Activating is no rollback: B was live before A.
	run d activate previous
	assert_eq "$(live)" "$a"
	run d activate "$b"
	run d activate previous
	assert_eq "$(live)" "$a"
}

t_nothing_staged() {
	run d init
	expect_status 2 d activate latest
	assert_contains "$err" "no release yet"
	expect_status 2 d activate current
	[ ! -L www/current ] || fail "a link"
}

t_no_root() {
	expect_status 1 d activate latest
	assert_contains "$err" "not a root of deploy"
	mkdir www
	expect_status 1 d activate latest
	[ -z "$(ls -A www)" ] || fail "something was made"
}

t_live_already() {
	local before
	go a
	before=$(stat -c %i-%y www/current)
	run d activate "$id"
	assert_eq "$(cat "$out")" "$id"
	assert_contains "$err" "unchanged"
	untouched "$id" 1
	assert_eq "$(stat -c %i-%y www/current)" "$before" "the link"
	run d activate "$id" --json
	assert_eq "$(json "$out" .changed)" false
}

t_expect() {
	local a b
	go a; a=$id
	new b; b=$id
	expect_status 4 d activate "$b" --expect "$b"
	assert_contains "$err" "$a is live"
	untouched "$a" 1
	expect_status 4 d activate "$b" --expect none
	untouched "$a" 1
	run d activate "$b" --expect "$a"
	assert_eq "$(live)" "$b"
	# By prefix and by word.
	run d activate "$a" --expect "${b:0:19}"
	run d activate "$b" --expect current
	expect_status 4 d activate "$a" --expect previous
	assert_eq "$(live)" "$b"
}

t_expect_none() {
	local a
	new a; a=$id
	new b
	expect_status 4 d activate "$a" --expect "$id"
	[ ! -L www/current ] || fail "a link"
	run d activate "$a" --expect none
	assert_eq "$(live)" "$a"
	expect_status 4 d activate "$id" --expect none
	untouched "$a" 1
}

t_expect_what_is_gone_or_never_was() {
	go a
	new b
	expect_status 4 d activate "$id" --expect \
	    20010101T000000.000Z-6f9619ff-8b86-4011-b42d-00c04fc964ff
	expect_status 2 d activate "$id" --expect nonsense
	expect_status 2 d activate "$id" --expect ''
	assert_eq "$(journal_lines)" 1
}

# The command is repeated because its answer was lost.
t_expect_repeated_is_done() {
	local a
	go a; a=$id
	new b
	run d activate "$id" --expect "$a"
	run d activate "$id" --expect "$a"
	untouched "$id" 2
}

t_exit_4_older_sequence() {
	local ten
	go a --seq 10; ten=$id
	new b --seq 9
	expect_status 4 d activate "$id"
	assert_contains "$err" "sequence 9"
	assert_contains "$err" 10
	untouched "$ten" 1
	# It stays staged.
	run d list --json
	assert_eq "$(json "$out" ".releases[] | select(.id == \"$id\") |
	    [.live, .was_live, .seq] | tostring")" "[false,false,9]"
	run d verify "$id"
	new c --seq 11
	run d activate latest
	assert_eq "$(live)" "$id"
}

t_equal_sequence_is_allowed() {
	go a --seq 10
	new b --seq 10
	run d activate "$id"
	assert_eq "$(live)" "$id"
}

t_sequence_numbers_are_numbers() {
	go a --seq 9
	new b --seq 10
	run d activate latest
	assert_eq "$(live)" "$id"
	go c --seq 9007199254740991
	new d --seq 9007199254740990
	expect_status 4 d activate latest
	new e --seq 0
	expect_status 4 d activate latest
}

t_wrong_sequence_options() {
	local n
	mkdir b
	echo x >b/index.html
	for n in -1 x 1.5 '' ' 1' 9223372036854775808; do
		expect_status 2 d stage b --seq="$n"
	done
	[ ! -e www ] || fail "a root"
}

# After a rollback from 10, a 9 that comes late does not go live.
t_late_build_after_rollback() {
	local nine
	go a --seq 9; nine=$id
	go b --seq 10
	run d rollback
	assert_eq "$(live)" "$nine"
	new c --seq 9
	expect_status 4 d activate "$id"
	assert_eq "$(live)" "$nine"
	new d --seq 11
	run d activate "$id"
}

# A hot fix by hand has no number; it opens no door for late builds.
t_late_build_after_one_without_a_number() {
	go a --seq 10
	go fix
	new late --seq 9
	expect_status 4 d activate "$id"
	new next --seq 11
	run d activate "$id"
}

t_force_starts_the_sequence_anew() {
	local ten
	go a --seq 10; ten=$id
	new b --seq 1
	expect_status 4 d activate "$id"
	run d activate "$id" --override=order
	assert_eq "$(live)" "$id"
	new c --seq 2
	run d activate "$id"
	new d --seq 1
	expect_status 4 d activate "$id"
	# The old ten is newer than two again.
	run d activate "$ten"
	expect_status 4 d activate "$id"
}

# Build 9 came late and stayed staged; build 11 has the same content.
t_newer_build_of_what_is_staged() {
	go a --seq 10
	new x --seq 9
	expect_status 4 d activate "$id"
	new x --seq 11
	run d activate "$id"
	assert_eq "$(live)" "$id"
	assert_file_eq www/current/index.html b-x/index.html
	# And it counts as 11 from now on.
	new y --seq 10
	expect_status 4 d activate "$id"
}

# Build 12 changes nothing, but it was: 11 comes too late.
t_unchanged_build_counts_in_the_sequence() {
	go a --seq 10
	run d publish b-a --seq 12
	assert_contains "$err" unchanged
	new late --seq 11
	expect_status 4 d activate "$id"
	assert_file_eq www/current/index.html b-a/index.html
}

# ci VARIABLE=VALUE...: stage and activate there; meta and journal are what
# they should be.  $seq, $commit, $who and $job are expected.
ci() {
	mkdir b
	echo x >b/index.html
	run env "$@" deploy stage b --root www
	id=$(cat "$out")
	assert_eq "$(json "www/.deploy/meta/$id.json" \
	    '[.seq, .commit, .who, .job] | tostring')" \
	    "[$seq,\"$commit\",\"$who\",\"$job\"]" meta
	# The number is the release's, not that of the job which activates.
	run env "$@" GITHUB_RUN_NUMBER=3 deploy activate latest --root www
	run d log --json
	assert_eq "$(json "$out" '.journal[0] |
	    [.seq, .who, .job, .to] | tostring')" \
	    "[$seq,\"$who\",\"$job\",\"$id\"]" journal
}

t_ci_github() {
	local seq=17 commit=ffac537e who=octocat
	local job=https://github.com/o/site/actions/runs/99
	ci GITHUB_ACTIONS=true GITHUB_RUN_NUMBER=17 GITHUB_SHA=ffac537e \
	    GITHUB_ACTOR=octocat GITHUB_SERVER_URL=https://github.com \
	    GITHUB_REPOSITORY=o/site GITHUB_RUN_ID=99
}

t_ci_gitlab() {
	local seq=8 commit=abc who=ann job=https://gitlab/j/1
	ci GITLAB_CI=true CI_PIPELINE_IID=8 CI_PIPELINE_ID=12345 \
	    CI_COMMIT_SHA=abc CI_JOB_URL=https://gitlab/j/1 \
	    GITLAB_USER_LOGIN=ann
}

t_ci_woodpecker() {
	local seq=5 commit=abd who=bob job=https://ci/5
	ci CI=woodpecker CI_PIPELINE_NUMBER=5 CI_COMMIT_SHA=abd \
	    CI_PIPELINE_URL=https://ci/5 CI_COMMIT_AUTHOR=bob
}

t_ci_jenkins() {
	local seq=153 commit=abe who=eve job=https://j/job/153/
	ci JENKINS_URL=https://j/ BUILD_NUMBER=153 GIT_COMMIT=abe \
	    BUILD_URL=https://j/job/153/ BUILD_USER_ID=eve
}

t_ci_number_is_compared() {
	mkdir b
	echo 1 >b/index.html
	run env GITLAB_CI=true CI_PIPELINE_IID=8 deploy publish b --root www
	echo 2 >b/index.html
	expect_status 4 env GITLAB_CI=true CI_PIPELINE_IID=7 \
	    deploy publish b --root www
	# Options win.
	echo 3 >b/index.html
	run env GITLAB_CI=true CI_PIPELINE_IID=7 CI_COMMIT_SHA=abc \
	    deploy publish b --seq 9 --commit fed --root www
	run d list --json --limit 1
	assert_eq "$(json "$out" '.releases[0] | [.seq, .commit] | tostring')" \
	    '[9,"fed"]'
}

t_not_in_ci() {
	go a
	assert_eq "$(json "www/.deploy/meta/$id.json" \
	    '[.seq, .commit, .job] | tostring')" '[null,null,null]'
	assert_eq "$(json "www/.deploy/meta/$id.json" .who)" \
	    "$(id -un)@$(uname -n)"
}

t_message() {
	go a -m 'of the release'
	new b -m other
	run d activate "$id" -m 'of the activation'
	run d log --json
	assert_eq "$(json "$out" '[.journal[].message] | tostring')" \
	    '["of the activation","of the release"]'
	assert_eq "$(json "www/.deploy/meta/$id.json" .message)" other
}

t_dry_run_changes_nothing() {
	local a before
	go a --seq 10; a=$id
	new b --seq 11
	before=$(find www -printf '%p %i %s %T@ %l\n' | sort | sha256sum)
	# It needs no lock either.
	exec 9<www/.deploy/lock
	flock -n 9
	run d activate latest -n
	assert_eq "$(cat "$out")" "$id"
	assert_contains "$err" "would make: $id is live"
	run d activate latest --dry-run --json
	assert_eq "$(json "$out" '[.dry_run, .current, .from] | tostring')" \
	    "[true,\"$id\",\"$a\"]"
	exec 9<&-
	assert_eq "$(find www -printf '%p %i %s %T@ %l\n' | sort |
	    sha256sum)" "$before" "something was changed"
}

t_dry_run_tells_what_is_in_the_way() {
	local a
	go a --seq 10; a=$id
	new b --seq 9
	expect_status 4 d activate latest -n
	expect_status 4 d activate "$id" -n --override=order --expect none
	run d activate "$id" -n --override=order
	expect_status 2 d activate -n nonsense
	run d freeze
	expect_status 3 d activate latest -n
	untouched "$a" 1
}

t_exit_5_manifest_is_missing() {
	local a
	go a; a=$id
	new b
	mv "www/.deploy/manifests/$id" kept
	expect_status 5 d activate "$id"
	assert_contains "$err" ".deploy/manifests/$id"
	expect_status 5 d activate "$id" -n
	expect_status 5 d activate "$id" --override=freeze,order
	untouched "$a" 1
	mv kept "www/.deploy/manifests/$id"
	run d activate "$id"
}

t_meta_is_missing() {
	go a
	new b
	rm "www/.deploy/meta/$id.json"
	run d activate "$id"
	assert_eq "$(live)" "$id"
}

# hopeless TEXT: every command that wants to know what is live fails so.
hopeless() {
	expect_status 1 d activate "$id"
	assert_contains "$err" "$1"
	expect_status 1 d rollback
	expect_status 1 d stage b-a --again
	expect_status 1 d prune
	expect_status 1 d status
	assert_contains "$err" "www/current"
}

t_current_points_elsewhere() {
	local target
	new a
	for target in /etc ../../etc nowhere "releases/x" "releases" \
	    "releases/$id/../$id" "x/releases/$id" . "/releases/$id" \
	    "releases/../releases/$id"
	do
		ln -sfn "$target" www/current
		hopeless "points to '$target'"
		assert_eq "$(readlink www/current)" "$target"
	done
	[ ! -e www/.deploy/journal ] || fail "a journal"
}

t_current_is_a_directory_or_file() {
	new a
	mkdir www/current
	echo precious >www/current/index.html
	hopeless "real directory"
	assert_contains www/current/index.html precious
	rm -r www/current
	echo precious >www/current
	hopeless "real file"
	assert_contains www/current precious
}

# What people and other tools write by hand.
t_current_in_other_spellings() {
	local target a
	new a; a=$id
	new b
	for target in "releases/$a" "releases/$a/" "$PWD/www/releases/$a" \
	    "$PWD/www/releases/$a//"
	do
		ln -sfn "$target" www/current
		run d status --json
		assert_eq "$(json "$out" .current)" "$a"
		run d activate "$id"
		assert_eq "$(readlink www/current)" "releases/$id"
	done
}

t_current_dangles() {
	local a
	go a; a=$id
	new b
	rm -rf "www/releases/$a"
	run d activate "$id"
	assert_eq "$(live)" "$id"
	expect_status 2 d activate "$a"
	assert_eq "$(live)" "$id"
	# Nothing else is in the way of the next build.
	go c
}

t_journal_is_not_writable() {
	local a before
	user_dir www
	go_as() {
		mkdir -p b
		echo "$1" >b/index.html
		run as_user deploy stage b --root www
		id=$(cat "$out")
	}
	go_as a; a=$id
	run as_user deploy activate latest --root www
	go_as b
	before=$(cat www/.deploy/journal)
	chmod 444 www/.deploy/journal
	expect_status 1 as_user deploy activate latest --root www
	assert_contains "$err" "www/.deploy/journal"
	untouched "$a" 1
	[ -z "$(find www -name '.tmp-*')" ] || fail "a link was left"
	chmod 644 www/.deploy/journal
	run as_user deploy activate latest --root www
	untouched "$id" 2
}

t_journal_is_a_directory() {
	new a
	mkdir www/.deploy/journal
	expect_status 1 d activate latest
	assert_contains "$err" "www/.deploy/journal"
	[ ! -L www/current ] || fail "went live without a line"
}

t_journal_is_a_planted_link() {
	new a
	echo precious >victim
	ln -s "$PWD/victim" www/.deploy/journal
	expect_status 1 d activate latest
	assert_eq "$(cat victim)" precious
	[ ! -L www/current ] || fail "went live without a line"
}

t_root_is_read_only_for_us() {
	user_dir www
	mkdir b
	echo x >b/index.html
	run as_user deploy stage b --root www
	chown 0:0 www
	expect_status 1 as_user deploy activate latest --root www
	[ ! -L www/current ] || fail "a link"
	[ -z "$(find www -name '.tmp-*')" ] || fail "a link was left"
}

# What is under incoming/ is no release, however complete it looks.
t_half_staged_release_is_no_candidate() {
	local a half=29990101T000000.000Z-6f9619ff-8b86-4011-b42d-00c04fc964ff
	new a; a=$id
	cp -a "www/releases/$a" "www/.deploy/incoming/$half"
	cp "www/.deploy/manifests/$a" "www/.deploy/manifests/$half"
	sed "s/$a/$half/" "www/.deploy/meta/$a.json" \
	    >"www/.deploy/meta/$half.json"
	run d list --json
	assert_eq "$(json "$out" '[.releases[].id] | tostring')" "[\"$a\"]"
	expect_status 2 d activate "$half"
	expect_status 2 d rollback "$half"
	expect_status 2 d pin "$half"
	run d activate latest
	assert_eq "$(live)" "$a"
	# The next stage sweeps it, records and all.
	new b
	assert_eq "$(find www -name "$half*")" "" "not swept"
}

t_alien_things_among_releases() {
	local a name
	local fake=29990101T000000.000Z-6f9619ff-8b86-4011-b42d-00c04fc964f
	new a; a=$id
	mkdir www/releases/{foo,latest,29990101T000000.000Z} "www/releases/$a.bak"
	echo x >www/releases/README
	# Named like releases, but none.
	echo x >"www/releases/${fake}1"
	ln -s "$a" "www/releases/${fake}2"
	ln -s /etc "www/releases/${fake}3"
	ln -s nowhere "www/releases/${fake}4"
	run d list --json
	assert_eq "$(json "$out" '[.releases[].id] | tostring')" "[\"$a\"]"
	for name in foo README 2999 "$a.bak" "${fake}1" "${fake}2" "${fake}3"; do
		expect_status 2 d activate "$name"
	done
	run d activate latest
	assert_eq "$(live)" "$a"
	run d prune --keep 1
	for name in foo README "$a.bak"; do
		[ -e "www/releases/$name" ] || fail "$name was removed"
	done
	go b
}

t_link_is_relative_and_replaced() {
	local a first second
	go a; a=$id
	assert_eq "$(readlink www/current)" "releases/$a"
	first=$(stat -c %i www/current)
	go b
	second=$(stat -c %i www/current)
	assert_eq "$(readlink www/current)" "releases/$id"
	[ "$first" != "$second" ] || fail "the link was changed in place"
	# So that the root can be moved, or be mounted elsewhere.
	mv www moved
	assert_file_eq moved/current/index.html b-b/index.html
	assert_eq "$(find moved -mindepth 1 -maxdepth 1 | sort | tr '\n' ' ')" \
	    "moved/.deploy moved/current moved/releases "
}

# A visitor who looks without a pause always finds a whole release.
t_link_is_never_absent() {
	local a b n i
	need_cmd perl
	new a; a=$id
	go b; b=$id
	cat >reader.pl <<-'EOT'
	my $n = 0;
	until (-e "stop" && $n >= 100000) {
		for (1 .. 1000) {
			my $to = readlink "www/current";
			defined $to && $to =~ m{^releases/2[-0-9a-fTZ.]+$}
			    or die "readlink: $!";
			open my $f, "<", "www/current/index.html"
			    or die "open: $!";
			my $line = <$f>;
			$line =~ /^<p>[ab]$/ or die "read: $line";
			$n++;
		}
	}
	EOT
	perl reader.pl 2>complaint &
	all_or 20 60
	for ((i = 0; i < n; i++)); do
		run d activate "$a" -q
		run d activate "$b" -q
	done
	touch stop
	wait $! || fail "$(cat complaint)"
	assert_eq "$(journal_lines)" $((2 * n + 1))
}

t_leftovers_of_dead_runs() {
	local i
	new a
	ln -s releases/x www/.deploy/.tmp-deadbeef.1.0
	ln -s "releases/$id" www/.deploy/.tmp-deadbeef.2.0
	echo x >www/.deploy/.tmp-file
	echo x >www/.deploy/meta/.tmp-file
	echo '{"who":' >www/.deploy/lock.note
	for i in 1 2 3; do
		run d activate "$id"
	done
	assert_eq "$(live)" "$id"
	new b
	assert_eq "$(find www -name '.tmp-*')" "" "not swept"
}

t_two_at_once() {
	local a b n lines
	new a; a=$id
	new b; b=$id
	for n in {1..10}; do
		d activate "$a" >a.out 2>&1 &
		d activate "$b" >b.out 2>&1
		wait $! || fail "$(cat a.out)"
	done
	# Each line begins where the one before it ended.
	run d log --json
	assert_eq "$(json "$out" '.journal | reverse |
	    [.[1:], .[:-1]] | transpose | map(.[0].from == .[1].to) | all')" \
	    true
	assert_eq "$(json "$out" '[.journal[].happened] | all')" true
	lines=$(journal_lines)
	((lines >= 2 && lines <= 20)) || fail "$lines lines"
}

t_answers_that_get_lost_are_a_failure() {
	new a
	expect_status 1 sh -c 'deploy list --root www >/dev/full'
	expect_status 1 sh -c 'deploy list --json --root www >/dev/full'
	assert_contains "$err" "standard output"
}

t_lost_answer_does_not_say_that_nothing_happened() {
	new a
	expect_status 9 sh -c 'deploy activate latest --root www >/dev/full'
	assert_eq "$(live)" "$id"
}

run_tests
