#!/bin/bash
# What people see and type: short ids, other names of a release.
# parts: 2
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

# Who only looks is not told that nothing was changed.
t_who_looks_changes_nothing() {
	local cmd
	cat >deploy.yml <<-'END'
	sites:
	  - name: s
	    source: site
	    root: /srv/s
	    check: {url: "http://s.invalid/"}
	    hosts: [{address: h1, transport: local, deploy: /nonexistent}]
	END
	mkdir site
	echo 1 >site/index.html
	for cmd in list status log diff "diff a b" verify check doctor \
	    "verify --repair" preview "preview pr-1"; do
		# shellcheck disable=SC2086 # words
		deploy $cmd >"$out" 2>"$err" && fail "status 0: $cmd"
		assert_contains "$err" h1
		assert_not_contains "$err" "nothing was"
	done
	for cmd in publish stage "activate latest" rollback prune "pin a" \
	    freeze "preview a latest" "preview --remove a"; do
		# shellcheck disable=SC2086 # words
		deploy $cmd >"$out" 2>"$err" && fail "status 0: $cmd"
		assert_contains "$err" "nothing was changed"
	done
}

# A paragraph for each reason, then what came of it, once.
t_hosts_that_fail_are_summed_up() {
	mkdir site
	echo 1 >site/index.html
	three_hosts
	run deploy publish -q site
	sed -i 's,deploy: none,deploy: /nonexistent,' deploy.yml
	deploy publish --again site >"$out" 2>"$err" && fail "status 0"
	assert_eq "$(grep -c "h2" "$err")" 1
	grep -q '^deploy: error: h2: .*; to go on without it, run: deploy publish --skip h2' "$err" ||
	    fail "$(<"$err")"
	assert_eq "$(tail -n 1 "$err")" \
	    "deploy: 1 of 3 hosts failed; nothing was changed"
	assert_eq "$(grep -c "nothing was changed" "$err")" 1
	# Two reasons, and one that two have.
	sed -i '/h1/s,deploy: [^}]*,deploy: /nonexistent,' deploy.yml
	mv h3 h3.gone
	echo x >h3
	deploy rollback >"$out" 2>"$err" && fail "status 0"
	assert_eq "$(grep -c '^deploy: error: h1, h2: ' "$err")" 1
	assert_eq "$(grep -c '^deploy: error: h3: ' "$err")" 1
	assert_eq "$(tail -n 1 "$err")" \
	    "deploy: 3 of 3 hosts failed; nothing was changed"
	# A table that says why is enough.
	deploy status >"$out" 2>"$err" && fail "status 0"
	assert_eq "$(grep -c '^dead ' "$out")" 3
	assert_eq "$(<"$err")" \
	    "deploy: error: 3 of 3 hosts could not be asked; to find out more, run: deploy doctor"
	# For programs it is one text.
	deploy rollback --json >"$out" 2>"$err" && fail "status 0"
	[[ $(json "$out" .error.text) = "3 of 3 hosts failed; nothing was changed: h1, h2: "* ]] ||
	    fail "$(<"$out")"
}

# Who makes a root says what the web server is to serve, once.
t_a_new_root_is_told() {
	local n kind
	mkdir site
	echo 1 >site/index.html
	run deploy publish site --root www
	assert_contains "$err" \
	    "deploy: '$PWD/www' is a new root; the web server's document root is '$PWD/www/current'"
	run deploy publish --again site --root www
	assert_not_contains "$err" "document root"
	{
		printf 'sites:\n  - name: s\n    root: /unused\n    source: site\n    hosts:\n'
		for n in 1 2 3; do
			kind=$([ "$n" = 2 ] && echo none || echo "$DEPLOY")
			printf '      - {address: h%s, transport: local, root: %s, deploy: %s}\n' \
			    "$n" "$PWD/h$n" "$kind"
		done
	} >deploy.yml
	run deploy init --host h3
	run deploy publish
	assert_contains "$err" "'$PWD/h1' is a new root on h1; the web"
	assert_contains "$err" "'$PWD/h2' is a new root on h2; the web"
	assert_not_contains "$err" "$PWD/h3' is a new"
	run deploy publish --again
	assert_not_contains "$err" "document root"
}

# What all hosts have in common is said once; the rest in a row for each.
t_status_of_hosts() {
	local head='HOST  STATE  ROOT .* RELEASES  *FREE$'
	mkdir site
	echo 1 >site/index.html
	three_hosts
	run deploy publish site
	run deploy status
	assert_eq "$(grep -c '^live  *2[^ ]* since 2' "$out")" 1
	assert_eq "$(grep -c '^previous  *none' "$out")" 1
	grep -q "$head" "$out" || fail "$(cat "$out")"
	assert_eq "$(grep -c "^h[123]  *ok  *$PWD/h[123]  *1  " "$out")" 3
	# Frozen alike; one differs, one is dead.
	run deploy freeze -m night
	run deploy status
	assert_eq "$(grep -c '^frozen  *by .*: night' "$out")" 1
	echo 2 >site/index.html
	expect_status 7 deploy publish site --skip h3 --override=freeze
	sed -i 's,deploy: none,deploy: /nonexistent,' deploy.yml
	deploy status >"$out" 2>"$err" && fail "status 0"
	assert_not_contains "$out" $'\nlive '
	grep -q "^h1  *ok  *$PWD/h1  *2[^ ]*  *2[^ ]*  *2 " "$out" ||
	    fail "$(cat "$out")"
	grep -qE "^h3 +skipped +$PWD/h3 +2[^ ]* +none +1 " "$out" ||
	    fail "$(cat "$out")"
	# Each is named once, here as well as in a list.
	grep -q "^dead  *h2: " "$out" || fail "$(cat "$out")"
	assert_eq "$(grep -cw h2 "$out")" 1
	deploy list >"$out" 2>"$err" && fail "status 0"
	assert_not_contains "$out" h2
	assert_eq "$(grep -cE '(^|[ ,])h2[:,]' "$err")" 1
	no_whole "$out"
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

# A command that has nothing to show or to do says so, to people: what is
# printed for programs stays empty.
t_nothing_to_show() {
	local w words
	run deploy init --root r
	while IFS='|' read -r w words; do
		run deploy $w --root r
		assert_eq "$(<"$out")" ""
		assert_contains "$err" "$words"
		run deploy $w --root r -q
		assert_eq "$(cat "$out" "$err")" ""
		run deploy $w --root r --json
		assert_eq "$(<"$err")" ""
	done <<-'END'
	list|there are no releases; 'deploy publish' makes one
	log|nothing was made live yet
	preview|there are no previews; 'deploy stage --preview NAME' makes one
	END
	for w in prune 'prune --keep 1' 'prune -n'; do
		run deploy $w --root r
		assert_eq "$(cat "$out" "$err")" "deploy: nothing to prune"
	done
	printf 'queue: queue\nsites:\n  - {name: a, root: a, build: "true"}\n' >deploy.yml
	run deploy jobs
	assert_contains "$err" "there are no jobs; "
	run deploy jobs -s a
	assert_contains "$err" "there are no jobs of a; "
	run deploy enqueue a
	run deploy jobs -s a
	assert_not_contains "$err" "no jobs"
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

# ---------------------------------------------------------------- tables

t_tables() {
	new a -m 'first one'
	run d activate latest
	go b
	run d list
	assert_eq "$(head -n 1 "$out")" \
	    "RELEASE              STATE     STAGED                FILES  SIZE  MESSAGE"
	assert_contains "$out" "$(short "$b")  live      20"
	assert_eq "$(grep -c ' $' "$out" || true)" 0 "blanks at the end"
	# A column appears with the first row that has something for it.
	new c --seq 7 --commit abcdef0123456789
	run d list
	grep -qE '^RELEASE +STATE +STAGED +FILES +SIZE  SEQ  COMMIT +MESSAGE$' "$out" ||
	    fail "$(<"$out")"
	assert_contains "$out" "5 B    7  abcdef012345"
	run d log
	assert_eq "$(head -n 1 "$out" | tr -s ' ')" \
	    "TIME ACTION RELEASE FROM WHO MESSAGE"
	# For programs there is neither a colour nor a width.
	COLUMNS=20 run d list
	assert_not_contains "$out" "..."
	assert_not_contains "$out" $'\e'
}

shows=0
# show WIDTH CMD: what a terminal shows of it is in ./seen, and in ./plain
# without its colours.
show() {
	local tmux=(tmux -S "$PWD/t$((++shows)).sock" -f /dev/null)
	defer "${tmux[@]}" kill-server
	"${tmux[@]}" new-session -d -x "$1" -y 30 \
	    "$2; echo; echo END; sleep 1000"
	wait_for 20 ended_screen "${tmux[@]}"
	"${tmux[@]}" capture-pane -p -e | sed '/^END/,$d' >seen
	"${tmux[@]}" capture-pane -p | sed '/^END/,$d; /^$/d' >plain
	"${tmux[@]}" kill-server
}

ended_screen() {
	"$@" capture-pane -p | finds -x END
}

t_tables_on_a_terminal() {
	local w n text
	need_cmd tmux
	export LC_ALL=C.UTF-8 PATH
	text=$(printf '漢字 e\u030b and more %.0s' {1..12})
	new a -m "$text" --commit abcdef0123456789
	run d activate latest
	go b -m short
	for w in 5 40 80 120; do
		for n in list log; do
			show "$w" "deploy $n --root $PWD/www"
			# No line is longer than the terminal: none wraps.
			((w < 40)) || assert_eq "$(wc -l <plain)" 3 "$n at $w"
			((w < 80)) || assert_contains plain ' ago'
			((w < 40)) || assert_contains plain ...
		done
	done
	show 80 "deploy list --root $PWD/www"
	assert_contains seen $'\e[32mlive'
	# The columns of wide characters stand under each other.
	assert_contains seen '漢字'
	show 80 "NO_COLOR=1 deploy list --root $PWD/www"
	assert_not_contains seen $'\e[32m'
	show 80 "deploy list --root $PWD/www | cat"
	assert_contains plain "T"
	assert_not_contains plain ' ago'
}

# Times where a terminal has ages; nothing cut, and ids and commits whole.
t_utc_and_long() {
	local n w text
	need_cmd tmux
	export LC_ALL=C.UTF-8 PATH
	text=$(printf 'a long note %.0s' {1..9})
	new a -m "$text" --commit abcdef0123456789abcdef
	run d activate latest
	for n in list log status; do
		show 80 "deploy $n --utc --root $PWD/www"
		assert_not_contains plain ' ago'
		grep -qE '(^| )20[0-9-]+T[0-9:]+Z' plain || fail "$n: $(<plain)"
		assert_contains plain '...'
		show 300 "deploy $n --long --root $PWD/www"
		assert_contains plain "${text% }"
		assert_contains plain "$a"
		assert_contains plain ' ago'
		run d "$n" --long --utc
		assert_contains "$out" "$a"
	done
	run d list --long
	assert_contains "$out" abcdef0123456789abcdef
	run d preview pr-12 "$a"
	show 40 "deploy preview --utc --root $PWD/www"
	assert_contains plain '...'
	assert_not_contains plain 'in 6 d'
	show 80 "deploy preview --long --root $PWD/www"
	assert_contains plain "$a"
	for w in 40 80; do
		show "$w" "deploy status --root $PWD/www"
		grep -A 1 '^live .*\.\.\.$' plain >two || fail "$w: $(<plain)"
		finds '^previous' <two || fail "at $w it wraps: $(<plain)"
	done
	assert_contains plain ' ago, commit abcdef012345: '
	assert_contains seen $'live       \e[32m2'
}

# What a narrow terminal cuts of `config` is a value, not where it is from.
t_config_on_a_terminal() {
	need_cmd tmux
	export LC_ALL=C.UTF-8 PATH
	text=$(printf 'make %.0s' {1..30})
	printf '%s\n' "sites:" "  - {name: s, root: w, build: \"${text% }\"}" >deploy.yml
	show 80 "cd $PWD; deploy config"
	grep -E 'sites\[0\].build.command .*deploy.yml:2 .*\.\.\.$' plain ||
	    fail "$(<plain)"
	show 300 "cd $PWD; deploy config --long"
	assert_contains plain "${text% }"
}

# An error of the only host is told once, with a cure for where it is.
t_one_host_that_cannot_be_asked() {
	go a
	rm www/current
	mkdir www/current
	expect_status 1 d status
	assert_contains "$out" "dead       it cannot be asked"
	assert_eq "$(cat "$out" "$err" | grep -c 'is not a symbolic link')" 1
	assert_contains "$err" "deploy adopt --root"
}

t_jobs_on_a_terminal() {
	local w
	need_cmd tmux
	export LC_ALL=C.UTF-8 PATH
	printf 'queue: %s\nsites: [{name: a, root: %s/w, build: "false"}, {name: b, root: /b}]\n' \
	    "$PWD/queue" "$PWD" >deploy.yml
	deploy enqueue a --ref main --item one --item two
	deploy worker --once || true
	deploy jobs stop a || true
	deploy enqueue b --ref 漢字
	for w in 20 40 80 120; do
		show "$w" "deploy jobs"
		((w < 40)) || assert_eq "$(wc -l <plain)" 3 "at $w: $(<plain)"
		((w < 80)) || assert_contains plain ' ago'
		((w < 80)) || assert_contains plain 'REF'
	done
	assert_contains plain "no worker for b; last seen"
	assert_contains plain "1 of 5 tries"
	show 200 "deploy jobs | cat"
	assert_contains plain 'Z  main'
}

# ----------------------------------------------------------------- walks

# What is wrong with what a walk shows at a width, from what a terminal was
# given: rows of tables that do not fit, the same said twice to one command,
# wrong plurals, whole ids that are no answer.
faults_of_walk() {
	awk -v width="$1" '
	function fault(what) { print "at " width ": " command ": " what ": " $0 }
	{ sub(/ +$/, "") }
	/^\$ / {
		command = $0
		split("", seen)
		split("", cures)
		table = 0
		next
	}
	/^(RELEASE|TIME|JOB|HOST)( |$)/ { table = 1 }
	/^(deploy:|drift|dead|$)/ { table = 0 }
	table && length > width { fault("too wide") }
	/^$/ { next }
	seen[$0]++ { fault("twice") }
	# A finding has its cure, and a log is quoted.
	command ~ /deploy (doctor|jobs show)/ { next }
	match($0, /(run: |run .)deploy [a-z]+/) {
		if (cures[substr($0, RSTART)]++)
			fault("a cure that stood above")
	}
	gsub(/nothing was/, "&") > 1 || (/nothing was/ && nothing[command]++) {
		fault("nothing was, twice")
	}
	/(^|[^0-9.])1 (files|hosts|releases|tries|jobs|pages|requests|links)/ {
		fault("plural")
	}
	/[0-9]T[0-9.]*Z-[0-9a-f]/ && !/^[0-9]*T[0-9.]*Z-[0-9a-f-]*$/ {
		fault("a whole id")
	}
	command ~ /deploy status/ && /see .deploy status/ { fault("here") }
	' "$2"
}

walk_of() {
	local width
	need_cmd tmux
	for width in 40 80 120; do
		JOINED=joined "$TREE/tests/walk" "$1" "$width" >seen
		faults_of_walk "$width" joined >faults
		[ ! -s faults ] || fail "$(<faults)"
		[ "$(grep -c '^\$ ' seen)" -gt 10 ] || fail "$(<seen)"
	done
	# All that was to happen did.
	grep -o '(status [0-9]*)' seen | tr -dc '0-9\n' | tr '\n' ' ' >statuses
	assert_eq "$(<statuses)" "$2"
	# The search finds what it is for.
	printf '$ x\nRELEASE\n%050d\n' 1 >bad
	[ -n "$(faults_of_walk 40 bad)" ] || fail "blind"
}

t_walk_of_a_blogger() {
	need_cmd hugo
	walk_of blogger "2 2 2 4 2 "
	assert_contains seen "deploy: unchanged: "
	assert_contains seen "more fog on the coast of Jutland"
}

t_walk_of_an_engineer() {
	walk_of engineer "8 8 7 8 7 3 "
	assert_contains seen "deploy: 1 of 4 hosts failed; nothing was changed"
	assert_contains seen "the site is frozen on www1, www2, www3, www4"
}

t_walk_of_an_operator() {
	walk_of operator "2 1 2 2 "
	assert_contains seen "deploy: there are no jobs"
	assert_contains joined "the next one is in 60 min"
}

# Releases are of a root; a build may be for one that is not there yet.
t_diff_in_a_root_that_is_not_there() {
	small
	expect_status 1 deploy diff current --root typo
	assert_contains "$err" "not a root"
	expect_status 1 deploy diff previous current --root typo
	assert_contains "$err" "not a root"
	run deploy diff site --root typo
}

run_tests
