#!/bin/bash
# Every JSON document that deploy prints, and every one below .deploy, against
# its schema in tests/schema/, and the schemas against the manuals.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/manual.sh
. "$TREE/tests/manual.sh"
. "$TREE/tests/queue.sh"

seen=$TEST_DIR/seen

# Debian's Python has Debian's jsonschema, another one that comes first in the
# PATH may not.  It is looked for once.
validate() {
	local python f=$TEST_DIR/python
	if [ ! -e "$f" ]; then
		for python in python3 /usr/bin/python3 ''; do
			! "$python" -c 'import jsonschema' 2>/dev/null || break
		done
		echo "$python" >"$f"
	fi
	read -r python <"$f"
	[ -n "$python" ] || skip "needs python3-jsonschema"
	SEEN=$seen "$python" "$TREE/tests/schema/validate" "$@"
}

# valid SCHEMA FILE WHAT...: the file is as that schema says; all_valid, at the
# end of the test, looks at all of them at once, because Python is slow to
# start.
valid() {
	mkdir -p documents
	n_documents=$((${n_documents:-0} + 1))
	cp -- "$2" "documents/$n_documents"
	printf '%s\t%s\t%s\n' "$1" "documents/$n_documents" "${*:3}" \
	    >>documents/list
	echo >>"$TEST_DIR/noted"
}

all_valid() {
	local here
	here=$(dirname "$(realpath documents)")
	(cd "$here" && validate <documents/list) >wrong || fail "$(cat wrong)"
	cat documents/list >>"$TEST_DIR/checked"
}

# doc STATUS COMMAND ARG...: `deploy COMMAND --json ARG...` ends in that status
# and prints a document of that command.  With $ci it is that run of a CI job.
doc() {
	expect_status "$1" ${ci:+in_ci} deploy "$2" --json "${@:3}"
	valid "commands/$2" "$out" "${@:2}"
}

in_ci() {
	env GITLAB_CI=true GITLAB_USER_LOGIN=someone CI_JOB_URL=http://ci/1 \
	    CI_COMMIT_SHA=5f0c1ab CI_PIPELINE_IID="$ci" "$@"
}

# failed STATUS COMMAND ARG...: the same, but the document is the error.
failed() {
	expect_status "$1" deploy "$2" --json "${@:3}"
	valid error "$out" "${@:2}"
	assert_eq "$(json "$out" .error.code)" "$1"
}

# The commands that print a document.
commands() {
	deploy help | sed -n 's/^  \([a-z]*\)  *[^ ].*/\1/p' |
	    grep -vxE 'deploy|host|help|completion'
}

# Another edition of the build in ./site.
edit() {
	edition=$((${edition:-0} + 1))
	mksite site 3 "$edition"
}


# -------------------------------------------------------- the schemas alone

t_every_command_has_a_schema() {
	(cd "$TREE/tests/schema/commands" && printf '%s\n' *) |
	    sed 's/\.json$//' >got
	commands | sort >want
	[ -s want ] || fail "no commands"
	diff want got >&2 || fail "commands and schemas"
}

# Nothing that is not said is allowed: a new key has to be in schema and manual.
t_no_object_is_open() {
	local f
	need_cmd jq
	while read -r f; do
		jq -e '[.. | objects | select(.type == "object")] |
		    all(.additionalProperties == false and
			(.properties | length) > 0)' "$f" >/dev/null ||
		    fail "$f has an open object"
	done < <(find "$TREE/tests/schema" -name '*.json')
}

# A document with a key too many, one too few, or of another type is found.
t_what_is_wrong_is_found() {
	local change f n=0
	need_cmd jq
	edit
	run deploy stage --json site --root root
	mv "$out" good
	valid commands/stage good
	all_valid
	for change in '.more = 1' 'del(.id)' '.id = "x"' '.files = "3"' \
	    '.files = 1.5' '.outcome = "odd"' '.root = null' '.skew_us = 1' \
	    '[.]'; do
		n=$((n + 1))
		jq "$change" good >"bad-$n"
	done
	{ cat good; echo more; } >bad-more
	printf 'commands/stage\t%s\t%s\n' good good >list
	for f in bad-*; do
		printf 'commands/stage\t%s\t%s\n' "$f" "$f"
	done >>list
	expect_status 1 validate <list
	for f in bad-*; do
		assert_contains "$out" "$f: "
	done
	assert_not_contains "$out" "good: "
}

# ------------------------------------------------------------ the manuals

as_in() {
	validate --manual "$1" >wrong || fail "$1: $(cat wrong)"
}

t_the_manual_has_what_the_schemas_have() {
	local c title
	section deploy-json.5 DOCUMENTS | sed -n 's/^   \([a-z]\)/\1/p' >titles
	for c in $(commands); do
		title=$(grep -w -- "$c" titles) || fail "no document of $c"
		subsection deploy-json.5 DOCUMENTS "$title" | as_in "commands/$c"
	done
	subsection deploy-json.5 DESCRIPTION Errors | as_in error
	subsection deploy-root.5 DESCRIPTION Meta | as_in root/meta
	subsection deploy-root.5 DESCRIPTION Journal | as_in root/journal
	subsection deploy-root.5 DESCRIPTION Freeze | as_in root/frozen
	subsection deploy-root.5 DESCRIPTION 'Lock note' | as_in root/lock.note
}

# ---------------------------------------------------------- what is printed

# The files below .deploy of the root $1.
valid_files() {
	local f
	for f in "$1"/.deploy/meta/*.json; do
		valid root/meta "$f" "$f"
	done
	while read -r f; do
		echo "$f" >line
		valid root/journal line journal "$f"
	done <"$1/.deploy/journal"
	[ ! -e "$1/.deploy/frozen" ] || valid root/frozen "$1/.deploy/frozen" frozen
	valid root/lock.note "$1/.deploy/lock.note" lock.note
}

# Whatever the command, where there is no root.
t_errors() {
	local c
	for c in $(commands); do
		case $c in
		init | version) continue ;;
		esac
		failed 2 "$c" --nosuch
		failed 2 "$c" -c nosuch.yml
	done
	failed 2 nosuch
	failed 1 list --root nosuch
	failed 1 prune --root nosuch
	failed 2 init --root ''
	failed 2 version x
	all_valid
}

t_config() {
	echo 'sites: [{name: a, root: /a}]' >deploy.yml
	ci=41 doc 0 config --lock-wait 5s
	failed 2 config --host x
	all_valid
}

t_a_root() {
	local R=$PWD/root
	set -- --root "$R"
	doc 0 version
	doc 0 init -n "$@"
	doc 0 init "$@"
	doc 0 init "$@"
	doc 0 status "$@"
	doc 0 list "$@"
	doc 0 log "$@"
	doc 0 prune "$@"
	failed 1 rollback "$@"
	failed 2 verify "$@"
	edit
	doc 0 diff "$@" site
	doc 0 stage "$@" -n site
	doc 0 publish "$@" -n site
	doc 0 stage "$@" site
	doc 0 stage "$@" site
	doc 0 activate "$@" -n
	doc 0 activate "$@"
	doc 0 activate "$@"
	doc 0 stage "$@" site
	doc 0 publish "$@" site
	edit
	doc 0 diff "$@" site --exclude 'css/*'
	doc 0 stage "$@" site --seq 7 --commit 5f0c1ab -m 'a note'
	doc 0 publish "$@" -n site
	doc 0 publish "$@" site
	doc 0 diff "$@" previous current
	doc 0 preview "$@"
	doc 0 preview "$@" -n next latest
	doc 0 preview "$@" next latest
	doc 0 stage "$@" site --preview pr-12 --again
	doc 0 list "$@"
	valid_files "$R"
	touch -h -d '1 hour ago' "$R/previews/pr-12"
	doc 0 preview "$@"
	doc 0 preview "$@" --remove next
	doc 0 preview "$@"
	edit
	failed 4 publish "$@" --seq 1 site
	valid_files "$R"
	mkdir empty
	failed 10 publish "$@" empty
	edit
	doc 0 publish "$@" -n site
	ci=8 doc 0 publish "$@" site --keep 1
	doc 0 rollback "$@" -n
	ci=9 doc 0 rollback "$@" -m 'broken menu'
	doc 0 rollback "$@" current
	doc 0 sync "$@"
	doc 0 pin "$@" latest
	failed 5 stage "$@" -
	valid_files "$R"
	doc 0 list "$@"
	doc 0 unpin "$@" -n latest
	doc 0 unpin "$@" latest
	doc 0 pin "$@" -n latest
	doc 0 freeze "$@" -n
	doc 0 freeze "$@"
	valid_files "$R"
	failed 3 activate "$@" latest
	doc 0 status "$@"
	ci=10 doc 0 freeze "$@" -m why --for 1d
	doc 0 status "$@"
	valid_files "$R"
	doc 0 thaw "$@" -n
	doc 0 thaw "$@"
	doc 0 verify "$@"
	chmod 600 root/current/css/site.css
	doc 0 verify "$@" --repair
	doc 0 doctor "$@"
	# What people do by hand, and what dies.
	echo x >root/current/index.html
	doc 5 verify "$@"
	doc 0 status "$@"
	echo '{"half' >>root/.deploy/journal
	doc 0 log "$@"
	deploy activate -q --override=order "$@" latest
	rm root/.deploy/meta/*
	doc 0 list "$@"
	doc 0 status "$@"
	doc 0 prune "$@" -n --keep 1
	doc 0 prune "$@" --keep 1
	rm root/current
	mkdir root/current
	doc 1 doctor "$@"
	rmdir root/current
	doc 0 rollback "$@" latest
	rm root/current
	mkdir root/current
	doc 1 status "$@"
	all_valid
}

# What holds the lock is told.
t_a_locked_root() {
	edit
	deploy publish -q --root root site
	exec {fd}<root/.deploy/lock
	flock "$fd"
	doc 0 status --root root
	[ "$(json "$out" '.hosts[0].locked_by')" != null ] || fail "not locked"
	edit
	failed 3 publish --root root site --lock-wait 0
	all_valid
}

# Stages that are under way; what their notes may say, and what they do not.
t_stages_under_way() {
	local n=0 note fd
	edit
	deploy publish -q --root root site
	while read -r note; do
		n=$((n + 1))
		note_of="root/.deploy/incoming/20260101T000000.00${n}Z-00000000-0000-4000-8000-000000000001.lock"
		echo "$note" >"$note_of"
		exec {fd}<"$note_of"
		flock "$fd"
	done <<-'EOF'
	{"who":"ann@ci1","command":"stage","pid":7,"since":"2026-11-21T19:03:05Z","job":"https://ci/9"}
	{"who":null,"since":"yesterday"}
	nothing
	EOF
	doc 0 status --root root
	assert_eq "$(json "$out" '.hosts[0].stages | map(.who) | tostring')" \
	    '["ann@ci1",null,null]'
	all_valid
}

# A line that was announced and did not come about; one by hand.
t_a_broken_activation() {
	local id
	edit
	deploy publish -q --root root site
	edit
	deploy stage -q --root root site >id
	id=$(cat id)
	sed "s/\"from\":null,\"to\":\(\"[^\"]*\"\)/\"from\":\1,\"to\":\"$id\"/" \
	    root/.deploy/journal >again
	cat again >>root/.deploy/journal
	doc 0 log --root root
	assert_eq "$(json "$out" '[.journal[].happened] | join(" ")')" \
	    "false true"
	# Written by hand, or by a program that is older.
	sed 's/"who":"[^"]*"/"who":null/' again >>root/.deploy/journal
	doc 0 log --root root
	# As after a check that failed, or not, where a manifest is lost.
	sed 's/"digest":"[^"]*"/"digest":null,"from_digest":null/' again >bare
	sed 's/"action":"[a-z]*"/"action":"revert"/' bare >root/.deploy/journal
	sed 's/"action":"[a-z]*"/"action":"verify"/' bare >>root/.deploy/journal
	valid_files root
	all_valid
}

t_a_site() {
	doc 0 init -n
	doc 0 init
	rm deploy.yml
	echo 'title = "x"' >hugo.toml
	doc 0 init
	cat >deploy.yml <<-EOF
	sites: [{name: s, source: site, root: $PWD/root, exclude: ["css/"]}]
	EOF
	doc 0 init -n
	doc 0 init
	doc 0 init --hooks -n
	doc 0 init --hooks
	edit
	doc 0 stage
	for c in activate status list log diff verify doctor prune freeze thaw
	do
		doc 0 "$c"
		assert_eq "$(json "$out" .site)" s
	done
	edit
	doc 0 publish
	doc 0 rollback
	doc 0 pin current
	doc 0 unpin current
	failed 2 check
	failed 2 list -s nosuch
	failed 2 list --host nosuch
	all_valid
}

t_adopting() {
	edit
	mkdir root
	cp -R site root/current
	doc 0 adopt -n --root root
	doc 0 adopt --root root
	doc 0 adopt --root root
	all_valid
}

# Two hosts: one with the C verbs, one with those in sh; both are here.
t_hosts() {
	local i
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    source: site
	    root: $PWD/none
	    preview: {url: "https://{name}.preview.example.org/"}
	    hosts:
	      - {address: www1, transport: local, root: $PWD/h1}
	      - {address: www2, transport: local, root: $PWD/h2, deploy: none}
	EOF
	doc 0 init -n
	doc 0 init
	doc 0 init
	doc 0 status
	doc 0 list
	doc 0 log
	failed 1 rollback
	edit
	doc 0 diff
	doc 0 stage -n
	doc 0 publish -n
	doc 0 stage
	doc 0 stage
	doc 0 activate -n
	doc 0 activate
	doc 0 activate
	doc 0 publish
	for i in 1 2; do
		edit
		ci=$i doc 0 publish -m "note $i" --keep 1
	done
	edit
	failed 4 publish --seq 1
	doc 0 diff previous
	doc 0 rollback -n
	doc 0 rollback
	doc 0 activate --override=order --host www1 latest
	doc 7 status
	doc 0 list
	doc 1 doctor
	failed 7 pin current
	doc 0 activate --override=order latest
	doc 0 pin current
	doc 0 list
	doc 0 unpin current
	doc 0 freeze -m why
	failed 3 activate previous
	valid_files h1
	valid_files h2
	doc 0 status
	doc 0 thaw
	doc 7 freeze --skip www1
	valid_files h2
	doc 0 sync
	valid_files h1
	doc 0 thaw
	edit
	doc 7 stage --preview pr-12 --skip www2
	doc 0 preview
	doc 7 preview --remove pr-12 --skip www2
	doc 7 publish --skip www2 --override=order
	valid_files h1
	doc 7 status
	doc 0 sync -n
	doc 0 sync
	valid_files h2
	doc 0 sync
	edit
	doc 0 publish
	doc 7 rollback --skip www2
	doc 0 sync
	grep -q '"left":' h2/.deploy/journal || fail "nothing is left"
	valid_files h2
	doc 0 prune -n
	doc 0 prune --keep 1
	doc 0 verify
	echo 'half' >>h2/.deploy/journal
	doc 0 log
	assert_eq "$(json "$out" .broken)" 1
	echo x >h2/current/index.html
	doc 5 verify
	exec {fd}<h1/.deploy/lock
	flock "$fd"
	doc 0 status
	# One of them is gone.
	mv h2/.deploy h2/gone
	doc 1 doctor
	doc 7 status
	all_valid
}

# A check that fails leaves the bridge live.
t_a_bridge() {
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    source: site
	    root: $PWD/none
	    carry: "assets/**"
	    check: {url: "http://127.0.0.1:1/", tries: 1}
	    hosts:
	      - {address: www1, transport: local, root: $PWD/h1}
	      - {address: www2, transport: local, root: $PWD/h2, deploy: none}
	EOF
	edit
	doc 0 publish --no-check
	doc 0 status
	mkdir site/assets
	echo new >site/assets/app.2.js
	failed 6 publish
	doc 0 status
	[ "$(json "$out" '.hosts[1].bridge')" != null ] || fail "no bridge"
	doc 0 list
	doc 0 log
	valid_files h1
	valid_files h2
	all_valid
}

t_a_host_that_nobody_reaches() {
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    source: site
	    root: $PWD/none
	    hosts:
	      - {address: www1, transport: local, root: $PWD/h1}
	      - {address: 127.0.0.1, port: 1, root: $PWD/h2}
	EOF
	edit
	failed 8 publish
	failed 8 list
	doc 8 status
	doc 8 doctor
	all_valid
}

t_adopting_on_hosts() {
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    source: site
	    root: $PWD/none
	    hosts:
	      - {address: www1, transport: local, root: $PWD/h1}
	      - {address: www2, transport: local, root: $PWD/h2}
	EOF
	edit
	mkdir h1 h2
	cp -R site h1/current
	cp -R site h2/current
	doc 0 adopt -n
	doc 0 adopt
	doc 0 adopt
	all_valid
}

gets_index_of() {
	curl -s "$url/" | cmp - "$1/index.html"
}

t_checks() {
	edit
	deploy publish -q --root "$PWD/root" site
	start_nginx root/current
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    source: site
	    root: $PWD/root
	    check: {url: "$url/", tries: 1, timeout: 3s}
	EOF
	doc 0 check
	assert_eq "$(json "$out" .hosts[0].host)" ""
	# An edge that nobody reaches.
	sed -i 's,timeout: 3s,&\, edge: "http://127.0.0.1:1/",' deploy.yml
	doc 9 check
	sed -i 's/, edge: [^}]*//' deploy.yml
	# A web server that goes on with what it had.
	cp -R "$(readlink -f root/current)" had
	echo had >had/index.html
	sed -i "s,$PWD/root/current,$PWD/had," "$_base/nginx/nginx.conf"
	kill -HUP "$nginx_pid"
	edit
	wait_for 30 gets_index_of had
	failed 6 publish
	doc 0 list
	doc 0 log
	sed -i "s,$PWD/had,$PWD/root/current," "$_base/nginx/nginx.conf"
	kill -HUP "$nginx_pid"
	wait_for 30 deploy check
	run deploy publish
	doc 0 status
	edit
	echo wrong >root/current/index.html
	doc 1 check
	cat >>deploy.yml <<-EOF
	    hosts: [{address: www1, transport: local, connect: "${url#http://}"}]
	EOF
	doc 1 check
	all_valid
}

t_the_queue() {
	need_cmd sqlite3
	edit
	sites a b
	build 'true'
	doc 0 enqueue -n a
	doc 0 metrics
	doc 0 metrics -n --file m.prom
	doc 0 jobs
	doc 0 enqueue a
	doc 0 enqueue a --ref abc --reason 'a note' --priority 3
	doc 0 jobs
	doc 0 jobs show a
	doc 0 jobs priority a 9
	doc 0 worker -n --once
	doc 0 worker --once
	doc 0 jobs
	doc 0 jobs show a
	doc 0 jobs log a
	# One that runs, with another that waits for its end.
	build "$held"
	doc 0 enqueue b
	worker --once
	wait_for 30 test -e began-b
	doc 0 jobs
	doc 0 enqueue b
	touch go-b
	wait_for 60 runs_no_more "$worker"
	# Those that fail, and who waits for them.
	build 'exit 1'
	doc 0 enqueue b
	doc 1 worker --once
	doc 0 jobs
	run deploy worker -n
	worker
	doc 1 enqueue a --wait
	kill "$worker"
	wait_for 30 runs_no_more "$worker"
	failed 2 enqueue nosuch
	failed 2 jobs show 99
	doc 0 jobs remove -n a
	doc 0 jobs remove a
	build 'true'
	worker
	doc 0 enqueue a --wait
	all_valid
}

runs_no_more() {
	! kill -0 "$1" 2>/dev/null
}

# A job that became part of another: its worker went while a newer one waited.
t_a_merged_job() {
	need_cmd sqlite3
	sites a
	build "$held"
	enqueue a
	worker
	wait_for 30 test -e began-a
	run deploy enqueue a
	kill "$worker"
	wait_for 60 runs_no_more "$worker"
	doc 0 jobs show "$job"
	assert_eq "$(json "$out" .jobs[0].state)" merged
	all_valid
}

# Who waits for a job hears that it was ended.
t_a_job_that_is_ended() {
	local waiter
	need_cmd sqlite3
	sites a
	build "$held"
	worker
	deploy enqueue a --wait --json >answer 2>told &
	waiter=$!
	wait_for 30 test -e began-a
	doc 0 jobs stop a
	wait_for 60 runs_no_more "$waiter"
	valid commands/enqueue answer enqueue --wait
	assert_eq "$(json answer .state)" failed
	doc 0 jobs show a
	assert_eq "$(json "$out" .jobs[0].state)" failed
	all_valid
}

# ------------------------------------------------------- and all of it

# What no document above has shown: a key that is never there, or a value that
# never comes, makes a schema that says more than is so.  What is left here
# needs luck, or a machine that is not well.
t_all_of_the_schemas_was_seen() {
	[ -z "${ONLY:-}" ] || skip "some tests have not run"
	[ -s "$seen" ] || skip "no document was looked at"
	assert_eq "$(wc -l <"$TEST_DIR/checked")" \
	    "$(wc -l <"$TEST_DIR/noted")" "documents"
	validate --unseen "$seen" >unseen || true
	echo "error error.code 9" >want
	diff want unseen >&2 || fail "never seen"
}

run_tests
