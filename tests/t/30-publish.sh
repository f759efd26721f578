#!/bin/bash
# deploy publish, seen by visitors: a real nginx serves the root, and what it
# answers is compared byte for byte.
#
# As root it runs in a mount namespace of its own, to flip in memory: a
# thousand times waiting for a disk takes long.
# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"
# parts: 4
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

ID='^[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f-]{36}$'

# get PATH [OPTION...]: what the server answers.
get() {
	curl --noproxy '*' -sS -m 10 "$url/$1" "${@:2}"
}

# header PATH NAME: a header of the answer.
header() {
	get "$1" -o /dev/null -D - | tr -d '\r' |
	    sed -n "s/^$2: //Ip"
}

# code PATH [OPTION...]: the status of the answer.
code() {
	get "$1" -o /dev/null -w '%{http_code}' "${@:2}"
}

# A configuration for curl that gets the paths on standard input into fetched/.
urls() {
	LC_ALL=C awk -v url="$url" '
	BEGIN {
		for (i = 1; i < 256; i++)
			code[sprintf("%c", i)] = sprintf("%%%02x", i)
	}
	{
		path = ""
		for (i = 1; i <= length($0); i++) {
			c = substr($0, i, 1)
			path = path (c ~ /[a-zA-Z0-9._\/-]/ ? c : code[c])
		}
		gsub(/[\\"]/, "\\\\&")
		printf "url = \"%s/%s\"\noutput = \"fetched/%s\"\n", url, \
		    path, $0
	}'
}

# serves DIR: the server has every file of DIR, byte for byte.
serves() {
	rm -rf fetched
	mkdir fetched
	(cd "$1" && find . -type f -printf '%P\n') | urls >config
	curl --noproxy '*' -sS -f -g --path-as-is --create-dirs -K config
	# Directories and links have no bytes of their own.
	(cd "$1" && find . -type f -exec sha256sum {} + | sort) >want
	(cd fetched && find . -type f -exec sha256sum {} + | sort) >got
	assert_file_eq got want
}

# ---------------------------------------------------------------- a real site

t_a_documentation_package_goes_live() {
	local doc=/usr/share/doc/python3.11/html a n
	[ -e "$doc/index.html" ] || skip "needs the package python3.11-doc"
	cp -r "$doc" site
	# Some of the package's links lead out of it.
	if [ -n "$(find site -type l -lname '*/../../*' -print -quit)" ]; then
		expect_status 5 deploy publish "$doc" --root root
		assert_contains "$err" "leaves the tree"
		[ ! -e root/current ] || fail "live"
	fi
	find site -type l -delete
	start_nginx root/current
	a=$(publish)
	n=$(find site -type f | wc -l)
	serves site
	assert_tree_eq site root/current/.
	# The footer of a tenth of the pages changes.
	find site -name '*.html' | sort | awk 'NR % 10 == 0' |
	    tr '\n' '\0' | xargs -0 sed -i 's,</body>,<p>new</p></body>,'
	echo new >site/new.html
	rm site/about.html
	run deploy publish site --root root --json
	assert_eq "$(json "$out" '.linked + .copied')" "$n"
	[ "$(json "$out" .linked)" -gt "$((n * 8 / 10))" ] ||
	    fail "linked: $(json "$out" .linked) of $n"
	serves site
	assert_eq "$(code about.html)" 404
	run deploy verify --root root
	# Back, and forward again.
	run deploy rollback --root root
	assert_eq "$(<"$out")" "$a"
	assert_eq "$(code about.html)" 200
	assert_eq "$(code new.html)" 404
	run deploy activate latest --root root --override=order
	serves site
}

t_names_of_all_kinds_are_served() {
	local name
	small
	for name in "with space" 'a+b' 'c%41' '#hash' 'q?x=1' "quo'te" \
	    'dou"ble' 'back\slash' $'caf\u00e9' $'cafe\u0301' $'\xff\xfe' \
	    '[x]' '{y,z}' "$(printf '%0255d' 0)" .well-known/x ..a; do
		mkdir -p "$(dirname "site/$name")"
		echo "this is $name" >"site/$name"
	done
	start_nginx root/current
	publish >/dev/null
	serves site
	assert_eq "$(get cafe%cc%81)" $'this is cafe\u0301'
	# Nothing of ours is served.
	for name in .deploy/journal .deploy/ ../.deploy/journal \
	    %2e%2e/.deploy/journal .tmp .deploy-id; do
		assert_eq "$(get "$name" --path-as-is -o /dev/null \
		    -w '%{http_code}' | sed 's/400/404/')" 404 "$name"
	done
	assert_eq "$(find root/current/ | wc -l)" "$(find site | wc -l)"
}

# ------------------------------------------------- what browsers have cached

t_same_bytes_keep_etag_and_date() {
	local etag date i
	small
	start_nginx root/current
	publish >/dev/null
	etag=$(header about.html ETag)
	date=$(header about.html Last-Modified)
	[ -n "$etag" ] && [ -n "$date" ]
	for i in 1 2 3; do
		sleep 0.4
		echo "edition $i" >site/index.html
		find site -exec touch {} +
		publish >/dev/null
		assert_eq "$(header about.html ETag)" "$etag"
		assert_eq "$(header about.html Last-Modified)" "$date"
		assert_eq "$(code about.html -H "If-None-Match: $etag")" 304
		assert_eq "$(code about.html -H "If-Modified-Since: $date")" \
		    304
	done
	# Also when the release was made anew, or came back, or changed its mode.
	publish --again >/dev/null
	assert_eq "$(header about.html ETag)" "$etag"
	deploy rollback -q --root root >/dev/null
	assert_eq "$(header about.html ETag)" "$etag"
	chmod +x site/about.html
	publish >/dev/null
	assert_eq "$(header about.html ETag)" "$etag"
}

t_other_bytes_change_etag_and_date() {
	local etag date i seen=''
	small
	start_nginx root/current
	# As fast as it goes: several releases within a second.
	for i in 1 2 3 4 5 6; do
		etag=$(header about.html ETag)
		date=$(header about.html Last-Modified)
		echo "edition $i" >site/about.html
		publish >/dev/null
		assert_eq "$(get about.html)" "edition $i"
		assert_eq "$(code about.html -H "If-None-Match: $etag")" 200
		assert_eq "$(code about.html -H "If-Modified-Since: $date")" \
		    200
		seen+="$(header about.html ETag) "
	done
	assert_eq "$(tr ' ' '\n' <<<"$seen" | grep . | sort | uniq -d)" "" \
	    "an ETag twice"
}

# A page takes the place of another that has been gone for a while: whoever
# has the old one in the cache must not be told that it is fresh.
t_an_etag_is_never_used_again_for_other_bytes() {
	local etag
	small
	echo AAAA >site/a.html
	echo BBBB >site/b.html
	start_nginx root/current
	publish >/dev/null
	etag=$(header a.html ETag)
	assert_eq "$(get a.html)" AAAA
	rm site/a.html
	publish >/dev/null
	assert_eq "$(code a.html)" 404
	mv site/b.html site/a.html
	publish >/dev/null
	assert_eq "$(code a.html -H "If-None-Match: $etag")" 200
	assert_eq "$(get a.html)" BBBB
}

# Pages of one size that come, go, move and change, at random: no path has the
# same time for other bytes, whatever a visitor has seen of it before.
t_times_of_paths_at_random() {
	local i p from
	RANDOM=4711
	small
	for p in a b c d; do echo "$p$p$p$p" >"site/$p"; done
	for ((i = 0; i < 60; i++)); do
		p=$(tr 0123 abcd <<<$((RANDOM % 4)))
		from=$(tr 0123 abcd <<<$((RANDOM % 4)))
		case $((RANDOM % 6)) in
		0) rm -f "site/$p" ;;
		1) [ ! -e "site/$from" ] || cp "site/$from" site/new
		    [ ! -e site/new ] || mv site/new "site/$p" ;;
		2) [ ! -e "site/$from" ] || [ "$p" = "$from" ] ||
		    mv "site/$from" "site/$p" ;;
		3) printf '%04d\n' "$i" >"site/$p" ;;
		4) echo "$p$p$p$p" >"site/$p" ;;
		5) (cd root && deploy rollback -q --root .) >/dev/null \
		    2>&1 || true ;;
		esac
		publish --override=order >/dev/null
		(cd root/current/ && for p in ?; do
			[ ! -e "$p" ] || printf '%s %s %s\n' "$p" \
			    "$(stat -c '%Y-%s' "$p")" "$(<"$p")"
		done) >>seen
	done
	sort -u seen | awk '
	{ key = $1 " " $2 }
	key in was && was[key] != $3 {
		print "path " $1 ", time and size " $2 ": " was[key] ", " $3
	}
	{ was[key] = $3 }' >wrong
	[ "$(wc -l <seen)" -gt 100 ] || fail "too little was seen"
	[ ! -s wrong ] || fail "$(<wrong)"
	run deploy verify --root root
}

# ------------------------------------------------------------ never half a site

# page V LINES: a page of version V, a kilobyte a line, that can be checked
# line by line.
page() {
	seq "$2" | awk -v v="$1" -v n="$2" '
	BEGIN { print "BEGIN", v, n }
	{ printf "line %s %d %01000d\n", v, $1, 0 }
	END { print "END", v, n }'
}

# Read pages, one after the other; print each that is not whole, and at the
# end how many there were of each version.
check_pages() {
	awk '
	$1 == "BEGIN" {
		if (v != "")
			print "cut after line " k " of " v
		v = $2; n = $3; k = 0
		next
	}
	$1 == "line" {
		if ($2 != v || $3 != ++k)
			print "line " $0 " in " v
		next
	}
	$1 == "END" {
		if ($2 != v || $3 != n || k != n)
			print "end " $0 " of " v " at line " k
		count[v]++
		v = ""
		next
	}
	{ print "foreign: " $0 }
	END {
		if (v != "")
			print "cut at the end"
		for (v in count)
			print "count", v, count[v]
	}'
}

# Ask for pages until ./stop is there.  What was wrong with them and how many
# there were is in ./seen.$1 afterwards.
client() {
	while [ ! -e stop ]; do
		get "page.html?[1-20]"
		sleep 0.1
	done 2>"curl.$1" | check_pages >"seen.$1"
}

t_hundreds_of_flips_under_load() {
	local a b i n flips clients=()
	in_memory
	small
	page one 90 >site/page.html
	a=$(publish)
	page two 120 >site/page.html
	b=$(publish)
	start_nginx root/current
	for i in 1 2 3; do
		client "$i" &
		clients+=($!)
	done
	all_or 120 500
	flips=$n
	for ((i = 0; i < flips; i++)); do
		deploy activate -q "$a" --root root >/dev/null
		deploy activate -q "$b" --root root >/dev/null
	done
	touch stop
	wait "${clients[@]}"
	assert_eq "$(cat curl.?)" "" "curl complains"
	grep -h -v '^count' seen.? >wrong || true
	[ ! -s wrong ] || fail "$(wc -l <wrong): $(head -n 5 wrong)"
	for v in one two; do
		n=$(awk -v v="$v" '$2 == v { n += $3 } END { print n + 0 }' \
		    seen.?)
		((n > 50)) || fail "only $n answers of version $v"
	done
	assert_eq "$(grep -c . root/.deploy/journal)" $((2 * flips + 2))
	run deploy log --root root --json
	assert_eq "$(json "$out" '[.journal[].happened] | all')" true
	run deploy verify --root root
}

# A page and what it needs: whoever looks at one release sees only it.
t_publishes_under_load() {
	local i clients=()
	small
	page v0 50 >site/page.html
	publish >/dev/null
	start_nginx root/current
	for i in 1 2; do
		client "$i" &
		clients+=($!)
	done
	for ((i = 1; i <= 40; i++)); do
		page "v$i" $((60 + i)) >site/page.html
		publish --keep 1 >/dev/null
		# Right away, and not a moment later, it is live.
		assert_eq "$(get page.html | head -n 1 | cut -d ' ' -f 2)" \
		    "v$i"
	done
	touch stop
	wait "${clients[@]}"
	grep -h -v '^count' seen.? >wrong || true
	[ ! -s wrong ] || fail "$(wc -l <wrong): $(head -n 5 wrong)"
	[ ! -s curl.1 ] || fail "$(<curl.1)"
	[ "$(releases | wc -l)" -le 2 ] || fail "not pruned: $(releases)"
}

# publisher WHO N [OPTION...]: publish N builds, all files of which say who
# and which; the statuses are in ./status.WHO.
publisher() {
	local who=$1 n=$2 i f status
	shift 2
	for ((i = 1; i <= n; i++)); do
		for f in "site$who"/index.html "site$who"/p/*; do
			echo "$who-$i" >"$f"
		done
		status=0
		deploy publish -q "site$who" --root root "$@" \
		    >>"id.$who" 2>>"err.$who" || status=$?
		echo "$status" >>"status.$who"
	done
}

# Look at the live release, as a whole, until ./stop is there.
watcher() {
	local dir
	while [ ! -e stop ]; do
		dir=$(cd root/current/ 2>/dev/null && pwd -P) || continue
		cat "$dir/index.html" "$dir"/p/* >look 2>/dev/null || {
			# It was replaced twice and pruned meanwhile.
			[ "$(cd root/current/ && pwd -P)" != "$dir" ] ||
			    echo "live, but not whole: $dir" >>mixed
			continue
		}
		echo >>looks
		[ "$(sort look | uniq -c | awk '{ print $1 }')" = 41 ] ||
		    cat look >>mixed
	done
}

two_publishers() {
	local watcher pids
	for who in x y; do
		mkdir -p "site$who/p"
		touch "site$who/p"/{1..40} "site$who/index.html"
	done
	publisher x 1
	watcher &
	watcher=$!
	publisher x "$@" &
	pids=$!
	publisher y "$@" &
	wait "$!" "$pids"
	touch stop
	wait "$watcher"
	[ ! -e mixed ] || fail "mixed: $(head -n 60 mixed)"
	[ "$(wc -l <looks)" -gt 5 ] || fail "nobody looked"
	# Each release is one build of one of them.
	for id in $(releases); do
		assert_eq "$(cat "root/releases/$id/index.html" \
		    "root/releases/$id"/p/* | sort -u | wc -l)" 1 "$id"
		run deploy verify "$id" --root root
	done
	assert_eq "$(ls root/.deploy/incoming root/.deploy/trash)" \
	    "$(printf 'root/.deploy/incoming:\n\nroot/.deploy/trash:')"
	# The journal is one story, without a gap.
	jq -rs '[.[1:], .[:-1]] | transpose | map(select(.[0].from !=
	    .[1].to)) | length' root/.deploy/journal >gaps
	assert_eq "$(<gaps)" 0 "lines of the journal that do not follow"
	assert_eq "releases/$(tail -n 1 root/.deploy/journal |
	    jq -r .to)" "$(readlink root/current)"
}

t_two_publishes_at_once() {
	two_publishers 20
	assert_eq "$(sort -u status.x status.y)" 0 "$(cat err.*)"
	# 41, and the second one of the same content that was live already.
	assert_eq "$(sort -u id.x id.y | wc -l)" "$(sort -u <(
	    jq -r .to root/.deploy/journal) | wc -l)"
}

# Nobody waits: done, or locked and nothing happened.
t_two_publishes_at_once_that_do_not_wait() {
	two_publishers 20 --lock-wait 0s
	assert_eq "$(sort -u status.x status.y | grep -vx '[03]' || true)" "" \
	    "$(cat err.*)"
	grep -qx 0 status.x
	if grep -qx 3 status.x status.y; then
		assert_contains <(cat err.x err.y) "is locked by"
	fi
	assert_eq "$(cat status.x status.y | grep -cx 0)" \
	    "$(cat id.x id.y | wc -l)" "answers"
}

# ---------------------------------------------------------------- the command

t_publish_stages_activates_and_prunes() {
	local id i first
	small
	first=$(publish -m "the first")
	[[ $first =~ $ID ]] || fail "not an id: $first"
	assert_eq "$(readlink root/current)" "releases/$first"
	assert_tree_eq site root/current/.
	for i in 1 2 3 4 5 6 7; do
		echo "$i" >site/page
		run deploy publish site --root root
	done
	id=$(<"$out")
	assert_contains "$err" "staged 4 files"
	assert_contains "$err" "$id is live"
	assert_contains "$err" "pruned "
	# Five that were live, the live one among them.
	assert_eq "$(releases | wc -l)" 5
	[ ! -e "root/releases/$first" ] || fail "the first is still there"
	run deploy log --root root --json
	assert_eq "$(json "$out" '.journal | length')" 8
	assert_eq "$(json "$out" '.journal[-1].message')" "the first"
	run deploy publish --keep 2 site --root root --again --json
	assert_eq "$(json "$out" '[.outcome, .changed] | @text')" '["new",true]'
	assert_eq "$(json "$out" .from)" "$id"
	assert_eq "$(json "$out" .current)" "$(json "$out" .id)"
	assert_eq "$(json "$out" '.pruned | length')" 4
	assert_eq "$(releases | wc -l)" 2
}

# Everything in the root that is to stay.
durable() {
	find root ! -name 'lock*' ! -path root/.deploy \
	    ! -path root/.deploy/incoming -printf '%p %T@ %C@ %i %s\n' | sort
}

t_publish_of_unchanged_does_nothing() {
	local id before
	small
	id=$(publish)
	before=$(durable)
	touch site/*
	run deploy publish site --root root
	assert_eq "$(<"$out")" "$id"
	assert_contains "$err" unchanged
	run deploy publish site --root root --json
	assert_eq "$(json "$out" '[.outcome, .changed] | @text')" \
	    '["unchanged",false]'
	assert_eq "$(json "$out" .current)" "$id"
	assert_eq "$(durable)" "$before"
	# What was staged before, and not activated, is what goes live.
	echo more >site/more.html
	id=$(deploy stage -q site --root root)
	assert_eq "$(publish)" "$id"
	assert_eq "$(readlink root/current)" "releases/$id"
}

t_publish_that_may_not_activate_leaves_it_staged() {
	local a id
	small
	a=$(publish)
	deploy freeze -q -m "christmas" --root root
	echo more >site/more.html
	expect_status 3 deploy publish site --root root
	[ ! -s "$out" ] || fail "an answer: $(<"$out")"
	assert_contains "$err" "christmas"
	assert_contains "$err" "stays staged"
	assert_eq "$(readlink root/current)" "releases/$a"
	assert_eq "$(releases | wc -l)" 2
	deploy thaw -q --root root
	id=$(publish)
	assert_eq "$(releases | tail -n 1)" "$id"
	# Another release is live than the caller thinks.
	echo again >site/more.html
	expect_status 4 deploy publish site --root root --expect "$a"
	assert_contains "$err" "as expected"
	assert_eq "$(readlink root/current)" "releases/$id"
	run deploy publish site --root root --expect "$id"
}

# A dry run says what a run would have said.
t_dry_run_tells_what_is_in_the_way() {
	local a
	small
	run deploy publish -n site --root root
	a=$(publish --seq 10)
	echo more >site/more.html
	expect_status 4 deploy publish -n site --root root --seq 9
	[ ! -s "$out" ] || fail "an answer: $(<"$out")"
	run deploy publish -n site --root root --seq 11
	run deploy publish -n site --root root --seq 9 --override=order
	expect_status 4 deploy publish -n site --root root --expect none
	run deploy publish -n site --root root --expect "$a"
	deploy freeze -q -m "christmas" --root root
	expect_status 3 deploy publish -n site --root root
	assert_contains "$err" christmas
	assert_eq "$(releases)" "$a"
}

# ------------------------------------------------------------ configuration

t_configuration_of_one_site() {
	local id
	mkdir -p project/public project/content/deep srv
	echo hello >project/public/index.html
	printf '%s\n' '# a comment' 'sites:' '  - name: example.org' \
	    '    source: public' '    root: ../srv/www' '    keep: 2' \
	    >project/deploy.yml
	(cd project && deploy publish -q) >id
	assert_eq "$(<srv/www/current/index.html)" hello
	# From below the file is found, and its paths stay its own.
	(cd project/content/deep && deploy publish -q) >again
	assert_file_eq again id
	(cd project/content/deep && deploy list --json) >listed
	assert_eq "$(json listed '[.site, .root] | @text')" \
	    "[\"example.org\",\"$PWD/srv/www\"]"
	# By name, from elsewhere.
	deploy publish -q -c project/deploy.yml >again
	assert_file_eq again id
	DEPLOY_CONFIG=project/deploy.yml deploy publish -q >again
	assert_file_eq again id
	deploy publish -q -c project/deploy.yml -s example.org >again
	assert_file_eq again id
	# An operand is relative to where we are, not to the file.
	mkdir other
	echo other >other/index.html
	deploy publish -q -c project/deploy.yml other >again
	assert_eq "$(<srv/www/current/index.html)" other
	for i in 1 2 3; do
		echo "$i" >other/index.html
		deploy publish -q -c project/deploy.yml other >again
	done
	assert_eq "$(find srv/www/releases/* -maxdepth 0 | wc -l)" 2 "keep: 2"
	# --root stands alone: nothing of the file counts.
	(cd project && deploy publish -q --root elsewhere public) >id
	assert_eq "$(<project/elsewhere/current/index.html)" hello
	(cd project && expect_status 2 deploy publish --root elsewhere)
	assert_contains "$err" "what should be staged?"
	(cd project && expect_status 2 deploy publish -s example.com)
	assert_contains "$err" "example.org"
}

t_configuration_of_several_sites() {
	mkdir -p a b
	echo a >a/index.html
	echo b >b/index.html
	printf '%s\n' 'sites:' \
	    '  - {name: a.example.org, source: a, root: wa}' \
	    '  - {name: b.example.org, source: b, root: wb}' \
	    '  - {name: c.example.org, root: wc}' >deploy.yml
	for c in publish stage list status rollback prune; do
		expect_status 2 deploy "$c"
		for n in a b c; do
			assert_contains "$err" "$n.example.org"
		done
	done
	[ ! -e wa ] && [ ! -e wb ] && [ ! -e wc ]
	run deploy publish -s a.example.org
	run deploy -s b.example.org publish
	run deploy publish --site=c.example.org a
	assert_eq "$(cat wa/current/index.html wb/current/index.html \
	    wc/current/index.html | xargs)" "a b a"
	expect_status 2 deploy publish -s c.example.org
	assert_contains "$err" "'source'"
	expect_status 2 deploy publish -s b.exmaple.org
	assert_contains "$err" "did you mean 'b.example.org'?"
	expect_status 2 deploy publish -s ''
	expect_status 2 deploy publish -s a
}

t_which_configuration_counts() {
	small
	mkdir -p sub/sub
	printf 'sites:\n  - {name: %s, source: %s/site, root: %s}\n' \
	    top "$PWD" "$PWD/top" >deploy.yml
	printf 'sites:\n  - {name: %s, source: %s/site, root: %s}\n' \
	    near "$PWD" "$PWD/near" >sub/deploy.yml
	printf 'sites:\n  - {name: %s, source: %s/site, root: %s}\n' \
	    env "$PWD" "$PWD/env" >env.yml
	printf 'sites:\n  - {name: %s, source: %s/site, root: %s}\n' \
	    opt "$PWD" "$PWD/opt" >opt.yml
	cd sub/sub
	run deploy publish --json
	assert_eq "$(json "$out" .site)" near
	export DEPLOY_CONFIG=../../env.yml
	run deploy publish --json
	assert_eq "$(json "$out" .site)" env
	run deploy publish --json -c ../../opt.yml
	assert_eq "$(json "$out" .site)" opt
	# What was asked for and is not there is an error, not a search.
	DEPLOY_CONFIG=nosuch.yml expect_status 2 deploy publish
	assert_contains "$err" "nosuch.yml"
	DEPLOY_CONFIG='' run deploy publish --json
	assert_eq "$(json "$out" .site)" near
}

t_mistakes_in_the_configuration() {
	small
	# bad TEXT LINE...: this file is refused, with its name and the line.
	bad() {
		printf '%s\n' "${@:2}" >deploy.yml
		expect_status 2 deploy publish
		assert_contains "$err" "deploy.yml:"
		assert_contains "$err" "$1"
		[ ! -e root ] || fail "it did something"
	}
	bad "did you mean 'root'?" sites: '  - name: x' '    rooot: root'
	assert_contains "$err" "deploy.yml:3:"
	bad "root" sites: '  - name: x' '    source: site'
	bad "name" sites: '  - root: root' '    source: site'
	bad "keep" sites: '  - name: x' '    root: root' '    keep: many'
	assert_contains "$err" "deploy.yml:4:"
	bad "sites" 'sites: []'
	bad "" ''
	bad "" '- just' '- a list'
	bad "" 'sites: [' '  {name: x'
	bad "" sites: $'\t- name: x'
	printf 'sites:\n  - {name: x, root: root, source: nosuch}\n' \
	    >deploy.yml
	expect_status 2 deploy publish
	assert_contains "$err" "nosuch"
}

# What the CI gives for a number and is none keeps no older build away; that is
# said, and a number that is given counts.
t_a_run_number_that_is_none() {
	local n
	small
	for n in 9-hotfix 99999999999999999999 -4; do
		JENKINS_URL=x BUILD_NUMBER=$n run deploy publish site --root root
		assert_contains "$err" "the number of this CI run, '$n', is none"
	done
	JENKINS_URL=x BUILD_NUMBER=9-hotfix run deploy publish site --root root --seq 3
	assert_not_contains "$err" "is none"
	JENKINS_URL=x BUILD_NUMBER=9 run deploy publish site --root root
	assert_not_contains "$err" "is none"
}

run_tests
