#!/bin/bash
# Hosts that are hostile: what they answer costs the client a bounded time and
# a bounded memory, reaches no terminal as it is, and moves nothing.  (88 has
# hosts that are broken.)  Rows: what the host says instead, and what comes of
# it; what must hold for each stands above the table.
# parts: 4
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hostile.sh
. "$TREE/tests/hostile.sh"

MB_MAX=200	# of memory, whatever a host says

# site_of NAME: a directory NAME with two_hosts, and into it.
site_of() {
	mkdir -p "$1"
	cd "$1" || fail "no $1"
	two_hosts 3s 0s
}

# Nothing raw reaches a terminal: no control character, in ASCII or C1, and
# what is not UTF-8 neither.
clean() {
	local f
	for f; do
		! LC_ALL=C grep -q '[[:cntrl:]]' <(tr -d '\n' <"$f") ||
		    fail "control characters in $f: $(cat -v "$f")"
		! LC_ALL=C grep -qP '\xc2[\x80-\x9f]' "$f" ||
		    fail "C1 characters in $f"
		iconv -f UTF-8 -t UTF-8 <"$f" >/dev/null 2>&1 ||
		    fail "no UTF-8 in $f: $(cat -v "$f")"
	done
}

# Both hosts serve what they did, and nothing is locked.
nothing_moved() {
	local h
	for h in r-h1 r-h2; do
		assert_eq "$(readlink $h/current)" "$live" "$h after: $*"
		wait_for 5 flock -n -x "$h/.deploy/lock" true
	done
}

# measured CMD...: what `run` does, with the most memory it had in $mb and the
# time it took in $ms; the status in $got.
measured() {
	local began=${EPOCHREALTIME/./}
	type -P time >/dev/null || skip "needs time"
	got=0
	command time -q -o memory -f %M "$@" >"$out" 2>"$err" || got=$?
	ms=$(((${EPOCHREALTIME/./} - began) / 1000))
	mb=$(($(tail -n 1 memory) / 1024))
	_no_sanitizer_report
	((got < 126)) || fail "status $got: $*"
	[ -n "${TEST_SANITIZE:-}" ] || ((mb < MB_MAX)) ||
	    fail "$mb MB of memory: $*"
}

# The command that asks a host for this verb, and whether h1 is to be another
# than h2, so that it is asked.
command_for() {
	case $1 in
	info | receive | activate | manifest) command=(deploy publish) ;;
	verify) command=(deploy verify) ;;
	prune) command=(deploy prune --keep 1) ;;
	pin) command=(deploy pin latest) ;;
	freeze) command=(deploy freeze) ;;
	esac
	[[ ${command[1]} != publish ]] || echo "$RANDOM$RANDOM" >site/index.html
}

# Is the status one of these?  A freeze or a pin is done on h1, so that it may be
# 7, too.
got_one_of() {
	[[ " $* " = *" $got "* || ($got -eq 7 && $verb =~ ^(pin|freeze)$) ]]
}

# ------------------------------------------------------------ without an end

# A line now and then, for ever: each is in time, the answer is not.  All of
# them at once, since each takes its 20 s.
t_a_line_a_second_for_ever() {
	local verb row n=0 top=$PWD began=$SECONDS pids=()
	while IFS='|' read -r verb row; do
		n=$((n + 1))
		(
			export XDG_CACHE_HOME=$top/cache-$n
			site_of "$top/$n"
			answers "$verb" <<-END
			echo deploy-host 1
			while :; do printf '$row\n'; read -rt 0.7 _ <>"$TEST_DIR/never"; done
			END
			command_for "$verb"
			got=0
			"${command[@]}" >"$PWD.out" 2>"$PWD.err" || got=$?
			got_one_of 1 8 || fail "status $got: $verb"
			assert_contains "$PWD.err" h2
			clean "$PWD.err"
			nothing_moved "$verb $row"
		) >$n.log 2>&1 &
		pids+=($!)
	done <<-'END'
	info|release\t20200101T000000.000Z-aaaaaaaa\t{}
	receive|waiting
	activate|hook-output\tx
	verify|difference\t20200101T000000.000Z-aaaaaaaa\tx
	prune|pruned\t20200101T000000.000Z-aaaaaaaa
	pin|noise
	freeze|
	END
	for ((n = 1; n <= ${#pids[@]}; n++)); do
		wait "${pids[n - 1]}" || fail "$(cat $n.log)"
	done
	((SECONDS - began < 8 * 45)) || fail "$((SECONDS - began)) s"
}

# As much as it can, of each kind of line that means something.
t_lines_as_fast_as_it_can() {
	local verb row
	site_of .
	while IFS='|' read -r verb row; do
		answers "$verb" <<-END
		echo deploy-host 1
		exec yes "\$(printf '$row')"
		END
		command_for "$verb"
		measured "${command[@]}"
		# 6: it was armed, and the others went back.
		got_one_of 1 6 8 || fail "status $got: $verb $row"
		assert_contains "$err" h2
		clean "$err"
		nothing_moved "$verb $row"
		rm h2.$verb
	done <<-'END'
	info|release\t20200101T000000.000Z-aaaaaaaa\t{}
	info|release\t20200101T000000.000Z-aaaaaaaa\t{"id":"x","message":"%0100d"}
	info|journal\t{"time":"2020-01-01T00:00:00.000Z","action":"activate","to":"20200101T000000.000Z-aaaaaaaa"}
	info|has\tzstd
	info|current\t20200101T000000.000Z-aaaaaaaa
	info|locked\tsomebody
	info|
	receive|waiting
	receive|ready\t/
	activate|armed\t
	activate|from\t
	verify|difference\t20200101T000000.000Z-aaaaaaaa\tindex.html\tis missing
	prune|pruned\t20200101T000000.000Z-aaaaaaaa
	pin|x
	END
}

# Bytes and no line; and a line before the magic one that has no end.
t_a_line_without_end() {
	local verb what
	site_of .
	for verb in info receive activate verify prune; do
		for what in 'echo deploy-host 1; exec tr "\0" x </dev/zero' \
		    'exec tr "\0" x </dev/zero' 'exec yes' \
		    'echo deploy-host 1; exec cat /dev/zero'; do
			answers $verb <<<"$what"
			command_for $verb
			measured "${command[@]}"
			got_one_of 1 8 || fail "status $got: $verb"
			clean "$err"
			nothing_moved "$verb $what"
		done
		rm h2.$verb
	done
}

# ---------------------------------------------------------------- manifests

# The base's manifest is asked for when it is not known here.
t_sizes_of_a_manifest() {
	local size what
	site_of .
	echo other >site/index.html
	run deploy publish --root "$PWD/r-h2" site
	local live2
	live2=$(readlink r-h2/current)
	while IFS='|' read -r size what; do
		answers manifest <<-END
		printf 'deploy-host 1\nsize\t%s\n' '$size'
		$what
		END
		echo "$RANDOM$RANDOM" >site/index.html
		measured deploy publish
		[[ " 1 5 8 " = *" $got "* ]] || fail "status $got: $size $what"
		assert_contains "$err" h2
		clean "$err"
		# Refused by what it announces, or not waited for.
		((ms < 8 * 4000)) || fail "$ms ms: $size $what"
		((mb < 60)) || [ "$what" = 'exec cat /dev/zero' ] ||
		    [ -n "${TEST_SANITIZE:-}" ] || fail "$mb MB: $size $what"
		assert_eq "$(readlink r-h1/current)" "$live" "h1: $size"
		assert_eq "$(readlink r-h2/current)" "$live2" "h2: $size"
	done <<-'END'
	1073741824|exec cat /dev/zero
	268435457|exec sleep 60
	209715200|exec sleep 60
	209715200|exit 0
	209715200|echo; exec sleep 60
	9223372036854775807|exec sleep 60
	9223372036854775808|exec sleep 60
	18446744073709551617|exec sleep 60
	-1|exec sleep 60
	 5|printf 'hello\nok\n'
	+5|printf 'hello\nok\n'
	0x10|printf 'hello\nok\n'
	1e3|printf 'hello\nok\n'
	|printf 'ok\n'
	0|printf 'ok\n'
	END
}

# ------------------------------------------------------------------ signals

# A signal ends the client within two seconds (where nothing else runs),
# whatever the host does just then: as every interruption, and what was live
# stays.
t_signals() {
	local verb signal what pid began=0 got
	site_of .
	while IFS='|' read -r verb signal what; do
		rm -f there
		answers "$verb" <<-END
		: >there
		$what
		END
		command_for "$verb"
		# Of a job in the background SIGINT is ignored.
		env --default-signal=INT "${command[@]}" >"$out" 2>"$err" &
		pid=$!
		wait_for 10 test -e there
		pause 0.2
		began=${EPOCHREALTIME/./}
		kill -"$signal" "$pid" ||
		    fail "ended: $verb $signal $what: $(cat "$err")"
		got=0
		wait "$pid" || got=$?
		began=$(((${EPOCHREALTIME/./} - began) / 1000))
		_no_sanitizer_report
		((began < 8 * 2000)) || fail "$began ms: $verb $signal $what"
		got_one_of 1 ||
		    fail "status $got: $verb $signal $what: $(cat "$err")"
		assert_contains "$err" "interrupted by SIG$signal"
		clean "$err"
		nothing_moved "$verb $signal"
		rm h2.$verb
	done <<-'END'
	info|TERM|exec sleep 60
	info|INT|echo deploy-host 1; exec sleep 60
	info|HUP|echo deploy-host 1; while :; do echo x; sleep 0.5; done
	info|TERM|while :; do echo x; sleep 0.1; done
	receive|TERM|exec sleep 60
	receive|INT|echo deploy-host 1; while :; do echo waiting; sleep 0.1; done
	receive|TERM|printf 'deploy-host 1\nready\t/\n'; exec sleep 60
	receive|TERM|printf 'deploy-host 1\nready\t/\n'; while :; do echo x; sleep 0.1; done
	activate|INT|exec sleep 60
	activate|TERM|echo deploy-host 1; exec sleep 60
	verify|TERM|echo deploy-host 1; while :; do echo x; sleep 0.1; done
	verify|INT|echo deploy-host 1; while :; do echo x; sleep 0.5; done
	prune|TERM|echo deploy-host 1; while :; do echo x; sleep 0.1; done
	freeze|HUP|echo deploy-host 1; exec sleep 60
	END
}

# ------------------------------------------------------------ what is shown

# Bytes that a terminal would act on, in every line that people come to see.
t_nothing_raw_is_shown() {
	local verb line bytes n=0 command
	site_of .
	bytes=$'\e]0;x\a\e[2J\r\b\x7f\xc2\x9b31m\x9b31m\xff\xfe\xe2\x80\xaetxt'
	while IFS='|' read -r verb line command; do
		n=$((n + 1))
		answers "$verb" <<-END
		bytes=$(printf %q "$bytes")
		printf 'deploy-host 1\n'
		printf '$line' "\$bytes" "\$bytes" "\$bytes"
		exit 0
		END
		got=0
		# Words are meant.
		# shellcheck disable=SC2086
		deploy $command >"$out" 2>"$err" || got=$?
		_no_sanitizer_report
		((got <= 10)) || fail "status $got: $verb $line: $command"
		clean "$out" "$err"
		nothing_moved "$verb $line"
		rm h2.$verb
	done <<-'END'
	info|error\t1\t%s\n|status
	info|error\t5\t%s\t%s\n|list
	info|%s\n%s\n|status
	info|%s\nok\n|status
	info|%s|list
	info|prepared\t1\nversion\t%s\nlocked\t%s\nok\n|status
	info|prepared\t1\nversion\t%s\nlocked\t%s\nok\n|doctor
	info|prepared\t1\nversion\t9\ncurrent\t%s\nlatest\t%s\nok\n|status --json
	info|prepared\t1\nversion\t9\nlocked\t%s\nfrozen\t1\nok\n|status --json
	info|prepared\t1\nversion\t9\nhas\t%s\nfree\t%s\nok\n|publish -n
	info|prepared\t1\nversion\t9\nlatest\t20200101T000000.000Z-aaaaaaaa\nrelease\t20200101T000000.000Z-aaaaaaaa\t{"id":"20200101T000000.000Z-aaaaaaaa","who":"%s","message":"%s","commit":"%s"}\nok\n|list
	info|prepared\t1\nversion\t9\nrelease\t20200101T000000.000Z-aaaaaaaa\t{"id":"20200101T000000.000Z-aaaaaaaa","who":"%s","message":"%s","job":"%s"}\nok\n|list --json
	info|prepared\t1\nversion\t9\njournal\t{"time":"2020-01-01T00:00:00.000Z","action":"activate","to":"20200101T000000.000Z-aaaaaaaa","who":"%s","message":"%s"}\nok\n|log
	info|prepared\t1\nversion\t9\njournal\t{"time":"2020-01-01T00:00:00.000Z","action":"%s","to":"%s"}\nok\n|log
	verify|difference\t%s\t%s\t%s\nok\n|verify
	verify|%s\t%s\nok\n|verify
	verify|error\t5\t%s\n|verify
	verify|damaged\t%s\t%s\nok\n|verify --json
	prune|pruned\t%s\nok\n|prune --keep 1
	prune|pruned\t%s\nok\n|prune --keep 1 --json
	prune|error\t3\t%s\n|prune --keep 1
	pin|error\t2\t%s\n|pin latest
	freeze|frozen\t%s\nok\n|freeze
	freeze|error\t-1\t%s\n|freeze
	probe|%s\t%s\nok\n|doctor
	probe|error\t1\t%s\n|doctor
	probe|path\t/\t%s\t%s\nok\n|doctor
	probe|tool\t%s\nfs\t%s\nos\t%s\nok\n|doctor --json
	END
	((n >= 27)) || fail "only $n rows ran"
}

# What a host advises to run is no word of ours, whatever it is.
t_advice_is_the_word_of_the_host() {
	local command
	site_of .
	for command in status list "publish site" "verify" doctor; do
		answers info <<<"printf 'deploy-host 1\nerror\t1\tslow\trun: curl x | sh\n'; exit 0"
		cp h2.info h2.probe
		# Words are meant.
		# shellcheck disable=SC2086
		deploy $command >"$out" 2>"$err" && fail "$command"
		cat "$out" "$err" >said
		assert_contains said "slow; the host advises: run: curl x | sh"
		! sed 's/the host advises: run: curl//g' said | grep 'run: curl' ||
		    fail "$command"
	done
}

# What stands before the magic line is noise, with a newline or without.
t_noise_before_the_magic_line() {
	local noise
	site_of .
	for noise in 'printf "welcome\n"' 'printf "welcome"' \
	    'printf "\0\0\0\n"' 'printf "\033]0;title\007"' 'printf "\r"' \
	    'printf "\377\376"' 'seq 900' 'head -c 100000 /dev/zero; echo' \
	    'printf "ok\n"' 'printf "error\t1\tno\n"' \
	    'printf "live\t1\n"' 'printf "deploy-hos\n"'; do
		# Not by VERBS: that the magic line is the first is its work.
		sed "s/^\[ \"\\\$2\" != serve.*/[ \"\\\$2\" != serve ] || { $(
			sed 's/[&/\]/\\&/g' <<<"$noise"
		); }/" h1 >h2
		echo "$RANDOM$RANDOM" >site/index.html
		run deploy publish
		live=$(readlink r-h1/current)
		clean "$err"
		nothing_moved "$noise"
	done
	# More of it than anybody has to say, or the word of another version.
	for noise in 'seq 2000' 'echo deploy-host 2' 'echo deploy-host 1x' \
	    'echo deploy-host sh'; do
		sed "s/^\[ \"\\\$2\" != serve.*/[ \"\\\$2\" != serve ] || { $noise; }/" \
		    h1 >h2
		echo "$RANDOM$RANDOM" >site/index.html
		got=0
		deploy publish >"$out" 2>"$err" || got=$?
		_no_sanitizer_report
		[[ " 1 8 " = *" $got "* ]] || fail "status $got: $noise"
		assert_contains "$err" h2
		clean "$err"
		nothing_moved "$noise"
	done
}

# ------------------------------------------------------------------ the flip

# An answer to `activate` that is none: the publish fails, before anything
# flipped (1), or all went back to what was live (6).
t_activations_that_are_none() {
	local body
	site_of .
	while IFS= read -r body; do
		answers activate <<-END
		$body
		exit 0
		END
		echo "$RANDOM$RANDOM" >site/index.html
		got=0
		deploy publish >"$out" 2>"$err" || got=$?
		_no_sanitizer_report
		[[ $got = [16] ]] || fail "status $got: $body: $(cat "$err")"
		assert_contains "$err" h2
		clean "$err"
		nothing_moved "$body"
	done <<-'END'
	printf 'deploy-host 1\nok\n'
	printf 'deploy-host 1\narmed\nok\n'
	printf 'deploy-host 1\narmed\n'; read -r w; printf 'ok\n'
	printf 'deploy-host 1\narmed\n'; read -r w; printf 'took\t1\nok\n'
	printf 'deploy-host 1\narmed\n'; read -r w; printf 'hook\tx\nok\n'
	printf 'deploy-host 1\narmed\n'; read -r w; printf 'changed\t1\nfrom\t\nok\n'
	printf 'deploy-host 1\narmed\n'; read -r w; printf 'live\nok\n'
	printf 'deploy-host 1\narmed\n'; read -r w; printf 'live\t20200101T000000.000Z-aaaaaaaa\nok\n'
	printf 'deploy-host 1\narmed\n'; read -r w; printf 'live\t../../etc\nok\n'
	printf 'deploy-host 1\narmed\n'; read -r w; printf 'armed\nok\n'
	printf 'deploy-host 1\narmed\n'; read -r w; printf 'error\t1\tno\n'
	printf 'deploy-host 1\narmed\n'; read -r w; printf 'error\t0\tfine\n'
	printf 'deploy-host 1\narmed\n'; read -r w; printf 'error\t\n'
	printf 'deploy-host 1\nlive\tx\nok\n'
	printf 'deploy-host 1\nlive\tx\narmed\nok\n'
	printf 'deploy-host 1\nhook\tx\nok\n'
	END
}

# It flips, and says that it did not; or that it did, and then an error: what
# it serves is asked, and goes back.
t_a_flip_that_is_denied() {
	local body
	site_of .
	for body in \
	    '"${real[@]}" | sed -u "s/^ok\$/error\t1\tno/"' \
	    '"${real[@]}" | sed -u "s/^live\t.*/live\t20200101T000000.000Z-aaaaaaaa/"' \
	    '"${real[@]}" | sed -u "/^live/d"' \
	    '"${real[@]}" | sed -u "/^ok/d"'; do
		# Only the way there: the way back is as it should be.
		answers activate <<-END
		case \$* in *--revert*) exec "\${real[@]}" ;; esac
		$body
		exit 0
		END
		echo "$RANDOM$RANDOM" >site/index.html
		got=0
		deploy publish >"$out" 2>"$err" || got=$?
		_no_sanitizer_report
		[ "$got" -eq 6 ] || fail "status $got: $body: $(cat "$err")"
		assert_contains "$err" h2
		nothing_moved "$body"
	done
}

# Whatever code an error has, no success comes of it, nor a status that means
# something else.
t_codes_that_lie() {
	local verb code
	site_of .
	for code in 0 00 -1 -0 +1 11 12 99 126 127 139 255 256 257 4294967296 \
	    18446744073709551616 9223372036854775808 1.5 0x1 x ' 1' '' \
	    "$(printf '1%0400d' 0)"; do
		for verb in info receive; do
			answers $verb <<-END
			printf 'deploy-host 1\nerror\t%s\tsaid so\n' '$code'
			exit 0
			END
			command_for $verb
			got=0
			"${command[@]}" >"$out" 2>"$err" || got=$?
			_no_sanitizer_report
			[ "$got" -eq 1 ] || fail "status $got: $verb, code '$code'"
			assert_contains "$err" h2
			clean "$err"
			rm h2.$verb
		done
	done
	nothing_moved
}

# ------------------------------------------------------------------- numbers

# No number of an answer does more than be wrong: the command ends with a
# status of the manual, what it prints as JSON is JSON.
t_numbers_that_overflow() {
	local key value command
	site_of .
	for value in 9223372036854775808 9223372036854775807 -1 \
	    -9223372036854775808 "$(printf '1%0400d' 0)" 1e400 nan 0x7fffffff; do
		for key in seq journal-size free bytes now "free	1	" \
		    "live	1	"; do
			answers info <<-END
			"\${real[@]}" | sed 's#^prepared.*#&\n$key\t$value#'
			exit 0
			END
			got=0
			deploy status --json >"$out" 2>"$err" || got=$?
			_no_sanitizer_report
			((got <= 10)) || fail "status $got: $key $value"
			jq . "$out" >/dev/null || fail "no JSON: $key $value"
			clean "$err"
		done
		answers info <<-END
		"\${real[@]}" | sed -E 's#"(seq|bytes|files|time|mtime)": *[^,}]*#"\1":$value#g'
		exit 0
		END
		for command in "status --json" "list --json" "log --json"; do
			got=0
			# shellcheck disable=SC2086
			deploy $command >"$out" 2>"$err" || got=$?
			_no_sanitizer_report
			((got <= 10)) || fail "status $got: $command $value"
			[ ! -s "$out" ] || jq . "$out" >/dev/null ||
			    fail "no JSON: $command $value"
		done
	done
	nothing_moved
}

# --------------------------------------------------------------------- roots

# A root may have any name that a file may have, but for control characters.
t_roots_with_any_name() {
	local name n=0
	mkdir site
	echo one >site/index.html
	while IFS= read -r name; do
		n=$((n + 1))
		rm -rf "$XDG_CACHE_HOME"
		mkdir -p "$n"
		jq -n --arg r "$PWD/$n/$name" --arg d "$DEPLOY" '{sites: [{
		    name: "t", source: "site", root: $r, hosts: [{address: "h",
		    transport: "local", deploy: $d, root: $r}]}]}' >deploy.yml
		# Nothing is expanded in deploy.yml, and nobody shall think so.
		if [[ $name = *'$'* ]]; then
			expect_status 2 deploy publish
			assert_empty "$n"
			continue
		fi
		run deploy publish
		[ -s "$n/$name/current/index.html" ] || fail "no root '$name'"
		# Nothing but it was made.
		assert_eq "$(find "$n" -mindepth 1 -maxdepth 1 | wc -l)" 1 "$name"
		run deploy status --json
		run deploy verify
		jq '.sites[0].hosts[0].deploy = "none"' deploy.yml >x
		mv x deploy.yml
		echo "$n" >site/index.html
		run deploy publish
		assert_eq "$(cat "$n/$name/current/index.html")" "$n" "$name"
	done <<-'END'
	with blank
	 leading and trailing 
	it's
	"double"
	$(touch canary)
	`touch canary`
	;touch canary;
	&touch canary&
	|touch canary
	back\slash
	back\
	new\nline
	wow!x!!
	*
	?[a-z]{a,b}
	~
	-rf
	--root=x
	#comment
	%s%n
	$HOME${PATH}
	^a^b
	äöü 🎉
	a=b
	<in>out
	(sub)
	END
	[ ! -e canary ] || fail "it was run"
	assert_eq "$(find . "$HOME" -name 'canary*' | head -n 1)" "" "run"
}

run_tests
