#!/bin/bash
# Bridges: before the first host has the pages of a new release, all have its
# assets.  So no host has a page that names what another one lacks: that is
# looked for on the disks of the hosts, after a client was killed at every
# request of a publish, and by visitors behind a load balancer.
# parts: 6
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"
# shellcheck source=tests/nginx.sh
. "$TREE/tests/nginx.sh"

carry='    carry: {paths: ["assets/**"], for: 7d}\n'

# build V: a page that names assets which no other version has.
build() {
	rm -rf site/assets
	mkdir -p site/assets/css
	echo "let v = $1" >"site/assets/app.$1.js"
	echo "p { margin: $1px }" >"site/assets/css/site.$1.css"
	printf '%s<script src="%s"></script><link src="%s">\n' "$1" \
	    "assets/app.$1.js" "assets/css/site.$1.css" >site/index.html
}

# fleet KIND...: these hosts, with the versions 1 and 2 published: $one, $two.
fleet() {
	mkdir -p site
	build 1
	lines=${lines-$carry} some "$@"
	build 1
	run deploy publish
	one=$(<"$out")
	build 2
	run deploy publish
	two=$(<"$out")
	assert_nothing_missing
}

# version HOST: of the page that it serves.
version() {
	head -c 1 "r-$1/current/index.html"
}

# Whatever page a host has, every host has what it names.
assert_nothing_missing() {
	local h other name
	for h in "${hosts[@]}"; do
		for name in $(grep -o 'src="[^"]*"' "r-$h/current/index.html"); do
			name=${name#src=\"}
			for other in "${hosts[@]}"; do
				[ -e "r-$other/current/${name%\"}" ] ||
				    fail "$h has a page that names ${name%\"}, which $other lacks"
			done
		done
	done
}

# bridges HOST: the ids of those in its root, oldest first.
bridges() {
	sed -n 's/.*"id":"\([^"]*\)".*"bridge":"2.*/\1/p' \
	    "r-$1"/.deploy/meta/*.json
}

# lines_of HOST ACTION: how many lines of its journal say that.
lines_of() {
	grep -c "\"action\":\"$2\"" "r-$1/.deploy/journal" || true
}

link_of() {
	basename "$(readlink "r-$1/current")"
}

# ------------------------------------------------------------- what it is

# Who names one is told so at once, of that one, also when others have gone live
# since whose assets it lacks.
t_an_older_one_is_named() {
	local id lines="$carry    keep: 20\n"
	fleet c dash
	id=$(bridges h1)
	build 3
	run deploy stage
	run deploy activate
	ls r-h?/releases >before
	expect_status 2 deploy activate "$id"
	assert_contains "$err" "release $id is a bridge, which stands for $one"
	assert_eq "$(ls r-h?/releases)" "$(<before)"
}

t_all_hosts_have_it_first() {
	local h id old name
	fleet c dash busybox c
	for h in "${hosts[@]}"; do
		assert_eq "$(lines_of "$h" bridge)" 1
		id=$(bridges "$h")
		# The old page, with the old assets and the new ones, all of them
		# links of what was there.
		for name in index.html assets/app.1.js a/numbers; do
			[ "r-$h/releases/$id/$name" -ef "r-$h/releases/$one/$name" ] ||
			    fail "$h: $name is no link"
		done
		for name in assets/app.2.js assets/css/site.2.css; do
			[ "r-$h/releases/$id/$name" -ef "r-$h/releases/$two/$name" ] ||
			    fail "$h: $name is no link"
		done
		assert_eq "$(find "r-$h/releases/$id" -type f | wc -l)" 6
		# It was there before the release went live.
		assert_eq "$(grep -o '"action":"[a-z]*"' "r-$h/.deploy/journal" |
		    tr '\n' ' ')" \
		    '"action":"activate" "action":"bridge" "action":"activate" '
		assert_eq "$(link_of "$h")" "$two"
		old=$id
	done
	run deploy verify "$id"
	# One line in the log; a release that nobody takes for one.
	run deploy log
	assert_eq "$(grep -c bridge "$out")" 1
	run deploy log --json
	assert_eq "$(jq -r '.journal[1] | .action, .to, .from, .happened' "$out")" \
	    "bridge
$id
$one
true"
	run deploy list --json
	assert_eq "$(jq -r '.releases[] | select(.bridge) | .id, .bridge' "$out")" \
	    "$id
$one"
	run deploy list
	assert_eq "$(grep -c ' bridge ' "$out")" 1
	run deploy status --json
	assert_eq "$(jq -r '.latest, .previous, (.drift | length)' "$out")" \
	    "$two
$one
0"
	run deploy activate
	assert_contains "$err" "unchanged: $two is live already"
	run deploy sync
	assert_contains "$err" unchanged
	expect_status 2 deploy activate "$id"
	assert_contains "$err" "is a bridge, which stands for $one"
	expect_status 2 deploy rollback "$id"
	# Back, with the assets of what was live: the way leads to the bridge
	# that is there, so that they are never missing.
	run deploy rollback
	assert_eq "$(<"$out")" "$one"
	assert_live "$one"
	for h in "${hosts[@]}"; do
		assert_eq "$(link_of "$h")" "$(bridges "$h" | tail -n 1)"
		assert_eq "$(lines_of "$h" bridge)" 1
		assert_contains <(tail -n 1 "r-$h/.deploy/journal") \
		    "\"to\":\"$one\""
		[ "r-$h/current/assets/app.2.js" -ef "r-$h/releases/$two/assets/app.2.js" ] ||
		    fail "$h: the assets of $two are gone"
	done
	# Only the newest stays.
	build 3
	run deploy publish
	for h in "${hosts[@]}"; do
		assert_eq "$(bridges "$h" | wc -l)" 1
		[ "$(bridges "$h")" != "$old" ] || fail "$h keeps the old one"
	done
	assert_nothing_missing
	assert_clean
}

t_where_nothing_is_missing_there_is_none() {
	fleet c dash
	echo more >>site/index.html
	run deploy publish
	rm site/assets/app.2.js
	run deploy publish
	assert_eq "$(lines_of h1 bridge)$(lines_of h2 bridge)" 11
	# On one host, nobody asks another.
	build 4
	run deploy publish --host h1
	assert_eq "$(lines_of h1 bridge)" 1
	run deploy publish -n
	assert_eq "$(bridges h2 | wc -l)" 1
	# Turned off, or nothing is carried.
	sed -i 's/for: 7d}/for: 7d, bridge: false}/' deploy.yml
	build 5
	run deploy publish
	sed -i '/carry/d' deploy.yml
	build 6
	run deploy publish
	assert_eq "$(lines_of h1 bridge)$(lines_of h2 bridge)" 11
	sed -i 's/keep/&/; s/^    lock_wait.*/&\n    carry: {paths: [a], bridge: 7}/' \
	    deploy.yml
	expect_status 2 deploy status
	assert_contains "$err" bridge
}

# A preview that goes live, and what was staged before.
t_what_was_staged_gets_one_too() {
	local id
	fleet c busybox
	build 3
	run deploy stage --preview pr-1
	id=$(<"$out")
	run deploy activate pr-1
	assert_live "$id"
	assert_eq "$(lines_of h2 bridge)" 2
	assert_nothing_missing
}

# A freeze or an older sequence lets no bridge go live, either.
t_guards_come_first() {
	fleet c dash
	run deploy freeze -m wait
	build 3
	expect_status 3 deploy publish
	assert_eq "$(lines_of h1 bridge)$(lines_of h2 bridge)" 11
	expect_status 0 deploy publish --override=freeze
	assert_eq "$(lines_of h1 bridge)$(lines_of h2 bridge)" 22
	run deploy thaw
	run deploy rollback
	assert_eq "$(lines_of h1 bridge)$(lines_of h2 bridge)" 22
	build 3
	expect_status 4 deploy publish
	assert_eq "$(lines_of h1 bridge)$(lines_of h2 bridge)" 22
}

# It is something to have, and no reason not to go live.
t_it_cannot_be_staged() {
	fleet c c
	build 3
	fault h2 <<-'END'
	[ "$verb" != receive ] || [ ! -e staged ] || exit 1
	[ "$verb" != receive ] || : >staged
	END
	run deploy publish
	assert_contains "$err" "goes live without a bridge"
	heal
	assert_serves
	run deploy verify
	assert_clean
}

# All serve the build, whatever they carry.
assert_serves() {
	local h
	for h in "${hosts[@]}"; do
		cmp site/index.html "r-$h/current/index.html"
	done
	assert_nothing_missing
}

# ------------------------------------------------------------ what goes wrong

# Another host fails after the flip: those that flipped go back to the bridge,
# because others may still have the new page.
t_going_back_leads_to_the_bridge() {
	local h
	fleet c dash busybox c
	build 3
	fault h4 <<-'END'
	[[ $* != *--armed* ]] || exec "${real[@]}" < <(sed -u 's/^go$/nonsense/')
	END
	expect_status 6 deploy publish
	heal
	for h in "${hosts[@]}"; do
		assert_eq "$(version "$h")" 2
		assert_eq "$(link_of "$h")" "$(bridges "$h" | tail -n 1)"
	done
	assert_seen_through "$two" "$one"
	assert_nothing_missing
	# The same again: nothing is left to bridge.
	run deploy publish
	assert_serves
	assert_eq "$(lines_of h1 bridge)" 2
	run deploy rollback
	assert_live "$two"
}

# Pages of what was gone away from are open still: all hosts have its assets,
# also one that had nothing.
t_going_back_keeps_assets_on_all_hosts() {
	local h
	fleet c dash c
	rm -rf r-h2
	run deploy rollback
	assert_live "$one"
	for h in "${hosts[@]}"; do
		[ -e "r-$h/current/assets/app.2.js" ] || fail "$h lacks it"
	done
}

# Once more, from the bridge that stands there: it goes, what it had stays.
t_going_back_again_keeps_assets() {
	local h
	fleet c dash
	build 3
	run deploy publish
	run deploy rollback
	assert_live "$two"
	run deploy rollback
	assert_live "$one"
	for h in "${hosts[@]}"; do
		assert_eq "$(cd "r-$h/current/assets" && echo app.*)" \
		    "app.1.js app.2.js app.3.js"
	done
	run deploy verify
}

# A host that was left out of that, or made anew since, gets them from sync.
t_sync_keeps_assets_on_all_hosts() {
	local h
	fleet c dash c
	expect_status 7 deploy rollback --skip h2
	run deploy sync
	assert_live "$one"
	for h in "${hosts[@]}"; do
		[ -e "r-$h/current/assets/app.2.js" ] || fail "$h lacks it"
	done
	run deploy sync
	assert_contains "$err" "unchanged: "
	rm -rf r-h3
	run deploy sync
	[ -e r-h3/current/assets/app.2.js ] || fail "h3 lacks it"
}

# A check that fails.
t_a_failed_check_leads_to_the_bridge() {
	fleet c dash
	sed -i 's/^    lock_wait.*/&\n    check: {url: "http:\/\/127.0.0.1:1\/", tries: 1}/' \
	    deploy.yml
	build 3
	expect_status 6 deploy publish
	sed -i /check:/d deploy.yml
	assert_eq "$(link_of h1)" "$(bridges h1 | tail -n 1)"
	assert_seen_through "$two" "$one"
	expect_status 0 deploy publish --override=order
	assert_serves
}

# assert_seen_through ID BEFORE: with bridges live, it is what they stand for
# that is live everywhere.
assert_seen_through() {
	local staged
	run deploy status --json
	assert_eq "$(jq -r '.current, .previous, (.drift + [.hosts[].drift[]] | length)' \
	    "$out")" "$1
$2
0"
	assert_eq "$(jq -r '[.hosts[] | select(.bridge)] | length' "$out")" \
	    "${#hosts[@]}"
	run deploy status
	assert_contains "$out" stands
	run deploy list --json
	assert_eq "$(jq -r '.releases[] | select(.live) | .id' "$out")" "$1"
	run deploy sync -n
	assert_contains "$err" unchanged
	run deploy activate "$1"
	assert_contains "$err" "unchanged: $1 is live already"
	run deploy activate "$1" --expect "$1"
	run deploy prune --keep 1
	run deploy verify
	staged=$(link_of h1)
	[ -d "r-h1/releases/$staged" ] || fail "the live bridge was pruned"
}

# A run died after the bridge: all of it is as if it had not been.
t_what_is_live_is_what_it_stands_for() {
	local id
	fleet c dash busybox
	stop_before_the_flip
	assert_seen_through "$two" "$one"
	# The same content as what it stands for.
	build 2
	run deploy publish
	assert_contains "$err" unchanged
	# Somebody expects what is seen.
	build 3
	expect_status 4 deploy publish --expect "$one"
	run deploy publish --expect "$two"
	assert_serves
	# A rollback, and it is refused from then on.
	stop_before_the_flip
	id=$(live h1)
	run deploy rollback
	assert_live "$two"
	build 3
	expect_status 4 deploy publish
	assert_nothing_missing
	# A host that was down serves the same as the others.
	run deploy publish --override=order
	stop_before_the_flip
	rm -rf r-h3
	run deploy sync
	assert_nothing_missing
	run deploy status
	assert_not_contains "$out" drift
	# Another build, and a bridge over the bridge.
	build 7
	run deploy publish
	assert_serves
	for id in "${hosts[@]}"; do
		assert_eq "$(bridges "$id" | wc -l)" 1
	done
}

# A publish of a new build that dies between its two flips.
stop_before_the_flip() {
	local h
	build 9
	for h in "${hosts[@]}"; do
		fault "$h" <<-'END'
		[[ $* != *--armed* ]] || exit 1
		END
	done
	expect_status 1 deploy publish
	heal
	assert_nothing_missing
	for h in "${hosts[@]}"; do
		[ "$(link_of "$h")" = "$(bridges "$h" | tail -n 1)" ] ||
		    fail "no bridge is live on $h"
	done
}

# ------------------------------------------------------- killed at every step

# A publish that is killed; until the hosts are done with what they were asked.
publish_killed() {
	(
		echo "$BASHPID" >client
		exec deploy publish
	) >said 2>&1 &
	wait "$!" || true
	flock -x busy true
	heal
}

# The client is killed before the request $1 of all (0: of none); the hosts bring
# to its end what they were told.  The verbs are in the file verbs, a line for
# each request.
kill_at() {
	local h
	: >verbs
	: >busy
	rm -f killed
	for h in "${hosts[@]}"; do
		fault "$h" <<-END
		exec 7<>$PWD/busy
		flock -s 7
		n=\$(flock $PWD/verbs sh -c 'echo "\$0" >>$PWD/verbs; wc -l <$PWD/verbs' "\$verb")
		if [ "\$n" -eq $1 ]; then
			: >$PWD/killed
			kill -KILL "\$(<$PWD/client)"
		fi
		"\${real[@]}" 7>&-
		exit
		END
	done
	publish_killed
	[ ! -e killed ] || echo "killed at request $1, $(sed -n "$1p" verbs)" >&2
}

# Some hosts are told to go, and then the client is killed: h1 to h$1 have the
# new release.
kill_between_flips() {
	local h n=0
	: >busy
	for h in "${hosts[@]}"; do
		n=$((n + 1))
		fault "$h" <<-END
		if [[ \$* = *--armed* ]]; then
			exec 7<>$PWD/busy
			flock -s 7
			"\${real[@]}" 7>&- < <(
				while IFS= read -r word; do
					if [ "\$word" = go ] && [ $n -gt $1 ]; then
						until [ \$(grep -l '"let v = 3"\|app.3.js' $PWD/r-*/current/index.html | wc -l) -ge $1 ]; do
							sleep 0.02
						done
						kill -KILL "\$(<$PWD/client)"
						exit
					fi
					printf '%s\n' "\$word"
					# What follows is another request.
					[ "\$word" = wait ] || exit
				done
			)
			exit
		fi
		END
	done
	publish_killed
}

# either STATUSES CMD...: one of these, and nothing is missing after it.
either() {
	local status=0
	"${@:2}" >"$out" 2>"$err" || status=$?
	[[ " $1 " = *" $status "* ]] || {
		cat "$err" >&2
		fail "status $status: ${*:2}"
	}
	assert_nothing_missing
}

# go_on_with WHAT: how it goes on after that, and well.
go_on_with() {
	local h
	case $1 in
	again) ;;
	other) build 4 ;;
	sync) either '0 7' deploy sync ;;
	rollback)
		either '0 7' deploy rollback
		build 5
		;;
	esac
	run deploy publish
	assert_serves
	assert_clean
	# Of what was live before they may know different things, if some had the
	# new release.
	run deploy status --json
	[[ $1 != @(again|sync) ]] || assert_eq "$(jq -c .drift "$out")" '[]'
	for h in "${hosts[@]}"; do
		assert_eq "$(link_of "$h")" "$(live h1)"
		(($(bridges "$h" | wc -l) <= 1)) || fail "$h has bridges left"
	done
}

# killed_everywhere KIND...: at each request.  Those that only look or send
# change nothing that anybody sees: they are for the long run, and so are the
# first $skip flips.
killed_everywhere() {
	local n i=0 flips=0 ways=(again other sync rollback) seed requests
	fleet "$@"
	seed=$(mktemp -d ../seed.XXXXXX)
	cp -a r-* "$seed"
	build 3
	kill_at 0
	assert_serves
	mapfile -t requests <verbs
	for n in "${!requests[@]}"; do
		[ "${requests[n]}" = activate ] || wide || continue
		((flips++ >= ${skip:-0})) || wide || continue
		rm -rf r-*
		cp -a "$seed"/* .
		build 3
		kill_at $((n + 1))
		[ -e killed ] || break
		assert_nothing_missing
		go_on_with "${ways[i++ % 4]}"
	done
	((i >= 2 * ${#hosts[@]})) || fail "killed $i times only"
}

t_killed_at_every_request() {
	local kinds=(c dash)
	! wide || kinds+=(busybox c)
	killed_everywhere "${kinds[@]}"
}

t_killed_at_every_request_of_a_rolling_publish() {
	local kinds=(busybox c)
	! wide || kinds+=(dash)
	# Those to the bridge are the same as above.
	lines="$carry    strategy: rolling\n" skip=2 killed_everywhere "${kinds[@]}"
}

t_killed_between_the_flips() {
	local n way
	fleet c dash c
	cp -a . ../seed
	for n in 1 2; do
		for way in again other sync rollback; do
			wide || [[ $n$way = @(1again|2other|1sync) ]] || continue
			rm -rf r-*
			cp -a ../seed/r-* .
			build 3
			kill_between_flips "$n"
			assert_eq "$(cat r-*/current/index.html | grep -c ^3)" "$n"
			assert_nothing_missing
			go_on_with "$way"
		done
	done
}

# ------------------------------------------------------------------- visitors

# balance: four nginx, and one in front that asks them in turn: $url.
balance() {
	local h ports=''
	need_cmd nginx python3
	for h in "${hosts[@]}"; do
		nginx_start "$_base/nginx-$h" "$PWD/r-$h/current" ||
		    fail "nginx does not start"
		defer kill "$nginx_pid"
		ports+="server 127.0.0.1:${url##*:}; "
	done
	balance_start "$_base/balance" "$ports" || fail "nginx does not start"
	defer kill "$nginx_pid"
}

# balance_start DIR SERVERS: as nginx_start, a proxy to those.
balance_start() {
	local servers=$2
	_nginx_conf() {
		nginx_head "$1"
		cat <<-EOF
			upstream all { $servers keepalive 8; }
			server {
				listen 127.0.0.1:$3;
				location = /$4 { return 200 ours; }
				location / {
					proxy_http_version 1.1;
					proxy_set_header Connection "";
					proxy_next_upstream off;
					proxy_pass http://all;
				}
			}
		}
		EOF
	}
	nginx_start "$1" "$PWD"
}

# visitors: they come, until visitors_end.
visitors() {
	rm -f pages
	"$TREE/tests/assets.py" "${url##*:}" "$PWD/pages" >visited 2>missed &
	visitors_pid=$!
	defer kill "$visitors_pid"
	wait_for 60 test -e pages
}

# Sets $pages, $asked and $missing.
visitors_end() {
	local bad
	kill "$visitors_pid"
	wait "$visitors_pid" || true
	read -r pages asked bad missing <visited
	echo "$pages pages, $asked assets asked for, $missing missing" >&2
	head missed >&2
	assert_eq "$bad" 0 "pages that did not come"
}

# slow_flips MOST [STEP]: the hosts flip one after the other, whatever is said to
# all at once: each waits until more pages were looked at, up to MOST, another
# number each time, and STEP more than the host before it.
slow_flips() {
	local h n=0
	for h in "${hosts[@]}"; do
		n=$((n + ${2:-0}))
		fault "$h" <<-END
		later() {
			local end now
			now=\$(<$PWD/pages) end=\$((now + $n + RANDOM % $1))
			until ((now >= end)); do
				sleep 0.02
				now=\$(<$PWD/pages)
			done
		}
		if [[ \$* = *--armed* ]]; then
			"\${real[@]}" < <(
				while IFS= read -r word; do
					[ "\$word" != go ] || later
					printf '%s\n' "\$word"
					# What follows is another request.
					[ "\$word" = wait ] || exit
				done
			)
			exit
		fi
		[ "\$verb" != activate ] || later
		END
	done
}

# deploys FIRST LAST: these versions go live.
deploys() {
	local v
	for ((v = $1; v <= $2; v++)); do
		build "$v"
		run deploy publish
	done
}

# A publish that flips all at once, and a rolling one; and the same without a
# bridge, so that it is the bridge that they have to thank.
t_visitors_miss_nothing() {
	local most=12 each=2
	! wide || most=200 each=50
	fleet c dash busybox c
	balance
	visitors
	slow_flips "$most"
	deploys 3 $((2 + each))
	sed -i 's/^    lock_wait.*/&\n    strategy: rolling/' deploy.yml
	deploys $((3 + each)) $((2 + 2 * each))
	heal
	visitors_end
	assert_eq "$missing" 0 "missing assets"
	assert_eq "$(lines_of h1 bridge)" $((1 + 2 * each))
	sed -i 's/for: 7d/&, bridge: false/' deploy.yml
	visitors
	slow_flips 1 10
	deploys $((3 + 2 * each)) $((3 + 2 * each))
	heal
	visitors_end
	((missing > 0)) || fail "nothing is missing without a bridge"
}

run_tests
