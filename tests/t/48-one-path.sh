#!/bin/bash
# One path: whether a site has hosts or is a root here, every command ends in
# the same way, says the same, and leaves the same.  Each is run three times on
# the same root: without hosts, with one host that is this machine, and with
# one that has only the sh verbs.
# parts: 6
# shellcheck disable=SC2154 # $out, $err: of lib.sh
. "$(dirname "$0")/../lib.sh"

ways=(here c sh)

# Extra keys of the site are in $extra.
extra=''

# same STATUS COMMAND [ARG...]: on a copy of the root in ./seed, all ways.
same() {
	local way files=()
	for way in "${ways[@]}"; do
		rm -rf r got
		[ ! -e seed ] || cp -a seed r
		config "$way"
		go "$1" "$way" "${@:2}"
		mv "$out" "$way.out"
		left >"$way.left"
		files+=("$way".{out,left})
	done
	words "${files[@]}"
	for way in "${ways[@]:1}"; do
		are_equal here.out "$way.out" && are_equal here.left "$way.left" ||
		    fail "$way differs: deploy ${*:2}"
	done
}

# Without a process, as long as they are.
are_equal() {
	[ "$(<"$1")" = "$(<"$2")" ] || { diff "$1" "$2" >&2; return 1; }
}

go() {
	local held=''
	if [ -n "${locked-}" ]; then
		exec {held}<>r/.deploy/lock
		flock -x "$held"
	fi
	expect_status "$1" deploy "${@:3}"
	[ -z "$held" ] || exec {held}>&-
}

config() {
	{
		printf 'sites:\n  - name: t\n    root: %s\n    %s\n' "$PWD/r" "$extra"
		case $1 in
		here) ;;
		c) printf '    hosts: [{address: h1, transport: local}]\n' ;;
		sh) printf '    hosts: [{address: h1, transport: local, deploy: none}]\n' ;;
		esac
	} >deploy.yml
}

# Take out of these files what may differ: the name of the host, and that a cure is
# its word, ids that are new (those of the seed get numbers), times, the cure that
# names the root, and what the disk and the clock of the moment make of it.
words() {
	local id i=0 ids=''
	for id in seed/releases/*; do
		[ -d "$id" ] || continue
		i=$((i + 1))
		ids+="s/${id##*/}/ID-$i/g;"
	done
	sed -s -i -E \
	    -e '/^host       h1$/d' \
	    -e '/^h1$/d' \
	    -e 's/"h1"/""/' \
	    -e 's/"text": "[a-z ]+: h1: /"text": "/' \
	    -e 's/\bh1: //g' -e 's/the host advises: //' \
	    -e "s/no host has a root of deploy at ('[^']*')/\\1 is not a root of deploy/" \
	    -e 's/: there is no such directory; is the name right\? then /; /' \
	    -e "s/(or run: deploy init) --root [^ \"]*/\\1/" \
	    -e 's/"version": "[^"]*"/"version": VERSION/' \
	    -e 's/"(free_bytes|skew_us|sent_bytes|received_bytes)": [0-9]+/"\1": N/' \
	    -e 's/^free .*/free N/' -e 's/after [0-9]+ ms/after N ms/' \
	    -e 's/"(time|since|until)":"[^"]*"/TIME/g' \
	    -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z/TIME/g' \
	    -e "$ids" \
	    -e 's/[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f-]{36}/NEW/g' \
	    -e 's/[0-9]{8}T[0-9]{6}(\.[0-9]+)?/SHORT/g' "$@"
}

# What is in the root: names, what is live, the journal, pins, the freeze.
left() {
	[ -d r ] || return 0
	find r ! -name lock.note ! -name lock -printf '%p %y %l\n' 2>/dev/null |
	    LC_ALL=C sort
	sed -n -e 's/.*"id":"\([^"]*\)".*\("pinned":[a-z]*\).*/\1 \2/' -e p \
	    r/.deploy/journal r/.deploy/frozen r/.deploy/meta/*.json 2>/dev/null || true
}

# A root with the releases a, b, which is live, and c.
seed() {
	local n
	mkdir -p site/d
	for n in one two three; do
		echo "$n" >site/index.html
		echo "$n" >"site/d/$n"
		run deploy stage site --root seed --override=build -m "$n"
		[ "$n" = three ] || run deploy activate latest --root seed
	done
	a=$(find seed/releases -mindepth 1 -maxdepth 1 | sort | head -n 1)
	a=${a##*/}
}

# each STATUS: a command a line on standard input.
each() {
	local line
	while IFS= read -r line <&3; do
		# The words are meant to be split.
		# shellcheck disable=SC2086
		[ -z "$line" ] || same "$1" $line
	done 3<&0
}

# ------------------------------------------------------------------ looking

t_looking() {
	seed
	each 0 <<-'END'
	list
	list --json
	list --json --limit 1
	status
	status --json
	log
	log --json
	log --limit 1
	verify
	verify --json
	verify previous --json
	END
	each 2 <<-'END'
	verify nonsense
	verify nonsense --json
	list --limit 0
	END
}

t_diff() {
	seed
	echo four >site/index.html
	each 0 <<-'END'
	diff previous current
	diff previous --json
	diff site
	diff site --json
	diff latest current
	END
	each 2 <<-'END'
	diff
	diff nonsense
	diff previous nonsense --json
	END
}

t_damage() {
	local live
	seed
	live=seed/releases/$(basename "$(readlink seed/current)")
	cp -p "$live/index.html" before
	echo more >>"$live/index.html"
	rm "$live/d/two"
	ln -s x "$live/link"
	chmod 600 "$live/d/one"
	each 0 <<-'END'
	status
	status --json
	END
	same 5 verify --json
	touch -r before "$live/index.html"
	same 5 verify
	rm "seed/.deploy/manifests/$a"
	same 5 diff previous current
	echo '{"half' >>seed/.deploy/journal
	same 0 log --json
}

# ------------------------------------------------------------ keeping order

t_pins() {
	seed
	each 0 <<-'END'
	pin previous
	pin previous -n
	pin latest --json
	unpin current
	unpin current --json
	END
	each 2 <<-'END'
	pin
	pin nonsense
	pin nonsense --json
	END
	run deploy pin previous --root seed
	each 0 <<-'END'
	list --json
	unpin previous
	pin previous
	prune --keep 1 --json
	END
}

t_freezing() {
	seed
	each 0 <<-'END'
	freeze -m sale
	freeze --json
	freeze -n --json
	freeze --for 1h
	thaw
	thaw --json
	END
	run deploy freeze --root seed -m sale --for 1h
	each 0 <<-'END'
	status
	status --json
	freeze -m other
	thaw --json
	thaw -n
	rollback
	stage site
	END
	each 3 <<-'END'
	activate latest
	activate latest --json
	activate latest -n
	END
}

t_pruning() {
	seed
	each 0 <<-'END'
	prune
	prune --keep 1
	prune -n --keep 1
	prune --keep 1 --json
	prune -n --older-than 1d --json
	END
}

t_locked() {
	seed
	locked=1
	each 0 <<-'END'
	list
	verify
	log --json
	diff site
	prune -n --json
	pin latest -n
	END
	each 3 <<-'END'
	pin latest --lock-wait 0
	freeze --lock-wait 0
	prune --lock-wait 0
	activate latest --lock-wait 0
	END
}

# ------------------------------------------------------------ without a root

t_without_a_root() {
	mkdir site
	echo one >site/index.html
	each 1 <<-'END'
	list
	list --json
	log
	verify
	pin current
	freeze
	thaw --json
	prune
	END
	each 0 <<-'END'
	status
	status --json
	init -n
	init -n --json
	init --json
	diff site
	diff site --json
	END
	run deploy init --root seed
	each 0 <<-'END'
	init
	init --json
	list
	list --json
	status
	status --json
	log --json
	prune --json
	diff site
	END
	each 2 <<-'END'
	verify
	verify --json
	pin current
	diff previous
	END
}

# -------------------------------------------------------------- going live

t_going_live() {
	seed
	echo four >site/index.html
	each 0 <<-'END'
	activate latest
	activate latest --json
	activate latest -n --json
	activate current --json
	rollback
	rollback --json
	rollback -n
	publish site
	publish site -n
	stage site
	stage -n site --json
	stage site --json
	publish site --json
	publish -n site --json
	END
	each 2 <<-'END'
	activate nonsense
	rollback nonsense --json
	stage nowhere
	publish nowhere --json
	END
	each 4 <<-'END'
	activate latest --expect none
	rollback --expect none
	publish site --expect none --json
	END
}

# Of several releases that wait with the same content the newest is meant.
t_staged_twice() {
	seed
	echo four >site/index.html
	run deploy stage site --root seed
	run deploy stage site --root seed --again
	each 0 <<-'END'
	stage -n site --json
	stage site --json
	publish site --json
	END
}

# Only deploy itself can exchange a directory and a link.
t_adopting() {
	local ways=(here c)
	seed
	each 0 <<-'END'
	adopt
	adopt --json
	adopt -n --json
	END
	rm seed/current
	cp -a site seed/current
	each 0 <<-'END'
	adopt -n
	adopt
	adopt --json
	END
	rm -rf seed
	mkdir seed
	each 1 <<-'END'
	adopt
	adopt --json
	END
	each 2 <<-'END'
	adopt one two
	END
}

t_check_of_what_does_not_answer() {
	seed
	extra='check: {url: "http://127.0.0.1:1/", tries: 1}'
	each 1 <<-'END'
	check
	check --json
	END
}

# Each command makes a connection of its own, over which only the parts of the
# sh verbs travel that its verbs are said to need.
t_the_sh_verbs_have_all_that_they_call() {
	local c
	cat >shell <<-END
	#!/bin/sh
	exec dash "\$@" 2>>"$PWD/said"
	END
	chmod +x shell
	export DEPLOY_TEST_SH=$PWD/shell
	config sh
	mkdir site
	echo one >site/index.html
	: >said
	run deploy publish site
	echo two >site/index.html
	for c in "stage site" activate rollback "preview p current" \
	    "preview p --off" "pin current" "freeze -m x" thaw "verify --repair" \
	    "prune --keep 1" sync status adopt; do
		# What is refused has been asked, too.
		deploy $c >"$out" 2>"$err" || true
		! grep -E 'not found|not set|rror' said >&2 || fail "$c"
	done
}

run_tests
