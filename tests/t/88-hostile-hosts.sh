#!/bin/bash
# Hosts that answer wrongly, out of malice or because they are broken: the
# client ends with an error that names the host, and what is live stays.
# Each is a program on this machine, which answers some verbs itself.
# parts: 4
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hostile.sh
. "$TREE/tests/hostile.sh"

# refused "STATUS...": a publish ends with one of them, names h2, and nothing
# has changed.
refused() {
	local got=0
	echo "$RANDOM$RANDOM" >site/index.html
	deploy publish >"$out" 2>"$err" || got=$?
	_no_sanitizer_report
	[[ " $1 " = *" $got "* ]] || fail "status $got, not $1: $(cat "$err")"
	assert_contains "$err" h2
	! grep -q '[[:cntrl:]]' "$err" || fail "control characters"
	assert_eq "$(readlink r-h1/current)" "$live" h1
	assert_eq "$(readlink r-h2/current)" "$live" h2
	for h in r-h1 r-h2; do
		wait_for 5 flock -n -x "$h/.deploy/lock" true
	done
}

well() {
	rm -f h2.*
	run deploy publish
	live=$(readlink r-h1/current)
	assert_eq "$(readlink r-h2/current)" "$live"
	assert_tree_eq r-h2/current/ site
	run deploy verify
}

# ----------------------------------------------------------------- answers

t_no_answer_at_all() {
	local verb
	two_hosts 2s 1s
	for verb in info receive activate; do
		answers $verb <<<'exit 0'
		refused "1 8"
		answers $verb <<<'exit 255'
		refused "1 8"
		answers $verb <<<'kill -SEGV $$'
		refused "1 8"
		answers $verb <<<'echo deploy-host 1; exit 0'
		refused "1 8"
		answers $verb <<<'head -c 1000000 /dev/urandom; exit 0'
		refused "1 8"
		rm h2.$verb
	done
	well
}

# One that says nothing before it has the lock has one timeout, however long the
# lock may be waited for.
t_silence_before_the_lock() {
	local verb
	two_hosts 2s 1000s
	for verb in receive activate; do
		SECONDS=0
		answers $verb <<<'exec sleep 1000'
		refused "1 8"
		((SECONDS < 300)) || fail "$verb: $SECONDS s"
		rm h2.$verb
	done
	well
}

# "ok" alone is no answer where something is wanted.
t_ok_and_nothing_else() {
	local verb
	two_hosts 2s 1s
	for verb in receive activate; do
		answers $verb <<<'printf "deploy-host 1\nok\n"; exit 0'
		refused 1
		assert_contains "$err" "wrong answer"
		rm h2.$verb
	done
	well
}

t_errors_that_lie() {
	local code
	two_hosts 2s 1s
	for code in 0 -1 99 x 4294967296 ""; do
		answers receive <<-END
		printf 'deploy-host 1\nerror\t$code\tsaid \033[31mred\007\n'
		exit 0
		END
		refused 1
	done
	well
}

t_answers_without_end() {
	local verb
	two_hosts 2s 1s
	for verb in info receive activate; do
		answers $verb <<<'echo deploy-host 1; exec sleep 60'
		refused "1 8"
		rm h2.$verb
	done
	# A line that does not end.
	answers info <<<'echo deploy-host 1; exec tr "\0" x </dev/zero'
	refused "1 8"
	well
}

t_info_that_makes_no_sense() {
	local line
	two_hosts 2s 1s
	for line in 'current\t../../../etc' 'latest\t/etc/passwd' \
	    'journal\t{"to": 1, "from": []}' 'journal\t\001\377' \
	    'journal-size\t-5' 'release\t..\t{}' 'release' 'free\tmany' \
	    "digest\\t$(printf '%05000d' 0)" 'frozen\t\t\t' '\t' '' \
	    'now\t99999999999999999999999' 'has\tbzip2'; do
		answers info <<-END
		"\${real[@]}" | sed 's#^prepared.*#&\n$line#'
		exit 0
		END
		# Well or not, but nothing half.
		deploy publish >"$out" 2>"$err" && got=0 || got=$?
		_no_sanitizer_report
		((got <= 10)) || fail "$line: status $got"
		! grep -q '[[:cntrl:]]' "$err" || fail "control characters"
		assert_eq "$(readlink r-h1/current)" "$(readlink r-h2/current)" \
		    "$line"
	done
	well
}

# --------------------------------------------------------------- manifests

# The base's manifest decides what is not sent.  One that is damaged is as one
# that is lost: all is sent.
t_manifests() {
	two_hosts 2s 1s
	for body in \
	    'printf "deploy-host 1\nok\n"' \
	    'printf "deploy-host 1\nsize\t999999999999\n"; cat /dev/zero' \
	    'printf "deploy-host 1\nsize\t-1\nok\n"' \
	    'printf "deploy-host 1\nsize\t1000000\n#mtree v2.0\n"' \
	    '"${real[@]}" | sed "s,\./a/numbers,./../../up ,"' \
	    '"${real[@]}" | sed "s,\(sha256digest=\)....,\10000,"' \
	    '"${real[@]}" | sed "s,mode=0644,mode=0755,"' \
	    'printf "deploy-host 1\nsize\t9\ngarbage!\nok\n"'; do
		# Another release than on h1, so that h2 is asked.
		echo "other $RANDOM" >site/index.html
		run deploy publish --root "$PWD/r-h2" site
		live=$(readlink r-h1/current)
		live2=$(readlink r-h2/current)
		answers manifest <<<"$body; exit 0"
		echo "$RANDOM$RANDOM" >site/index.html
		got=0
		deploy publish >"$out" 2>"$err" || got=$?
		_no_sanitizer_report
		[[ " 0 1 5 " = *" $got "* ]] ||
		    fail "$body: status $got: $(cat "$err")"
		if ((got == 0)); then
			diff -r site r-h1/current/
			diff -r site r-h2/current/
			continue
		fi
		assert_contains "$err" h2
		assert_eq "$(readlink r-h1/current)" "$live" h1
		assert_eq "$(readlink r-h2/current)" "$live2" h2
	done
	well
}

# ----------------------------------------------------- files for other hosts

# h1 has lost what is carried, and h2 is asked for it.
t_files() {
	two_hosts 2s 1s '    carry: {paths: ["a/**"], for: 1d}\n'
	mv site/a/numbers site/a/numbers2
	run deploy publish
	live=$(readlink r-h1/current)
	for body in \
	    'printf "deploy-host 1\nok\n"' \
	    'printf "deploy-host 1\nsize\t999999999999\n"; cat /dev/zero' \
	    '"${real[@]}" | head -c 1000' \
	    '"${real[@]}" | sed "s,^500\$,501,"' \
	    '"${real[@]}" | sed "s,^size\t.*,size\t1,"'; do
		rm -rf r-h1
		answers files <<<"$body; exit 0"
		echo "$RANDOM$RANDOM" >site/index.html
		got=0
		deploy publish >"$out" 2>"$err" || got=$?
		_no_sanitizer_report
		[[ $got = [015] ]] || fail "$body: status $got: $(cat "$err")"
		assert_contains "$err" h2
		if [ "$got" -eq 0 ]; then
			# As if it had no such file any more: that stays away.
			assert_contains "$err" "warning: 'a/numbers' is missing or damaged on the hosts"
			[ ! -e r-h1/current/a/numbers ] || fail "$body: on h1"
			live=$(readlink r-h1/current)
		else
			[ ! -e r-h1/current ] || fail "live on h1"
		fi
		assert_eq "$(readlink r-h2/current)" "$live" h2
	done
	rm h2.files
	run deploy publish
	cmp r-h1/current/a/numbers r-h2/current/a/numbers
}

run_tests
