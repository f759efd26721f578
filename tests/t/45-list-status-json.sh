#!/bin/bash
# What the looking commands show, every JSON document, every exit status.
# shellcheck disable=SC2154 # the names: set by new and go
# parts: 2
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

# doc CONDITION: $out is one JSON document, ended by a newline, for which it
# holds; jq has these words for types.
doc() {
	local keys=keys
	# It is slow.
	[[ $1 != *has_keys* ]] || keys=keys_unsorted
	[ "$(tail -c 1 "$out")" = "" ] || fail "no newline at the end"
	jq -es 'def string: type == "string"; def bool: type == "boolean";
	    def int: type == "number" and . == floor;
	    def id: string and test("^[0-9]{8}T[0-9]{6}\\.[0-9]{3}Z-[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$");
	    def time: string and test("^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z$");
	    def null_or(f): . == null or f;
	    def has_keys($names): '"$keys"' == ($names | split(" "));
	    length == 1 and (.[0] | ['"$1"'] | all)' "$out" >/dev/null ||
	    fail "not so: $1"$'\n'"$(cat "$out")"
}

# ------------------------------------------------------------------- list

t_list_json_of_nothing() {
	run d init
	run d list --json
	doc 'has_keys("site root current previous releases dead")'
	doc '.site == null and .current == null and .previous == null'
	doc '.releases == []'
	assert_eq "$(json "$out" .root)" "$PWD/www"
	run d list
	[ ! -s "$out" ] || fail "a line"
}

t_list_json() {
	new a -m 'first' --commit abc123 --seq 7
	run d activate latest
	go b
	new c
	run d pin "$a"
	run d list --json
	doc 'has_keys("site root current previous releases dead")'
	doc '.releases[] | keys_unsorted[:11] == ["id", "staged_at", "live",
	    "was_live", "failed", "pinned", "files", "bytes", "commit", "message",
	    "seq"]'
	# Besides those, only what the manual has.
	doc '[.releases[] | keys_unsorted[11:] - ["who", "job", "preview",
	    "bridge", "hosts", "live_on"]] | all(. == [])'
	# This machine is "".
	doc '.releases | all(.hosts == [""]) and
	    (map(.live_on) == [[], [""], []])'
	doc '.releases | all((.id | id) and (.staged_at | time) and
	    (.live | bool) and (.was_live | bool) and (.pinned | bool) and
	    (.files | int) and (.bytes | int) and
	    (.commit | null_or(string)) and (.message | null_or(string)) and
	    (.seq | null_or(int)))'
	assert_eq "$(json "$out" '[.current, .previous] | tostring')" \
	    "[\"$b\",\"$a\"]"
	# Newest first.
	assert_eq "$(json "$out" '[.releases[].id] | tostring')" \
	    "[\"$c\",\"$b\",\"$a\"]"
	assert_eq "$(json "$out" '[.releases[] | .live, .was_live, .pinned] |
	    tostring')" \
	    "[false,false,false,true,true,false,false,true,true]"
	assert_eq "$(json "$out" '.releases[2] | [.files, .bytes, .commit,
	    .message, .seq] | tostring')" '[1,5,"abc123","first",7]'
	assert_eq "$(json "$out" '.releases[0] | [.commit, .message, .seq] |
	    tostring')" '[null,null,null]'
	assert_eq "$(json "$out" '.releases[0].staged_at')" \
	    "${c:0:4}-${c:4:2}-${c:6:5}:${c:11:2}:${c:13:2}Z"
}

t_list_json_names_the_site() {
	go a
	echo 'sites: [{name: example.org, root: www}]' >deploy.yml
	run deploy list --json
	assert_eq "$(json "$out" .site)" example.org
	assert_eq "$(json "$out" .root)" "$PWD/www"
}

t_list_limit() {
	go a b c
	run d list --json --limit 2
	assert_eq "$(json "$out" '[.releases[].id] | tostring')" \
	    "[\"$c\",\"$b\"]"
	# What is live and previous does not depend on it.
	assert_eq "$(json "$out" '[.current, .previous] | tostring')" \
	    "[\"$c\",\"$b\"]"
	run d list --limit 1
	assert_eq "$(wc -l <"$out")" 2 "with the headings"
	run d list --limit 99
	assert_eq "$(wc -l <"$out")" 4
	for n in 0 -1 x '' 1.5; do
		expect_status 2 d list --limit="$n"
	done
}

t_releases_is_list() {
	go a b
	run d list --json
	cp "$out" one
	run d releases --json
	assert_file_eq one "$out"
	run d list
	cp "$out" one
	run d releases
	assert_file_eq one "$out"
}

t_list_table() {
	local file='    1   5 B'
	new a -m 'first one' --commit 0123456789abcdef --seq 42
	run d activate latest
	go b c
	new e
	run d pin "$b"
	run d list
	assert_eq "$(wc -l <"$out")" 5
	line() {
		sed -n "$1p" "$out" | finds -E "^[0-9T.]+  $2  +[-0-9T:]+Z  $3\$" ||
		    fail "line $1: $(sed -n "$1p" "$out")"
	}
	line 2 staged "$file"
	line 3 live "$file"
	line 4 "previous, pinned" "$file"
	line 5 "was live" "$file   42  0123456789ab  first one"
	[ ! -s "$err" ] || fail "talk: $(cat "$err")"
}

t_list_of_a_release_without_meta() {
	go a
	rm "www/.deploy/meta/$a.json"
	run d list
	assert_contains "$out" "live"
	run d list --json
	doc '.releases[0] | .live and (.files | int) and .commit == null'
}

# ----------------------------------------------- messages that do not behave

t_control_characters_reach_no_terminal() {
	local bad=$'one\ntwo\e[31m\a\ttab\x7f'
	local good='one\x0atwo[31m\x09tab' clean=$'one\ntwo[31m\ttab'
	new a -m "$bad" --commit "$bad"
	run d activate latest
	for command in list log status; do
		run d "$command"
		assert_contains "$out" "$good"
		assert_eq "$(LC_ALL=C tr -d '\n -~' <"$out" | wc -c)" 0 \
		    "control characters from $command"
	done
	run d list
	assert_eq "$(wc -l <"$out")" 2
	run d list --json
	assert_eq "$(json "$out" '.releases[0].message')" "$clean"
	doc true
	run d log --json
	assert_eq "$(json "$out" '.journal[0].message')" "$clean"
	run d status --json
	assert_eq "$(json "$out" .message)" "$clean"
}

t_message_that_is_no_utf8() {
	new a -m $'caf\xe9 \xc3\xa9 \xff\xfe \xf0\x9f\x9a\x80 \xed\xa0\x80'
	run d activate latest
	for command in list log status; do
		run d "$command" --json
		doc true
	done
	run d list --json
	assert_eq "$(json "$out" '.releases[0].message')" \
	    $'caf\ufffd \u00e9 \ufffd\ufffd \U1f680 \ufffd\ufffd\ufffd'
	run d list
	assert_contains "$out" $'\U1f680'
}

t_long_message() {
	local long
	long=$(printf 'x%.0s' {1..9000})
	new a -m "$long"
	run d activate latest
	run d list
	assert_eq "$(wc -l <"$out")" 2
	grep -q 'xxx\.\.\.$' "$out" || fail "not cut with dots"
	run d log
	assert_eq "$(wc -l <"$out")" 2
	run d list --json
	assert_eq "$(json "$out" '.releases[0].message')" "$long"
	run d log --json
	assert_eq "$(json "$out" '.journal[0].message')" "$long"
}

# A note that no host would take is refused before anything is done.
t_too_long_message() {
	local long command count
	long=$(head -c 16384 /dev/zero | tr '\0' '"')
	new a -m "$long"
	count=$(d list --json | jq -r '.releases | length')
	for command in "stage a -m" "publish a --message" "activate latest -m" \
	    "rollback -m" "freeze -m" "stage a --commit"; do
		# shellcheck disable=SC2086
		expect_status 2 d $command "x$long"
		assert_contains "$err" "is longer than"
		assert_contains "$err" "shorten it"
	done
	run d list --json
	doc ".releases | length == $count"
	# What escapes make longer than a request: the host has no say.
	long=$(head -c 16384 /dev/zero | tr '\0' '\001')
	expect_status 2 d activate latest -m "$long$long"
	run d activate latest -m "$long"
}

t_empty_message() {
	new a -m ''
	run d activate latest
	run d list --json
	doc '.releases[0].message == "" or .releases[0].message == null'
}

# ----------------------------------------------------------------- status

t_status_json() {
	local keys="site root current since commit message previous latest"
	keys+=" releases frozen frozen_by frozen_why frozen_until hosts drift cure"
	run d init
	run d status --json
	doc "has_keys(\"$keys\")"
	doc '.current == null and .since == null and .previous == null and
	    .latest == null and .releases == 0 and .drift == []'
	new a -m note --commit abc
	run d activate latest
	go b
	run d activate "$a"
	run d status --json
	doc "has_keys(\"$keys\")"
	doc '(.current | id) and (.since | time) and (.previous | id) and
	    (.latest | id) and .commit == "abc" and .message == "note" and
	    .releases == 2 and .frozen == false and
	    .frozen_by == null and .frozen_why == null and
	    .frozen_until == null and .drift == []'
	doc '.hosts | length == 1 and all(.host == "" and .error == null and
	    (.free_bytes | int) and .free_bytes > 0 and .releases == 2 and
	    .locked_by == null and .frozen == false and .drift == [] and
	    (.version | string))'
	doc '.hosts[0].root == .root and .hosts[0].current == .current and
	    .hosts[0].previous == .previous'
	assert_eq "$(json "$out" '[.current, .previous, .latest] | tostring')" \
	    "[\"$a\",\"$b\",\"$b\"]"
	run d freeze -m why --for 1h
	run d status --json
	doc '.frozen and (.frozen_by | string) and .frozen_why == "why" and
	    (.frozen_until | time)'
	doc '[.hosts[0], .] | map([.frozen, .frozen_by, .frozen_why,
	    .frozen_until]) | .[0] == .[1]'
}

t_status_lines() {
	run d init
	run d status
	assert_contains "$out" "live       nothing yet"
	assert_contains "$out" "previous   none"
	new a -m note --commit abc
	run d activate latest
	go b
	run d freeze -m why
	run d status
	grep -qE "^root       $PWD/www\$" "$out" || fail "root"
	grep -qE "^live       $(short "$b") since 20[-0-9]+T[0-9:]+Z\$" "$out" ||
	    fail "live: $(cat "$out")"
	grep -qE "^previous   $(short "$a")\$" "$out" || fail "previous"
	grep -qE '^releases   2$' "$out" || fail "releases"
	grep -qE '^lock       free$' "$out" || fail "lock"
	grep -qE '^frozen     by .*: why$' "$out" || fail "frozen"
	grep -qE '^free       [0-9.]+ [kMGT]?B$' "$out" || fail "free"
	assert_not_contains "$out" "drift"
	run d thaw
	run d rollback
	run d status
	grep -qE "^live       $(short "$a") since .*, commit abc: note\$" "$out" ||
	    fail "live: $(cat "$out")"
	assert_not_contains "$out" "frozen"
}

t_status_shows_drift() {
	go a
	echo defaced >>www/current/index.html
	touch www/current/new
	run d status
	assert_contains "$out" "drift      index.html: has 13 bytes instead of 5"
	assert_contains "$out" "and more"
	run d status --json
	doc '.hosts[0].drift | length >= 2 and all(string)'
	rm www/current/index.html
	run d status --json
	doc '.hosts[0].drift | any(test("index.html: is missing"))'
	rm "www/.deploy/manifests/$a"
	run d status --json
	doc '.hosts[0].drift | length == 1'
}

# The commands that it names work as they are.
t_status_names_what_helps() {
	local id
	go a b
	rm www/current/index.html
	run deploy status --root www
	assert_contains "$out" "index.html: is missing; run: deploy verify --root www"
	# Who activates what is live hears of that, too.
	run deploy activate --root www
	assert_contains "$err" \
	    "index.html: is missing; run: deploy verify --repair --root www"
	rm -r "www/releases/$b"
	run deploy status --root www
	assert_not_contains "$out" "deploy verify"
	assert_not_contains "$out" "deploy sync"
	assert_contains "$out" "drift      the root lacks $(short "$b")"
	assert_contains "$out" \
	    "cure       activate one of 'deploy list --root www', or publish"
	run deploy activate "$a" --root www
	run deploy status --root www
	assert_not_contains "$out" drift
}

# -------------------------------------------------------------------- log

t_log_json() {
	new a -m one --seq 3
	run d activate latest
	go b
	run d rollback -m back
	run d log --json
	doc 'has_keys("site root journal broken")'
	doc '.broken == 0'
	doc '.journal | all(has_keys("time action from to happened failed seq who job message skipped"))'
	doc '.journal | all((.time | time) and (.from | null_or(id)) and
	    (.to | id) and .happened and (.seq | null_or(int)) and
	    (.who | string) and (.job | null_or(string)) and
	    (.message | null_or(string)))'
	assert_eq "$(json "$out" '[.journal[] | [.action, .from, .to, .seq,
	    .message]] | tostring')" \
	    "[[\"rollback\",\"$b\",\"$a\",3,\"back\"],[\"activate\",\"$a\",\"$b\",null,null],[\"activate\",null,\"$a\",3,\"one\"]]"
	run d log --json --limit 1
	doc '.journal | length == 1'
}

t_log_lines() {
	new a -m one
	run env GITLAB_CI=1 GITLAB_USER_LOGIN=ann CI_JOB_URL=https://j/1 \
	    deploy activate latest --root www
	go b
	run d rollback
	run d log
	assert_eq "$(wc -l <"$out")" 4
	grep -qE "^20[-0-9]+T[0-9:]+Z  rollback  $(short "$a")  $(short "$b")  .*@" \
	    <(sed -n 2p "$out") || fail "$(cat "$out")"
	assert_contains <(sed -n 4p "$out") \
	    "activate  $a  nothing              ann      one      https://j/1"
	run d log --limit 2
	assert_eq "$(wc -l <"$out")" 3
	expect_status 2 d log --limit 0
}

t_log_of_nothing() {
	run d init
	run d log
	[ ! -s "$out" ] || fail "a line"
	run d log --json
	doc '.journal == [] and .broken == 0'
}

# ------------------------------------------------------------------- diff

# Two releases that differ in all the ways there are; the second is live, the
# build b is a third.
site_for_diff() {
	mkdir -p b/css b/gone
	echo home >b/index.html
	echo one >b/a.html
	echo two >b/b.html
	echo css >b/css/s.css
	echo x >b/gone/x
	ln -s a.html b/link
	run d publish b
	first=$(cat "$out")
	echo changed >>b/a.html
	rm -r b/gone
	mkdir b/empty
	echo new >b/new.html
	chmod +x b/b.html
	ln -sfn b.html b/link
	run d publish b --override=build
	second=$(cat "$out")
}

t_diff_of_releases() {
	site_for_diff
	cat >want <<-'EOT'
	A empty  (0 B)
	A new.html  (4 B)
	D gone/x  (2 B)
	M a.html  (4 B -> 12 B)
	M b.html  (4 B -> 4 B)
	M link  (0 B -> 0 B)
	EOT
	run d diff "$first" "$second"
	assert_file_eq <(sort "$out") want
	assert_contains "$err" "2 added, 3 changed, 1 removed"
	# By path, as in every listing.
	assert_eq "$(awk '{ print $2 }' "$out" | tr '\n' ' ')" \
	    "a.html b.html empty gone/x link new.html "
	# The second is the live one by default.
	run d diff "$first"
	assert_file_eq <(sort "$out") want
	run d diff previous current
	assert_file_eq <(sort "$out") want
	run d diff "$second" "$first"
	assert_contains "$out" "D new.html  (4 B)"
	assert_contains "$out" "A gone/x  (2 B)"
	run d diff current current
	[ ! -s "$out" ] || fail "$(cat "$out")"
	run d diff current
	[ ! -s "$out" ] || fail "$(cat "$out")"
}

t_diff_json() {
	site_for_diff
	run d diff "$first" --json
	doc 'has_keys("site root from to added changed removed left_out changes")'
	doc '.added == 2 and .changed == 3 and .removed == 1'
	doc '.changes | length == 6 and
	    all(has_keys("kind path old_size new_size"))'
	doc '.changes | all((.path | string) and (.old_size | int) and
	    (.new_size | int))'
	assert_eq "$(json "$out" '[.from, .to] | tostring')" \
	    "[\"$first\",\"$second\"]"
	doc '.changes[] | select(.path == "a.html") ==
	    {kind: "changed", path: "a.html", old_size: 4, new_size: 12}'
	run d diff b --json
	doc '.to == null and .changes == [] and .added == 0'
	assert_eq "$(json "$out" .from)" "$second"
}

t_diff_of_a_build() {
	site_for_diff
	# Nothing to stage: nothing to show, whatever the times are.
	find b -exec touch {} +
	run d diff b
	[ ! -s "$out" ] || fail "$(cat "$out")"
	echo more >>b/new.html
	rm b/b.html
	run d diff b
	assert_eq "$(cat "$out")" $'D b.html  (4 B)\nM new.html  (4 B -> 9 B)'
	# The guards are for staging: to look is how to find out.
	rm -r b/index.html b/a.html b/new.html b/css
	run d diff b
	assert_contains "$out" "D index.html  (5 B)"
	assert_eq "$(find www/releases -mindepth 1 -maxdepth 1 | wc -l)" 2
}

t_diff_defaults_to_the_source() {
	site_for_diff
	cat >deploy.yml <<-'EOT'
	sites: [{name: s, root: www, source: b, exclude: ["*.tmp"]}]
	EOT
	run deploy diff
	[ ! -s "$out" ] || fail "$(cat "$out")"
	echo x >b/x.html
	echo x >b/x.tmp
	run deploy diff
	assert_eq "$(cat "$out")" "A x.html  (2 B)"
	# Without a source there is nothing to compare.
	expect_status 2 d diff
	assert_contains "$err" "source"
}

t_diff_of_an_archive() {
	site_for_diff
	tar -C b -czf b.tar.gz .
	run d diff b.tar.gz
	[ ! -s "$out" ] || fail "$(cat "$out")"
	echo x >b/x.html
	tar -C b -cf b.tar .
	run d diff b.tar
	assert_eq "$(cat "$out")" "A x.html  (2 B)"
	run sh -c 'deploy diff - --root www <b.tar'
	assert_eq "$(cat "$out")" "A x.html  (2 B)"
	assert_eq "$(find www/.deploy/incoming "$TMPDIR" -mindepth 1)" "" \
	    "temporary directories"
}

t_diff_when_nothing_is_live() {
	new a
	run d diff b-a
	assert_eq "$(cat "$out")" "A index.html  (5 B)"
	assert_contains "$err" "from nothing"
	expect_status 2 d diff "$a"
	assert_contains "$err" "nothing is live"
	run d diff b-a --json
	doc '.from == null and .to == null and .added == 1'
}

t_diff_of_the_unknown() {
	go a
	expect_status 2 d diff nonsense
	expect_status 2 d diff "$a" nonsense
	expect_status 2 d diff nonsense "$a"
	rm "www/.deploy/manifests/$a"
	expect_status 5 d diff "$a" "$a"
	assert_contains "$err" "manifests/$a"
}

t_diff_escapes_names() {
	mkdir b
	echo x >b/index.html
	run d publish b
	echo x >$'b/caf\u00e9 \xff.html'
	run d diff b
	assert_contains "$out" $'A caf\u00e9 '
	run d diff b --json
	doc '.changes[0].path == "café \ufffd.html"'
}

t_diff_leaves_out() {
	site_for_diff
	echo x >b/x.map
	mkdir b/.git
	echo x >b/.git/config
	run d diff b --exclude '*.map'
	[ ! -s "$out" ] || fail "$(cat "$out")"
	run d diff b
	assert_eq "$(cat "$out")" "A x.map  (2 B)"
}

# --------------------------------------------------- the other JSON documents

sent_keys="sent_bytes received_bytes skew_us"
stage_keys="site root skipped id outcome dry_run files bytes linked copied"
stage_keys+=" copied_bytes carried excluded broken_links secrets rewritten rules patched"

t_stage_json() {
	mkdir b
	echo x >b/index.html
	echo y >b/y.tmp
	run d stage b --json --exclude '*.tmp'
	doc "has_keys(\"$stage_keys preview preview_url $sent_keys\")"
	doc '(.id | id) and .outcome == "new" and .dry_run == false and
	    .files == 1 and .bytes == 2 and .linked == 0 and .copied == 1 and
	    .copied_bytes == 2 and .carried == 0 and .excluded == 1'
	id=$(json "$out" .id)
	run d stage b --json --exclude '*.tmp'
	doc '.outcome == "staged"'
	assert_eq "$(json "$out" .id)" "$id"
	run d activate latest
	run d stage b --json --exclude '*.tmp'
	doc '.outcome == "unchanged"'
	assert_eq "$(json "$out" .id)" "$id"
	run d stage b --json -n
	doc "has_keys(\"$stage_keys preview preview_url $sent_keys\")"
	doc '.id == null and .outcome == "new" and .dry_run and .linked == 1'
}

t_publish_json() {
	local keys="$stage_keys changed current from pruned $sent_keys"
	mkdir b
	echo 1 >b/index.html
	run d publish b --json
	doc "has_keys(\"$keys\")"
	doc '.changed and .id == .current and .from == null and .pruned == []'
	a=$(json "$out" .id)
	run d publish b --json
	doc "has_keys(\"$keys\")"
	doc '.changed == false and .outcome == "unchanged" and
	    .id == .current'
	echo 2 >b/index.html
	run d publish b --json -n
	doc '.dry_run and .id == null and .outcome == "new"'
	run d publish b --json
	assert_eq "$(json "$out" .from)" "$a"
	echo 3 >b/index.html
	run d publish b --json --keep 1
	doc "has_keys(\"$keys\")"
	assert_eq "$(json "$out" '.pruned | tostring')" "[\"$a\"]"
}

t_activate_and_rollback_json() {
	local keys="site root skipped dry_run changed current from $sent_keys"
	new a
	new b
	run d activate "$a" --json
	doc "has_keys(\"$keys\")"
	doc '.changed and (.current | id) and .from == null'
	run d activate "$b" --json
	assert_eq "$(json "$out" '[.changed, .current, .from] | tostring')" \
	    "[true,\"$b\",\"$a\"]"
	run d activate "$b" --json
	assert_eq "$(json "$out" '[.changed, .current] | tostring')" \
	    "[false,\"$b\"]"
	run d rollback --json
	keys=${keys/from /from refused }
	doc "has_keys(\"$keys\")"
	assert_eq "$(json "$out" '[.changed, .current, .from] | tostring')" \
	    "[true,\"$a\",\"$b\"]"
	run d rollback "$b" -n --json
	doc "has_keys(\"$keys\")"
	doc '.dry_run'
}

t_pin_and_freeze_json() {
	go a
	run d pin "$a" --json
	doc 'has_keys("site root skipped dry_run id pinned") and .pinned and (.id | id)'
	run d unpin "$a" --json
	doc 'has_keys("site root skipped dry_run id pinned") and .pinned == false'
	run d freeze --json
	doc 'has_keys("site root skipped dry_run frozen") and .frozen'
	run d thaw --json
	doc 'has_keys("site root skipped dry_run frozen") and .frozen == false'
	run d pin "$a" -n --json
	doc '.dry_run'
}

t_verify_json() {
	mkdir b
	echo x >b/index.html
	echo 12345 >b/y
	run d publish b
	run d verify --json
	doc 'has_keys("site root id intact files bytes differences mended")'
	doc '(.id | id) and .intact and .files == 2 and .bytes == 8 and
	    .differences == []'
	printf X >>www/current/y
	rm www/current/index.html
	expect_status 5 d verify --json
	doc 'has_keys("site root id intact files bytes differences mended")'
	doc '.intact == false and (.differences | length >= 2) and
	    (.differences | all(string)) and
	    (.differences | any(test("^index.html: is missing")))'
	expect_status 5 d verify
	assert_contains "$out" "index.html: is missing"
	assert_contains "$out" "y: has other content"
}

t_prune_json() {
	go a b c
	run d prune --keep 1 --json
	doc 'has_keys("site root skipped dry_run pruned kept")'
	doc '.dry_run == false and (.pruned | length == 1 and all(id)) and
	    .kept == 2'
}

t_version_json() {
	run deploy version --json
	doc 'has_keys("version") and (.version | string)'
}

# Also what fails answers, once, and says the same on standard error.
t_every_failure_has_a_document() {
	local command n
	for command in activate rollback list status log verify prune \
	    'pin x' 'unpin x' freeze thaw 'stage nowhere' 'publish nowhere' \
	    'diff nowhere' stage publish diff 'init --bogus' 'activate a b'
	do
		n=0
		# The words are meant to be split.
		# shellcheck disable=SC2086
		deploy --json $command --root nothing >o 2>e || n=$?
		cp o "$out"
		doc 'has_keys("error") and (.error | has_keys("code text"))'
		((n >= 1 && n <= 10)) || fail "$command: status $n"
		assert_eq "$(json o .error.code)" "$n" "$command"
		assert_contains e "$(json o .error.text)"
		rm -rf nothing
	done
}

t_json_talks_on_stderr_only() {
	mkdir b
	echo x >b/index.html
	run d publish b --json -v
	doc true
	run d list --json -q
	doc true
	[ ! -s "$err" ] || fail "$(cat "$err")"
	run d prune --json -q
	doc true
	[ ! -s "$err" ] || fail "$(cat "$err")"
}

# ---------------------------------------------------------- exit statuses

site() {
	mkdir -p b
	echo "${1:-x}" >b/index.html
}

t_exit_0_done_or_nothing_to_do() {
	site
	expect_status 0 d publish b
	expect_status 0 d publish b
	expect_status 0 d prune
}

t_exit_1_failed_and_live_is_untouched() {
	site
	run d publish b
	expect_status 1 d rollback
	assert_eq "$(cat www/current/index.html)" x
	expect_status 1 deploy list --root nowhere
}

t_exit_2_usage_or_configuration() {
	site
	expect_status 2 deploy
	expect_status 2 deploy frobnicate
	expect_status 2 d stage b --bogus
	expect_status 2 d stage nowhere
	run d stage b
	expect_status 2 d activate nonsense
	expect_status 2 deploy list
	expect_status 2 deploy list -c nowhere.yml
	echo 'sites: 5' >deploy.yml
	expect_status 2 deploy list
	echo 'sites: [{name: s, root: www, keeep: 3}]' >deploy.yml
	expect_status 2 deploy list
	assert_contains "$err" "keep"
}

t_exit_3_locked_or_frozen() {
	site
	run d publish b
	run d freeze
	site y
	expect_status 3 d publish b
	run d thaw
	exec 9<www/.deploy/lock
	flock -n 9
	expect_status 3 d publish b --lock-wait 0
	exec 9<&-
	run d publish b
}

t_exit_4_superseded() {
	site
	run d publish b --seq 2
	site y
	expect_status 4 d publish b --seq 1
	site z
	expect_status 4 d publish b --expect none
	assert_eq "$(cat www/current/index.html)" x
}

t_exit_5_integrity() {
	site
	run d publish b
	printf y >www/current/index.html
	expect_status 5 d verify
	site z
	mkfifo b/fifo
	expect_status 5 d publish b
	rm b/fifo
	ln -s /etc b/link
	expect_status 5 d publish b
}

# Live and well, but a clean-up failed.
t_exit_9_clean_up_failed() {
	local n
	mkdir b
	user_dir www
	for n in 1 2 3; do
		echo $n >b/index.html
		run as_user deploy publish b --root www
	done
	chown -R 0:0 "$(find www/releases -mindepth 1 | sort | head -n 1)"
	echo 4 >b/index.html
	expect_status 9 as_user deploy publish b --keep 1 --root www
	assert_eq "$(cat www/current/index.html)" 4
}

t_exit_10_a_guard_refused() {
	site
	run d publish b
	mkdir empty
	expect_status 10 d publish empty
	mkdir noindex
	echo x >noindex/page.html
	expect_status 10 d publish noindex
	for n in 1 2 3; do
		echo $n >b/$n.html
	done
	run d publish b
	rm b/?.html
	expect_status 10 d publish b
	assert_contains "$err" "max_delete"
	assert_eq "$(find www/current/ -type f | wc -l)" 4
	run d publish b --override=build
}

# ------------------------------------------------------------------ hosts

two_hosts() {
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    root: $PWD/none
	    hosts:
	      - {address: h1, transport: local, root: $PWD/h1}
	      - {address: h2, transport: local, root: $PWD/h2}
	EOF
}

# What happened on both within seconds is one line, whatever these seconds are.
t_log_of_hosts_is_merged() {
	two_hosts
	site
	run deploy publish b
	sed -i 's/"time":"[^"]*"/"time":"2026-11-21T19:03:09Z"/' \
	    h1/.deploy/journal
	sed -i 's/"time":"[^"]*"/"time":"2026-11-21T19:03:11Z"/' \
	    h2/.deploy/journal
	run deploy log
	assert_eq "$(wc -l <"$out")" 2
	sed -i 's/19:03:11/19:04:11/' h2/.deploy/journal
	run deploy log
	assert_eq "$(wc -l <"$out")" 3
}

# Whatever was done without one of them, and within one second.
t_log_of_hosts_that_missed_something() {
	local skipped
	for skipped in h1 h2; do
		rm -rf h1 h2
		two_hosts
		site
		run deploy publish b
		site y
		expect_status 7 deploy publish b --skip "$skipped"
		run deploy sync
		run deploy rollback
		echo more >>b/index.html
		run deploy publish b
		sed -i 's/"time":"[^"]*"/"time":"2026-11-21T19:03:09Z"/' \
		    h?/.deploy/journal
		run deploy log
		assert_eq "$(awk 'NR > 1 { print $2 }' "$out" | tr '\n' ' ')" \
		    "activate rollback sync activate activate " "$skipped"
	done
}

t_log_of_hosts_tells_broken_lines() {
	two_hosts
	site
	run deploy publish b
	echo '{"half' >>h1/.deploy/journal
	run deploy log --json
	assert_contains "$err" "h1: 1 line of the journal in '$PWD/h1' makes no sense and does not count"
	assert_not_contains "$err" "h2:"
	assert_eq "$(json "$out" '[.broken, (.journal | length)] | tostring')" \
	    "[1,1]"
}

t_init_of_hosts_tells_what_changed() {
	two_hosts
	run deploy init --host h1
	run deploy init -n --json
	assert_eq "$(json "$out" '[.prepared, .changed] | tostring')" \
	    "[false,true]"
	run deploy init --json
	assert_eq "$(json "$out" '[.prepared, .changed] | tostring')" \
	    "[true,true]"
	run deploy init --json
	assert_eq "$(json "$out" '[.prepared, .changed] | tostring')" \
	    "[true,false]"
}

run_tests
