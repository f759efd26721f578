#!/bin/bash
# The command line: help, options, mistakes, exit statuses, what goes to
# standard output and what to standard error, and what a terminal sees.
# parts: 3
. "$(dirname "$0")/../lib.sh"

ESC=$'\e'
ID='^[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f-]{36}$'

commands() {
	echo init stage activate publish preview rollback list status diff verify \
	    log prune pin unpin freeze thaw help version
}

# usage TEXT ARG...: `deploy ARG...` ends with status 2, says TEXT, once, and
# answers nothing.
usage() {
	local text=$1
	shift
	expect_status 2 deploy "$@"
	assert_contains "$err" "$text"
	assert_eq "$(wc -l <"$err")" 1 "lines on standard error: deploy $*"
	[ ! -s "$out" ] || fail "an answer: deploy $*"
}

site() {
	mkdir site
	echo hello >site/index.html
}

# Run the command line $1 on a terminal; what it showed is in ./seen.
on_terminal() {
	need_cmd script
	TERM=${TERM_OF_TEST-xterm} script -qec "$1" typescript </dev/null \
	    >/dev/null
	# Without the first and the last line, which script(1) adds.
	sed '1d; /^Script done/d' typescript >seen
}

# ------------------------------------------------------------------- help

t_help_lists_every_command() {
	local c
	run deploy help
	for c in $(commands); do
		grep -qE "^  $c +[a-z]" "$out" || fail "no line about $c"
	done
	assert_contains "$out" "usage: deploy"
	[ ! -s "$err" ] || fail "help on standard error"
	mv "$out" help
	run deploy -h
	assert_file_eq "$out" help
	run deploy --help
	assert_file_eq "$out" help
	# Nothing asked: the same help, but it was a mistake.
	expect_status 2 deploy
	assert_file_eq "$out" help
	expect_status 2 deploy -q
}

t_every_command_has_help() {
	local c
	for c in $(commands); do
		run deploy "$c" -h
		grep -qE "^usage: deploy $c( |\$)" "$out" ||
		    fail "no usage of $c"
		for o in -h,\ --help -c,\ --config --root --json \
		    -n,\ --dry-run -q,\ --quiet -v,\ --verbose; do
			grep -qF -e "  $o" -e "      $o" "$out" ||
			    fail "$c -h does not tell of $o"
		done
		[ "$(wc -L <"$out")" -le 80 ] || fail "$c -h: a long line"
		mv "$out" asked
		run deploy "$c" --help
		assert_file_eq "$out" asked
		run deploy help "$c"
		assert_file_eq "$out" asked
		run deploy -h "$c"
		assert_file_eq "$out" asked
	done
}

# What the help shows as an example is a command line that is understood.
t_examples_of_the_help() {
	local c n=0
	for c in $(commands) check doctor enqueue worker jobs completion; do
		deploy "$c" -h | sed -n '/^Examples:/,/^$/s/^  //p' >lines
		while read -r line; do
			n=$((n + 1))
			# The last deploy of the line does the parsing.
			sed 's/deploy \([^|)#]*\)/deploy \1 -h /' <<<"$line" |
			    sed 's/^\. <(\(.*\)).*/\1/; s/| \(jq\|ssh\) .*//
				s/^id=\$(\(.*\)).*/\1/; s/^tar.*| //' >script
			run bash -euo pipefail script
			assert_contains "$out" "usage: deploy $c"
		done <lines
	done
	((n > 20)) || fail "only $n examples"
}

# Help is given whatever else is on the line, and nothing is done.
t_help_does_nothing_else() {
	site
	run deploy publish site --root root -h
	assert_contains "$out" "usage: deploy publish"
	[ ! -e root ] || fail "it published"
}

t_aliases() {
	run deploy releases -h
	assert_contains "$out" "usage: deploy list"
	run deploy help releases
	assert_contains "$out" "deploy releases"
}

t_version() {
	local v
	run deploy version
	v=$(<"$out")
	[[ $v =~ ^deploy\ [0-9]+\.[0-9]+(\.[0-9]+)?$ ]] || fail "version: $v"
	for o in --version -V; do
		run deploy "$o"
		assert_eq "$(<"$out")" "$v"
	done
	run deploy version --json
	assert_eq "deploy $(json "$out" .version)" "$v"
	run deploy --json --version
	assert_eq "deploy $(json "$out" .version)" "$v"
}

# --------------------------------------------------------------- mistakes

t_unknown_command() {
	usage "did you mean 'stage'?" stgae
	usage "did you mean 'publish'?" publsh site
	usage "there is no command 'frobnicate'" frobnicate
	assert_not_contains "$err" "did you mean"
	usage "see 'deploy help'" frobnicate
	usage "there is no command ''" ''
	usage "did you mean 'rollback'?" help rolback
	usage "did you mean 'releases'?" relases
}

# Words of other tools lead to ours, and what they lead to is there.
t_habits() {
	local word here n=0
	usage "did you mean 'rollback'?" undo
	usage "did you mean 'thaw'?" unfreeze
	usage "did you mean 'list'?" ls -l
	usage "did you mean 'jobs stop'?" cancel 3
	usage "did you mean 'jobs show 3'?" jobs 3
	usage "did you mean 'stop'?" jobs cancel 3
	while read -r word here; do
		n=$((n + 1))
		run deploy help "${here%% *}"
		expect_status 2 deploy "$word"
		assert_contains "$err" "did you mean '$here'?"
	done < <(awk '/commands\[\]/, /^};/' "$TREE/src/cmd/habit.c" |
	    sed -n 's/.*{ "\(.*\)", "\(.*\)" }.*/\1 \2/p')
	((n > 50)) || fail "only $n habits"
}

# options_of COMMAND: the long ones, each between blanks.
options_of() {
	run deploy "$1" -h
	sed -n 's/^  ...\? *--\([a-z-]*\).*/ \1 /p' "$out" | tr -d '\n'
}

# The same for options: each leads to one that a command has, and is none.
t_habits_of_options() {
	local word here c n=0
	local -A has=()
	usage "did you mean '--again'?" publish --force
	usage "did you mean '--override'?" activate --force
	usage "did you mean '--ref'?" enqueue --branch=main x
	usage "did you mean '--dry-run'?" prune --simulate
	for c in publish activate enqueue list jobs worker init preview; do
		has[$c]=$(options_of $c)
	done
	while read -r word here; do
		n=$((n + 1))
		[[ "${has[*]}" != *" $word "* ]] || fail "--$word is an option"
		for c in "${!has[@]}" ''; do
			[[ "${has[${c:-list}]}" != *" $here "* ]] || break
		done
		[ -n "$c" ] || fail "no command has --$here"
		usage "unknown option '--$word'; did you mean '--" "$c" "--$word"
	done < <(awk '/options\[\]/, /^};/' "$TREE/src/cmd/habit.c" |
	    sed -n 's/.*{ "\(.*\)", "\(.*\)" }.*/\1 \2/p')
	((n > 40)) || fail "only $n habits"
}

t_unknown_option() {
	usage "did you mean '--again'?" stage --agian
	usage "did you mean '--exclude'?" publish --exlude=x site
	usage "did you mean '--root'?" --rot x list
	usage "unknown option '--xyzzy'" list --xyzzy
	assert_not_contains "$err" "did you mean"
	assert_contains "$err" "see 'deploy list -h'"
	usage "unknown option '-k'" list -k
	usage "unknown option '-x'" -x
	usage "unknown option '-k'" list -nk
	# An option of another command is none of this one.
	usage "unknown option '--keep'; it belongs to other commands" \
	    list --keep 3
	assert_contains "$err" "see 'deploy list -h'"
	usage "unknown option '--again'; it belongs to other commands" verify --again
	# Each guard has a word of its own; there is none for all.
	usage "unknown option '--force'" stage --force site
	usage "unknown option '-f'" activate -f
	usage "unknown option '--strip'" activate --strip
}

t_unknown_release() {
	local id
	site
	run deploy publish site --root root
	id=$(cat "$out")
	usage "did you mean 'current'?" verify curent --root root
	usage "did you mean 'latest'?" activate LATEST --root root
	# By its middle, and with two letters that are wrong.
	usage "did you mean '$id'?" activate "${id:21:8}" --root root
	usage "did you mean '$id'?" activate "x${id:1:30}y${id:32}" --root root
	usage "there is no release 'zzzz'; see 'deploy list --root root'" \
	    activate zzzz --root root
	assert_not_contains "$err" "did you mean"
	# Two could be meant: none is.
	run deploy stage --again site --root root
	usage "see 'deploy list --root root'" activate "${id:4:4}" --root root
	run deploy init --root empty
	usage "run 'deploy activate --root empty' first" verify --root empty
	usage "there is no 'previous'; name one of 'deploy list --root empty'" \
	    verify previous --root empty
	usage "run 'deploy stage --root empty' first" activate --root empty
	# A shell takes the cure as it is.
	expect_status 1 deploy list --root "it's none"
	assert_contains "$err" "run: deploy init --root 'it'\\''s none'"
}

# A shell expands "~" only at the beginning of a word.
t_a_home_that_the_shell_left() {
	# shellcheck disable=SC2088 # as it is
	usage "put a blank in the place of '='" list '--root=~/www'
	usage "put a blank in the place of '='" list '--root=~'
	usage "the shell has left" list --root=~www
	# A name may begin so.
	expect_status 1 deploy list --root=./~www
	assert_contains "$err" "'$PWD/./~www' is not a root of deploy"
}

# completed STATUS WORD...: each command that the message names has the option
# by which the root was said; `it` is how.
completed() {
	local status=$1 command
	shift
	expect_status "$status" deploy "$@" --root "$it"
	grep -o "'deploy [^']*'" "$err" >commands || true
	sed -n "s/.*run: \\(deploy .*\\)/'\\1'/p" "$err" >>commands
	[ -s commands ] || fail "no command in $(<"$err")"
	while read -r command; do
		[[ $command = *" --root $it'" ]] || fail "$*: $command"
	done <commands
}

# Who finds what is wrong knows no site; what the user pastes has to.
t_cures_name_the_site() {
	local it=root
	mkdir site other
	echo 1 >site/index.html
	echo 1 >other/index.html
	completed 1 list
	completed 1 rollback
	run deploy init --root "$it"
	completed 2 activate
	completed 2 verify
	completed 2 verify previous
	completed 1 rollback
	run deploy stage site --root "$it"
	run deploy stage --again site --root "$it"
	completed 2 activate
	completed 2 activate zzzz
	completed 2 preview nosuch
	completed 2 diff
	run deploy activate latest --root "$it"
	for i in 1 2 3 4 5; do
		echo "$i" >"site/$i.html"
	done
	run deploy publish site --root "$it"
	completed 10 publish other
	run deploy freeze --root "$it" -m why
	completed 3 activate previous
}

# A file that is damaged is named, and what to do about it.
t_damaged_files() {
	local id
	site
	run deploy publish site --root root
	id=$(cat "$out")
	echo '{' >"root/.deploy/meta/$id.json"
	expect_status 5 deploy verify --root root
	assert_contains "$out" "$PWD/root/.deploy/meta/$id.json:2:0: "
	assert_contains "$out" "; stage the build anew with --again"
	echo garbage >>"root/.deploy/manifests/$id"
	expect_status 5 deploy diff current --root root
	assert_contains "$err" "$PWD/root/.deploy/manifests/$id:"
	assert_contains "$err" "; stage the build anew with --again"
	rm "root/.deploy/manifests/$id"
	expect_status 5 deploy diff current --root root
	assert_contains "$err" "; stage the build anew with --again"
	# That is the cure, indeed.
	run deploy stage --again site --root root
	run deploy activate latest --root root
	run deploy pin current --root root
	run deploy verify --root root
}

t_unknown_site_and_host() {
	cat >deploy.yml <<-EOF
	sites:
	  - {name: example.org, root: $PWD/a}
	  - name: example.net
	    root: $PWD/b
	    hosts:
	      - {address: deploy@www1, transport: local, root: $PWD/h1}
	EOF
	usage "did you mean 'example.org'?" list -s exmaple.org
	usage "no site 'other' in" list -s other
	assert_contains "$err" "there is example.org, example.net"
	usage "choose one with -s: example.org, example.net" list
	usage "did you mean 'deploy@www1'?" list -s example.net --host deploy@ww1
	usage "has no hosts" list -s example.org --host www1
	run deploy init -s example.net
	usage "there is no 'current' release; run 'deploy activate -s example.net' first" \
	    verify -s example.net
	usage "did you mean 'example.net'?" enqueue example.nt
}

t_queue_words() {
	export HOME=$PWD
	cat >deploy.yml <<-EOF
	sites: [{name: example.org, root: $PWD/a}]
	queue: $PWD/queue
	EOF
	usage "'deploy enqueue SITE' makes one" jobs show 1
	run deploy enqueue example.org
	run deploy jobs remove 1
	usage "to make one, run: deploy enqueue example.org" jobs show example.org
	usage "did you mean 'retry'?" jobs rety 1
	usage "--jobs wants a whole number from 1 to 64" worker --jobs 65
}

t_too_many_operands() {
	local c
	for c in init list status log prune freeze thaw version; do
		usage "'one' is one operand too many" "$c" one
		assert_contains "$err" "see 'deploy $c -h'"
	done
	for c in stage activate publish rollback verify pin unpin help; do
		usage "'two' is one operand too many" "$c" one two three
	done
	usage "'three' is one operand too many" diff one two three
	# Also as the second half of a name that was not quoted.
	usage "'site'" stage my site --root root
	[ ! -e root ] || fail "it did something"
}

t_missing_operands() {
	usage "which release?" pin --root root
	usage "which release?" unpin --root root
	mkdir -p empty
	cd empty
	usage "what should be staged?" stage --root root
	usage "what should be staged?" publish --root root
	[ ! -e root ] || fail "it did something"
	usage "no deploy.yml" stage site
	assert_contains "$err" "--root"
	usage "no deploy.yml" list
}

# What stands in --host is taken apart as in deploy.yml, or refused.
t_hosts_with_ports_and_paths() {
	local host
	for host in 'me@127.0.0.1:/srv/x' 'ssh://127.0.0.1/srv/x' \
	    '127.0.0.1:srv/x' '[::1]:~/x'
	do
		usage "the path as root: (or --root)" list --root /r \
		    --host "$host"
	done
	for host in 127.0.0.1: 127.0.0.1:ssh '[::1]:65536' 1:2:3; do
		usage "is not a port; write the host alone" list --root /r \
		    --host "$host"
	done
	for host in '' '[::1' me@ -x 'https://127.0.0.1/'; do
		usage "is not an address" list --root /r "--host=$host"
	done
	usage "is there twice" list --root /r --host '[::1]:9' \
	    --host 'ssh://[::1]:9/'
	# Taken apart: port 9 of the loopback interface answers nobody.
	for host in '127.0.0.1:9' 'ssh://me@127.0.0.1:9/' '[127.0.0.1]:9'; do
		expect_status 8 deploy list --root /r --host "$host"
		assert_contains "$err" "$host: connect: 127.0.0.1 port 9:"
	done
}

t_missing_values() {
	local root
	usage "--root wants a value: --root=DIR" list --root
	usage "--limit wants a value" list --limit
	usage "-c wants a value" list -c
	usage "-c wants a value" -c
	usage "-m wants a value" publish site -m
	usage "-m wants a value" publish site -nm
	usage "--root wants a directory" list --root ''
	usage "--root wants a directory" list --root=
	for root in ann@www1:/srv/x www1:/srv/x www1:x https://www1/x \
	    ssh://ann@www1/x '[::1]:/x' 'C:\x'; do
		usage "'$root' looks like an address" list --root "$root"
		usage "--root is a directory" publish site --root "$root"
	done
	for root in '$ROOT' '${ROOT}' '/srv/$(hostname)' '{{ root }}' '%(root)s' \
	    '<%= root %>' '#{root}'; do
		usage "--root has '$root': nothing is expanded here" list \
		    --root "$root"
		usage "--root has '$root': nothing is expanded here" publish site \
		    --root "$root"
	done
	usage "--root has '~bob', which the shell has left" list --root '~bob'
	usage "--root wants a directory" list --root ' '
	mkdir -p site
	echo hello >site/index.html
	for root in './$ROOT' './~bob' './{{ root }}'; do
		run deploy publish -q site --root "$root"
		assert_eq "$(<"$root/current/index.html")" hello "$root"
	done
	usage "--json takes no value" list --json=1
	usage "--again takes no value" stage --again=yes site
}

t_wrong_values() {
	local v
	for v in x -1 '' 1.5 1x 99999999999999999999; do
		usage "--seq wants a whole number" stage --seq="$v" site
	done
	for v in 0 -1 x; do
		usage "--keep wants a whole number" prune --keep="$v"
		usage "--limit wants a whole number" list --limit="$v"
	done
	# The bounds of each, and what is just outside.
	usage "--seq wants a whole number from 0 to 9007199254740991, not" \
	    stage --seq=9007199254740992 site
	usage "--keep wants a whole number from 1 to 1000000, not '1000001'" \
	    prune --keep 1000001
	usage "--jobs wants a whole number from 1 to 64, not '65'" \
	    worker --once --jobs 65
	usage "--lock-wait wants at most 86400 s, not '25h'" list --lock-wait=25h
	for v in 1000001 -1000001; do
		usage "--priority wants a whole number from -1000000 to" \
		    enqueue s "--priority=$v"
	done
	site
	run deploy stage -n --seq=9007199254740991 site --root root
	for v in "prune --keep 1000000" \
	    "list --limit 9223372036854775807" "list --lock-wait 24h"; do
		# shellcheck disable=SC2086 # words
		expect_status 1 deploy $v --root "$PWD/nosuch/root"
	done
	for v in 5x '' x -1 99999999999999999999w; do
		usage "--lock-wait" list --lock-wait="$v"
		usage "--for" freeze --for="$v"
		usage "--older-than" prune --older-than="$v"
	done
	usage "--root and --site exclude each other" list --root x -s y
	usage "'nosuch.yml'" list -c nosuch.yml
}

# A value may look like an option; an empty one is a value.
t_values_that_look_like_options() {
	site
	run deploy stage site --root root -m -n
	run deploy list --root root --json
	assert_eq "$(json "$out" '.releases[0].message')" -n
	run deploy stage site --root root --again -m ''
	run deploy list --root root --json
	assert_eq "$(json "$out" '.releases[0].message')" ""
}

# ------------------------------------------------------------ where it goes

t_options_stand_before_and_after() {
	site
	mkdir other
	run deploy --root root -q stage site
	[ ! -s "$err" ] || fail "-q before the command does not hold"
	run deploy stage --root root -q site
	run deploy stage site -q --root root
	run deploy stage site -q --root=root
	run deploy --json stage site --root root
	assert_eq "$(json "$out" .outcome)" staged
	# The later one counts.
	run deploy --root other stage site --root root
	[ ! -e other/releases ] || fail "the earlier --root was used"
	run deploy stage site --root root -nqm text
	run deploy stage --again -mtext site --root root -q
	run deploy list --root root --json
	assert_eq "$(json "$out" '.releases[0].message')" text
	assert_eq "$(json "$out" '.releases | length')" 2
}

t_double_dash_ends_the_options() {
	site
	cp -r site -- -site
	cp -r site ./--again
	run deploy stage --root root -- -site
	run deploy --root root -- stage -- --again
	assert_contains "$err" "unchanged"
	usage "--root and --site exclude each other" stage --root root -site
	usage "'-q' is one operand too many" list --root root -- -q
	usage "there is no command '-h'" -- -h
	usage "there is no command '--'" -- --
}

# A lone "-" is an operand, not an option.
t_dash_is_standard_input() {
	expect_status 5 deploy stage - --root root </dev/null
	assert_contains "$err" "standard input"
	# There, too, "-" is no release.
	usage "no release '-'" verify - --root root
}

# Standard output has the answer and nothing else.
t_answers_and_talk_are_apart() {
	local id
	site
	run deploy stage site --root root
	id=$(<"$out")
	[[ $id =~ $ID ]] || fail "not an id alone: $id"
	assert_contains "$err" "staged 1 file ("
	assert_not_contains "$err" "$id"
	run deploy activate --root root
	assert_eq "$(<"$out")" "$id"
	echo more >site/more.html
	run deploy publish site --root root
	[[ $(<"$out") =~ $ID ]] || fail "publish: $(<"$out")"
	run deploy rollback --root root
	assert_eq "$(<"$out")" "$id"
	run deploy pin "$id" --root root
	assert_eq "$(<"$out")" "$id"
	for c in verify freeze thaw prune; do
		run deploy "$c" --root root
		[ ! -s "$out" ] || fail "$c answers: $(<"$out")"
	done
	for c in list status log; do
		run deploy "$c" --root root
		[ ! -s "$err" ] || fail "$c talks: $(<"$err")"
		[ -s "$out" ] || fail "$c says nothing"
	done
}

t_quiet_is_quiet_but_tells_errors() {
	site
	run deploy stage site --root root -q
	[[ $(<"$out") =~ $ID ]] || fail "no answer"
	[ ! -s "$err" ] || fail "talk: $(<"$err")"
	run deploy publish site --root root -q
	[ ! -s "$err" ] || fail "talk: $(<"$err")"
	rm site/index.html
	touch site/a.html
	expect_status 10 deploy stage site --root root -q
	assert_contains "$err" "deploy: error: the build has no index.html"
	usage "there is no release 'x'" verify -q x --root root
}

# The journal gets the priority of a line, and nobody else does.
t_priorities_for_the_journal() {
	site
	: >journal
	JOURNAL_STREAM=$(stat -c %d:%i journal) \
	    deploy publish site --root root >id 2>>journal
	assert_not_contains id '<'
	grep -q '^<6>deploy: ' journal || fail "$(cat journal)"
	JOURNAL_STREAM=$(stat -c %d:%i journal) \
	    deploy stage nosuch --root root 2>>journal && fail "staged"
	grep -q '^<3>deploy: error: ' journal || fail "$(cat journal)"
	JOURNAL_STREAM=$(stat -c %d:%i journal) \
	    deploy stage nosuch --root root 2>elsewhere && fail "staged"
	grep -q '^deploy: error: ' elsewhere || fail "$(cat elsewhere)"
}

# More words are allowed with -v; the answer stays the same.
t_verbose_says_no_less() {
	site
	run deploy stage site --root root
	sed 's/[0-9.]* [kM]*B//g' "$err" >plain
	mv "$out" answer
	run deploy stage -v site --root root
	assert_file_eq "$out" answer
	run deploy stage -v --again site --root root
	assert_contains "$err" "staged 1 file ("
	run deploy status -v --root root
}

# ------------------------------------------------------------------- JSON

# Standard output of `deploy ARG... --json` is one document, with the error
# $2 and a sentence that standard error has too.
json_error() {
	local status=$1 text=$2
	shift 2
	expect_status "$status" deploy "$@" --json
	jq -es 'length == 1' "$out" >/dev/null || fail "not one document: $*"
	assert_eq "$(json "$out" 'keys | join(" ")')" error "$*"
	assert_eq "$(json "$out" '.error | keys | join(" ")')" "code text"
	assert_eq "$(json "$out" .error.code)" "$status" "$*"
	json "$out" .error.text >text
	assert_contains text "$text"
	assert_contains "$err" "deploy: error: $(<text)"
}

# The longest path that there is hides neither the reason nor the cure.
t_long_paths_keep_the_reason() {
	local name path=/ i
	name=$(printf 'd%.0s' {1..250})
	for ((i = 0; i < 16; i++)); do
		path+=$name/
	done
	expect_status 2 deploy stage "$path" --root root
	assert_contains "$err" ": No such file or directory"
	assert_eq "$(wc -l <"$err")" 1 "lines"
}

t_json_errors() {
	local c
	for c in activate rollback list status verify log prune freeze thaw \
	    'pin x' 'unpin x'; do
		# Word splitting is meant.
		# shellcheck disable=SC2086
		json_error 1 "not a root of deploy" $c --root "no such root"
	done
	mkdir site empty
	echo hello >site/index.html
	json_error 2 "there is no command" --json frobnicate
	json_error 2 "no release 'x'" publish site --root root --expect x
	json_error 2 "'b' is one operand too many" list b
	json_error 2 "--nosuch" list --nosuch
	json_error 2 "--keep" prune --keep many
	json_error 10 "the build is empty" stage empty --root root
	json_error 2 "nosuch" stage nosuch --root root
	json_error 2 "which release?" pin --root root
	deploy publish -q site --root root
	json_error 1 "is the only release, so there is none to go back to" rollback --root root
	json_error 2 "there is no release 'zzz'" activate zzz --root root
	deploy stage -q --again site --root root
	json_error 4 "as expected" activate --expect none --root root
	deploy freeze -q --root root -m "why not"
	json_error 3 "why not" activate --root root
	echo x >>root/current/index.html
	expect_status 5 deploy verify --json --root root
	jq -es 'length == 1' "$out" >/dev/null || fail "not one document"
	assert_eq "$(json "$out" .intact)" false
}

# Names that are no UTF-8, or have quotes, still make a valid document.
t_json_is_valid_whatever_the_names() {
	local odd=$'od"d\\\xff\xc3\x28 name'
	mkdir "$odd"
	echo hello >"$odd/index.html"
	run deploy stage "$odd" --root root --json -m "$odd"
	jq -e .id "$out" >/dev/null
	run deploy list --root root --json
	assert_eq "$(json "$out" '.releases[0].message[0:5]')" "od\"d\\"
	echo x >"$odd/$odd"
	run deploy diff "$odd" --root root --json
	assert_eq "$(json "$out" '[.changes[].path[0:5]] | sort | .[1]')" \
	    "od\"d\\"
	expect_status 1 deploy list --json --root "$odd"
	assert_eq "$(json "$out" .error.code)" 1
}

# What a message carries cannot drive a terminal, on either output.
t_control_characters_are_shown_not_sent() {
	local evil=$'x\e]0;owned\a\nfake line\x7f'
	site
	run deploy publish site --root root -m "$evil" --commit "$evil"
	for c in list log status; do
		run deploy "$c" --root root
		assert_not_contains "$out" "$ESC"
		# Hosts leave out all but the line break.
		assert_contains "$out" '\x0a'
		! grep -q '^fake line' "$out" || fail "$c: a line of its own"
	done
	usage '\x1b' "$evil"
	assert_not_contains "$err" "$ESC"
	usage '\x1b' list --"$evil"
	expect_status 1 deploy list --root "$evil"
	assert_not_contains "$err" "$ESC"
	deploy freeze -q -m "$evil" --root root
	deploy stage -q --again site --root root
	expect_status 3 deploy activate --root root
	assert_not_contains "$err" "$ESC"
	assert_contains "$err" "fake line"
}

# ---------------------------------------------------------- closed outputs

to_full() {
	"$@" >/dev/full
}

t_a_full_standard_output_is_a_failure() {
	local c
	site
	deploy publish -q site --root root
	for c in help version list status log 'stage site' 'list --json' \
	    'stage -h'; do
		# shellcheck disable=SC2086 # words are meant
		expect_status 1 to_full deploy $c --root root
		assert_contains "$err" "standard output"
		assert_contains "$err" "No space left on device"
	done
	# The error that came before is the one that counts.
	expect_status 2 to_full deploy activate nosuch --root root --json
	assert_contains "$err" "nosuch"
}

to_closed_pipe() {
	local fd
	exec {fd}> >(exit 0)
	wait $!
	"$@" >&"$fd"
}

t_a_reader_that_left_is_a_failure_not_a_crash() {
	site
	deploy publish -q site --root root
	expect_status 1 to_closed_pipe deploy list --root root
	assert_contains "$err" "Broken pipe"
}

# Descriptors that are not open must not become our files: what would be
# printed must not end up in the lock or the journal.
t_closed_descriptors_harm_nothing() {
	site
	deploy publish -q site --root root
	echo more >site/more.html
	deploy publish site --root root -m one >&- 2>&- <&-
	cmp site/more.html root/current/more.html
	echo again >site/more.html
	deploy publish site --root root --json >&- 2>&-
	echo "more still" >site/more.html
	deploy publish site --root root 2>&-
	deploy rollback --root root <&- 2>/dev/null
	assert_eq "$(grep -cv '^{.*}$' root/.deploy/journal)" 0 \
	    "foreign lines in the journal"
	assert_eq "$(<root/.deploy/format)" 1
	run deploy verify --root root
	run deploy log --root root --json
	assert_eq "$(json "$out" '[.journal[].action] | join(" ")')" \
	    "rollback activate activate activate activate"
	assert_eq "$(json "$out" .broken)" 0
	# No archive there: said, not waited for.
	expect_status 5 closed_stdin deploy stage - --root root
}

closed_stdin() {
	"$@" <&-
}

# ---------------------------------------------------------------- terminals

t_colour_on_a_terminal_only() {
	expect_status 1 deploy list --root nosuch
	assert_not_contains "$err" "$ESC"
	on_terminal "deploy list --root nosuch" || true
	assert_contains seen "${ESC}[31m"
	NO_COLOR=1 on_terminal "deploy list --root nosuch" || true
	assert_contains seen "deploy: error: "
	assert_not_contains seen "$ESC"
	# https://no-color.org: an empty one does not count.
	NO_COLOR='' on_terminal "deploy list --root nosuch" || true
	assert_contains seen "${ESC}[31m"
	TERM_OF_TEST=dumb on_terminal "deploy list --root nosuch" || true
	assert_contains seen "deploy: error: "
	assert_not_contains seen "$ESC"
	# The terminal is asked for where the text goes.
	on_terminal "deploy list --root nosuch 2>plain" || true
	assert_contains plain "deploy: error: "
	assert_not_contains plain "$ESC"
}

t_progress_on_a_terminal_only() {
	mkdir site
	echo hello >site/index.html
	# Takes more than the hundredth of a second between two lines, no disk.
	truncate -s 400M site/large
	on_terminal "DEPLOY_TEST_PROGRESS=10 deploy stage -n site --root root"
	assert_contains seen "hashing ["
	grep -qE '\] 2/2 files, 419.4/419.4 MB' seen ||
	    fail "files, bytes: $(cat -v seen)"
	# The bar is taken away before the next line.
	grep -q "${ESC}\[Kdeploy: would stage 2 files" seen ||
	    fail "the bar stays: $(cat -v seen)"

	run deploy stage -n site --root root
	assert_not_contains "$err" "$ESC"
	assert_not_contains "$err" $'\r'
	assert_not_contains "$err" "hashing ["
	assert_eq "$(wc -l <"$err")" 1
	on_terminal "deploy stage -nq site --root root"
	assert_eq "$(<seen)" "" "with -q"
	TERM_OF_TEST=dumb on_terminal "deploy stage -n site --root root"
	assert_not_contains seen "$ESC"
	# An answer on the terminal is not mixed with a bar on it.
	on_terminal "deploy stage -n site --root root --json 2>talk"
	tr -d '\r' <seen >doc
	assert_eq "$(json doc .files)" 2
	assert_not_contains talk "$ESC"
}

t_an_archive_is_not_read_from_a_terminal() {
	on_terminal "deploy stage - --root root; echo status \$?"
	assert_contains seen "standard input is a terminal"
	assert_contains seen "status 2"
}

# A cure means the same when it is pasted, whatever the words are that it repeats.
t_cures_with_odd_words_can_be_pasted() {
	local word cure
	mkdir bin
	ln -s "$DEPLOY" bin/deploy
	for word in $'two\nlines' $'a\ttab' $'caf\xe9' $'esc\e[0m' $'sep\u2028arator' \
	    $'it\'s\n"here"' $'back\\slash\n' "it's \"plain\"" 'back\slash' './a$b`c`' \
	    $'\x80' 'ä ö'; do
		expect_status 1 deploy list --root "$word"
		cure=$(sed -n 's/.*, or run: //p' "$err")
		[[ $cure = "deploy init "* ]] || fail "no cure: $(cat "$err")"
		PATH=$PWD/bin:$PATH run bash -c "$cure"
		run deploy list --root "$word"
	done
}

# An answer is JSON also when the mistake stands before the command.
t_json_of_a_mistake_before_the_command() {
	local line
	while read -r line; do
		# shellcheck disable=SC2086 # words
		expect_status 2 deploy $line
		assert_eq "$(jq .error.code "$out")" 2 "$line"
	done <<-'EOF'
	--json --bogus list
	--bogus --json list
	--json --lock-wait x list
	--lock-wait x list --json
	EOF
	expect_status 2 deploy --bogus list
	[ ! -s "$out" ] || fail "a document unasked"
}

# Commands of the queue are for the same deploy.yml.
t_cures_of_the_queue_name_the_file() {
	local status line cure
	mkdir bin etc
	ln -s "$DEPLOY" bin/deploy
	echo "{queue: $PWD/q, sites: [{name: a, root: $PWD/r}, {name: b, root: $PWD/b}]}" \
	    >etc/q.yml
	run deploy -c etc/q.yml enqueue b
	while read -r status line; do
		# shellcheck disable=SC2086 # words
		expect_status "$status" deploy -c etc/q.yml $line
		cure=$(sed -n "s/.*[;,] run: \(deploy .*\)/\1/p; s/.*see '\(deploy.*\)'\$/\1/p" "$err")
		[[ $cure = *"-c etc/q.yml"* ]] || fail "$line: $(cat "$err")"
		PATH=$PWD/bin:$PATH run bash -c "$cure"
	done <<-'EOF'
	2 jobs show 9
	2 jobs retry a
	EOF
}

# Who is told to go on without a host is not told to take it as an example.
t_a_cure_without_the_host_of_from() {
	local from
	mkdir bin
	ln -s "$DEPLOY" bin/deploy
	for from in '--from 127.0.0.1' '--from=127.0.0.1'; do
		rm -rf h site
		mkdir site
		echo hi >site/index.html
		cat >deploy.yml <<-EOF
		sites:
		  - name: a
		    root: $PWD/r
		    hosts:
		      - {address: here, transport: local, root: $PWD/h}
		      - {address: 127.0.0.1, port: 9}
		EOF
		run deploy publish -q --host here site
		# shellcheck disable=SC2086 # words
		expect_status 8 deploy sync $from
		assert_contains "$err" "run: deploy sync --skip 127.0.0.1"
		PATH=$PWD/bin:$PATH expect_status 7 \
		    bash -c "$(sed -n 's/.*run: //p' "$err" | head -1)"
	done
}

run_tests
