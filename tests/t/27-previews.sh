#!/bin/bash
# Previews: releases that are shown under names of their own, on every kind of
# root; they never go live by accident, and what is promoted is the same bytes.
# parts: 4
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

# roots KIND...: a site whose hosts, h1, h2, ..., are of these kinds; with
# `here` its root is on this machine.
roots() {
	local n=0 kind
	{
		printf 'sites:\n  - name: t\n    source: site\n    root: %s\n' \
		    "$PWD/r-h1"
		echo '    preview: {url: "https://{name}.example.net/", for: 3d}'
	} >deploy.yml
	hosts=(h1)
	[ "$1" != here ] || return 0
	echo '    hosts:' >>deploy.yml
	hosts=()
	for kind; do
		n=$((n + 1))
		hosts+=("h$n")
		program "h$n" "$kind"
		printf '      - {address: h%s, transport: local, root: %s, deploy: %s}\n' \
		    "$n" "$PWD/r-h$n" "$PWD/h$n" >>deploy.yml
	done
}

# page TEXT: ./site is this page, and one that all builds have.
page() {
	mkdir -p site
	echo "$1" >site/index.html
	echo same >site/same.html
}

# shows NAME TEXT: so it is on all hosts; without TEXT there is no such preview.
shows() {
	local h
	for h in "${hosts[@]}"; do
		if [ $# -eq 1 ]; then
			[ ! -L "r-$h/previews/$1" ] || fail "$h has $1"
		else
			assert_eq "$(<"r-$h/previews/$1/index.html")" "$2" "$h"
		fi
	done
}

on() {
	local first pr other h
	roots "$@"
	page one
	run deploy publish
	first=$(cat "$out")
	page two
	run deploy stage --preview pr-12 --json
	pr=$(json "$out" .id)
	assert_eq "$(json "$out" '[.preview, .preview_url] | tostring')" \
	    '["pr-12","https://pr-12.example.net/"]'
	assert_contains "$err" "the preview pr-12 shows $pr: https://pr-12.example.net/"
	shows pr-12 two
	for h in "${hosts[@]}"; do
		assert_eq "$(readlink "r-$h/previews/pr-12")" "../releases/$pr"
		[ "r-$h/current/same.html" -ef "r-$h/previews/pr-12/same.html" ] ||
		    fail "$h: nothing is linked"
	done
	assert_live "$first"
	# It does not wait to go live, is not the latest, and is in the list.
	run deploy activate
	assert_contains "$err" "no release waits to go live"
	run deploy activate latest
	assert_live "$first"
	run deploy list
	assert_contains "$out" "preview"
	run deploy list --json
	assert_eq "$(json "$out" '[.releases[].preview] | tostring')" \
	    '["pr-12",null]'
	# The next push takes its place; what it showed waits as little.
	page three
	run deploy stage --preview pr-12 --for 2h
	[ "$(cat "$out")" != "$pr" ] || fail "the same release"
	shows pr-12 three
	run deploy activate
	assert_live "$first"
	# A second one, and one for what was staged in the usual way.
	page four
	run deploy stage --preview next
	page five
	run deploy stage
	other=$(cat "$out")
	run deploy preview five "$other"
	assert_contains "$out" "NAME  RELEASE              UNTIL"
	assert_contains "$out" "five  ${other%%Z-*}  20"
	run deploy preview --json
	assert_eq "$(json "$out" '[.previews[] | .name, .over, (.hosts | length)] | tostring')" \
	    "[\"five\",false,${#hosts[@]},\"next\",false,${#hosts[@]},\"pr-12\",false,${#hosts[@]}]"
	run deploy activate
	assert_live "$first"
	run deploy preview pr-12
	assert_eq "$(wc -l <"$out")" 2
	# Promoted: nothing is built, nothing travels but the word.
	run deploy activate pr-12 --json
	assert_serves three
	run deploy preview --remove pr-12
	shows pr-12
	run deploy preview --remove pr-12
	shows next four
	# What is shown is not pruned, whatever its age; what is over, is gone.
	run deploy preview next next --for 1s
	run deploy preview five five --for 30d
	for h in "${hosts[@]}"; do
		touch -h -d '1 hour ago' "r-$h/previews/next"
		touch "r-$h/previews/no-preview"
	done
	run deploy prune -n
	shows next four
	run deploy prune
	assert_contains "$err" "the preview next is over: removed"
	shows next
	shows five five
	for h in "${hosts[@]}"; do
		[ -e "r-$h/previews/no-preview" ] || fail "$h: a file is gone"
	done
	assert_clean
}

assert_serves() {
	local h
	for h in "${hosts[@]}"; do
		assert_eq "$(<"r-$h/current/index.html")" "$1" "$h"
	done
}

t_here() {
	on here
}

t_on_a_c_host() {
	on c
}

t_on_a_dash_host() {
	on dash
}

t_on_a_busybox_host() {
	on busybox
}

t_on_hosts_of_all_kinds() {
	on c dash busybox
}

# Releases that were never live go after a day, unless one is shown.
old() {
	local h id new base
	roots "$@"
	page one
	run deploy publish
	page two
	run deploy stage --preview kept
	page three
	run deploy stage --preview gone
	run deploy preview --remove gone
	# As if they were of the day before yesterday.
	for h in "${hosts[@]}"; do
		[ ! -d "r-$h/previews" ] || true
		for id in "r-$h"/releases/*; do
			id=${id##*/}
			base=${id#*T}
			new=$(date -u -d '3 days ago' +%Y%m%d)T$base
			[ ! -L "r-$h/previews/kept" ] ||
			    [ "$(readlink "r-$h/previews/kept")" != "../releases/$id" ] || {
				ln -sfn "../releases/$new" "r-$h/previews/kept"
				touch -h -d 'tomorrow' "r-$h/previews/kept"
			}
			[ "$(live "$h")" != "$id" ] || continue
			mv "r-$h/releases/$id" "r-$h/releases/$new"
			mv "r-$h/.deploy/manifests/$id" "r-$h/.deploy/manifests/$new"
			sed "s/$id/$new/" "r-$h/.deploy/meta/$id.json" \
			    >"r-$h/.deploy/meta/$new.json"
			rm "r-$h/.deploy/meta/$id.json"
		done
	done
	run deploy prune --json
	assert_eq "$(json "$out" '.pruned | length')" 1
	shows kept two
	run deploy preview --remove kept
	run deploy prune --json
	assert_eq "$(json "$out" '.pruned | length')" 1
}

t_prune_leaves_what_is_shown_here() {
	old here
}

t_prune_leaves_what_is_shown_on_hosts() {
	old c dash
}

# What waited is shown as a preview now: who activates is told its name.
t_activate_names_the_preview() {
	mksite site 2
	run deploy stage site --root "$PWD/www"
	run deploy preview pv latest --root "$PWD/www"
	expect_status 2 deploy activate --root "$PWD/www"
	assert_contains "$err" "none is live; run 'deploy activate pv --root "
	run deploy activate pv --root "$PWD/www"
	assert_tree_eq www/current/ site
}

t_names() {
	local n
	roots here
	page one
	run deploy publish
	while IFS= read -r n; do
		expect_status 2 deploy stage --preview="$n"
		assert_contains "$err" "such as pr-12"
		expect_status 2 deploy preview -- "$n" current
		assert_contains "$err" "such as pr-12"
	done <<-END

	PR-12
	pr_12
	pr.12
	../x
	a/b
	-pr
	pr-
	é
	2026
	current
	latest
	$(printf 'a%.0s' {1..64})
	END
	assert_eq "$(ls -A r-h1/previews 2>/dev/null)" ""
	run deploy preview "$(printf 'a%.0s' {1..63})" current
	run deploy preview 4-u current
	run deploy preview 4-u
	expect_status 2 deploy preview a nosuch
	expect_status 2 deploy activate nosuch
	expect_status 2 deploy preview --remove
	expect_status 2 deploy preview --for 2h a
	expect_status 2 deploy stage --for 2h
}

# A preview that is called as the commit of another release begins.
t_names_that_are_commits() {
	local a b
	roots here
	page one
	a=$(deploy publish --commit cafe0000beef)
	page two
	b=$(deploy publish --commit 11110000)
	run deploy preview cafe current
	expect_status 2 deploy activate cafe
	assert_contains "$err" "'cafe' could be release $b or $a"
	expect_status 2 deploy preview other cafe
	expect_status 2 deploy diff cafe
	run deploy preview cafe "$a"
	run deploy activate cafe
	assert_eq "$(readlink r-h1/current)" "releases/$a"
	# Nothing but the preview is meant where no release can be.
	run deploy preview cafe "$b"
	run deploy preview --remove cafe
	run deploy activate cafe
}

# Somebody's own things are left alone, and followed nowhere.
other() {
	local h
	roots "$1"
	page one
	run deploy publish
	mkdir r-h1/previews elsewhere
	echo mine >r-h1/previews/mine
	mkdir r-h1/previews/dir
	ln -s ../../elsewhere r-h1/previews/away
	for h in mine dir; do
		expect_status 1 deploy preview "$h" current
		assert_contains "$err" "is not a symbolic link"
		expect_status 1 deploy preview --remove "$h"
	done
	assert_eq "$(<r-h1/previews/mine)" mine
	ln -s "../releases/none" r-h1/previews/other
	for h in away other; do
		expect_status 1 deploy preview "$h" current
		assert_contains "$err" "/previews/$h' is a symbolic link that leads to no release; "
		assert_contains "$err" "move it away"
		expect_status 1 deploy preview --remove "$h"
	done
	assert_eq "$(readlink r-h1/previews/away)" ../../elsewhere
	run deploy preview
	assert_eq "$(cat "$out")" ""
	run deploy prune
	[ -L r-h1/previews/away ] || fail "removed"
	# A directory of another place.
	rm -r r-h1/previews
	ln -s ../elsewhere r-h1/previews
	expect_status 1 deploy preview pr current
	assert_empty elsewhere
	run deploy preview
}

t_what_is_no_preview_here() {
	other here
}

t_what_is_no_preview_on_a_dash_host() {
	other dash
}

t_hosts_that_differ() {
	roots c dash
	page one
	run deploy publish
	page two
	run deploy stage --preview pr
	ln -sfn "../releases/$(live h1)" r-h2/previews/pr
	touch -h -d tomorrow r-h2/previews/pr
	run deploy preview
	assert_contains "$out" "only on h1"
	expect_status 7 deploy activate pr
	assert_contains "$err" "the hosts differ in what the preview 'pr' shows"
	rm r-h2/previews/pr
	run deploy activate pr
	assert_serves two
}

# A real server shows each under its own name, and goes on while they change.
t_visitors() {
	local n
	roots here
	mkdir r-h1
	start_nginx r-h1/current
	page one
	run deploy publish
	kill "$nginx_pid"
	wait "$nginx_pid" || true
	sed -i "s|listen [0-9.:]*|& default_server|" "$_base/nginx/nginx.conf"
	sed -i "s|^\([[:blank:]]*\)server {|\1server {\n\
	    listen 127.0.0.1:${url##*:}; index index.html;\n\
	    server_name ~^(?<preview>[a-z0-9-]+)[.]preview[.]example[.]org\$;\n\
	    root $PWD/r-h1/previews/\$preview;\n\
	    add_header X-Robots-Tag noindex always; }\n&|" "$_base/nginx/nginx.conf"
	nginx -p "$_base/nginx" -c "$_base/nginx/nginx.conf" \
	    -e "$_base/nginx/error.log" </dev/null >/dev/null 2>&1 &
	defer kill $!
	get() {
		curl --noproxy '*' -s -H "Host: $1.preview.example.org" "$url/$2" \
		    "${@:3}"
	}
	wait_for 10 curl --noproxy '*' -sf "$url/"
	for n in two three; do
		page "$n"
		run deploy stage --preview pr-1
		assert_eq "$(get pr-1 "")" "$n"
		get pr-1 '' -i >headers
		grep -qi '^x-robots-tag: noindex' headers || fail "no noindex"
	done
	assert_eq "$(curl --noproxy '*' -s "$url/")" one
	assert_eq "$(get nosuch '' -o /dev/null -w '%{http_code}')" 404
	run deploy activate pr-1
	assert_eq "$(curl --noproxy '*' -s "$url/")" three
	run deploy preview --remove pr-1
	assert_eq "$(get pr-1 '' -o /dev/null -w '%{http_code}')" 404
}

# What CI systems get of it.
t_ci() {
	roots here
	page one
	: >outputs
	: >summary
	GITHUB_ACTIONS=true GITHUB_OUTPUT=$PWD/outputs \
	    GITHUB_STEP_SUMMARY=$PWD/summary run deploy stage --preview pr-3
	assert_contains outputs "preview_url=https://pr-3.example.net/"
	assert_contains summary "https://pr-3.example.net/"
	: >outputs
	GITHUB_ACTIONS=true GITHUB_OUTPUT=$PWD/outputs run deploy publish
	assert_not_contains outputs preview_url
	# Without a URL there is none.
	sed -i '/preview:/d' deploy.yml
	page two
	run deploy stage --preview pr-3 --json
	assert_eq "$(json "$out" .preview_url)" null
	# A dry run shows nothing.
	page three
	run deploy stage -n --preview pr-4 --json
	assert_eq "$(json "$out" .preview)" pr-4
	shows pr-4
	run deploy preview -n pr-4 current
	shows pr-4
}

# A key that is limited to previews.
t_a_key_for_previews_only() {
	local first key
	roots here
	page one
	run deploy publish
	first=$(live h1)
	cat >key <<-END
	#!/bin/sh
	SSH_ORIGINAL_COMMAND="deploy \$*" exec $DEPLOY host --root $PWD/r-h1 --allow preview
	END
	chmod +x key
	sed -i 's/^    preview:/    hosts: [{address: h, transport: local, deploy: KEY}]\n&/' deploy.yml
	sed -i "s,KEY,$PWD/key," deploy.yml
	page two
	run deploy stage --preview pr --seq 7
	shows pr two
	page three
	run deploy stage --preview pr --seq 8
	shows pr three
	# Nothing that could go live, and nothing live.
	page four
	expect_status 8 deploy stage
	assert_contains "$err" "this key may stage nothing but previews; run: deploy stage --preview NAME"
	# The host holds to it, whatever the client knows.
	sed -i 's/exec //; s/$/ | sed -u "\/^limited\/d"/; 1s/ .*//' key
	expect_status 8 deploy stage
	assert_contains "$err" "this key may stage nothing but previews; the host advises: run: deploy stage --preview NAME"
	for c in 'activate pr' 'publish' 'prune' 'pin pr' 'freeze'; do
		# shellcheck disable=SC2086 # words are meant
		expect_status 8 deploy $c
	done
	expect_status 8 deploy preview pr pr --for 91d
	assert_contains "$err" "90 days at most"
	assert_eq "$(live h1)" "$first"
	run deploy preview --remove pr
	shows pr
}

run_tests
